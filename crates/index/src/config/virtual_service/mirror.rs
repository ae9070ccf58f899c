//! Copies of requests: `mirrors`, and the `mirror` of one destination with its two percentages.

use api::istio;
use model::route::{Mirror, Share};

use super::{destination, share};
use crate::codes;
use crate::config::object::Context;
use crate::report::Report;

pub(super) fn convert(
    route: &istio::HttpRoute,
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Vec<Mirror> {
    if route.mirror.is_some() && !route.mirrors.is_empty() {
        let why = "mirror and mirrors are both given";
        report.refuse(
            codes::BAD_MIRROR,
            format!("{at}.mirrors"),
            why,
            "keep mirrors",
        );
        return Vec::new();
    }
    let listed = route.mirrors.iter().enumerate().filter_map(|(i, mirror)| {
        let at = format!("{at}.mirrors[{i}]");
        let field = format!("{at}.percentage");
        let percentage = mirror.percentage.as_ref();
        let share = match percentage.and_then(|p| p.value) {
            None if percentage.is_none() => Some(Share::ALL),
            value => convert_share(value.unwrap_or(0.0), &field, report),
        };
        let field = format!("{at}.destination");
        let to = destination::convert(mirror.destination.as_ref(), &field, context, report);
        Some((to?, share?))
    });
    let mut all: Vec<_> = listed.collect();
    all.extend(single(route, at, context, report));
    let fires = all.into_iter().filter(|(_, share)| share.millionths() > 0);
    fires
        .map(|(destination, share)| Mirror { destination, share })
        .collect()
}

fn single(
    route: &istio::HttpRoute,
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<(model::route::Destination, Share)> {
    let percentage = route.mirror_percentage.as_ref();
    let (field, percent) = match (percentage, route.mirror_percent) {
        (Some(percentage), _) => ("mirrorPercentage", percentage.value.or(Some(0.0))),
        (None, Some(percent)) => ("mirrorPercent", Some(f64::from(percent))),
        (None, None) => ("mirror", None),
    };
    let field = format!("{at}.{field}");
    if route.mirror.is_none() {
        if percent.is_some() {
            no_effect(
                field,
                "there is no mirror of which this could be the share",
                report,
            );
        }
        return None;
    }
    if percentage.is_some() && route.mirror_percent.is_some() {
        share::superseded(&format!("{at}.mirrorPercent"), "mirrorPercentage", report);
    }
    let share = match percent {
        None => Some(Share::ALL),
        Some(percent) => convert_share(percent, &field, report),
    };
    let to = destination::convert(
        route.mirror.as_ref(),
        &format!("{at}.mirror"),
        context,
        report,
    );
    Some((to?, share?))
}

fn convert_share(percent: f64, field: &str, report: &mut Report) -> Option<Share> {
    let share = share::convert(percent, field, codes::BAD_MIRROR, report);
    if share.is_some_and(|share| share.millionths() == 0) {
        no_effect(
            field.to_owned(),
            "0 per cent of the requests are none",
            report,
        );
    }
    share
}

fn no_effect(field: String, why: &str, report: &mut Report) {
    let effect = "nothing is mirrored; the rest of the route holds";
    let remedy = "name a destination and a percentage above 0, or remove the field";
    report.warn(codes::NO_EFFECT, field, why, effect, remedy);
}
