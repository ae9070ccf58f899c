//! How two Worlds differ, found by comparing everything.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::Arc;

use model::{ChangeSet, ObjectRef, World};

pub(super) fn changes(old: &World, new: &World) -> ChangeSet {
    let mut config = differing(&old.virtual_services, &new.virtual_services, |v| &v.object);
    config.extend(differing(
        &old.destination_rules,
        &new.destination_rules,
        |v| &v.object,
    ));
    config.extend(differing(&old.sidecars, &new.sidecars, |v| &v.object));
    config.extend(differing(&old.gateways, &new.gateways, |v| &v.object));
    config.extend(differing(&old.authentication, &new.authentication, |v| {
        &v.object
    }));
    config.extend(differing(
        &old.request_authentications,
        &new.request_authentications,
        |v| &v.object,
    ));
    config.extend(differing(&old.authorizations, &new.authorizations, |v| {
        &v.object
    }));
    config.extend(differing(&old.telemetries, &new.telemetries, |v| &v.object));
    config.extend(differing(&old.envoy_filters, &new.envoy_filters, |v| {
        &v.object
    }));
    ChangeSet {
        services: unequal(old.services.iter(), new.services.iter()),
        endpoints: unequal(old.endpoints.iter(), new.endpoints.iter()),
        instances: unequal(old.instances.iter(), new.instances.iter()),
        config,
        mesh: old.mesh != new.mesh,
        diagnostics: false,
    }
}

/// The keys of values that appeared, went or changed.
fn unequal<'a, K: Ord + Clone + Hash + 'a, V: PartialEq + 'a>(
    old: impl Iterator<Item = (&'a K, &'a V)>,
    new: impl Iterator<Item = (&'a K, &'a V)>,
) -> BTreeSet<K> {
    let old: std::collections::BTreeMap<_, _> = old.collect();
    let new: std::collections::BTreeMap<_, _> = new.collect();
    let keys = old.keys().chain(new.keys());
    keys.filter(|key| old.get(*key) != new.get(*key))
        .map(|key| (*key).clone())
        .collect()
}

/// The objects that appeared, went, changed, or stand in another order.
fn differing<T: PartialEq>(
    old: &[Arc<T>],
    new: &[Arc<T>],
    object: impl Fn(&T) -> &ObjectRef,
) -> BTreeSet<ObjectRef> {
    let places = |list: &[Arc<T>], other: &[Arc<T>]| -> Vec<(ObjectRef, usize, Arc<T>)> {
        let common = list
            .iter()
            .filter(|v| other.iter().any(|o| object(o) == object(v)));
        let numbered = common.enumerate();
        numbered
            .map(|(at, v)| (object(v).clone(), at, v.clone()))
            .collect()
    };
    let (before, after) = (places(old, new), places(new, old));
    let moved = before.iter().filter(|entry| !after.contains(entry));
    let mut all: BTreeSet<ObjectRef> = moved.map(|(object, _, _)| object.clone()).collect();
    let alone = |list: &[Arc<T>], other: &[Arc<T>]| -> Vec<ObjectRef> {
        let objects = list.iter().map(|v| object(v));
        objects
            .filter(|o| other.iter().all(|v| object(v) != *o))
            .cloned()
            .collect()
    };
    all.extend(alone(old, new));
    all.extend(alone(new, old));
    all
}
