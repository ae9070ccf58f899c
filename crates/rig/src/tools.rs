//! The programs that a rig needs and does not bring: where they are, or how to get them.

use std::env;
use std::path::{Path, PathBuf};

/// A program that is missing.
#[derive(Debug, thiserror::Error)]
#[error("{program} is missing: {remedy}")]
pub struct Missing {
    program: &'static str,
    remedy: &'static str,
}

const SYSTEM: [(&str, &str); 4] = [
    ("ip", "run `make rig-tools`, or install Debian's iproute2"),
    (
        "iptables",
        "run `make rig-tools`, or install Debian's iptables",
    ),
    (
        "dnsmasq",
        "run `make rig-tools`, or install Debian's dnsmasq-base",
    ),
    ("curl", "run `make rig-tools`, or install Debian's curl"),
];

/// Looks for the programs of the system.
pub(crate) fn check() -> Result<(), Missing> {
    let missing = SYSTEM
        .iter()
        .find(|(program, _)| on_path(program).is_none());
    match missing {
        Some((program, remedy)) => Err(Missing { program, remedy }),
        None => Ok(()),
    }
}

/// The Python of the environment in which `make rig-tools` installed httpbin.
pub(crate) fn httpbin() -> Result<PathBuf, Missing> {
    let python = cache().join("httpbin/bin/python");
    match python.exists() {
        true => Ok(python),
        false => Err(Missing {
            program: "httpbin",
            remedy: "run `make rig-tools`",
        }),
    }
}

/// The kube-apiserver: `$KUBE_APISERVER`, then `$KUBEBUILDER_ASSETS`, PATH and the cache.
pub(crate) fn apiserver() -> Result<PathBuf, Missing> {
    let program: &'static str = "kube-apiserver";
    let named = env::var_os("KUBE_APISERVER").map(PathBuf::from);
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(|dir| Path::new(&dir).join(program));
    let cached = cache().join("kube-apiserver-1.20.2").join(program);
    let candidates = [named, assets, on_path(program), Some(cached)];
    let mut usable = candidates
        .into_iter()
        .flatten()
        .filter(|file| file.is_file());
    if on_path("etcd").is_none() {
        return Err(Missing {
            program: "etcd",
            remedy: "run `make kube`, or install Debian's etcd-server",
        });
    }
    usable.next().ok_or(Missing {
        program,
        remedy: "run `make kube`, which builds it once",
    })
}

/// Where fetched and built programs are kept.
pub(crate) fn cache() -> PathBuf {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home);
    base.unwrap_or_else(env::temp_dir).join("pilothouse")
}

pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut files = env::split_paths(&path).map(|dir| dir.join(program));
    files.find(|file| file.is_file())
}
