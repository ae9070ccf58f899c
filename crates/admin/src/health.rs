//! `/ready`: whether proxies are served, and if not, what is missing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::{Inside, Pending};

pub(crate) async fn ready(State(inside): State<Arc<dyn Inside>>) -> (StatusCode, String) {
    answer(&inside.pending(), &inside.degraded())
}

fn answer(pending: &[Pending], degraded: &[String]) -> (StatusCode, String) {
    if pending.is_empty() {
        let lines = degraded.iter().map(|line| format!("degraded: {line}\n"));
        return (
            StatusCode::OK,
            lines.fold("ready\n".into(), |text, line| text + &line),
        );
    }
    let lines = pending
        .iter()
        .map(|p| format!("pending: {}: {}\n  do: {}\n", p.name, p.why, p.remedy));
    (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pending_is_named_with_what_to_do() {
        let pending = Pending {
            name: "marathon".into(),
            why: "connection refused".into(),
            remedy: "check --mesosMaster".into(),
        };
        let (status, body) = answer(&[pending], &[]);
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            body,
            "pending: marathon: connection refused\n  do: check --mesosMaster\n"
        );
        assert_eq!(answer(&[], &[]), (StatusCode::OK, "ready\n".into()));
        let (status, body) = answer(&[], &["marathon is away".into()]);
        assert_eq!(
            (status, &*body),
            (StatusCode::OK, "ready\ndegraded: marathon is away\n")
        );
    }
}
