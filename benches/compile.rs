//! How long it takes to decide: from a World and a proxy to encoded resources.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use api::event::Update;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use generate::{Shape, shapes};
use index::{Claim, Index, Settings};
use model::{Proxy, World};

const SHAPES: &[Shape] = &[
    Shape {
        services: 100,
        endpoints: 10,
        subsets: 2,
    },
    Shape {
        services: 1_000,
        endpoints: 10,
        subsets: 2,
    },
    Shape {
        services: 1_000,
        endpoints: 10,
        subsets: 1,
    },
    Shape {
        services: 1_000,
        endpoints: 50,
        subsets: 2,
    },
];

/// Everything that one sidecar needs, from nothing.
fn sidecar(c: &mut Criterion) {
    let mut group = c.benchmark_group("compile/sidecar");
    group.sample_size(20);
    for shape in SHAPES {
        let world = world(shape.updates());
        let proxy = proxy(&world);
        group.throughput(Throughput::Elements(shape.services as u64));
        let name = format!("{}x{}x{}", shape.services, shape.endpoints, shape.subsets);
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| black_box(envoy::compile(&world, &proxy)))
        });
    }
}

/// The shapes that istiod is measured with, each for one proxy, from nothing.
fn scenes(c: &mut Criterion) {
    for scene in shapes::all() {
        let world = world(scene.updates);
        let metadata = serde_json::Map::from_iter([("LABELS".to_owned(), scene.labels)]);
        let proxy = identified(&world, scene.node_id, &metadata);
        let compiled = envoy::compile(&world, &proxy);
        let id = format!("{}/{}", scene.name, scene.size);
        tell(&id, scene.endpoints, &compiled);
        assert!(
            compiled.resources.len() > scene.expected,
            "{id} compiles what it is about: {:?}",
            compiled.diagnostics.first()
        );
        let mut group = c.benchmark_group(format!("compile/{}", scene.name));
        group
            .sample_size(10)
            .throughput(Throughput::Elements(compiled.resources.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(scene.size), |b| {
            b.iter(|| black_box(envoy::compile(&world, &proxy)))
        });
    }
}

/// No address with its port takes less.
const LEAST: usize = 16;

/// What a case produces, beside which its time means something.
fn tell(id: &str, endpoints: usize, compiled: &envoy::Compiled) {
    let mut kinds: BTreeMap<envoy::Kind, (usize, usize)> = BTreeMap::new();
    for resource in &compiled.resources {
        let (count, bytes) = kinds.entry(resource.kind).or_default();
        *count += 1;
        *bytes += resource.body.len();
    }
    let (_, bytes) = kinds
        .get(&envoy::Kind::Endpoint)
        .copied()
        .unwrap_or_default();
    assert!(
        bytes >= LEAST * endpoints,
        "{id} has all its endpoints: {bytes} bytes"
    );
    let text = |(kind, (count, bytes)): (&envoy::Kind, &(usize, usize))| {
        format!("{count} {kind} in {:.1} KB", *bytes as f64 / 1000.0)
    };
    let text: Vec<String> = kinds.iter().map(text).collect();
    println!(
        "compile/{id}: {}, {} diagnostics",
        text.join(", "),
        compiled.diagnostics.len()
    );
}

fn world(updates: Vec<Update>) -> Arc<World> {
    let mut index = Index::new(Settings {
        mesh: model::Mesh::default(),
        sources: Shape::sources(),
    });
    for update in updates {
        index.apply(update);
    }
    index.publish().expect("the first lists make a World").world
}

fn proxy(world: &World) -> Proxy {
    let instance = world
        .instances
        .keys()
        .next()
        .expect("the mesh has instances");
    let node_id = format!("sidecar~172.17.0.2~{instance}~marathon.slave.mesos");
    identified(world, &node_id, &serde_json::Map::new())
}

fn identified(
    world: &World,
    node_id: &str,
    metadata: &serde_json::Map<String, serde_json::Value>,
) -> Proxy {
    let claim = Claim { node_id, metadata };
    index::identify(world, &claim, std::net::IpAddr::from([127, 0, 0, 1]))
        .expect("the node id has the right form")
}

criterion_group!(benches, sidecar, scenes);
criterion_main!(benches);
