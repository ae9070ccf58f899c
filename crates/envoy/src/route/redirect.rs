//! Answers that send clients elsewhere.

use model::route::{PathRedirect, Redirect, RedirectPort};
use pb::route::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};

use crate::finding::Refusal;
use crate::pb;

/// `listener` is the port on which requests came.
pub(super) fn build(to: &Redirect, listener: u16) -> Result<pb::route::RedirectAction, Refusal> {
    let path = to.path.clone().map(|path| match path {
        PathRedirect::Whole(path) => PathRewriteSpecifier::PathRedirect(path),
        PathRedirect::Prefix(prefix) => PathRewriteSpecifier::PrefixRewrite(prefix),
    });
    let scheme = to.scheme.clone();
    Ok(pb::route::RedirectAction {
        host_redirect: to.authority.clone().unwrap_or_default(),
        port_redirect: port(to, listener),
        response_code: code(to.code)?.into(),
        path_rewrite_specifier: path,
        scheme_rewrite_specifier: scheme.map(SchemeRewriteSpecifier::SchemeRedirect),
        ..Default::default()
    })
}

/// 0 leaves the port as the client has it. As in Istio, the port of the listener is not written
/// where it is that of the scheme.
fn port(to: &Redirect, listener: u16) -> u32 {
    match to.port {
        None => 0,
        Some(RedirectPort::Number(number)) => number.into(),
        Some(RedirectPort::Listener) => match (listener, to.scheme.as_deref()) {
            (80, None | Some("http")) | (443, None | Some("https")) => 0,
            _ => listener.into(),
        },
    }
}

fn code(code: u16) -> Result<RedirectResponseCode, Refusal> {
    match code {
        301 => Ok(RedirectResponseCode::MovedPermanently),
        302 => Ok(RedirectResponseCode::Found),
        303 => Ok(RedirectResponseCode::SeeOther),
        307 => Ok(RedirectResponseCode::TemporaryRedirect),
        308 => Ok(RedirectResponseCode::PermanentRedirect),
        other => Err(Refusal::new(
            "redirect.redirectCode",
            format!("{other} is none of 301, 302, 303, 307 and 308"),
        )),
    }
}
