//! `/ready`: whether proxies are served, and if not, what is missing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::{Inside, Pending};

pub(crate) async fn ready(State(inside): State<Arc<dyn Inside>>) -> (StatusCode, String) {
    answer(&inside.pending())
}

fn answer(pending: &[Pending]) -> (StatusCode, String) {
    if pending.is_empty() {
        return (StatusCode::OK, "ready\n".into());
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
        let (status, body) = answer(&[pending]);
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            body,
            "pending: marathon: connection refused\n  do: check --mesosMaster\n"
        );
        assert_eq!(answer(&[]).0, StatusCode::OK);
    }
}
