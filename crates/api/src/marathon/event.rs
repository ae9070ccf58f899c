//! What an event of `/v2/events` invalidates.
//!
//! Marathon does not promise the order of events, and several carry no id. So an event is never
//! taken as news, only as a hint which workloads to read again.

use std::collections::BTreeSet;

use serde_json::Value;

/// The workloads that must be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Affected {
    Nothing,
    /// Absolute ids of apps or pods; the event does not always tell which of the two.
    Ids(BTreeSet<String>),
    Everything,
}

/// Reads an event's type and data. An unknown type, or data that cannot be read, invalidates everything.
pub fn affected(event_type: &str, data: &str) -> Affected {
    let Ok(data) = serde_json::from_str::<Value>(data) else {
        return Affected::Everything;
    };
    match event_type {
        "event_stream_attached"
        | "event_stream_detached"
        | "add_health_check_event"
        | "remove_health_check_event"
        | "scheduler_registered_event"
        | "scheduler_reregistered_event"
        | "scheduler_disconnected_event"
        | "framework_message_event"
        | "subscribe_event"
        | "unsubscribe_event" => Affected::Nothing,
        "status_update_event"
        | "health_status_changed_event"
        | "failed_health_check_event"
        | "unhealthy_instance_kill_event"
        | "unhealthy_task_kill_event"
        | "app_terminated_event" => one(data.get("appId")),
        "instance_changed_event"
        | "instance_health_changed_event"
        | "unknown_instance_terminated_event" => one(data.get("runSpecId")),
        "api_post_event" => one(data.pointer("/appDefinition/id")),
        "pod_updated_event" | "pod_deleted_event" => pod_in_uri(data.get("uri")),
        "deployment_info" | "deployment_step_success" | "deployment_step_failure" => {
            actions(data.pointer("/currentStep/actions").into_iter())
        }
        "deployment_success" | "deployment_failed" => plan(&data),
        _ => Affected::Everything,
    }
}

fn one(id: Option<&Value>) -> Affected {
    match id.and_then(Value::as_str) {
        Some(id) => Affected::Ids(BTreeSet::from([absolute(id)])),
        None => Affected::Everything,
    }
}

/// Pod events carry only the URI of the call: `/v2/pods/<id>`.
fn pod_in_uri(uri: Option<&Value>) -> Affected {
    let id = uri
        .and_then(Value::as_str)
        .and_then(|uri| uri.split("/v2/pods/").nth(1));
    match id.map(|id| id.split(['?', ':']).next().unwrap_or(id).trim_matches('/')) {
        Some(id) if !id.is_empty() => Affected::Ids(BTreeSet::from([absolute(id)])),
        _ => Affected::Everything,
    }
}

fn plan(data: &Value) -> Affected {
    let steps = data.pointer("/plan/steps").and_then(Value::as_array);
    match steps {
        Some(steps) => actions(steps.iter().filter_map(|step| step.get("actions"))),
        None => Affected::Everything,
    }
}

fn actions<'a>(lists: impl Iterator<Item = &'a Value>) -> Affected {
    let mut ids = BTreeSet::new();
    for action in lists.filter_map(Value::as_array).flatten() {
        match action
            .get("app")
            .or_else(|| action.get("pod"))
            .and_then(Value::as_str)
        {
            Some(id) => ids.insert(absolute(id)),
            None => return Affected::Everything,
        };
    }
    if ids.is_empty() {
        Affected::Everything
    } else {
        Affected::Ids(ids)
    }
}

fn absolute(id: &str) -> String {
    format!("/{}", id.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(list: &[&str]) -> Affected {
        Affected::Ids(list.iter().map(|s| s.to_string()).collect())
    }

    #[test]
    fn ids_are_found_where_each_type_keeps_them() {
        for (event, data, expected) in [
            ("status_update_event", r#"{"appId":"/a"}"#, ids(&["/a"])),
            (
                "instance_changed_event",
                r#"{"runSpecId":"/g/a"}"#,
                ids(&["/g/a"]),
            ),
            (
                "api_post_event",
                r#"{"appDefinition":{"id":"/b"}}"#,
                ids(&["/b"]),
            ),
            (
                "pod_updated_event",
                r#"{"uri":"/v2/pods/g/p?force=true"}"#,
                ids(&["/g/p"]),
            ),
            (
                "pod_deleted_event",
                r#"{"uri":"/v2/pods//p"}"#,
                ids(&["/p"]),
            ),
            (
                "deployment_info",
                r#"{"currentStep":{"actions":[{"action":"ScalePod","pod":"/p"},{"app":"/a"}]}}"#,
                ids(&["/a", "/p"]),
            ),
            (
                "deployment_success",
                r#"{"plan":{"steps":[{"actions":[{"app":"/a"}]},{"actions":[{"pod":"/p"}]}]}}"#,
                ids(&["/a", "/p"]),
            ),
            (
                "event_stream_attached",
                r#"{"remoteAddress":"x"}"#,
                Affected::Nothing,
            ),
        ] {
            assert_eq!(affected(event, data), expected, "{event}");
        }
    }

    #[test]
    fn an_event_that_tells_no_id_invalidates_everything() {
        for (event, data) in [
            ("pod_created_event", r#"{"uri":"/v2/pods"}"#),
            ("group_change_success", r#"{"groupId":"/"}"#),
            ("brand_new_event", "{}"),
            ("status_update_event", "{truncated"),
            ("deployment_info", r#"{"currentStep":{"actions":[]}}"#),
        ] {
            assert_eq!(affected(event, data), Affected::Everything, "{event}");
        }
    }
}
