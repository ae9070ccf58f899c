//! Limits, and what keeps one client's trouble from others.

use super::harness::Delta;
use super::*;

#[tokio::test]
async fn f06_streams_of_one_address_are_limited_apart_and_places_come_back() {
    let limits = Limits {
        max_streams_per_peer: 1,
        ..Limits::default()
    };
    let running = Running::new(limits, None).await;
    let first = Sotw::open(&running).await;
    let mut second = Sotw::open(&running).await;
    let status = second.next().await.expect_err("refused");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("address"), "{status:?}");
    drop(first);
    eventually("a place is free", || running.connections.totals().open == 0).await;
    let _third = Sotw::open(&running).await;
    eventually("taken", || running.connections.totals().open == 1).await;
    assert_eq!(running.connections.totals().refused, 1);
}

#[tokio::test]
async fn f07_initial_state_waits_for_room_and_changes_do_not() {
    let limits = Limits {
        max_initial_bytes: 64 * 1024,
        ..Limits::default()
    };
    let running = Running::new(limits, None).await;
    let large = "x".repeat(60 * 1024);
    running.publish(1, &[(Kind::Cluster, "a", &large)]);
    let mut first = Delta::open(&running, "sidecar~1").await;
    let sent = first.next().await;
    let second = Delta::open(&running, "sidecar~2").await;
    eventually("both connected", || running.connections.len() == 2).await;
    // The first is served on while it holds the room.
    running.publish(
        2,
        &[(Kind::Cluster, "a", &large), (Kind::Cluster, "b", "1")],
    );
    let pushes = || running.connections.totals().pushes[Kind::Cluster.index()];
    assert_eq!(pushes(), 1, "the second waits");
    first.ack(&sent).await;
    let (mut second, change) = (second, first.next().await);
    assert_eq!(change.resources[0].name, "b");
    first.ack(&change).await;
    assert_eq!(second.next().await.resources.len(), 2, "its turn");
}

#[tokio::test]
async fn f11_an_old_connection_ends_cleanly_and_the_next_one_is_sent_nothing() {
    let limits = Limits {
        max_connection_age: Duration::from_millis(300),
        ..Limits::default()
    };
    let running = Running::new(limits, None).await;
    running.publish(1, &[(Kind::Cluster, "a", "1")]);
    let mut first = Delta::open(&running, "sidecar~1").await;
    let sent = first.next().await;
    first.ack(&sent).await;
    let end = within(first.responses.message()).await;
    assert_eq!(end.expect("status OK"), None);
    let versions = sent.resources.iter();
    let versions = versions
        .map(|r| (r.name.clone(), r.version.clone()))
        .collect();
    let mut again = Delta::resume(&running, "sidecar~1", versions).await;
    assert_eq!(again.next().await.resources, []);
}

/// Three proxies of one version; the content is bad for all of them.
#[tokio::test]
async fn content_refused_by_two_proxies_is_not_offered_to_the_third() {
    let running = Running::new(Limits::default(), None).await;
    let good = [(Kind::Cluster, "a", "good")];
    running.publish(1, &good);
    let mut proxies = Vec::new();
    for n in 1..=4 {
        let mut proxy = Delta::open(&running, &format!("sidecar~{n}")).await;
        let sent = proxy.next().await;
        proxy.ack(&sent).await;
        proxies.push(proxy);
    }
    let acks = |running: &Running| running.connections.totals().acks[Kind::Cluster.index()];
    eventually("all run", || acks(&running) == 4).await;
    running.publish(2, &[(Kind::Cluster, "a", "bad")]);
    for (n, proxy) in proxies[..2].iter_mut().enumerate() {
        let sent = proxy.next().await;
        assert!(
            running.quarantine.list().iter().all(|s| !s.withheld),
            "one is not enough"
        );
        proxy.nack(&sent, "a: no such filter").await;
        eventually("counted", || {
            running
                .quarantine
                .list()
                .first()
                .is_some_and(|s| s.proxies.len() == n + 1)
        })
        .await;
    }
    let [suspect] = &running.quarantine.list()[..] else {
        panic!("one content");
    };
    assert!(suspect.withheld);
    assert_eq!((suspect.kind, &*suspect.name), (Kind::Cluster, "a"));
    assert_eq!(suspect.message, "a: no such filter");
    // A fifth that has nothing gets what the others go on with.
    let mut fifth = Delta::open(&running, "sidecar~5").await;
    let sent = fifth.next().await;
    let body = sent.resources[0].resource.clone().expect("a body").value;
    assert_eq!(body, b"good");
    fifth.ack(&sent).await;
    // The publisher was told, and the next content heals it.
    let told = running
        .publisher
        .rejections
        .lock()
        .expect("no panic")
        .clone();
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].withheld.len(), told[1].withheld.len()), (0, 1));
    assert_eq!(told[1].guilty[0].version, suspect.version);
    running.publish(3, &[(Kind::Cluster, "a", "better")]);
    let sent = fifth.next().await;
    let body = sent.resources[0].resource.clone().expect("a body").value;
    assert_eq!(body, b"better");
    fifth.ack(&sent).await;
    eventually("dropped", || running.quarantine.list().is_empty()).await;
}

