//! As much HTTP/1.1 as a Marathon needs, written by hand.
//!
//! A framework would choose the framing: chunks for streams, its own header
//! order, no way to cut a body short. Marathon's event stream is
//! close-delimited and breaks its heartbeat in two, and tests of clients want
//! to decide about every byte.

pub(crate) mod connection;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod stream;
