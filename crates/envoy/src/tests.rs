//! What is compiled, seen as JSON.

mod addresses;
mod authentication;
mod clusters;
mod connections;
mod determinism;
mod gateways;
mod headers;
mod hosts;
mod listeners;
mod matches;
mod patches;
mod policies;
mod quarantine;
mod routes;
mod servers;
mod telemetry;
pub(crate) mod validate;
mod walkthrough;
mod written;
