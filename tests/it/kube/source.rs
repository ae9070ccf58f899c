//! The source at a real apiserver, heard as `index` hears it.

use std::time::Duration;

use ::watch::State;
use ::watch::kube::{Access, Kube, Timing};
use api::istio::Object;

use super::apiserver::Apiserver;
use crate::sources::ear::Ear;

/// Quick where something is to happen.
pub(super) fn timing() -> Timing {
    Timing {
        probe: Duration::from_millis(300),
        discover: Duration::from_millis(300),
        confirm: Duration::from_millis(300),
        backoff: (Duration::from_millis(50), Duration::from_secs(1)),
        ..Timing::default()
    }
}

/// Listens as Pilothouse does, until the first list is complete.
pub(super) async fn listen(server: &Apiserver) -> Ear {
    listen_at(server.access("pilothouse")).await
}

pub(super) async fn listen_at(access: Access) -> Ear {
    let mut ear = open(access).await;
    ear.until_list(1).await;
    ear
}

/// The same without waiting.
pub(super) async fn open(access: Access) -> Ear {
    let servers = access.connect().await.unwrap();
    let kube = Kube::new(servers, "kube").with_timing(timing());
    Ear::listen(kube.status(), |tx, status, shutdown| {
        kube.run(tx, status, shutdown)
    })
}

pub(super) fn object<'a>(ear: &'a Ear, name: &str) -> Option<&'a Object> {
    ear.objects
        .now
        .values()
        .find(|object| &*object.key.name == name)
}

/// Hears until the virtual service has this timeout.
pub(super) async fn until_timeout(ear: &mut Ear, name: &str, timeout: &str) {
    ear.until(&format!("{name} with {timeout}"), |ear| {
        object(ear, name).is_some_and(|o| o.spec["http"][0]["timeout"] == timeout)
    })
    .await;
}

pub(super) async fn until_gone(ear: &mut Ear, name: &str) {
    ear.until(&format!("{name} is gone"), |ear| {
        object(ear, name).is_none()
    })
    .await;
}

pub(super) async fn until_streaming(ear: &mut Ear) {
    ear.until_status("streaming", |status| status.state == State::Streaming)
        .await;
}

pub(super) async fn until_retrying(ear: &mut Ear) {
    ear.until_status("retrying", |status| {
        matches!(status.state, State::Retrying { .. })
    })
    .await;
}

/// All requests for a host to the service of that name.
pub(super) fn virtual_service(name: &str, timeout: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1alpha3\nkind: VirtualService\n\
         metadata: {{name: {name}, namespace: default}}\nspec:\n  hosts: [{name}]\n  http:\n  \
         - route: [{{destination: {{host: {name}}}}}]\n    timeout: {timeout}\n"
    )
}
