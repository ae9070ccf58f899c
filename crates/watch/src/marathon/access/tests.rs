//! Headers of every kind of credentials, and logins against a server that counts them.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers each login with the next token, or with 401 when there is none left.
async fn logins(tokens: &'static [&'static str]) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/service/marathon", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut tokens = tokens.iter();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = vec![0; 8192];
            let mut read = 0;
            while !String::from_utf8_lossy(&request[..read]).contains("\"uid\":\"pilot\"") {
                match socket.read(&mut request[read..]).await {
                    Ok(more @ 1..) => read += more,
                    _ => break,
                }
            }
            assert!(request.starts_with(b"POST /acs/api/v1/auth/login HTTP/1.1"));
            let (status, body) = match tokens.next() {
                Some(token) => ("200 OK", json!({"token": token}).to_string()),
                None => ("401 Unauthorized", "{}".to_owned()),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n");
            let answer = format!(
                "{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url.parse().unwrap()
}

fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap()
}

async fn header(access: &Access, base: &Url) -> Result<String, Failure> {
    let header = access.header(&http(), base).await?.expect("credentials");
    assert!(header.is_sensitive() && !format!("{header:?}").contains("token="));
    Ok(header.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn files_are_read_again_and_a_refusal_is_worth_another_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    let base: Url = "http://m:8080".parse().unwrap();
    let password = Access::new(Some(Credentials::PasswordFile {
        user: "me".into(),
        file: file.clone(),
    }));
    let told = header(&password, &base).await.unwrap_err().text();
    assert!(
        told.contains("secret") && told.contains("--marathonPasswordFile"),
        "{told}"
    );
    tokio::fs::write(&file, "secret\n").await.unwrap();
    assert_eq!(
        header(&password, &base).await.unwrap(),
        "Basic bWU6c2VjcmV0"
    );
    let token = Access::new(Some(Credentials::TokenFile(file.clone())));
    assert_eq!(header(&token, &base).await.unwrap(), "token=secret");
    tokio::fs::write(&file, "token=other").await.unwrap();
    assert_eq!(header(&token, &base).await.unwrap(), "token=other");
    assert!(
        token
            .renews(&HeaderValue::from_static("token=secret"))
            .await
    );
    let basic = Access::new(Some(Credentials::Basic {
        user: "me".into(),
        password: "x".into(),
    }));
    assert!(!basic.renews(&HeaderValue::from_static("Basic x")).await);
}

#[tokio::test]
async fn a_service_account_logs_in_once_and_again_when_it_is_refused() {
    let base = logins(&["one", "two"]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("account");
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        BASE64_STANDARD.encode(der.as_ref())
    );
    std::fs::write(
        &file,
        json!({"uid": "pilot", "private_key": pem}).to_string(),
    )
    .unwrap();
    let access = Access::new(Some(Credentials::ServiceAccount(file)));
    assert_eq!(header(&access, &base).await.unwrap(), "token=one");
    assert_eq!(header(&access, &base).await.unwrap(), "token=one");
    // A refusal of an older token drops nothing.
    assert!(access.renews(&HeaderValue::from_static("token=zero")).await);
    assert_eq!(header(&access, &base).await.unwrap(), "token=one");
    assert!(access.renews(&HeaderValue::from_static("token=one")).await);
    assert_eq!(header(&access, &base).await.unwrap(), "token=two");
    assert!(access.renews(&HeaderValue::from_static("token=two")).await);
    let told = header(&access, &base).await.unwrap_err().text();
    assert!(
        told.contains("pilot") && told.contains("401") && told.contains("--marathonCredential"),
        "{told}"
    );
}
