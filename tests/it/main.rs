//! The one integration binary: each module is one subject.

// clippy.toml allows this in test functions only, and a test crate has helpers, too.
#![allow(clippy::unwrap_used)]

mod cluster; // a small DC/OS cluster: the guide, and faults
mod codes; // every code has a page, and its examples are true
mod crds; // the shipped CRDs cover the kinds that are known
mod e2e; // a whole mesh with real Envoys
mod fields; // every field has a fate, and a page tells it
mod golden; // small objects, and what proxies get of them
mod kube; // a real apiserver, kubectl, and answers to it
mod layers; // who may depend on whom
mod marathon; // the simulator, as curl and our client see it
mod poison; // wrong objects, one at a time: nothing else is affected
mod routing; // requests and answers for every routing feature
mod sources; // directory and Marathon, against real files and sockets
mod tidy; // rules about source files
mod validation; // documents, and whether they are taken
