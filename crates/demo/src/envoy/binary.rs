//! Where the Envoy binary is: `$ENVOY`, then our cache, then PATH.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version that `make envoy` fetches and all tests run against.
pub const ENVOY_VERSION: &str = "1.40.0";

/// An Envoy that can be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary(PathBuf);

/// No usable Envoy, with every place that was looked at and why it did not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no Envoy {ENVOY_VERSION} found, so no proxy can be started:\n{}\
     run `make envoy`, or set ENVOY to the path of a binary",
    list(.tried)
)]
pub struct NotFound {
    /// Place and reason, in the order of the search.
    pub tried: Vec<(String, String)>,
}

fn list(tried: &[(String, String)]) -> String {
    tried.iter().fold(String::new(), |mut text, (place, why)| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {place}: {why}");
        text
    })
}

impl Binary {
    /// Searches with the variables of this process.
    pub fn find() -> Result<Self, NotFound> {
        Search::from_env().run()
    }

    /// The file to execute.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `1.40.0`, as the binary says itself.
    pub fn version(&self) -> Option<String> {
        let output = Command::new(&self.0).arg("--version").output().ok()?;
        parse_version(&String::from_utf8_lossy(&output.stdout))
    }
}

/// The variables that decide, apart from the process so that tests can set them.
#[derive(Debug, Default)]
struct Search {
    envoy: Option<OsString>,
    cache_home: Option<OsString>,
    home: Option<OsString>,
    path: Option<OsString>,
}

impl Search {
    fn from_env() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            envoy: set("ENVOY"),
            cache_home: set("XDG_CACHE_HOME"),
            home: set("HOME"),
            path: set("PATH"),
        }
    }

    fn run(&self) -> Result<Binary, NotFound> {
        let mut tried = Vec::new();
        // What the user named must work: falling back would hide the mistake.
        if let Some(named) = &self.envoy {
            let file = PathBuf::from(named);
            return usable(&file).map_err(|why| {
                let place = format!("$ENVOY {}", file.display());
                NotFound {
                    tried: vec![(place, why)],
                }
            });
        }
        match self.cached() {
            Some(file) => match usable(&file) {
                Ok(binary) => return Ok(binary),
                Err(why) => tried.push((file.display().to_string(), why)),
            },
            None => tried.push((
                "cache".into(),
                "neither XDG_CACHE_HOME nor HOME is set".into(),
            )),
        }
        for file in self.on_path() {
            match usable(&file).and_then(new_enough) {
                Ok(binary) => return Ok(binary),
                Err(why) => tried.push((file.display().to_string(), why)),
            }
        }
        tried.push(("$ENVOY".into(), "not set".into()));
        Err(NotFound { tried })
    }

    fn cached(&self) -> Option<PathBuf> {
        let cache = match (&self.cache_home, &self.home) {
            (Some(cache), _) => PathBuf::from(cache),
            (None, home) => Path::new(home.as_ref()?).join(".cache"),
        };
        Some(cache.join(format!("pilothouse/envoy-{ENVOY_VERSION}/envoy")))
    }

    /// Only files that exist: a miss in every directory of PATH is no news.
    fn on_path(&self) -> Vec<PathBuf> {
        let dirs = self.path.iter().flat_map(env::split_paths);
        dirs.map(|dir| dir.join("envoy"))
            .filter(|file| file.exists())
            .collect()
    }
}

fn usable(file: &Path) -> Result<Binary, String> {
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("not a file".into());
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err("not executable".into());
    }
    Ok(Binary(file.to_path_buf()))
}

/// An Envoy that happens to be on PATH may be years old and refuse today's fields.
fn new_enough(binary: Binary) -> Result<Binary, String> {
    let version = binary.version().ok_or("does not say its version")?;
    if numbers(&version) < numbers(ENVOY_VERSION) {
        return Err(format!("version {version} is older than {ENVOY_VERSION}"));
    }
    Ok(binary)
}

/// `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`
fn parse_version(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("version: ")?;
    let version = rest.split('/').nth(1)?;
    (numbers(version).len() == 3).then(|| version.to_owned())
}

fn numbers(version: &str) -> Vec<u32> {
    let release = version.split('-').next().unwrap_or_default();
    release
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn program(file: &Path, version: &str) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let script =
            format!("#!/bin/sh\necho 'envoy  version: c0ffee/{version}/Clean/RELEASE/X'\n");
        fs::write(file, script).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_cache_comes_before_path_and_home_is_its_default() {
        let dir = tempfile::tempdir().unwrap();
        let cached = dir.path().join(".cache/pilothouse/envoy-1.40.0/envoy");
        program(&dir.path().join("bin/envoy"), "1.41.2");
        let mut search = Search {
            home: Some(dir.path().into()),
            path: Some(dir.path().join("bin").into()),
            ..Search::default()
        };
        assert_eq!(search.run().unwrap().version().unwrap(), "1.41.2");
        program(&cached, "1.40.0");
        assert_eq!(search.run().unwrap().path(), cached);
        search.cache_home = Some(dir.path().join("elsewhere").into());
        assert_eq!(search.run().unwrap().version().unwrap(), "1.41.2");
    }

    #[test]
    fn a_wrong_envoy_variable_is_an_error_even_if_path_has_one() {
        let dir = tempfile::tempdir().unwrap();
        program(&dir.path().join("bin/envoy"), "1.40.0");
        let search = Search {
            envoy: Some(dir.path().join("missing").into()),
            path: Some(dir.path().join("bin").into()),
            ..Search::default()
        };
        let text = search.run().unwrap_err().to_string();
        assert!(
            text.contains("$ENVOY") && text.contains("missing"),
            "{text}"
        );
    }

    #[test]
    fn an_old_envoy_on_path_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        program(&dir.path().join("envoy"), "1.9.0");
        let search = Search {
            path: Some(dir.path().into()),
            ..Search::default()
        };
        let text = search.run().unwrap_err().to_string();
        assert!(text.contains("1.9.0 is older than 1.40.0"), "{text}");
        assert!(text.contains("make envoy"), "{text}");
    }

    #[test]
    fn versions_are_read_from_envoys_own_words() {
        let text = "\n/x/envoy  version: 9e55/1.40.0-dev/Clean/RELEASE/BoringSSL\n";
        assert_eq!(parse_version(text).unwrap(), "1.40.0-dev");
        assert_eq!(parse_version("nginx version: nginx/1.22"), None);
    }
}
