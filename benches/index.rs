//! How long it takes to know: from what sources say to a World.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use generate::Shape;
use index::{Index, Settings};

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
        services: 5_000,
        endpoints: 10,
        subsets: 2,
    },
];

fn first_list(c: &mut Criterion) {
    let mut group = c.benchmark_group("index/first_list");
    group.sample_size(10);
    for shape in SHAPES {
        let updates = shape.updates();
        group.throughput(Throughput::Elements(
            (shape.services * shape.endpoints) as u64,
        ));
        group.bench_function(BenchmarkId::from_parameter(shape.services), |b| {
            b.iter_batched(
                || updates.clone(),
                |updates| black_box(filled(updates)),
                BatchSize::LargeInput,
            );
        });
    }
}

/// One task moves; what it costs must not depend on how many others there are.
fn one_task(c: &mut Criterion) {
    let mut group = c.benchmark_group("index/one_task");
    for shape in SHAPES {
        let mut index = filled(shape.updates());
        let mut round = 0;
        group.bench_function(BenchmarkId::from_parameter(shape.services), |b| {
            b.iter(|| {
                round += 1;
                index.apply(shape.moved(7, round));
                black_box(index.publish().expect("the move is a change"))
            });
        });
    }
}

fn one_route(c: &mut Criterion) {
    let mut group = c.benchmark_group("index/one_route");
    for shape in SHAPES {
        let mut index = filled(shape.updates());
        let mut round = 0;
        group.bench_function(BenchmarkId::from_parameter(shape.services), |b| {
            b.iter(|| {
                round += 1;
                index.apply(shape.edited(8, round));
                black_box(index.publish().expect("the edit is a change"))
            });
        });
    }
}

fn filled(updates: Vec<api::event::Update>) -> Index {
    let mut index = Index::new(Settings {
        mesh: model::Mesh::default(),
        sources: Shape::sources(),
    });
    for update in updates {
        index.apply(update);
    }
    assert!(index.publish().is_some(), "the first lists make a World");
    index
}

criterion_group!(benches, first_list, one_task, one_route);
criterion_main!(benches);
