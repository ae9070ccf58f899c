//! What stands before the API: leader or standby, and who is asking.

use serde_json::json;
use tokio::time::timeout;

use crate::auth::{Denial, LOGIN};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::server::Shared;

/// Whether a request reaches the API.
pub(crate) enum Admission {
    /// It does; with the `X-Marathon-Via` of a standby that passes it on.
    Pass(Option<String>),
    /// It does not.
    Answer(Response),
}

/// Marathon's filters in their order: the leader first, then authentication.
pub(crate) async fn admit(shared: &Shared, member: usize, request: &Request) -> Admission {
    if request.path == LOGIN {
        return Admission::Answer(log_in(shared, request));
    }
    let Some(leader) = leader(shared, request).await else {
        return Admission::Answer(leaderless(request));
    };
    let mut via = None;
    if member != leader {
        if let Some(answer) = standby(shared, leader, request) {
            return Admission::Answer(answer);
        }
        via = Some(format!("1.1 {}", shared.addr(member)));
    }
    let denial = shared.read(|s| {
        let denied = s.guard.check(request.header("authorization")).err();
        denied.map(|d| deny(d, s.guard.is_basic()))
    });
    match denial {
        Some(answer) => Admission::Answer(answer),
        None => Admission::Pass(via),
    }
}

/// The leader, waited for as long as Marathon does.
async fn leader(shared: &Shared, request: &Request) -> Option<usize> {
    let mut changes = shared.changes();
    let leader = || shared.read(|s| s.leader);
    let elected = async {
        while leader().is_none() {
            // The sender lives in `shared`, so this cannot fail.
            let _ = changes.changed().await;
        }
    };
    if request.path != "/v2/leader" {
        let _ = timeout(shared.leader_wait(), elected).await;
    }
    leader()
}

fn leaderless(request: &Request) -> Response {
    if request.path == "/v2/leader" {
        return Response::json(404, &json!({ "message": "There is no leader" }));
    }
    Response::text(502, "Could not determine the current leader")
}

/// What a standby answers by itself.
fn standby(shared: &Shared, leader: usize, request: &Request) -> Option<Response> {
    let redirects = shared.read(|s| s.profile.redirects_events());
    if request.path == "/v2/events" && redirects {
        let location = format!("http://{}{}", shared.addr(leader), request.uri);
        return Some(Response::empty(302).header("Location", location));
    }
    let refused = || Response::text(502, "Connection to leader refused.");
    (!shared.is_up(leader)).then(refused)
}

fn deny(denial: Denial, basic: bool) -> Response {
    match denial {
        Denial::Forbidden => Response::json(
            403,
            &json!({ "message": "Not Authorized to perform this action!" }),
        ),
        Denial::Unknown => {
            let scheme = if basic {
                "Basic realm=\"Mesosphere\""
            } else {
                "acsjwt"
            };
            let body = json!({ "message": "Invalid username or password." });
            Response::json(401, &body).header("WWW-Authenticate", scheme)
        }
    }
}

fn log_in(shared: &Shared, request: &Request) -> Response {
    if request.method != "POST" {
        return Response::empty(405);
    }
    let body = serde_json::from_slice(&request.body).unwrap_or_default();
    match shared.mutate(|s| s.guard.log_in(&body)) {
        Some(token) => {
            let cookie = format!("dcos-acs-auth-cookie={token}; HttpOnly; Path=/");
            Response::json(200, &json!({ "token": token })).header("Set-Cookie", cookie)
        }
        None => Response::json(
            401,
            &json!({
                "title": "Unauthorized",
                "description": "The presented credentials are not valid.",
                "code": "ERR_INVALID_CREDENTIALS",
            }),
        ),
    }
}
