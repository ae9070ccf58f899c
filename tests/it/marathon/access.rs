//! Basic authentication and DC/OS tokens.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use simulator::{Account, Options, Proof, Simulator};

use crate::marathon::client::{Answer, Events, send_to, start_with};

const LOGIN: &str = "/acs/api/v1/auth/login";

/// Seconds since the epoch in the far future.
const LATER: i64 = 4_000_000_000;

struct Service {
    pair: KeyPair,
}

impl Service {
    fn new() -> Service {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        Service { pair }
    }

    fn public(&self) -> String {
        let der = self.pair.public_key().as_der().expect("DER");
        let base64 = STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n")
    }

    fn jwt(&self, claims: &Value) -> String {
        let parts = [&json!({ "alg": "RS256", "typ": "JWT" }), claims];
        let signed = parts
            .map(|p| URL_SAFE_NO_PAD.encode(p.to_string()))
            .join(".");
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let rng = SystemRandom::new();
        self.pair
            .sign(&RSA_PKCS1_SHA256, &rng, signed.as_bytes(), &mut signature)
            .expect("signed");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn get_as(sim: &Simulator, authorization: &str) -> Answer {
    let head = match authorization {
        "" => String::new(),
        value => format!("Authorization: {value}\r\n"),
    };
    send_to(sim.addr(), "GET", "/v2/apps", &head, None).await
}

async fn log_in(sim: &Simulator, body: Value) -> Answer {
    send_to(sim.addr(), "POST", LOGIN, "", Some(body)).await
}

async fn dcos(service: &Service) -> Simulator {
    start_with(|o| {
        o.auth.accounts = vec![
            Account {
                uid: "pilothouse".into(),
                proof: Proof::PublicKey(service.public()),
            },
            Account {
                uid: "ada".into(),
                proof: Proof::Password("pw".into()),
            },
        ];
    })
    .await
}

#[tokio::test]
async fn basic_authentication() {
    let sim = start_with(|o| o.auth.basic = vec![("ada".into(), "pw".into())]).await;
    let refused = get_as(&sim, "").await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.headers["www-authenticate"],
        "Basic realm=\"Mesosphere\""
    );
    let right = format!("Basic {}", STANDARD.encode("ada:pw"));
    let wrong = format!("Basic {}", STANDARD.encode("ada:no"));
    assert_eq!(get_as(&sim, &wrong).await.status, 401);
    assert_eq!(get_as(&sim, &right).await.status, 200);
    sim.forbid("ada", true);
    assert_eq!(get_as(&sim, &right).await.status, 403);
    sim.forbid("ada", false);
    assert_eq!(get_as(&sim, &right).await.status, 200);
    let events = Events::open_with(&sim, "").await;
    assert!(events.head.starts_with("HTTP/1.1 401 "), "{}", events.head);
}

#[tokio::test]
async fn services_log_in_with_their_key() {
    let service = Service::new();
    let sim = dcos(&service).await;
    assert_eq!(get_as(&sim, "").await.headers["www-authenticate"], "acsjwt");
    let login = service.jwt(&json!({ "uid": "pilothouse", "exp": LATER }));
    let answer = log_in(
        &sim,
        json!({ "uid": "pilothouse", "token": login, "exp": LATER }),
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let token = answer.json()["token"].as_str().expect("a token").to_owned();
    let cookie = &answer.headers["set-cookie"];
    assert!(cookie.starts_with(&format!("dcos-acs-auth-cookie={token}")));
    let claims = token.split('.').nth(1).map(|p| URL_SAFE_NO_PAD.decode(p));
    let claims: Value = serde_json::from_slice(&claims.unwrap().unwrap()).expect("claims");
    assert_eq!(
        (&claims["uid"], &claims["exp"]),
        (&json!("pilothouse"), &json!(LATER))
    );

    let header = format!("token={token}");
    assert_eq!(get_as(&sim, &header).await.status, 200);
    sim.forbid("pilothouse", true);
    assert_eq!(get_as(&sim, &header).await.status, 403);
    sim.forbid("pilothouse", false);
    sim.expire_tokens();
    assert_eq!(get_as(&sim, &header).await.status, 401);
    // A fresh login helps.
    let again = log_in(&sim, json!({ "uid": "pilothouse", "token": login })).await;
    let header = format!("token={}", again.json()["token"].as_str().expect("a token"));
    assert_eq!(get_as(&sim, &header).await.status, 200);
}

#[tokio::test]
async fn bad_logins_are_refused() {
    let (service, stranger) = (Service::new(), Service::new());
    let sim = dcos(&service).await;
    let good = json!({ "uid": "pilothouse", "exp": LATER });
    let tokens = [
        ("another key", stranger.jwt(&good)),
        (
            "too old",
            service.jwt(&json!({ "uid": "pilothouse", "exp": 1 })),
        ),
        (
            "another account",
            service.jwt(&json!({ "uid": "root", "exp": LATER })),
        ),
        ("no token", "x".into()),
    ];
    for (why, token) in tokens {
        let answer = log_in(&sim, json!({ "uid": "pilothouse", "token": token })).await;
        assert_eq!(answer.status, 401, "{why}");
        assert_eq!(answer.json()["code"], "ERR_INVALID_CREDENTIALS");
    }
    let person = log_in(&sim, json!({ "uid": "ada", "password": "pw" })).await;
    assert_eq!(person.status, 200);
    let wrong = log_in(&sim, json!({ "uid": "ada", "password": "no" })).await;
    assert_eq!(wrong.status, 401);
}

#[tokio::test]
async fn a_key_that_is_none_stops_the_start() {
    let mut options = Options::default();
    options.auth.accounts = vec![Account {
        uid: "svc".into(),
        proof: Proof::PublicKey("no key".into()),
    }];
    let error = Simulator::start(options).await.err().map(|e| e.to_string());
    assert!(error.is_some_and(|e| e.contains("'svc'") && e.contains("PEM")));
}
