use fer_gpu::gpu::*;
use fer_gpu::network::Network;
use fer_gpu::plan::{self, Options};
use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let model = &args[1];
    let filter = args.get(2).cloned().unwrap_or_default();
    let adapter = Adapter::select(&Selector::Default).unwrap();
    let gpu = Gpu::open(&adapter, LimitChoice::Native).unwrap();
    println!("{} {:?}", gpu.info, gpu.profile);
    let mut options = Options::new(gpu.profile.clone());
    if let Ok(p) = std::env::var("PINS") {
        for kv in p.split(',') {
            let (k, v) = kv.split_once('=').unwrap();
            options.pins.0.insert(k.into(), v.into());
        }
    }
    if let Ok(p) = std::env::var("FUSE") {
        options.fuse_adam = Some(p == "1");
    }
    let plan = plan::plan(Network::find(model).unwrap().build(64, 7), &options).unwrap();
    let e = Executor::new(&gpu, plan, Checks::Off, &mut |_, _| ()).unwrap();
    let labels = vec![1u32; 64];
    let images: Vec<f32> = (0..64 * 2304)
        .map(|i| fer_gpu::random::unit(3, i) as f32)
        .collect();
    for p in 0..e.plan.parameters.len() {
        e.write_parameter(p, Role::Weights, |r, v: &mut [f32]| {
            for (x, i) in v.iter_mut().zip(r) {
                *x = (fer_gpu::random::unit(p as u64, i as u64) as f32 - 0.5) * 0.02;
            }
            Ok::<(), Error>(())
        })
        .unwrap();
    }
    let batch = Batch {
        images: Images::Host(&images),
        labels: &labels,
        step: fer_gpu::ops::Step {
            step: 1,
            valid_rows: 64,
            rate: 1e-3,
        },
    };
    e.upload(&batch);
    let mut sum = 0.0;
    for (i, d) in e.plan.train.iter().enumerate() {
        if !filter.is_empty() && !d.op.name().contains(&filter) {
            continue;
        }
        let mut t = Vec::new();
        for _ in 0..5 {
            let s = Instant::now();
            e.launch(Program::Train, i).unwrap();
            t.push(s.elapsed().as_secs_f64());
        }
        t[1..].sort_by(f64::total_cmp);
        let m = t[2];
        sum += m;
        let c = d.cost();
        println!(
            "{i:3} {:24} {:28} {:12} first {:7.1} ms {:8.2} ms {:6.1} GF/s {:6.2} GB/s",
            d.label,
            d.op.name(),
            d.variant_name(),
            t[0] * 1e3,
            m * 1e3,
            c.flops as f64 / m / 1e9,
            c.bytes as f64 / m / 1e9
        );
    }
    println!("sum {:.1} ms", sum * 1e3);
}
