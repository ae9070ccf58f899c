//! The addresses of one proxy's own listeners. No two listeners may have the same address: Envoy
//! refuses the second, even if neither is bound.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use model::{Diagnostic, ObjectRef};

use super::output::Output;
use crate::built::Built;
use crate::finding::{self, Text, code};
use crate::pb;

/// Who has which address. Who comes first keeps it.
#[derive(Default)]
pub(super) struct Listeners {
    names: BTreeMap<SocketAddr, String>,
}

// === impl Listeners ===

impl Listeners {
    /// Takes an address for a listener, and then builds it.
    pub(super) fn add(
        &mut self,
        address: SocketAddr,
        object: Option<ObjectRef>,
        output: &mut Output,
        build: impl FnOnce() -> pb::listener::Listener,
    ) {
        if let Some(owner) = self.names.get(&address) {
            output.diagnostics.push(conflict(address, owner, object));
            return;
        }
        let listener = build();
        output.add(Built::listener(&listener));
        self.names.insert(address, listener.name);
    }

    pub(super) fn taken(&self) -> impl Iterator<Item = (&SocketAddr, &String)> {
        self.names.iter()
    }
}

pub(super) fn conflict(address: SocketAddr, owner: &str, object: Option<ObjectRef>) -> Diagnostic {
    let text = Text {
        why: format!("the listener {owner} of this proxy already has the address {address}"),
        effect: format!("only {owner} is served on it"),
        remedy: "use another port, or another address for outbound connections".to_owned(),
    };
    finding::warning(code::ADDRESS_CONFLICT, object, String::new(), text)
}
