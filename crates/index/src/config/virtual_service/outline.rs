//! One rule: a route of its own, or the outline that a delegate's routes are fitted into.

use api::istio;

use super::{action, cors, duration, fault, headers, matches, mirror, retries, rewrite};
use crate::codes;
use crate::config::object::Context;
use crate::delegation::{Delegation, Outline, Step};
use crate::report::Report;

pub(super) fn step(
    position: usize,
    route: istio::HttpRoute,
    is_delegate: bool,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Step> {
    let at = format!("spec.http[{position}]");
    let delegate = route.delegate.clone();
    if let Some(delegate) = delegate {
        let to = delegation(&delegate, &route, &at, is_delegate, context, report)?;
        let outline = outline(position, route, &at, context, report);
        return Some(Step::Delegate(Box::new(Delegation { to, outline })));
    }
    let action = action::convert(&route, &at, context, report);
    let outline = outline(position, route, &at, context, report);
    Some(Step::Route(Box::new(outline.into_route(action?))))
}

/// Namespace and name of the delegate.
fn delegation(
    delegate: &istio::Delegate,
    route: &istio::HttpRoute,
    at: &str,
    is_delegate: bool,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<(std::sync::Arc<str>, std::sync::Arc<str>)> {
    let has_action =
        !route.route.is_empty() || route.redirect.is_some() || route.direct_response.is_some();
    let (why, remedy) = if is_delegate {
        (
            "a delegate cannot delegate: there is one level only",
            "put the routes here, or give this virtual service hosts",
        )
    } else if has_action {
        (
            "a route that delegates has no action of its own",
            "remove delegate, or route, redirect and directResponse",
        )
    } else if delegate.name.is_empty() {
        (
            "the delegate has no name",
            "name the virtual service whose routes apply here",
        )
    } else {
        let own = &context.object.key.namespace;
        let namespace = match delegate.namespace.as_str() {
            "" | "." => own.clone(),
            namespace => namespace.into(),
        };
        return Some((namespace, delegate.name.as_str().into()));
    };
    report.refuse(codes::BAD_DELEGATE, format!("{at}.delegate"), why, remedy);
    None
}

fn outline(
    position: usize,
    route: istio::HttpRoute,
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Outline {
    let (headers, response_headers) = headers::of_route(&route, at, report);
    let mirrors = mirror::convert(&route, at, context, report);
    let matches = route.r#match.into_iter().enumerate();
    let matches = matches
        .map(|(i, block)| matches::convert(block, &format!("{at}.match[{i}]"), context, report))
        .collect();
    let field = |name: &str| format!("{at}.{name}");
    Outline {
        position,
        name: route.name.filter(|name| !name.is_empty()),
        matches,
        rewrite: route
            .rewrite
            .and_then(|rewrite| rewrite::convert(rewrite, &field("rewrite"), report)),
        timeout: duration::check(route.timeout, &field("timeout"), report),
        retries: route
            .retries
            .map(|retries| retries::convert(retries, &field("retries"), report)),
        fault: route
            .fault
            .map(|fault| fault::convert(fault, &field("fault"), report))
            .unwrap_or_default(),
        mirrors,
        cors: route
            .cors_policy
            .map(|policy| cors::convert(policy, &field("corsPolicy"), report)),
        headers,
        response_headers,
    }
}
