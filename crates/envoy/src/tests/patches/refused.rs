//! Patches that cannot be, and harm nothing else.

use model::Severity;

use super::*;

#[test]
fn a_patch_that_envoy_would_refuse_is_dropped_alone() {
    let plain = with(Vec::new()).resources;
    let wrong = [
        at_sub_filter("envoy.filters.http.router", Operation::Remove, Value::Null),
        at_sub_filter(
            "envoy.filters.http.router",
            Operation::InsertAfter,
            lua("late"),
        ),
        patch(
            Target::HttpFilter,
            Operation::InsertFirst,
            json!({"name": "untyped"}),
        ),
        patch(Target::FilterChain, Operation::Remove, Value::Null),
        patch(
            Target::VirtualHost,
            Operation::Add,
            json!({"name": "all", "domains": ["*"]}),
        ),
        patch(
            Target::Cluster,
            Operation::Merge,
            json!({"connect_timeout": "0s"}),
        ),
        patch(Target::Cluster, Operation::Merge, json!({"name": "other"})),
        patch(
            Target::NetworkFilter,
            Operation::InsertFirst,
            json!({"name": "x", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "x", "cluster": "x"}}),
        ),
        patch(
            Target::HttpRoute,
            Operation::Merge,
            json!({"request_headers_to_remove": [":path"]}),
        ),
    ];
    for patch in wrong {
        let shown = format!("{patch:?}");
        let rendered = with(vec![patch]);
        assert_eq!(rendered.resources, plain, "{shown}");
        let codes: Vec<_> = rendered
            .diagnostics
            .iter()
            .map(|d| (d.code, d.severity))
            .collect();
        assert!(
            codes.contains(&("PH0451", Severity::Error)),
            "{shown}: {codes:?}"
        );
        let found = &rendered.diagnostics[0];
        assert_eq!(found.object.as_ref().unwrap().kind, "EnvoyFilter");
        assert_eq!(found.field, "spec.configPatches[0]");
    }
}

#[test]
fn a_value_that_is_no_such_message_is_told() {
    let plain = with(Vec::new()).resources;
    let unknown =
        json!({"name": "x", "typed_config": {"@type": "type.googleapis.com/istio.Stats"}});
    for value in [json!({"no_such_field": 1}), json!({"connect_timeout": []})] {
        let rendered = with(vec![patch(Target::Cluster, Operation::Merge, value)]);
        assert_eq!(rendered.resources, plain);
        assert_eq!(rendered.diagnostics[0].code, "PH0450");
        assert_eq!(
            rendered.diagnostics[0].field,
            "spec.configPatches[0].patch.value"
        );
    }
    let rendered = with(vec![patch(
        Target::HttpFilter,
        Operation::InsertFirst,
        unknown,
    )]);
    assert_eq!(rendered.diagnostics[0].code, "PH0450");
}
