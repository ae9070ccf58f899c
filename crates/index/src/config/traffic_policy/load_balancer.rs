//! Load balancers: algorithms, hash keys and tables, warm-up.

use api::istio::traffic_policy as api;
use model::route::Share;
use model::traffic_policy::{
    Aggression, Algorithm, Cookie, HashKey, HashTable, LoadBalancer, Warmup,
};

use super::numbers::Field;
use super::{ignored, locality};
use crate::codes;
use crate::config::names;
use crate::report::Report;

/// Istio's least ring, where nothing says how hashes are kept.
const RING: u64 = 1024;

pub(super) fn convert(
    balancer: api::LoadBalancer,
    detects_outliers: bool,
    at: &str,
    report: &mut Report,
) -> LoadBalancer {
    if balancer.zone_aware_lb_setting.is_some() {
        ignored(
            format!("{at}.zoneAwareLbSetting"),
            "zone-aware balancing needs to know all callers, which sidecars do not",
            "use localityLbSetting",
            report,
        );
    }
    let algorithm = algorithm(
        balancer.simple.as_deref(),
        balancer.consistent_hash,
        at,
        report,
    );
    let warmup = warmup(balancer.warmup, balancer.warmup_duration_secs, at, report);
    let knows_warmup = matches!(
        algorithm,
        None | Some(Algorithm::RoundRobin | Algorithm::LeastRequest)
    );
    if warmup.is_some() && !knows_warmup {
        ignored(
            format!("{at}.warmup"),
            "only ROUND_ROBIN and LEAST_REQUEST give new endpoints a smaller share",
            "use one of these algorithms, or remove the warm-up",
            report,
        );
    }
    LoadBalancer {
        algorithm,
        locality: balancer.locality_lb_setting.and_then(|setting| {
            let at = format!("{at}.localityLbSetting");
            locality::convert(setting, detects_outliers, &at, report)
        }),
        warmup: warmup.filter(|_| knows_warmup),
    }
}

fn algorithm(
    simple: Option<&str>,
    hash: Option<api::ConsistentHash>,
    at: &str,
    report: &mut Report,
) -> Option<Algorithm> {
    let field = Field {
        code: codes::BAD_LOAD_BALANCER,
        at,
    };
    if simple.is_some() && hash.is_some() {
        let why = "simple and consistentHash are both given".to_owned();
        field.refuse("", why, "keep one of the two", report);
    }
    match (simple, hash) {
        (_, Some(hash)) => {
            let at = format!("{at}.consistentHash");
            let table = table(&hash, &at, report);
            let key = key(hash, &at, report)?;
            Some(Algorithm::ConsistentHash { key, table })
        }
        (Some(simple), None) => self::simple(simple, &field, report),
        (None, None) => None,
    }
}

/// By name, or by the number that the name has.
fn simple(name: &str, field: &Field<'_>, report: &mut Report) -> Option<Algorithm> {
    match name {
        "UNSPECIFIED" | "0" => None,
        // LEAST_CONN is the name of Istio 1.0.
        "LEAST_CONN" | "1" | "LEAST_REQUEST" | "5" => Some(Algorithm::LeastRequest),
        "RANDOM" | "2" => Some(Algorithm::Random),
        "PASSTHROUGH" | "3" => Some(Algorithm::Passthrough),
        "ROUND_ROBIN" | "4" => Some(Algorithm::RoundRobin),
        other => {
            let why = format!("{other:?} is not a load balancer");
            let remedy = "use ROUND_ROBIN, LEAST_REQUEST, RANDOM or PASSTHROUGH";
            field.refuse("simple", why, remedy, report);
            None
        }
    }
}

/// Exactly one thing decides.
fn key(hash: api::ConsistentHash, at: &str, report: &mut Report) -> Option<HashKey> {
    let field = Field {
        code: codes::BAD_HASH,
        at,
    };
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let mut keys = Vec::new();
    if let Some(name) = filled(hash.http_header_name) {
        if !names::is_header(&name) {
            let why = format!("{name:?} is not a header name");
            field.refuse("httpHeaderName", why, "use a name such as x-user", report);
        }
        keys.push(HashKey::Header(name));
    }
    if let Some(given) = hash.http_cookie {
        keys.push(HashKey::Cookie(cookie(given, &field, report)));
    }
    if hash.use_source_ip == Some(true) {
        keys.push(HashKey::SourceIp);
    }
    if let Some(name) = filled(hash.http_query_parameter_name) {
        keys.push(HashKey::QueryParameter(name));
    }
    if keys.len() != 1 {
        let why = match keys.is_empty() {
            true => "it does not say by what to hash",
            false => "it hashes by several things",
        };
        let remedy = "give one of httpHeaderName, httpCookie, useSourceIp: true and \
                      httpQueryParameterName";
        field.refuse("", why.to_owned(), remedy, report);
    }
    keys.pop()
}

