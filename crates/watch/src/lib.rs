//! How we learn it: Marathon, a kube-apiserver and a directory, as one event vocabulary.
//!
//! ```text
//!     files ──► directory ──┐
//! apiserver ──► kube ───────┼──► api::event::Update ──► snapshot ──► (index)
//!  Marathon ──► marathon ───┘                              └──► file
//!                   └──► Status, for whoever wants to look
//! ```
//!
//! A source knows how to read its origin and when to read it again; it does not know what the
//! things that it reads mean. All sources fail static: while the origin is away, or says
//! something that cannot be believed yet, nothing is sent, and whoever listens keeps what it had.

mod backoff;
pub mod code;
pub mod directory;
pub mod kube;
pub mod marathon;
mod report;
pub mod snapshot;
mod status;

pub use status::{State, Status};
