//! Tests of the whole index: updates in, Worlds and ChangeSets out.

mod authentication;
mod config;
mod connections;
mod delegates;
mod docs;
mod entries;
mod fixtures;
mod identify;
mod inclusion;
mod instances;
mod namespaces;
mod oracle;
mod policies;
mod publish;
mod roles;
mod routes;
mod rows;
mod servers;
mod sources;
mod traffic;
mod workloads;
