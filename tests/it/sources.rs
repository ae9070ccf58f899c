//! The sources against real files and a Marathon on a real socket.

mod client;
mod directory;
mod ear;
mod fake;
mod live;
mod source;
mod sync;
