//! Flags of the old Pilot that have no meaning any more.
//!
//! They are dropped with one warning each, so that a launch line need not be edited in the same
//! minute in which the control plane is replaced. Any other unknown flag stays an error.

/// Name, and whether a value follows.
const FLAGS: &[(&str, bool)] = &[
    ("appNamespace", true),
    ("cacert", true),
    ("caCertFile", true),
    ("clusterRegistriesConfigMap", true),
    ("clusterRegistriesNamespace", true),
    ("consulconfig", true),
    ("consulserverInterval", true),
    ("consulserverURL", true),
    ("ctrlz_address", true),
    ("ctrlz_port", true),
    ("discovery_cache", false),
    ("keepaliveInterval", true),
    ("keepaliveMaxServerConnectionAge", true),
    ("keepaliveTimeout", true),
    ("log_as_json", false),
    ("log_caller", true),
    ("log_output_level", true),
    ("log_rotate", true),
    ("log_rotate_max_age", true),
    ("log_rotate_max_backups", true),
    ("log_rotate_max_size", true),
    ("log_stacktrace_level", true),
    ("log_target", true),
    ("mcpServerAddrs", true),
    ("mesosContainerDomain", true),
    ("mesosSyncInterval", true),
    ("monitoringPort", true),
    ("namespace", true),
    ("plugins", true),
    ("port", true),
    ("profile", false),
    ("resync", true),
    ("secureGrpcPort", true),
    ("webhookEndpoint", true),
];

/// The same for flags of one letter.
const SHORT: &[&str] = &["-a", "-n"];

/// Takes the old flags out of a command line; returns what stays and the names of what went.
pub fn strip(line: impl IntoIterator<Item = String>) -> (Vec<String>, Vec<String>) {
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    let mut line = line.into_iter().peekable();
    while let Some(word) = line.next() {
        let Some(takes_value) = old_flag(&word) else {
            kept.push(word);
            continue;
        };
        let name = word.split('=').next().unwrap_or(&word).to_owned();
        if takes_value && !word.contains('=') {
            line.next_if(|value| !value.starts_with('-'));
        }
        dropped.push(name);
    }
    (kept, dropped)
}

fn old_flag(word: &str) -> Option<bool> {
    if SHORT.contains(&word) {
        return Some(true);
    }
    let name = word.strip_prefix("--")?.split('=').next()?;
    FLAGS
        .iter()
        .find(|(flag, _)| *flag == name)
        .map(|(_, takes_value)| *takes_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(line: &str) -> (Vec<String>, Vec<String>) {
        strip(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn old_flags_go_with_their_values() {
        let (kept, dropped) = stripped(
            "discovery --resync 60s --httpAddr :1 --log_output_level=debug --profile --plugins a,b -n x",
        );
        assert_eq!(kept, ["discovery", "--httpAddr", ":1"]);
        assert_eq!(
            dropped,
            [
                "--resync",
                "--log_output_level",
                "--profile",
                "--plugins",
                "-n"
            ]
        );
    }

    #[test]
    fn other_words_stay_untouched() {
        let line = "discovery --registries Mesos --kubeconfig /k --unknown x";
        assert_eq!(
            stripped(line),
            (line.split_whitespace().map(str::to_owned).collect(), vec![])
        );
    }
}
