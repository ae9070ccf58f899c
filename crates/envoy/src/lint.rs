//! What Envoy 1.40 refuses, checked before it is asked.
//!
//! A refusal costs more than the refused part: one wrong route and all routes of its port stay as
//! they were, one wrong listener and the response counts as rejected. Most of the rules hold by
//! construction; these are checked again where inputs or later changes could break them. Checks are
//! cheap, for they run on everything that is compiled.

mod cluster;
mod listener;
mod regex;
mod route;
mod tls;

pub(crate) use cluster::{cluster, outbound};
pub(crate) use listener::listener;
pub(crate) use route::route;
pub(crate) use tls::secret;

#[cfg(test)]
pub(crate) use cluster::assignment;
#[cfg(test)]
pub(crate) use route::virtual_hosts;

#[cfg(test)]
mod tests;
