//! Preference by locality.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::istio::traffic_policy as api;
use model::LocalityBalance;
use model::locality::{Distribution, Failover, Place, Preference};

use super::numbers::Field;
use crate::codes;
use crate::report::Report;

pub(crate) fn convert(
    setting: api::LocalityLb,
    detects_outliers: bool,
    at: &str,
    report: &mut Report,
) -> Option<LocalityBalance> {
    let field = Field {
        code: codes::BAD_LOCALITY,
        at,
    };
    let fails_over = !setting.failover.is_empty() || !setting.failover_priority.is_empty();
    if !setting.distribute.is_empty() && fails_over {
        let why = "distribute excludes failover and failoverPriority".to_owned();
        field.refuse("", why, "keep one of them", report);
    }
    if fails_over && !detects_outliers && setting.enabled != Some(false) {
        report.warn(
            codes::FAILOVER_WITHOUT_OUTLIERS,
            at,
            "without outlierDetection no endpoint is ever found to have failed",
            "endpoints are not preferred by locality",
            "add outlierDetection to the same policy",
        );
    }
    let distribute = distribute(setting.distribute, &field, report);
    let failover = failover(setting.failover, &field, report);
    let preferences = preferences(setting.failover_priority, &field, report);
    Some(match setting.enabled {
        Some(false) => LocalityBalance::Off,
        _ if !distribute.is_empty() => LocalityBalance::Distribute(distribute),
        _ if !preferences.is_empty() => LocalityBalance::Priority(preferences),
        _ => LocalityBalance::Failover(failover),
    })
}

fn distribute(
    list: Vec<api::Distribute>,
    field: &Field<'_>,
    report: &mut Report,
) -> Vec<Distribution> {
    let mut all: Vec<Distribution> = Vec::new();
    for (i, one) in list.into_iter().enumerate() {
        let at = format!("distribute[{i}]");
        let from = place(&one.from, &format!("{at}.from"), field, report);
        let to = shares(one.to, &format!("{at}.to"), field, report);
        let Some(from) = from else { continue };
        if all.iter().any(|earlier| earlier.from.meets(&from)) {
            let why = format!("{:?} overlaps with an earlier place", one.from);
            let remedy = "describe each place once";
            field.refuse(&format!("{at}.from"), why, remedy, report);
        }
        all.push(Distribution { from, to });
    }
    all
}

fn shares(
    to: BTreeMap<String, api::Percentage>,
    at: &str,
    field: &Field<'_>,
    report: &mut Report,
) -> Vec<(Place, u32)> {
    let mut all: Vec<(Place, u32)> = Vec::new();
    let mut sum = 0u64;
    for (text, share) in to {
        let share = share.0.unwrap_or(0);
        sum += u64::from(share);
        if share == 0 || share > 100 {
            let why = format!("the share of {text:?} is {share}");
            field.refuse(at, why, "use shares from 1 to 100", report);
        }
        let Some(place) = place(&text, at, field, report) else {
            continue;
        };
        if all.iter().any(|(earlier, _)| earlier.meets(&place)) {
            let why = format!("{text:?} overlaps with another place");
            field.refuse(at, why, "name each place once", report);
        }
        all.push((place, share));
    }
    if sum != 100 {
        let why = format!("the shares add up to {sum}");
        field.refuse(at, why, "let them add up to 100", report);
    }
    all
}

fn failover(list: Vec<api::Failover>, field: &Field<'_>, report: &mut Report) -> Vec<Failover> {
    let mut all: Vec<Failover> = Vec::new();
    for (i, one) in list.into_iter().enumerate() {
        let at = format!("failover[{i}]");
        for (name, region) in [("from", &one.from), ("to", &one.to)] {
            if region.is_empty() || region.contains(['/', '*']) {
                let why = format!("{region:?} is not a region");
                let remedy = "name a region, without zones and stars";
                field.refuse(&format!("{at}.{name}"), why, remedy, report);
            }
        }
        if one.from == one.to {
            let why = format!("{:?} takes over for itself", one.from);
            field.refuse(&at, why, "name another region in to", report);
        }
        if all.iter().any(|earlier| *earlier.from == *one.from) {
            let why = format!("{:?} has two regions that take over", one.from);
            field.refuse(&at, why, "keep one of them", report);
        }
        all.push(Failover {
            from: Arc::from(one.from),
            to: Arc::from(one.to),
        });
    }
    all
}

fn preferences(list: Vec<String>, field: &Field<'_>, report: &mut Report) -> Vec<Preference> {
    let mut all: Vec<Preference> = Vec::new();
    for (i, text) in list.iter().enumerate() {
        let (label, value) = match text.split_once('=') {
            Some((label, value)) => (label, Some(value.to_owned())),
            None => (text.as_str(), None),
        };
        let at = format!("failoverPriority[{i}]");
        if label.is_empty() {
            let why = "the label is empty".to_owned();
            field.refuse(&at, why, "name a label, or write label=value", report);
        }
        if all.iter().any(|earlier| earlier.label == label) {
            let why = format!("the label {label:?} is named twice");
            field.refuse(&at, why, "name each label once", report);
        }
        all.push(Preference {
            label: label.to_owned(),
            value,
        });
    }
    all
}

fn place(text: &str, at: &str, field: &Field<'_>, report: &mut Report) -> Option<Place> {
    let place = Place::parse(text);
    if place.is_none() {
        let why = format!("{text:?} is not a place");
        let remedy = "write region, region/zone or region/*, with a star only at the end";
        field.refuse(at, why, remedy, report);
    }
    place
}
