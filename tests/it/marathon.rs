//! The simulator seen from outside: over TCP, as curl and our client see it.

mod access;
mod agents;
mod client;
mod crashes;
mod failover;
mod faults;
mod groups;
mod network;
mod pods;
mod profiles;
mod remote;
mod rest;
mod sequences;
mod stream;
mod trouble;
mod updates;
