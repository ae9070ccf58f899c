//! The simulator seen from outside: over TCP, as curl and our client see it.

mod client;
mod crashes;
mod network;
mod pods;
mod rest;
mod sequences;
mod stream;
mod trouble;
mod updates;
