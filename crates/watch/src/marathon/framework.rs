//! The name that a Marathon has in Mesos, which is part of the names that Mesos-DNS serves.
//!
//! Applications call `reviews.<framework>.slave.mesos`. Where the mesh is not known under that
//! domain its proxies do not recognise such calls, and nothing but this would tell.

use api::istio::Problem;
use serde::Deserialize;

use crate::code;

/// Of `/v2/info`, and of that as much as counts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Info {
    marathon_config: Config,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    framework_name: Option<String>,
}

/// The framework's name in an answer to `/v2/info`.
pub(super) fn read(body: &[u8]) -> Option<String> {
    let info: Info = serde_json::from_slice(body).ok()?;
    let name = info.marathon_config.framework_name?;
    Some(name).filter(|name| !name.is_empty())
}

/// What is to be told if none of the mesh's domains is one of this framework. A mesh that has no
/// domain of Mesos-DNS has chosen its names by itself.
pub(super) fn mismatch(source: &str, name: &str, domains: &[String]) -> Option<Problem> {
    let of_mesos = |domain: &&String| {
        let domain = domain.to_ascii_lowercase();
        domain.ends_with(".mesos") || domain.ends_with(".thisdcos.directory")
    };
    let prefix = format!("{}.", name.to_ascii_lowercase());
    let is_own = |domain: &String| domain.to_ascii_lowercase().starts_with(&prefix);
    let domains: Vec<&String> = domains.iter().filter(of_mesos).collect();
    let first = domains.first()?;
    if domains.iter().any(|domain| is_own(domain)) {
        return None;
    }
    Some(Problem {
        code: code::FRAMEWORK,
        refused: false,
        object: None,
        location: None,
        why: format!(
            "the Marathon {source} is the framework {name:?} of Mesos, and the mesh has the domain {first}"
        ),
        effect: format!(
            "names of Mesos-DNS such as reviews.{name}.slave.mesos are none of the mesh's"
        ),
        remedy: format!(
            "start with --frameworkName {name}, or add --domain {name}.slave.mesos if there are several Marathons"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_in_the_configuration() {
        let body = br#"{"name": "marathon", "marathon_config": {"framework_name": "mom"}}"#;
        assert_eq!(read(body).as_deref(), Some("mom"));
        for body in [
            "{}",
            r#"{"marathon_config": {"framework_name": null}}"#,
            "no",
        ] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_framework_that_no_domain_is_of_is_told() {
        let told = |name: &str, domains: &[&str]| {
            let domains: Vec<String> = domains.iter().map(|d| d.to_string()).collect();
            mismatch("m", name, &domains).map(|problem| problem.remedy)
        };
        assert_eq!(told("marathon", &["marathon.slave.mesos"]), None);
        assert_eq!(
            told("Mom", &["marathon.slave.mesos", "mom.slave.mesos"]),
            None
        );
        let dcos = "mom.autoip.dcos.thisdcos.directory";
        assert_eq!(told("mom", &[dcos]), None);
        let remedy = told("mom", &["marathon.slave.mesos"]).unwrap();
        assert!(remedy.contains("--frameworkName mom"), "{remedy}");
        assert_eq!(told("mom", &["svc.example.com"]), None);
        assert_eq!(told("mom", &[]), None);
    }
}
