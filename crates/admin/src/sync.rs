//! `/debug/syncz`: what each proxy was sent and has acknowledged.
//!
//! The flat fields are those of Istio 1.0, with nonces as values and empty ones left out;
//! `resources` tells the same per type with versions, ages and the last rejection.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use xds::{Connection, Kind, KindStatus, Mark, Mode};

use crate::Inside;
use crate::router::pretty;

pub(crate) async fn page(State(inside): State<Arc<dyn Inside>>) -> Response {
    let now = Instant::now();
    let row = |connection: &Connection| {
        let generation = inside.generation(connection.stream, connection.status.generation);
        row(connection, generation, now)
    };
    let rows: Vec<Value> = inside.connections().list().iter().map(row).collect();
    pretty(&rows)
}

fn row(connection: &Connection, generation: Option<u64>, now: Instant) -> Value {
    let mut row = Map::new();
    row.insert("proxy".into(), json!(connection.node.id));
    row.insert("proxy_version".into(), json!(connection.node.version));
    row.insert("peer".into(), json!(connection.peer.to_string()));
    row.insert(
        "connected_seconds".into(),
        json!(connection.since.elapsed().map_or(0, |age| age.as_secs())),
    );
    let mode = match connection.status.mode {
        Mode::Sotw => "state-of-the-world",
        Mode::Delta => "delta",
    };
    row.insert("mode".into(), json!(mode));
    row.insert("generation".into(), json!(generation));
    let mut resources = Map::new();
    for (kind, status) in &connection.status.kinds {
        add_nonces(&mut row, *kind, status);
        resources.insert(kind.short().into(), detail(*kind, status, now));
    }
    row.insert("resources".into(), Value::Object(resources));
    Value::Object(row)
}

/// Pilot's flat fields.
fn add_nonces(row: &mut Map<String, Value>, kind: Kind, status: &KindStatus) {
    let word = match kind {
        Kind::Cluster => "cluster",
        Kind::Endpoint => "endpoint",
        Kind::Listener => "listener",
        Kind::Route => "route",
        Kind::Secret => "secret",
    };
    for (suffix, mark) in [("sent", &status.sent), ("acked", &status.acked)] {
        if let Some(mark) = mark {
            row.insert(format!("{word}_{suffix}"), json!(mark.nonce));
        }
    }
}

fn detail(kind: Kind, status: &KindStatus, now: Instant) -> Value {
    let mark = |mark: &Option<Mark>| {
        mark.as_ref().map(|m| json!({"nonce": m.nonce, "version": m.version, "age_seconds": now.duration_since(m.at).as_secs_f64()}))
    };
    let nack = status.nack.as_ref().map(|nack| {
        json!({"nonce": nack.nonce, "message": nack.message, "names": nack.names,
            "remedy": kind.remedy(), "age_seconds": now.duration_since(nack.at).as_secs_f64()})
    });
    json!({
        "state": state(status),
        "subscribed": status.subscribed,
        "wildcard": status.wildcard,
        "sent": mark(&status.sent),
        "acked": mark(&status.acked),
        "rejected": nack,
        "withheld": status.withheld,
        "responses": {"sent": status.counters.sent, "acked": status.counters.acked, "rejected": status.counters.nacked,
            "stale": status.counters.stale, "guarded": status.counters.guarded},
    })
}

/// One word, as `istioctl proxy-status` prints it.
fn state(status: &KindStatus) -> &'static str {
    if status.nack.is_some() {
        "REJECTED"
    } else if status.is_synced() {
        "SYNCED"
    } else {
        "STALE"
    }
}