fn cookie(cookie: api::HttpCookie, field: &Field<'_>, report: &mut Report) -> Cookie {
    if cookie.name.is_empty() {
        let why = "the cookie has no name".to_owned();
        field.refuse("httpCookie.name", why, "name the cookie", report);
    }
    let attributes = cookie.attributes.into_iter().enumerate();
    let attributes = attributes.map(|(i, attribute)| {
        if attribute.name.is_empty() {
            let name = format!("httpCookie.attributes[{i}].name");
            let why = "the attribute has no name".to_owned();
            field.refuse(&name, why, "name the attribute, such as SameSite", report);
        }
        (attribute.name, attribute.value)
    });
    Cookie {
        attributes: attributes.collect(),
        name: cookie.name,
        path: cookie.path.unwrap_or_default(),
        lifetime: cookie.ttl,
    }
}

fn table(hash: &api::ConsistentHash, at: &str, report: &mut Report) -> HashTable {
    let field = Field {
        code: codes::BAD_HASH_TABLE,
        at,
    };
    if hash.ring_hash.is_some() && hash.maglev.is_some() {
        let why = "ringHash and maglev are both given".to_owned();
        field.refuse("", why, "keep one of the two", report);
    }
    if let Some(maglev) = &hash.maglev {
        return maglev_table(maglev, &field, report);
    }
    let (name, minimum) = match &hash.ring_hash {
        // Here 0 leaves it to Envoy.
        Some(ring) => {
            let minimum = ring.minimum_ring_size.filter(|size| *size > 0);
            ("ringHash.minimumRingSize", minimum)
        }
        None => {
            let minimum = hash.minimum_ring_size.filter(|size| *size > 0);
            ("minimumRingSize", Some(minimum.unwrap_or(RING)))
        }
    };
    if let Some(size) = minimum.filter(|size| *size > HashTable::MAX_RING) {
        let why = format!("a ring of {size} entries is larger than Envoy allows");
        field.refuse(name, why, "use at most 8388608", report);
    }
    HashTable::Ring { minimum }
}

fn maglev_table(maglev: &api::Maglev, field: &Field<'_>, report: &mut Report) -> HashTable {
    let size = maglev.table_size.filter(|size| *size > 0);
    if let Some(size) =
        size.filter(|size| *size > HashTable::MAX_MAGLEV || !HashTable::is_prime(*size))
    {
        let why = format!("{size} is not a prime of at most 5000011, as Envoy wants");
        let remedy = "use 65537, or another prime";
        field.refuse("maglev.tableSize", why, remedy, report);
    }
    HashTable::Maglev { size }
}

/// `warmup` wins over the duration of older versions.
fn warmup(
    warmup: Option<api::Warmup>,
    older: Option<std::time::Duration>,
    at: &str,
    report: &mut Report,
) -> Option<Warmup> {
    let (name, warmup) = match (warmup, older) {
        (Some(warmup), _) => ("warmup.duration", warmup),
        (None, Some(window)) => (
            "warmupDurationSecs",
            api::Warmup {
                duration: Some(window),
                ..api::Warmup::default()
            },
        ),
        (None, None) => return None,
    };
    let field = Field {
        code: codes::BAD_WARMUP,
        at,
    };
    if warmup.duration.is_none() {
        let why = "the warm-up has no duration".to_owned();
        field.refuse(name, why, "set it, for example to 300s", report);
    }
    let minimum = warmup.minimum_percent;
    let share = minimum.and_then(Share::percent);
    if minimum.is_some() && share.is_none() {
        let why = format!("{} is not a percentage", minimum.unwrap_or_default());
        field.refuse("warmup.minimumPercent", why, "use 0 to 100", report);
    }
    let aggression = warmup.aggression.and_then(Aggression::new);
    if let Some(value) = warmup
        .aggression
        .filter(|value| *value < 1.0 || aggression.is_none())
    {
        let why = format!("{value} is below 1, which is linear");
        field.refuse("warmup.aggression", why, "use 1 or more", report);
    }
    Some(Warmup {
        window: field.time(name, warmup.duration, report)?,
        minimum: share,
        aggression,
    })
}
