//! From updates to published Worlds: one task owns the index and nobody else changes it.
//!
//! Endpoint changes are published at once. Configuration waits until it has been quiet for a
//! moment, because one edit often comes as several objects and a route should not be seen before
//! its subset; it never waits longer than a maximum.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use api::event::{Change, SourceId, Update};
use index::Index;
use model::{ChangeSet, Diagnostic, Mesh, Severity, World};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, info, warn};

use crate::fleet::Fleet;

/// The codes of what sources find.
const OF_SOURCES: &str = "PH01";

/// So many changes of endpoints and instances together are few.
const FEW: usize = 32;

/// Owns the index.
pub(crate) struct Publisher {
    pub(crate) index: Index,
    pub(crate) updates: mpsc::Receiver<Update>,
    /// The mesh config after each change of its file, or why it cannot be read.
    pub(crate) settings: mpsc::Receiver<Result<(Mesh, Vec<Diagnostic>), String>>,
    pub(crate) fleet: Fleet,
    /// The sources whose first complete list is awaited.
    pub(crate) waiting: watch::Sender<Vec<SourceId>>,
    pub(crate) quiet: Duration,
    pub(crate) longest: Duration,
    /// The findings of the last World, sorted.
    pub(crate) known: Arc<[Diagnostic]>,
}

/// When the changes that have been taken in must be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Due {
    at: Instant,
    /// When the first of them was taken in.
    since: Instant,
    /// Whether configuration is among them.
    config: bool,
}

// === impl Publisher ===

impl Publisher {
    /// Runs until all sources have ended.
    pub(crate) async fn run(mut self) {
        let mut due: Option<Due> = None;
        loop {
            let timer = due.map(|due| due.at);
            tokio::select! {
                update = self.updates.recv() => match update {
                    None => return,
                    Some(update) => due = Some(self.take(update, due)),
                },
                Some(read) = self.settings.recv() => {
                    self.configure(read);
                    let now = Instant::now();
                    due = Some(Due::after(due, true, now, self.quiet, self.longest));
                }
                () = until(timer), if timer.is_some() => {
                    let since = due.take().map_or_else(Instant::now, |due| due.since);
                    self.publish(since).await;
                }
            }
        }
    }

    /// Takes in an update and all that wait behind it; tells when to publish.
    fn take(&mut self, update: Update, due: Option<Due>) -> Due {
        let mut config = due.is_some_and(|due| due.config);
        let mut next = Some(update);
        while let Some(update) = next {
            config |= matches!(update.change, Change::Config(_));
            self.index.apply(update);
            next = self.updates.try_recv().ok();
        }
        Due::after(due, config, Instant::now(), self.quiet, self.longest)
    }

    fn configure(&mut self, read: Result<(Mesh, Vec<Diagnostic>), String>) {
        let (mesh, findings) = read.unwrap_or_else(|why| {
            let finding = index::unreadable_mesh(why);
            (self.index.mesh().clone(), vec![finding])
        });
        self.index.configure(mesh, findings);
    }

    fn log_news(&mut self, found: &Arc<[Diagnostic]>) {
        let known = std::mem::replace(&mut self.known, found.clone());
        news(&known, found).for_each(log);
    }

    /// Publishes what has been taken in since that time.
    async fn publish(&mut self, since: Instant) {
        self.waiting
            .send_if_modified(|waiting| replace(waiting, self.index.pending()));
        let Some(published) = self.index.publish() else {
            return;
        };
        let (world, changes) = (published.world, published.changes);
        if changes.diagnostics {
            self.log_news(&world.diagnostics);
        }
        log_publication(&world, &changes);
        let fleet = self.fleet.clone();
        let is_small = is_small(&changes);
        let compile = move || fleet.publish(world, &changes, since.into_std());
        let compiled = match is_small {
            // Done in less time than another thread needs to wake up.
            true => unwound(compile),
            // Work for a processor, not for the threads that serve streams.
            false => {
                let compiled = tokio::task::spawn_blocking(compile).await;
                compiled.map_err(|stopped| stopped.to_string())
            }
        };
        if let Err(stopped) = compiled {
            warn!(error = %stopped, "compiling stopped; proxies keep what they have");
        }
    }
}

/// Does some work; a panic ends the work and nothing else.
fn unwound(work: impl FnOnce()) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        text.or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "panicked".into())
    })
}

/// Whether nothing but the endpoints of a few services changed.
fn is_small(changes: &ChangeSet) -> bool {
    let ChangeSet {
        services,
        endpoints,
        instances,
        config,
        mesh,
        diagnostics: _,
    } = changes;
    let few = endpoints.len() + instances.len() <= FEW;
    few && services.is_empty() && config.is_empty() && !mesh
}

