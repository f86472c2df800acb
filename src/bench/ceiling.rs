//! The adapter's own ceilings: the fastest FMA chains, the fastest large copy and the fastest small
//! copy that it does. A few kernels and sizes are timed
//! in every round, and the best median of each counts.

use super::Error;
use super::report::{Ceilings, Clock, Peak};
use super::stats::Stats;
use crate::gpu::kernel::Bound;
use crate::gpu::{Buffer, Gpu, Sample, Timed, Timer};
use crate::ops::peak_copy::{CopyParams, PeakCopy, PeakUpdate};
use crate::ops::peak_fma::{FmaParams, PeakFma, UNIT};
use crate::ops::{AnyOp, Step};
use std::time::Instant;

/// Invocations of the FMA kernel: several waves for each core of any GPU.
const INVOCATIONS: u32 = 1 << 18;

/// A sample of the FMA kernel takes about so long: clocks are up by then, and no timer is too coarse.
const FMA_SECONDS: f64 = 0.02;

/// No invocation loops longer than Mesa's llvmpipe allows, with the fewest chains.
const MOST_UNITS: f64 = 2700.0;

/// Bytes of each buffer of the large copy, where the limits allow them: more than caches hold.
const LARGE: u64 = 128 << 20;

/// Bytes of each buffer of small copies; the fastest counts.
const SMALL: [u64; 3] = [1 << 18, 1 << 20, 4 << 20];

/// What a kernel's time by the device's clock may be of its time by the host's, submission and wait
/// included.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 0.5..=1.02;

/// Small copies in one sample: too short a time for one alone.
const SMALL_REPEATS: u32 = 16;

/// A ceiling's kernel.
struct Climber {
    timed: Timed,
    variant: &'static str,
    /// Operations or bytes of a dispatch.
    work: u64,
    repeats: u32,
}

/// The candidates for each of the three ceilings, all of which are timed in every round.
pub struct Climbers([Vec<Climber>; 3]);

impl Climbers {
    pub fn new(gpu: &Gpu, timer: &Timer) -> Result<Climbers, Error> {
        let limits = &gpu.profile.limits;
        let large = LARGE
            .min(limits.max_storage_binding)
            .min(limits.max_buffer_size);
        let buffer = || gpu.storage("the large copy", large / 16 * 16);
        let [x, y] = [buffer()?, buffer()?];
        let copy = copies(gpu, &x, &y, x.size(), 1)?;
        let mut small = Vec::new();
        for bytes in SMALL {
            small.extend(copies(gpu, &x, &y, bytes, SMALL_REPEATS)?);
        }
        let climbers = Climbers([fma(gpu, timer)?, copy, small]);
        // The first launch may compile.
        timer.time(&climbers.samples())?;
        Ok(climbers)
    }

    pub fn samples(&self) -> Vec<Sample<'_>> {
        self.0.iter().flatten().map(Climber::sample).collect()
    }

    /// The ceilings, the best median of each, of the seconds of all samples.
    pub fn ceilings(&self, seconds: &[Vec<f64>]) -> Ceilings {
        let mut seconds = seconds.iter();
        let mut peak = |climbers: &[Climber]| {
            let of = climbers.iter().zip(seconds.by_ref());
            let peaks = of.map(|(climber, seconds)| climber.peak(Stats::of(seconds)));
            let best = peaks.max_by(|a, b| a.per_second.total_cmp(&b.per_second));
            best.expect("every ceiling has candidates")
        };
        let [flops, bytes, cached_bytes] = &self.0;
        Ceilings {
            flops: peak(flops),
            bytes: peak(bytes),
            cached_bytes: peak(cached_bytes),
        }
    }
}

impl Climber {
    fn new(
        gpu: &Gpu,
        op: &'static dyn AnyOp,
        variant: usize,
        params: &[u8],
        bound: Vec<Bound>,
        repeats: u32,
    ) -> Result<Climber, Error> {
        let cost = op.cost(params);
        Ok(Climber {
            timed: gpu.prepare(op, variant, params, &Step::default(), &[bound])?,
            variant: op.variants()[variant].name,
            work: if cost.flops > 0 {
                cost.flops
            } else {
                cost.bytes
            },
            repeats,
        })
    }

    fn peak(&self, time: Stats) -> Peak {
        Peak {
            variant: self.variant.into(),
            per_second: self.work as f64 / time.median,
            time,
        }
    }

    fn sample(&self) -> Sample<'_> {
        Sample {
            kernel: &self.timed,
            set: 0,
            repeats: self.repeats,
        }
    }
}

/// Copies of so many bytes, and updates in place.
fn copies(
    gpu: &Gpu,
    x: &Buffer,
    y: &Buffer,
    bytes: u64,
    repeats: u32,
) -> Result<Vec<Climber>, Error> {
    let vectors = (bytes / 16) as u32;
    let params = bytemuck::bytes_of(&CopyParams { vectors }).to_vec();
    let offset = 0;
    let bound = |buffer| Bound {
        buffer,
        offset,
        bytes,
    };
    let climber = |op: &'static dyn AnyOp, bounds: Vec<Bound>| {
        let variants = 0..op.variants().len();
        let all = variants.map(|v| Climber::new(gpu, op, v, &params, bounds.clone(), repeats));
        all.collect::<Result<Vec<_>, _>>()
    };
    let mut all = climber(&PeakCopy, vec![bound(x), bound(y)])?;
    all.extend(climber(&PeakUpdate, vec![bound(y)])?);
    Ok(all)
}

fn fma(gpu: &Gpu, timer: &Timer) -> Result<Vec<Climber>, Error> {
    let y = gpu.storage("the FMA chains", 4 * INVOCATIONS as u64)?;
    let climbers = |vectors| {
        let params = FmaParams {
            invocations: INVOCATIONS,
            vectors,
            one: 1.0,
        };
        let params = bytemuck::bytes_of(&params).to_vec();
        let variants = 0..AnyOp::variants(&PeakFma).len();
        variants
            .map(|v| Climber::new(gpu, &PeakFma, v, &params, vec![Bound::whole(&y)], 1))
            .collect::<Result<Vec<_>, Error>>()
    };
    // The first launch may compile; the least of the next ones says how long a unit takes.
    let tried = climbers(UNIT)?;
    let seconds = timer.time(&[tried[0].sample(); 4])?;
    let least = seconds[1..].iter().copied().fold(f64::INFINITY, f64::min);
    let units = (FMA_SECONDS / least.max(1e-6)).clamp(1.0, MOST_UNITS);
    climbers(units as u32 * UNIT)
}

/// The clock to time by: the device's, if it agrees with the host's on kernels of some
/// milliseconds, seen by both at once.
pub fn clock(gpu: &Gpu) -> Result<(Timer<'_>, Clock), Error> {
    let host = Timer::host(gpu);
    let instead = |because: String| Clock::Host { because };
    let Some(device) = Timer::device(gpu)? else {
        return Ok((host, instead("the device has no timestamps".into())));
    };
    let chains = &fma(gpu, &host)?[0];
    host.time(&[chains.sample()])?;
    let mut shares = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let by_device = device.time(&[chains.sample()])?[0];
        shares.push(by_device / begun.elapsed().as_secs_f64());
    }
    let share = Stats::of(&shares).median;
    if PLAUSIBLE.contains(&share) {
        return Ok((device, Clock::Device));
    }
    let because = format!(
        "by the device's timestamps a kernel takes {:.0} % of the time until its result is here",
        100.0 * share
    );
    Ok((host, instead(because)))
}
