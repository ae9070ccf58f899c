//! The URLs of Marathon's REST interface below a base URL.

use api::marathon::{WorkloadKey, WorkloadKind};
use reqwest::Url;

/// The event types that can change what we know; all others are filtered out by Marathon.
const EVENT_TYPES: &[&str] = &[
    "api_post_event",
    "app_terminated_event",
    "deployment_failed",
    "deployment_info",
    "deployment_step_success",
    "deployment_success",
    "event_stream_attached",
    "group_change_success",
    "health_status_changed_event",
    "instance_changed_event",
    "instance_health_changed_event",
    "pod_created_event",
    "pod_deleted_event",
    "pod_updated_event",
    "status_update_event",
    "unknown_instance_terminated_event",
];

/// What to embed in apps. The plural is right for counts although the docs say `apps.count`.
const EMBEDS: &[&str] = &["tasks", "deployments", "readiness", "counts"];

pub(super) fn apps(base: &Url) -> Url {
    embed(below(base, "v2/apps", ""), "apps")
}

pub(super) fn pods(base: &Url) -> Url {
    below(base, "v2/pods/::status", "")
}

/// The present state of one app or pod.
pub(super) fn workload(base: &Url, key: &WorkloadKey) -> Url {
    match key.kind {
        WorkloadKind::App => embed(below(base, "v2/apps", &key.id), "app"),
        WorkloadKind::Pod => below(base, "v2/pods", &format!("{}::status", key.id)),
    }
}

/// The document of one version of an app or pod.
pub(super) fn version(base: &Url, key: &WorkloadKey, version: &str) -> Url {
    match key.kind {
        WorkloadKind::App => below(base, "v2/apps", &format!("{}/versions/{version}", key.id)),
        WorkloadKind::Pod => below(base, "v2/pods", &format!("{}::versions/{version}", key.id)),
    }
}

pub(super) fn leader(base: &Url) -> Url {
    below(base, "v2/leader", "")
}

pub(super) fn info(base: &Url) -> Url {
    below(base, "v2/info", "")
}

/// Light plans leave out whole copies of all groups, which since 1.8 are never sent anyway.
pub(super) fn events(base: &Url) -> Url {
    let mut url = below(base, "v2/events", "");
    let mut query = url.query_pairs_mut();
    query.append_pair("plan-format", "light");
    for event_type in EVENT_TYPES {
        query.append_pair("event_type", event_type);
    }
    drop(query);
    url
}

fn below(base: &Url, path: &str, id: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Only URLs like `mailto:` have no segments; the client refuses those when it is made.
    if let Ok(mut segments) = url.path_segments_mut() {
        let parts = path.split('/').chain(id.split('/'));
        segments
            .pop_if_empty()
            .extend(parts.filter(|part| !part.is_empty()));
    }
    url
}

fn embed(mut url: Url, what: &str) -> Url {
    for embed in EMBEDS {
        url.query_pairs_mut()
            .append_pair("embed", &format!("{what}.{embed}"));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: WorkloadKind) -> WorkloadKey {
        WorkloadKey {
            kind,
            id: "/shop/reviews".into(),
        }
    }

    #[test]
    fn paths_stand_below_the_base_with_or_without_a_slash() {
        for base in ["https://m/service/marathon", "https://m/service/marathon/"] {
            let base: Url = base.parse().unwrap();
            let path = |url: Url| {
                url.path()
                    .strip_prefix("/service/marathon")
                    .unwrap()
                    .to_owned()
            };
            assert_eq!(path(pods(&base)), "/v2/pods/::status");
            assert_eq!(
                path(workload(&base, &key(WorkloadKind::App))),
                "/v2/apps/shop/reviews"
            );
            assert_eq!(
                path(workload(&base, &key(WorkloadKind::Pod))),
                "/v2/pods/shop/reviews::status"
            );
            assert_eq!(
                path(version(
                    &base,
                    &key(WorkloadKind::Pod),
                    "2026-01-01T00:00:00.000Z"
                )),
                "/v2/pods/shop/reviews::versions/2026-01-01T00:00:00.000Z"
            );
        }
    }

    #[test]
    fn lists_embed_tasks_in_the_plural_and_single_apps_in_the_singular() {
        let base: Url = "http://m:8080".parse().unwrap();
        assert!(
            apps(&base)
                .as_str()
                .starts_with("http://m:8080/v2/apps?embed=apps.tasks&")
        );
        let one = workload(&base, &key(WorkloadKind::App));
        assert!(
            one.query().unwrap().starts_with("embed=app.tasks&"),
            "{one}"
        );
        assert!(
            events(&base)
                .query()
                .unwrap()
                .starts_with("plan-format=light&event_type=")
        );
    }
}
