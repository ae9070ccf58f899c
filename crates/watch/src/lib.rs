//! How we learn it: Marathon and a directory, as one event vocabulary.
//!
//! ```text
//!   files ──► directory ──┐
//!                         ├──► api::event::Update ──► snapshot ──► (index)
//! Marathon ──► marathon ──┘                              └──► file
//!                 └──► Status, for whoever wants to look
//! ```
//!
//! A source knows how to read its origin and when to read it again; it does not know what the
//! things that it reads mean. Both sources fail static: while the origin is away, or says
//! something that cannot be believed yet, nothing is sent, and whoever listens keeps what it had.

mod backoff;
pub mod code;
pub mod directory;
pub mod marathon;
mod report;
pub mod snapshot;
mod status;

pub use status::{State, Status};
