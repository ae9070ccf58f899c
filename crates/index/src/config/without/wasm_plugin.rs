//! `WasmPlugin`, as Istio checks it.

use std::collections::BTreeSet;

use api::istio::{EnvVar, TrafficSelector, WasmPlugin};

use super::{given, refuse};
use crate::config::selector;
use crate::report::Report;

const SCHEMES: &[&str] = &["http", "https", "oci", "file"];
const MAX_ENV_NAME: usize = 256;

pub(super) fn check(spec: WasmPlugin, report: &mut Report) {
    selector::labels(spec.selector, report);
    match spec.url.as_deref() {
        None | Some("") => refuse(report, "spec.url", "there is no url"),
        Some(url) => {
            if let Err(why) = reads(url) {
                refuse(report, "spec.url", why);
            }
        }
    }
    let sha256 = spec.sha256.as_deref().filter(|sum| !sum.is_empty());
    if sha256.is_some_and(|sum| !is_sum(sum)) {
        refuse(
            report,
            "spec.sha256",
            "it is not 64 digits in lower-case hex",
        );
    }
    let secret = spec.image_pull_secret.as_deref();
    given(report, "spec.imagePullSecret", secret);
    given(report, "spec.pluginName", spec.plugin_name.as_deref());
    environment(&spec.vm_config.unwrap_or_default().env, report);
    for (at, condition) in spec.conditions.iter().enumerate() {
        ports(condition, at, report);
    }
}

fn reads(url: &str) -> Result<(), String> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    let escaped = url.split('%').skip(1);
    let mut escaped = escaped.map(|rest| rest.get(..2).unwrap_or_default());
    let hex = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
    match scheme {
        Some(scheme) if !SCHEMES.contains(&scheme) => {
            Err(format!("{scheme:?} is none of {}", SCHEMES.join(", ")))
        }
        _ if !url.bytes().all(plain) || !escaped.all(hex) => Err(format!("{url:?} is no url")),
        _ => Ok(()),
    }
}

fn is_sum(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == 64 && text.bytes().all(digit)
}

fn environment(variables: &[EnvVar], report: &mut Report) {
    let mut names = BTreeSet::new();
    for (at, variable) in variables.iter().enumerate() {
        let field = format!("spec.vmConfig.env[{at}]");
        if variable.name.is_empty() || variable.name.len() > MAX_ENV_NAME {
            let why = format!("a name has 1 to {MAX_ENV_NAME} bytes");
            refuse(report, format!("{field}.name"), why);
        } else if !names.insert(&variable.name) {
            let why = format!("{:?} is there twice", variable.name);
            refuse(report, format!("{field}.name"), why);
        }
        let of_host = matches!(variable.value_from.as_deref(), Some("HOST" | "1"));
        if of_host
            && variable
                .value
                .as_deref()
                .is_some_and(|value| !value.is_empty())
        {
            let why = "the value is that of the host, and another is given";
            refuse(report, format!("{field}.value"), why);
        }
    }
}

fn ports(condition: &TrafficSelector, at: usize, report: &mut Report) {
    for (port_at, port) in condition.ports.iter().enumerate() {
        if !port
            .number
            .is_some_and(|number| (1..=65535).contains(&number))
        {
            let field = format!("spec.match[{at}].ports[{port_at}].number");
            refuse(report, field, "there is no port from 1 to 65535");
        }
    }
}