/// A secret names files of the proxy's own machine.
#[tokio::test]
async fn a_secret_that_proxies_refuse_is_offered_to_all_others() {
    let running = Running::new(Limits::default(), None).await;
    running.publish(1, &[(Kind::Secret, "default", "files")]);
    let mut proxies = Vec::new();
    for n in 1..=3 {
        let mut proxy = Delta::open(&running, &format!("sidecar~{n}")).await;
        proxy.subscribe(Kind::Secret, "default").await;
        let sent = loop {
            let sent = proxy.next().await;
            if sent.type_url == Kind::Secret.type_url() {
                break sent;
            }
        };
        assert_eq!(sent.resources.len(), 1, "proxy {n}");
        proxy.nack(&sent, "default: Invalid path").await;
        proxies.push(proxy);
    }
    let told = || running.publisher.rejections.lock().expect("no panic").len();
    eventually("told", || told() == 3).await;
    assert_eq!(running.quarantine.list(), []);
}

#[tokio::test]
async fn content_that_one_proxy_accepted_is_not_withheld_though_others_refuse_it() {
    let running = Running::new(Limits::default(), None).await;
    running.publish(1, &[(Kind::Cluster, "a", "1")]);
    let mut fine = Delta::open(&running, "sidecar~0").await;
    let sent = fine.next().await;
    fine.ack(&sent).await;
    let acks = || running.connections.totals().acks[Kind::Cluster.index()];
    eventually("accepted", || acks() == 1).await;
    for n in 1..=3 {
        let mut proxy = Delta::open(&running, &format!("sidecar~{n}")).await;
        let sent = proxy.next().await;
        assert_eq!(sent.resources.len(), 1, "offered to each");
        proxy.nack(&sent, "a: address in use").await;
        let rejects = || running.connections.totals().rejects[Kind::Cluster.index()];
        eventually("refused", || rejects() == n).await;
    }
    assert_eq!(running.quarantine.list(), []);
}

#[tokio::test]
async fn content_accepted_late_is_offered_to_all_again() {
    let running = Running::new(Limits::default(), None).await;
    running.publish(1, &[(Kind::Cluster, "a", "1")]);
    let mut late = Delta::open(&running, "sidecar~0").await;
    let unanswered = late.next().await;
    for n in 1..=2 {
        let mut proxy = Delta::open(&running, &format!("sidecar~{n}")).await;
        let sent = proxy.next().await;
        proxy.nack(&sent, "a: file is missing").await;
        let rejects = || running.connections.totals().rejects[Kind::Cluster.index()];
        eventually("refused", || rejects() == n).await;
    }
    assert!(running.quarantine.list()[0].withheld);
    let mut third = Delta::open(&running, "sidecar~3").await;
    assert_eq!(third.next().await.resources, [], "kept from it");
    late.ack(&unanswered).await;
    assert_eq!(third.next().await.resources.len(), 1);
    assert_eq!(running.quarantine.list(), []);
}

#[tokio::test]
async fn the_only_proxy_of_a_version_is_enough() {
    let running = Running::new(Limits::default(), None).await;
    running.publish(1, &[(Kind::Cluster, "a", "1")]);
    let mut only = Delta::open(&running, "sidecar~1").await;
    let sent = only.next().await;
    only.nack(&sent, "a: no").await;
    eventually("withheld", || {
        running.quarantine.list().iter().any(|s| s.withheld)
    })
    .await;
}

#[tokio::test]
async fn the_time_to_converge_is_counted() {
    let running = Running::new(Limits::default(), None).await;
    running.publish(1, &[(Kind::Cluster, "a", "1")]);
    let mut proxy = Delta::open(&running, "sidecar~1").await;
    let sent = proxy.next().await;
    proxy.ack(&sent).await;
    running.publish(2, &[(Kind::Cluster, "a", "2")]);
    let sent = proxy.next().await;
    proxy.ack(&sent).await;
    let at = Kind::Cluster.index();
    let counts = || {
        let totals = running.connections.totals();
        (
            totals.answer_time[at].count(),
            totals.convergence[at].count(),
        )
    };
    eventually("both answered, one of them a change", || counts() == (2, 1)).await;
}
