//! The measure: a bare reflector of kube-rs, which keeps all virtual services and does nothing.

use std::path::Path;
use std::pin::pin;

use anyhow::Result;
use futures::StreamExt;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Config};

/// Prints how many objects it has when it has them all, and stays.
pub(crate) async fn run(kubeconfig: &Path) -> Result<()> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    let kind = GroupVersionKind::gvk("networking.istio.io", "v1alpha3", "VirtualService");
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = Api::all_with(client, &resource);
    let writer = reflector::store::Writer::new(resource);
    let store = writer.as_reader();
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let mut events = pin!(events.reflect(writer));
    while let Some(event) = events.next().await {
        if let Event::InitDone = event? {
            println!("{}", store.state().len());
        }
    }
    Ok(())
}
