//! Answers that the proxy gives by itself: redirects and direct responses.

use api::istio::{self, DerivePort};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::route::{Action, Body, PathRedirect, Redirect, RedirectPort};

use crate::codes;
use crate::report::Report;

/// Envoy's limit for the body of a direct response, as set in each route configuration.
const BODY_MAX: usize = 1024 * 1024;

pub(super) fn redirect(
    redirect: &istio::Redirect,
    at: &str,
    report: &mut Report,
) -> Option<Action> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let code = redirect.redirect_code.unwrap_or(301);
    let converted = Redirect {
        path: path(redirect, at, report),
        authority: given(&redirect.authority),
        scheme: given(&redirect.scheme),
        port: port(redirect, at, report),
        code: u16::try_from(code).unwrap_or(0),
    };
    let mut refuse = |field: String, why: String, remedy| {
        report.refuse(codes::BAD_RESPONSE, field, why, remedy);
    };
    if !matches!(converted.code, 301 | 302 | 303 | 307 | 308) {
        let why = format!("{code} is not a redirect that Envoy can send");
        refuse(
            format!("{at}.redirectCode"),
            why,
            "use 301, 302, 303, 307 or 308",
        );
    }
    if let Some(scheme) = converted
        .scheme
        .as_ref()
        .filter(|s| !matches!(s.as_str(), "http" | "https"))
    {
        let why = format!("{scheme:?} is not a scheme to redirect to");
        refuse(format!("{at}.scheme"), why, "use http or https");
    }
    let numbered = matches!(converted.port, Some(RedirectPort::Number(_)));
    let elsewhere = converted.authority.is_some() || converted.scheme.is_some() || numbered;
    if converted.path.is_none() && !elsewhere {
        let why = "the redirect changes nothing, so clients would come back for ever".to_owned();
        refuse(at.to_owned(), why, "set uri, authority, scheme or port");
    }
    Some(Action::Redirect(converted))
}

pub(super) fn respond(
    response: &istio::DirectResponse,
    at: &str,
    report: &mut Report,
) -> Option<Action> {
    let body = response.body.as_ref();
    let body = body.and_then(|body| convert_body(body, &format!("{at}.body"), report));
    let length = body.as_ref().map_or(0, |body| match body {
        Body::Text(text) => text.len(),
        Body::Bytes(bytes) => bytes.len(),
    });
    if length > BODY_MAX {
        report.refuse(
            codes::BAD_RESPONSE,
            format!("{at}.body"),
            "the body is longer than 1 MiB",
            "shorten it, or let a service answer",
        );
    }
    let status = response
        .status
        .and_then(|status| u16::try_from(status).ok());
    let Some(status) = status.filter(|status| (200..=599).contains(status)) else {
        report.refuse(
            codes::BAD_RESPONSE,
            format!("{at}.status"),
            "the response has no status between 200 and 599",
            "set the status that clients shall get, such as 503",
        );
        return None;
    };
    Some(Action::Respond { status, body })
}

fn convert_body(body: &istio::Body, at: &str, report: &mut Report) -> Option<Body> {
    let (field, why, remedy) = match (&body.string, &body.bytes) {
        (Some(text), None) => return Some(Body::Text(text.clone())),
        (None, Some(text)) => match BASE64.decode(text) {
            Ok(bytes) => return Some(Body::Bytes(bytes)),
            Err(error) => (
                format!("{at}.bytes"),
                format!("it is not base64: {error}"),
                "encode the bytes in base64, or use string",
            ),
        },
        (Some(_), Some(_)) => (
            at.to_owned(),
            "string and bytes are both given".to_owned(),
            "keep one of the two",
        ),
        (None, None) => return None,
    };
    report.refuse(codes::BAD_RESPONSE, field, why, remedy);
    None
}

/// `uri` replaces the whole path, `prefixRewrite` what the condition matched.
fn path(redirect: &istio::Redirect, at: &str, report: &mut Report) -> Option<PathRedirect> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    match (given(&redirect.uri), given(&redirect.prefix_rewrite)) {
        (Some(_), Some(_)) => {
            let why = "uri and prefixRewrite are both given";
            report.refuse(codes::BAD_RESPONSE, at, why, "keep one of the two");
            None
        }
        (Some(uri), None) => Some(PathRedirect::Whole(uri)),
        (None, prefix) => prefix.map(PathRedirect::Prefix),
    }
}

/// The default of the protocol is what Envoy does by itself.
fn port(redirect: &istio::Redirect, at: &str, report: &mut Report) -> Option<RedirectPort> {
    let number = redirect.port.filter(|port| *port != 0);
    match (number, redirect.derive_port) {
        (Some(_), Some(_)) => {
            let why = "port and derivePort are both given";
            report.refuse(codes::BAD_RESPONSE, at, why, "keep one of the two");
            None
        }
        (Some(number), None) => Some(RedirectPort::Number(number)),
        (None, Some(DerivePort::FromRequestPort)) => Some(RedirectPort::Listener),
        (None, Some(DerivePort::FromProtocolDefault) | None) => None,
    }
}
