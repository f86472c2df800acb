//! Criterion over what a user waits for: one training step of the small network, and each
//! distinct kernel in it, on the default adapter. The clock stops when the result is there.

use criterion::{Criterion, criterion_group, criterion_main};
use fer_gpu::gpu::{Adapter, Batch, Checks, Executor, Gpu, Images, LimitChoice, Selector, Work};
use fer_gpu::network::Network;
use fer_gpu::ops::Step;
use fer_gpu::ops::adam;
use fer_gpu::plan::{self, Options, Source, Wanted};
use fer_gpu::random::unit;
use std::collections::HashSet;

const BATCH: u32 = 64;

fn step(criterion: &mut Criterion) {
    let adapter = Adapter::select(&Selector::Default).unwrap_or_else(|e| panic!("{e}"));
    let gpu = Gpu::open(&adapter, LimitChoice::Native).unwrap_or_else(|e| panic!("{e}"));
    println!("{}", gpu.info);
    let model = Network::find("inception-gap").expect("a network").build(7);
    let wanted = Wanted::training(BATCH, [Source::Host; 2]);
    let options = Options::new(gpu.profile.clone());
    let plan = plan::plan(&model, &wanted, &options).expect("a plan");
    let mut executor = Executor::new(&gpu, plan, Checks::Off, &mut |_, _| ()).expect("an executor");
    let images: Vec<f32> = (0..BATCH as u64 * 48 * 48)
        .map(|i| unit(1, i) as f32)
        .collect();
    let labels: Vec<u32> = (0..BATCH).map(|n| n % 7).collect();
    let step = Step::new(1, BATCH, adam::scalars(1e-3, 1));
    let batch = Batch::new(Images::Host(&images), &labels, step);

    let mut group = criterion.benchmark_group("inception-gap");
    group.sample_size(10);
    group.bench_function("training step", |b| {
        b.iter(|| {
            executor.submit(Work::TRAIN, &batch).expect("a step");
            executor.drain().expect("a step")
        });
    });
    group.bench_function("validation batch", |b| {
        b.iter(|| {
            executor.submit(Work::EVALUATE, &batch).expect("a batch");
            executor.drain().expect("a batch")
        });
    });
    let mut seen = HashSet::new();
    for (index, dispatch) in executor.dispatches(Work::TRAIN).iter().enumerate() {
        if seen.insert((dispatch.op.name(), dispatch.params.clone())) {
            let name = format!(
                "{} {} {}",
                dispatch.op.name(),
                dispatch.variant_name(),
                dispatch.label
            );
            group.bench_function(name, |b| {
                b.iter(|| executor.launch(Work::TRAIN, index).expect("a launch"))
            });
        }
    }
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
