//! The parts that write to the apiserver, wired to what they tell.

use std::sync::Arc;

use admin::Inside;
use apiserver::{Answers, Findings};
use model::Diagnostic;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use watch::kube::{Catalogued, Conditions, Kube, Servers};

use crate::config::KubeOptions;
use crate::inside::Window;
use crate::sources::Stopped;

/// What has to be known of the source before it runs.
pub(crate) struct Writer {
    servers: Servers,
    catalogued: Catalogued,
    conditions: Conditions,
    options: KubeOptions,
}

/// All that `/debug/diagnosticsz` tells.
struct Everything(Arc<Window>);

// === impl Writer ===

impl Writer {
    pub(crate) fn beside(source: &Kube, servers: Servers, options: KubeOptions) -> Writer {
        Writer {
            servers,
            catalogued: source.catalogued(),
            conditions: source.conditions(),
            options,
        }
    }

    /// Runs until the shutdown, whatever there is to write.
    pub(crate) fn start(
        self,
        window: Arc<Window>,
        tasks: &mut JoinSet<Stopped>,
        shutdown: CancellationToken,
    ) {
        let Writer {
            servers,
            catalogued,
            conditions,
            options,
        } = self;
        let (install, tell) = (options.install, options.events);
        let definitions = apiserver::install(servers.clone(), shutdown.clone());
        let (namespace, timing) = (options.namespace, options.answers);
        let answers = Answers::new(servers, catalogued, conditions, namespace, timing);
        tasks.spawn(async move {
            let installing = async {
                if install {
                    definitions.await;
                }
            };
            let telling = async {
                if tell {
                    answers.run(Everything(window), shutdown.clone()).await;
                }
            };
            tokio::join!(installing, telling);
            shutdown.cancelled().await;
            "the writer to the apiserver"
        });
    }
}

// === impl Everything ===

impl Findings for Everything {
    fn findings(&self) -> Vec<Diagnostic> {
        let world = self.0.world();
        let of_world = world
            .iter()
            .flat_map(|world| world.diagnostics.iter().cloned());
        of_world.chain(self.0.omissions()).collect()
    }
}
