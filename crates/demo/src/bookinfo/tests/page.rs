//! What the page shows, and what travels along with a request.

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use tokio::net::TcpStream;

use super::harness::{Answer, Bookinfo, PATIENT};
use crate::bookinfo::wire::Page;
use crate::bookinfo::{FORWARDED, ReviewsVersion, Service};

#[tokio::test]
async fn each_version_of_reviews_has_its_colour() {
    for (version, color) in [
        (ReviewsVersion::V1, None),
        (ReviewsVersion::V2, Some("black")),
        (ReviewsVersion::V3, Some("red")),
    ] {
        let bookinfo = Bookinfo::complete(version).await;
        let page = bookinfo.page().await;
        assert_eq!(page.reviews_version(), Some(version.as_str()));
        assert_eq!(page.star_color(), color);
        assert_eq!(page.origin.instance, "productpage-v1");
        assert_eq!(page.details.shown().unwrap().origin.instance, "details-v1");

        let html = bookinfo
            .get("/productpage")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        assert!(html.contains("William Shakespeare"), "{html}");
        assert_eq!(html.contains("★★★★☆"), color.is_some(), "{html}");
        if let Some(color) = color {
            assert!(html.contains(&format!("style=\"color:{color}\"")), "{html}");
        }
    }
}

#[tokio::test]
async fn json_comes_by_accept_and_html_for_browsers() {
    let bookinfo = Bookinfo::complete(ReviewsVersion::V1).await;
    for (accept, kind) in [
        ("application/json", "application/json"),
        (
            "text/html,application/xhtml+xml,application/json;q=0.1",
            "text/html",
        ),
        ("*/*", "text/html"),
    ] {
        let answer = bookinfo
            .get("/productpage")
            .header(ACCEPT, accept)
            .send()
            .await
            .unwrap();
        let got = answer.headers()[CONTENT_TYPE].to_str().unwrap();
        assert!(got.starts_with(kind), "{accept}: {got}");
    }
}

#[tokio::test]
async fn jason_and_the_trace_travel_to_ratings_under_the_services_name() {
    let mut bookinfo = Bookinfo::new(PATIENT);
    bookinfo.start(Service::Productpage).await;
    bookinfo.start(Service::Reviews(ReviewsVersion::V2)).await;
    let mut ratings = bookinfo
        .probe("ratings", Answer::Status("503 Service Unavailable"))
        .await;
    let mut request = bookinfo
        .get("/productpage")
        .header("authorization", "secret");
    for name in FORWARDED {
        request = request.header(name, format!("value-of-{name}"));
    }
    request.send().await.unwrap();
    let head = ratings.head().await;
    assert!(head.starts_with("get /ratings/0 http/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\nhost: ratings.marathon.slave.mesos:9080\r\n"),
        "{head}"
    );
    for name in FORWARDED {
        assert!(
            head.contains(&format!("\r\n{name}: value-of-{name}\r\n")),
            "{name}: {head}"
        );
    }
    assert!(!head.contains("secret"), "{head}");
}

#[tokio::test]
async fn a_cookie_signs_in_and_out() {
    let bookinfo = Bookinfo::complete(ReviewsVersion::V1).await;
    let login = bookinfo.get("/login?user=jason").send().await.unwrap();
    assert_eq!(login.status(), StatusCode::SEE_OTHER);
    assert_eq!(login.headers()[LOCATION], "/productpage");
    let cookie = login.headers()[SET_COOKIE].to_str().unwrap();
    let (pair, _) = cookie.split_once(';').unwrap();
    assert_eq!(pair, "user=jason");

    let page = |cookie: &str| {
        let request = bookinfo
            .get("/productpage?format=json")
            .header(COOKIE, cookie);
        async { request.send().await.unwrap().json::<Page>().await.unwrap() }
    };
    assert_eq!(
        page("theme=dark; user=jason").await.user.as_deref(),
        Some("jason")
    );
    assert_eq!(page("user=").await.user, None);
    assert_eq!(page("superuser=jason").await.user, None);

    let logout = bookinfo.get("/logout").send().await.unwrap();
    let cookie = logout.headers()[SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.starts_with("user=;") && cookie.contains("Max-Age=0"),
        "{cookie}"
    );
    let bad = bookinfo.get("/login?user=a%3Bb%0d").send().await.unwrap();
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    assert_eq!(bad.headers().get(SET_COOKIE), None);
}

#[tokio::test]
async fn the_cookie_reaches_the_next_service_as_a_header() {
    let mut bookinfo = Bookinfo::new(PATIENT);
    bookinfo.start(Service::Productpage).await;
    let mut reviews = bookinfo.probe("reviews", Answer::Status("200 OK")).await;
    let request = bookinfo.get("/productpage").header(COOKIE, "user=jason");
    request.send().await.unwrap();
    let head = reviews.head().await;
    assert!(head.contains("\r\nend-user: jason\r\n"), "{head}");
    assert!(!head.contains("cookie"), "{head}");
}

#[tokio::test]
async fn without_details_the_reviews_are_still_there() {
    let mut bookinfo = Bookinfo::new(PATIENT);
    bookinfo.start(Service::Productpage).await;
    bookinfo.start(Service::Reviews(ReviewsVersion::V1)).await;
    let page = bookinfo.page().await;
    let apology = "Sorry, product details are currently unavailable for this book.";
    assert_eq!(page.details.error(), Some(apology));
    assert_eq!(page.reviews_version(), Some("v1"));
}

#[tokio::test]
async fn a_stopped_service_is_gone_and_a_running_one_is_healthy() {
    let mut bookinfo = Bookinfo::complete(ReviewsVersion::V1).await;
    let health = bookinfo.get("/health").send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);
    bookinfo.stop().await;
    assert!(
        TcpStream::connect(bookinfo.at("productpage"))
            .await
            .is_err()
    );
}
