//! What a container runs here. There are no images: Envoys, Bookinfo and httpbin are recognised by
//! image, command and labels; another container's command is run if the machine has the program.

use std::path::Path;

use demo::Role;
use demo::bookinfo::Service;
use simulator::TaskView;

use crate::tools::on_path;

const HTTPBIN_PORT: &str = "8000";
/// Words that the shell itself knows.
const SHELL: [&str; 6] = ["cd", "exec", "export", "set", "umask", "."];

/// An Envoy, however it is launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) role: Role,
    /// The name of its service, if its launch line has one.
    pub(crate) cluster: Option<String>,
}

/// What a container runs that is no Envoy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Application {
    Bookinfo(Service),
    Httpbin,
    /// A line of shell.
    Command(String),
    /// Nothing: only a place to run commands in. Why.
    Idle(String),
}

// === impl Proxy ===

impl Proxy {
    /// `None` if the container is something else.
    pub(crate) fn of(task: &TaskView) -> Option<Proxy> {
        let command = task.command.as_deref().unwrap_or_default();
        let agent = agent_words(command);
        let is_gateway = || label(task, "istio").ends_with("gateway");
        let named = matches!(task.container.as_deref(), Some("proxy" | "istio-proxy"));
        let role = match agent.first().map(String::as_str) {
            Some("router" | "ingress") => Role::Router,
            Some(_) => Role::Sidecar,
            None if named => Role::Sidecar,
            None if is_gateway() => Role::Router,
            None => return None,
        };
        let mut words = agent.iter().skip_while(|word| *word != "--serviceCluster");
        Some(Proxy {
            role,
            cluster: words.nth(1).cloned(),
        })
    }
}

/// The words after `pilot-agent proxy`, wherever in a line of shell that stands.
fn agent_words(command: &str) -> Vec<String> {
    let is_quote = |c: char| matches!(c, '"' | '\'' | ';');
    let words = command.split(|c: char| c.is_whitespace() || is_quote(c));
    let mut words = words.filter(|word| !word.is_empty());
    let found = words.any(|word| word == "pilot-agent" || word.ends_with("/pilot-agent"));
    match found && words.next() == Some("proxy") {
        true => words.map(str::to_owned).collect(),
        false => Vec::new(),
    }
}

// === impl Application ===

impl Application {
    pub(crate) fn of(task: &TaskView) -> Application {
        let image = task.image.as_deref().map(name).unwrap_or_default();
        let of_labels = Service::from_labels(label(task, "istio"), label(task, "version"));
        if let Some(service) = bookinfo(image).or(of_labels) {
            return Application::Bookinfo(service);
        }
        if image == "httpbin" || label(task, "istio") == "httpbin" {
            return Application::Httpbin;
        }
        match &task.command {
            Some(line) if can_run(line) => Application::Command(line.clone()),
            Some(line) => Application::Idle(format!("the machine has no program of {line:?}")),
            None => Application::Idle(format!("the rig cannot run the image {image:?}")),
        }
    }

    /// The command line.
    pub(crate) fn command(&self, own: &Path, httpbin: &Path, instance: &str) -> Vec<String> {
        let own = own.display().to_string();
        let httpbin = httpbin.display().to_string();
        let words: &[&str] = match self {
            Application::Bookinfo(service) => &[
                &own,
                "rig",
                "bookinfo",
                service.name(),
                service.version(),
                "--instance",
                instance,
            ],
            Application::Httpbin => &[
                &httpbin,
                "-m",
                "httpbin.core",
                "--host",
                "0.0.0.0",
                "--port",
                HTTPBIN_PORT,
            ],
            Application::Command(line) => &["sh", "-c", line],
            Application::Idle(_) => &["sleep", "infinity"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

/// `istio/examples-bookinfo-details-v1:1.8.0` is details v1.
fn bookinfo(image: &str) -> Option<Service> {
    let rest = image.strip_prefix("examples-bookinfo-")?;
    let (service, version) = rest.rsplit_once('-')?;
    Service::from_labels(service, version)
}

/// The last part of an image's path, without its tag or digest.
fn name(image: &str) -> &str {
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split([':', '@']).next().unwrap_or(last)
}

/// Whether the machine has the programs of a line of shell.
fn can_run(line: &str) -> bool {
    let commands = line.split([';', '&', '|']);
    let commands = commands.filter(|command| !command.trim().is_empty());
    commands.map(program).all(|program| {
        SHELL.contains(&program) || Path::new(program).is_file() || on_path(program).is_some()
    })
}

/// The program of a simple command, behind `exec` and what is set for it.
fn program(command: &str) -> &str {
    let mut words = command.split_whitespace();
    let program = words.find(|word| *word != "exec" && !word.contains('='));
    program.unwrap_or("exec").trim_matches('\'')
}

fn label<'a>(task: &'a TaskView, name: &str) -> &'a str {
    task.labels.get(name).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_found_behind_whatever_the_line_does_first() {
        let sidecar = "chmod +777 /dev/stdout; iptables.sh -p 15001 -u 1337; su istio-proxy -c \
                       \"/usr/local/bin/pilot-agent proxy --serviceCluster details-v1 --x y\"";
        let words = agent_words(sidecar);
        assert_eq!(words[..2], ["--serviceCluster", "details-v1"]);
        let router = agent_words("/usr/local/bin/pilot-agent proxy  router  -v  \"2\"");
        assert_eq!(router[0], "router");
        assert!(agent_words("pilot-discovery discovery").is_empty());
    }

    #[test]
    fn an_image_is_known_by_the_end_of_its_path() {
        for (image, is) in [
            ("istio/examples-bookinfo-reviews-v2:1.8.0", "reviews"),
            (
                "registry.example.com:5000/a/examples-bookinfo-ratings-v1",
                "ratings",
            ),
        ] {
            let service = bookinfo(name(image)).unwrap();
            assert_eq!(service.name(), is);
        }
        assert_eq!(name("citizenstig/httpbin"), "httpbin");
        assert!(bookinfo(name("istio/examples-bookinfo-reviews-v9")).is_none());
    }

    #[test]
    fn a_line_runs_where_its_program_is() {
        assert!(can_run("exec sleep 3650d") && can_run("A=1 sh -c 'true'"));
        assert!(can_run("cd / && exec sleep 1; true"));
        for line in [
            "/opt/no-such-program --flag",
            "mkdir a && /opt/no-such-program",
        ] {
            assert!(!can_run(line), "{line}");
        }
    }
}
