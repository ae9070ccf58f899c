//! Tests of the whole index: updates in, Worlds and ChangeSets out.

mod config;
mod docs;
mod fixtures;
mod identify;
mod instances;
mod oracle;
mod publish;
mod routes;
mod sources;
mod workloads;