/// Endpoints come and go all the time; a change of configuration is news.
fn log_publication(world: &World, changes: &ChangeSet) {
    let (generation, endpoints, config) = (
        world.generation,
        changes.endpoints.len(),
        changes.config.len(),
    );
    if changes.mesh || config > 0 {
        let (services, instances) = (world.services.len(), world.instances.len());
        info!(
            generation,
            services, instances, endpoints, config, "published"
        );
    } else {
        debug!(generation, endpoints, "published");
    }
}

/// What was not there before. What a source cannot read it logs itself, be there a World or not.
fn news<'a>(
    known: &'a [Diagnostic],
    found: &'a [Diagnostic],
) -> impl Iterator<Item = &'a Diagnostic> {
    let new = found.iter().filter(|f| known.binary_search(f).is_err());
    new.filter(|finding| !finding.code.starts_with(OF_SOURCES))
}

/// A finding is logged when it appears; `/debug/diagnosticsz` has all that hold.
fn log(finding: &Diagnostic) {
    let object = finding
        .object
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let at = finding
        .location
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let (code, field, effect, remedy) = (
        finding.code,
        &finding.field,
        &finding.effect,
        &finding.remedy,
    );
    match finding.severity {
        Severity::Error => error!(code, object, field, at, effect, remedy, "{}", finding.why),
        Severity::Warning => warn!(code, object, field, at, effect, remedy, "{}", finding.why),
    }
}

// === impl Due ===

impl Due {
    /// Workloads alone go at once; with configuration they wait for its quiet time, but not longer.
    fn after(
        due: Option<Due>,
        config: bool,
        now: Instant,
        quiet: Duration,
        longest: Duration,
    ) -> Due {
        let since = due.map_or(now, |due| due.since);
        let latest = since + longest;
        let wait = if config { quiet } else { Duration::ZERO };
        Due {
            at: (now + wait).min(latest),
            since,
            config,
        }
    }
}

fn replace<T: PartialEq>(old: &mut T, new: T) -> bool {
    let changed = *old != new;
    *old = new;
    changed
}

/// What is due is not put to sleep: the runtime's timers round up to the next millisecond.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) if at <= Instant::now() => {}
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Hostname, ServicePort};

    const QUIET: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_millis(50);

    fn after(due: Option<Due>, config: bool, now: Instant) -> Due {
        Due::after(due, config, now, QUIET, LONGEST)
    }

    #[test]
    fn a_finding_is_logged_once_and_by_one() {
        let finding = |code: &'static str| Diagnostic {
            code,
            severity: Severity::Warning,
            object: None,
            field: String::new(),
            location: None,
            why: String::new(),
            effect: String::new(),
            remedy: String::new(),
        };
        let found = ["PH0101", "PH0334", "PH0336"].map(finding);
        let codes = |known: &[Diagnostic]| -> Vec<&str> {
            news(known, &found).map(|finding| finding.code).collect()
        };
        assert_eq!(codes(&[]), ["PH0334", "PH0336"]);
        assert_eq!(codes(&found[1..2]), ["PH0336"]);
    }

    #[test]
    fn a_panic_of_the_compiler_is_an_error_and_not_the_end() {
        let text = |result: Result<(), String>| result.err();
        assert_eq!(text(unwound(|| panic!("at once"))), Some("at once".into()));
        let number = text(unwound(|| panic!("number {}", FEW)));
        assert_eq!(number, Some(format!("number {FEW}")));
        assert_eq!(text(unwound(|| {})), None);
    }

    #[test]
    fn few_endpoints_are_small_and_nothing_else_is() {
        let host: Hostname = "a.b".parse().unwrap();
        let endpoints = |count: usize| ChangeSet {
            endpoints: (0..count)
                .map(|port| ServicePort {
                    host: host.clone(),
                    port: u16::try_from(port).unwrap(),
                })
                .collect(),
            ..ChangeSet::default()
        };
        assert!(is_small(&endpoints(FEW)));
        assert!(!is_small(&endpoints(FEW + 1)));
        let mesh = ChangeSet {
            mesh: true,
            ..ChangeSet::default()
        };
        let services = ChangeSet {
            services: [host.clone()].into(),
            ..ChangeSet::default()
        };
        assert!(!is_small(&mesh) && !is_small(&services));
    }

    #[test]
    fn workloads_are_published_at_once() {
        let now = Instant::now();
        assert_eq!(after(None, false, now).at, now);
    }

    #[test]
    fn configuration_waits_for_quiet_but_not_for_ever() {
        let start = Instant::now();
        let mut due = after(None, true, start);
        assert_eq!(due.at, start + QUIET);
        for step in 1..10u32 {
            due = after(Some(due), true, start + step * QUIET / 2);
        }
        assert_eq!(due.at, start + LONGEST);
    }

    #[test]
    fn workloads_do_not_tear_an_edit_apart() {
        let start = Instant::now();
        let edit = after(None, true, start);
        let both = after(Some(edit), true, start + QUIET / 2);
        assert_eq!(both.at, start + QUIET / 2 + QUIET);
    }
}
