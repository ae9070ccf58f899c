//! What policies demand of requests, read and judged.

use super::*;

const KEYS: &str = r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#;

fn with(mut spec: Value) -> World {
    spec["targets"] = json!([{"name": "reviews"}]);
    world(vec![policy("p", spec)])
}

/// What is told of the object, but for callers that have no mutual TLS.
fn told(world: &World) -> Vec<(&str, &str)> {
    let told = world.diagnostics.iter();
    let told = told.filter(|d| d.code != code::PLAINTEXT_CALLERS);
    told.map(|d| (d.code, d.field.as_str())).collect()
}

#[test]
fn tokens_of_peers_and_words_without_origins_have_no_effect_and_that_is_said() {
    let expected = (Some(Demand::default()), vec![code::END_USERS]);
    assert_eq!(demanded(json!([{"jwt": {"issuer": "x"}}])), expected);
    let world = with(
        json!({"originIsOptional": true, "principalBinding": "USE_ORIGIN",
        "peerIsOptional": true}),
    );
    assert_eq!(
        told(&world),
        [
            (code::END_USERS, "spec.originIsOptional"),
            (code::END_USERS, "spec.principalBinding"),
            (code::PEER_OPTIONAL, "spec.peerIsOptional")
        ]
    );
    assert_eq!(world.authentication.len(), 1);
}

#[test]
fn origins_are_issuers_for_paths() {
    let rule = json!({"includedPaths": [{"prefix": "/a"}], "excluded_paths": [{"suffix": ".js"}]});
    let world = with(json!({
        "origins": [
            {"jwt": {"issuer": "a", "jwks": KEYS, "jwtHeaders": ["x-token", "Authorization"],
                "jwt_params": ["t"], "audiences": ["web"], "triggerRules": [rule, rule]}},
            {"jwt": {"issuer": "b", "jwks": KEYS, "triggerRules": [rule, {}]}},
        ],
        "originIsOptional": true, "principalBinding": "USE_ORIGIN",
    }));
    assert_eq!(told(&world), []);
    let read = world.authentication[0].origins.clone().unwrap();
    assert!(read.optional && read.only_trigger().is_some());
    let [first, second] = read.all.as_slice() else {
        panic!("{read:?}");
    };
    assert_eq!((first.triggers.len(), second.triggers.len()), (1, 0));
    let headers = [("x-token", ""), ("Authorization", "Bearer ")];
    let headers = headers.map(|(name, prefix)| (name.into(), prefix.into()));
    assert_eq!(first.issuer.headers, headers);
    assert!(first.issuer.forward && !first.issuer.required);
}

#[test]
fn an_origin_that_cannot_be_understood_refuses_the_policy() {
    let jwt = |more: Value| {
        let mut jwt = json!({"issuer": "a", "jwks": KEYS});
        for (key, value) in more.as_object().unwrap() {
            jwt[key] = value.clone();
        }
        json!({"jwt": jwt})
    };
    let rules = |paths: Value| jwt(json!({"triggerRules": [{"includedPaths": [paths]}]}));
    let many: Vec<Value> = (0..6)
        .map(|n| json!({"prefix": format!("/{n}")}))
        .map(|path| json!({"includedPaths": [path]}))
        .collect();
    let other = |name: &str, rules: &[Value]| jwt(json!({"issuer": name, "triggerRules": rules}));
    for (origins, field) in [
        (json!([{}]), "spec.origins[0].jwt"),
        (
            json!([jwt(json!({"issuer": ""}))]),
            "spec.origins[0].jwt.issuer",
        ),
        (
            json!([jwt(json!({})), jwt(json!({}))]),
            "spec.origins[1].jwt.issuer",
        ),
        (
            json!([jwt(json!({"jwks": "x"}))]),
            "spec.origins[0].jwt.jwks",
        ),
        (
            json!([jwt(json!({"jwtHeaders": [" "]}))]),
            "spec.origins[0].jwt.jwtHeaders[0]",
        ),
        (
            json!([jwt(json!({"jwtParams": [""]}))]),
            "spec.origins[0].jwt.jwtParams[0]",
        ),
        (
            json!([rules(json!({}))]),
            "spec.origins[0].jwt.triggerRules[0].includedPaths[0]",
        ),
        (
            json!([rules(json!({"exact": "/a?b"}))]),
            "spec.origins[0].jwt.triggerRules[0].includedPaths[0]",
        ),
        (
            json!([rules(json!({"regex": "(a"}))]),
            "spec.origins[0].jwt.triggerRules[0].includedPaths[0]",
        ),
        (
            json!([other("a", &many), other("b", &many[1..])]),
            "spec.origins",
        ),
        (
            json!([rules(json!({"regex": ".*"})), other("b", &many[1..2])]),
            "spec.origins",
        ),
    ] {
        let world = with(json!({"origins": origins}));
        assert_eq!(told(&world), [(code::BAD_TOKENS, field)], "{origins}");
        assert!(world.authentication.is_empty());
    }
    let world = with(json!({"principalBinding": "USE_NOBODY"}));
    assert_eq!(told(&world), [(code::BAD_TOKENS, "spec.principalBinding")]);
}
