//! dropout: elements, or whole channels, are set to zero at random, the others scaled so that means stay
//! (Srivastava et al. 2014; inverted, as in Keras). The gradient is the same kernel on the output's.

use super::params::params;
use super::relu::Planes;
use super::{
    Binding, Case, Cost, Family, Fill, Op, STEP, Step, Variant, anywhere, no_chain, out,
    per_element, read, shader,
};
use crate::ops::reference::{self, Expected};
use crate::random::pcg4d;

params! {
    /// y[n, c, pixel] of x[n, c, pixel] for c in a range of each buffer.
    Dropout {
        n: u32 as batch,
        c: u32,
        /// Height * width.
        pixels: u32,
        x_channels: u32 as detail,
        x_first: u32 as place,
        y_channels: u32 as detail,
        y_first: u32 as place,
        /// Are whole channels of an image dropped (Keras `SpatialDropout2D`)?
        whole_channels: u32,
        /// Which of a step's random numbers are this layer's.
        stream: u32 as place,
        /// Random words below it are dropped: the rate times 2^32.
        threshold: u32 as place,
        /// 1 / (1 - rate)
        scale: f32,
    }
}

impl Dropout {
    /// Between whole buffers of `c` channels.
    ///
    /// # Panics
    /// If the rate is not in [0, 1).
    pub fn new(n: u32, c: u32, pixels: u32, rate: f64, stream: u32) -> Dropout {
        assert!((0.0..1.0).contains(&rate), "a rate of {rate}");
        let words = (rate * (1u64 << 32) as f64).round();
        Dropout {
            n,
            c,
            pixels,
            x_channels: c,
            x_first: 0,
            y_channels: c,
            y_first: 0,
            whole_channels: 0,
            stream,
            threshold: words.min(u32::MAX.into()) as u32,
            scale: (1.0 / (1.0 - rate)) as f32,
        }
    }

    fn elements(&self) -> u64 {
        self.n as u64 * self.c as u64 * self.pixels as u64
    }

    fn len(&self, channels: u32) -> usize {
        self.n as usize * channels as usize * self.pixels as usize
    }

    /// The random word of an element, as the kernel finds it.
    pub fn word(&self, step: &Step, n: u32, c: u32, pixel: u32) -> u32 {
        let element = match self.whole_channels {
            0 => pixel * self.c + c,
            _ => c,
        };
        let [a, b, c, d] = pcg4d([step.step, step.seed, self.stream, 0]);
        pcg4d([a ^ element, b ^ (step.first_row + n), c, d])[3]
    }

    pub fn is_dropped(&self, step: &Step, n: u32, c: u32, pixel: u32) -> bool {
        self.word(step, n, c, pixel) < self.threshold
    }
}

/// What the helpers of random numbers are.
static RANDOM: super::Shader = shader!("random.wgsl");
static SHADER: super::Shader = shader!("dropout.wgsl", STEP, RANDOM);

/// y = 0 where dropped, else scale x; with dy for x it is the gradient.
pub struct Apply;

impl Op for Apply {
    type Params = Dropout;
    const NAME: &'static str = "dropout";
    const BINDINGS: &'static [Binding] = &[read("x"), out("y")];
    const STEP: bool = true;
    const VARIANTS: &'static [Variant<Dropout>] = &[Variant {
        name: "naive",
        family: Family::Naive,
        suits: crate::ops::always,
        twin: None,
        shader: &SHADER,
        entry: "dropout",
        constants: &[("WORKGROUP", super::ELEMENTWISE as f64)],
        workgroups: |p| per_element(p.elements()),
        chain: no_chain,
        supports: anywhere,
    }];

    fn lengths(p: &Dropout) -> Vec<usize> {
        vec![p.len(p.x_channels), p.len(p.y_channels)]
    }
    fn reference(p: &Dropout, step: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::dropout::dropout(p, step, bindings[0])]
    }
    /// Two words are mixed for each element, thirty operations each.
    fn cost(p: &Dropout) -> Cost {
        Cost {
            flops: 60 * p.elements(),
            bytes: 8 * p.elements(),
        }
    }
    fn cases() -> Vec<Case<Dropout>> {
        let steps = [
            Step::new(1, 1, [0.0; 4]),
            Step {
                first_row: 32,
                seed: 0xDEAD_BEEF,
                ..Step::new(70_000, 1, [0.0; 4])
            },
        ];
        let mut cases = Vec::new();
        for (i, case) in Planes::cases(Fill::Zero, 1).into_iter().enumerate() {
            let Planes { n, c, pixels, .. } = case.params;
            // Half and three quarters: the scale is a power of two and integers stay exact.
            for (rate, fill, exact) in [
                (0.5, Fill::Integers(1, 9), true),
                (0.75, Fill::Integers(-9, 9), true),
                (0.3, Fill::Uniform(2.0), false),
            ] {
                for whole_channels in [0, 1] {
                    let params = Dropout {
                        x_channels: case.params.a_channels,
                        x_first: case.params.a_first,
                        y_channels: case.params.y_channels,
                        y_first: case.params.y_first,
                        whole_channels,
                        ..Dropout::new(n, c, pixels, rate, 0x1234_5678 + i as u32)
                    };
                    let what = ["", "_channels"][whole_channels as usize];
                    cases.push(Case {
                        name: format!("{}_rate{rate}{what}", case.name),
                        params,
                        step: steps[i % 2],
                        fills: vec![fill.clone()],
                        exact,
                    });
                }
            }
        }
        // The word of the first element is the threshold itself: it is kept.
        let mut params = Dropout::new(1, 1, 1, 0.5, 7);
        params.threshold = params.word(&steps[0], 0, 0, 0);
        cases.push(Case {
            name: "threshold".into(),
            params,
            step: steps[0],
            fills: vec![Fill::Values(vec![3.0])],
            exact: true,
        });
        cases
    }
}
