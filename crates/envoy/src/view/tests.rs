//! What a view costs when it hides nothing: nothing.

use std::sync::Arc;

use model::{ChangeSet, ExportTo, Service, World};

use super::{Projection, View, Visibility};
use crate::fixtures::*;

fn next(world: &World, change: impl FnOnce(&mut World)) -> Arc<World> {
    let mut next = world.clone();
    next.generation += 1;
    change(&mut next);
    Arc::new(next)
}

/// `reviews` with another export, as a change.
fn exported(world: &World, export: ExportTo) -> (Arc<World>, ChangeSet) {
    let name = host("reviews.marathon.slave.mesos");
    let service = world.services.get(&name).expect("a service of bookinfo");
    let service = Service {
        export_to: export,
        ..Service::clone(service)
    };
    let changes = ChangeSet {
        services: [name.clone()].into(),
        ..ChangeSet::default()
    };
    let world = next(world, |world| {
        world.services.insert(name, Arc::new(service));
    });
    (world, changes)
}

#[test]
fn a_world_of_which_nothing_is_hidden_is_shared() {
    let world = Arc::new(bookinfo().world());
    let mut visibility = Visibility::of(&world);
    let mut seen = Projection::new(&world, &View::default(), &visibility);
    assert!(Arc::ptr_eq(&seen.world, &world));
    // Endpoints and instances change no view, and the next World is shared, too.
    let endpoints = ChangeSet {
        endpoints: world.endpoints.keys().take(1).cloned().collect(),
        ..ChangeSet::default()
    };
    assert!(!Visibility::concerns(&endpoints));
    let later = next(&world, |_| {});
    seen.advance(&later, &visibility, &endpoints);
    assert!(Arc::ptr_eq(&seen.world, &later));
    // A service that becomes hidden is, and the World is shared again when it is shown again.
    let (hiding, changes) = exported(&later, ExportTo::Namespaces(["other".into()].into()));
    assert!(Visibility::concerns(&changes));
    visibility.advance(&later, &hiding, &changes);
    seen.advance(&hiding, &visibility, &changes);
    assert_eq!(seen.world.services.len() + 1, hiding.services.len());
    let (shown, changes) = exported(&hiding, ExportTo::All);
    visibility.advance(&hiding, &shown, &changes);
    seen.advance(&shown, &visibility, &changes);
    assert!(Arc::ptr_eq(&seen.world, &shown));
}
