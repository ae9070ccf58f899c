//! What crosses our borders: Istio kinds, Marathon JSON, change events, debug JSON.
//!
//! Every source speaks the words of [`event::Event`]; every foreign document is decoded
//! here and nowhere else. The mesh model is unknown to this crate: `index` gives the meaning.

pub mod debug;
pub mod event;
pub mod istio;
pub mod marathon;
