//! The state as Marathon's JSON.

pub(crate) mod app;
pub(crate) mod deployment;
pub(crate) mod event;
pub(crate) mod group;
mod legacy;
pub(crate) mod pod;
pub(crate) mod task;

use std::collections::BTreeSet;

/// The `embed` parameters of a request, without their prefixes: Marathon reads
/// `apps.tasks`, `app.tasks`, `group.apps.tasks` and `tasks` as the same.
pub(crate) struct Embed(BTreeSet<String>);

impl Embed {
    pub(crate) fn new<'a>(values: impl Iterator<Item = &'a str>) -> Embed {
        let mut embeds: BTreeSet<String> = values.map(strip).map(str::to_owned).collect();
        // Tasks and failures have always come with deployments.
        if embeds.contains("failures") {
            embeds.extend(["tasks".into(), "lastTaskFailure".into()]);
        }
        if embeds.contains("tasks") {
            embeds.insert("deployments".into());
        }
        Embed(embeds)
    }

    pub(crate) fn with(mut self, more: &[&str]) -> Embed {
        self.0.extend(more.iter().map(|m| (*m).to_owned()));
        self
    }

    pub(crate) fn has(&self, what: &str) -> bool {
        self.0.contains(what)
    }
}

fn strip(value: &str) -> &str {
    let prefixes = ["group.apps.", "apps.", "app."];
    let stripped = prefixes.iter().find_map(|p| value.strip_prefix(p));
    stripped.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_do_not_matter() {
        for value in ["apps.tasks", "app.tasks", "group.apps.tasks", "tasks"] {
            let embed = Embed::new([value].into_iter());
            assert!(embed.has("tasks") && embed.has("deployments"), "{value}");
            assert!(!embed.has("counts"));
        }
        assert!(Embed::new(["group.pods"].into_iter()).has("group.pods"));
    }
}
