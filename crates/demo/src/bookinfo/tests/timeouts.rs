//! The planted bug of the sample, with the same proportions in a fraction of the time.

use std::time::Duration;

use super::harness::{Answer, Bookinfo, PATIENT};
use crate::bookinfo::wire::Rating;
use crate::bookinfo::{ReviewsVersion, Service, Timeouts};

const APOLOGY: &str = "Sorry, product reviews are currently unavailable for this book.";
const SHORT: Duration = Duration::from_millis(150);

#[test]
fn the_defaults_are_those_of_the_walkthrough() {
    let timeouts = Timeouts::default();
    assert_eq!(timeouts.reviews, Duration::from_secs(3));
    assert_eq!(
        timeouts.reviews * timeouts.reviews_attempts,
        Duration::from_secs(6)
    );
    assert_eq!(timeouts.ratings, Duration::from_secs(10));
}

#[tokio::test]
async fn slow_ratings_cost_the_page_all_its_reviews() {
    let mut bookinfo = Bookinfo::new(Timeouts {
        reviews: SHORT,
        ..PATIENT
    });
    bookinfo.start(Service::Productpage).await;
    bookinfo.start(Service::Details).await;
    bookinfo.start(Service::Reviews(ReviewsVersion::V2)).await;
    let mut ratings = bookinfo.probe("ratings", Answer::Never).await;

    let page = bookinfo.page().await;
    assert_eq!(page.reviews.error(), Some(APOLOGY));
    assert_eq!(page.reviews_version(), None);
    assert!(page.details.shown().is_some());
    assert!(
        page.elapsed_ms >= 300,
        "two attempts took {} ms",
        page.elapsed_ms
    );
    ratings.head().await;

    let answer = bookinfo.get("/productpage").send().await.unwrap();
    assert!(answer.status().is_success());
    assert!(answer.text().await.unwrap().contains(APOLOGY));
}

#[tokio::test]
async fn reviews_are_tried_exactly_twice() {
    for answer in [Answer::Never, Answer::Status("503 Service Unavailable")] {
        let mut bookinfo = Bookinfo::new(Timeouts {
            reviews: SHORT,
            ..PATIENT
        });
        bookinfo.start(Service::Productpage).await;
        let mut reviews = bookinfo.probe("reviews", answer).await;
        let page = bookinfo.page().await;
        assert_eq!(page.reviews.error(), Some(APOLOGY));
        assert_eq!(reviews.head().await, reviews.head().await);
        assert_eq!(reviews.waiting(), 0);
    }
}

#[tokio::test]
async fn with_more_patience_only_the_stars_are_missing() {
    for (timeouts, answer) in [
        (
            Timeouts {
                ratings: SHORT,
                ..PATIENT
            },
            Answer::Never,
        ),
        (PATIENT, Answer::Status("503 Service Unavailable")),
    ] {
        let mut bookinfo = Bookinfo::new(timeouts);
        bookinfo.start(Service::Productpage).await;
        bookinfo.start(Service::Reviews(ReviewsVersion::V3)).await;
        let _ratings = bookinfo.probe("ratings", answer).await;
        let page = bookinfo.page().await;
        assert_eq!(page.reviews_version(), Some("v3"));
        assert_eq!(page.star_color(), None);
        let reviews = &page.reviews.shown().unwrap().reviews;
        let missing = |review: &crate::bookinfo::wire::Review| {
            matches!(review.rating, Some(Rating::Unavailable { .. }))
        };
        assert!(reviews.iter().all(missing), "{reviews:?}");
    }
}
