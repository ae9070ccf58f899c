//! The compiler is held to what `compile` says from nothing.

mod authentication;
mod connections;
mod counting;
mod events;
mod extensions;
mod fleet;
mod history;
mod oracle;
mod plans;
mod policies;
mod visibility;
mod worlds;
