//! The table of edge cases: each row that concerns the index is a test of its number.
//!
//! The others are tested where they happen: 3, 10 to 12 and 14 at the Marathon source, the memory
//! of 13 in `watch`, what a route to a service that is gone leads to (5) in `envoy`, the times of 40
//! in the benches, the JSON of 45 in `api`.
//! What follows from the state of a task has a test for each row in `tests/traffic.rs`.

mod addresses;
mod checks;
mod families;
mod names;
mod proxies;
mod rollout;
