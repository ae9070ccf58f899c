//! Real etcd, real kube-apiserver, real kubectl: the way in, and the answers back.
//!
//! Tests that harm nothing share one apiserver; those that kill, stop or cut have one of their own.
//! `make kube` gets the programs. Whatever becomes of the test process, none of them survives it.

mod answers; // Events, conditions, the Lease, definitions
mod apiserver; // the programs
mod cut; // a connection that can be cut
mod describe; // what the owner of a wrong object is told
mod follow; // what kubectl does arrives
mod outage; // the apiserver or its etcd is away
mod part; // one program that ends with the test
mod replicas; // several control planes on one apiserver
mod source; // the source, and what tests ask of it
