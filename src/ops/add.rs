//! add: where a tensor feeds several layers, its gradient is the sum of theirs, from the left.

use super::params::params;
use super::{
    Binding, Case, Cost, FEW, Family, Fill, Op, SCALARS, Step, UNUSED, VECTORS, Variant, always,
    anywhere, out, per_element, read, shader, takes_planes,
};
use crate::ops::reference::{self, Expected};

/// The most terms that a dispatch adds up.
pub const TERMS: usize = 4;

params! {
    /// y[n, channel, pixel] = a + b + ... for a range of channels of each buffer.
    Sum {
        n: u32 as batch,
        channels: u32,
        /// Height * width.
        pixels: u32,
        /// 2 to [`TERMS`].
        terms: u32,
        /// Is the sum stopped where `relu_mask` is not positive?
        masked: u32,
        a_channels: u32 as detail,
        a_first: u32 as place,
        b_channels: u32 as detail,
        b_first: u32 as place,
        c_channels: u32 as detail,
        c_first: u32 as place,
        d_channels: u32 as detail,
        d_first: u32 as place,
        mask_channels: u32 as detail,
        mask_first: u32 as place,
        y_channels: u32 as detail,
        y_first: u32 as place,
    }
}

/// Channels of a whole buffer, and the first of those that count.
pub type Channels = [u32; 2];

impl Sum {
    /// Of `terms`, over (n, channels, pixels).
    ///
    /// # Panics
    /// Where there are fewer than two or more than [`TERMS`].
    pub fn new([n, channels, pixels]: [u32; 3], terms: &[Channels], y: Channels) -> Sum {
        assert!((2..=TERMS).contains(&terms.len()), "{} terms", terms.len());
        let term = |at: usize| terms.get(at).copied().unwrap_or_default();
        let [a, b, c, d] = [0, 1, 2, 3].map(term);
        Sum {
            n,
            channels,
            pixels,
            terms: terms.len() as u32,
            a_channels: a[0],
            a_first: a[1],
            b_channels: b[0],
            b_first: b[1],
            c_channels: c[0],
            c_first: c[1],
            d_channels: d[0],
            d_first: d[1],
            y_channels: y[0],
            y_first: y[1],
            ..Sum::default()
        }
    }

    /// Of that many whole buffers of as many numbers.
    pub fn flat(numbers: u32, terms: usize) -> Sum {
        Sum::new([1, 1, numbers], &[[1, 0]; TERMS][..terms], [1, 0])
    }

    /// The same, stopped where the mask is closed.
    pub fn masked(self, mask: Channels) -> Sum {
        Sum {
            masked: 1,
            mask_channels: mask[0],
            mask_first: mask[1],
            ..self
        }
    }

    /// Where each term lies.
    pub(super) fn operands(&self) -> Vec<Channels> {
        let all = [
            [self.a_channels, self.a_first],
            [self.b_channels, self.b_first],
            [self.c_channels, self.c_first],
            [self.d_channels, self.d_first],
        ];
        all[..self.terms as usize].to_vec()
    }

    fn elements(&self) -> u64 {
        self.n as u64 * self.channels as u64 * self.pixels as u64
    }

    /// Elements of a buffer of that many channels.
    fn len(&self, channels: u32) -> usize {
        self.n as usize * channels as usize * self.pixels as usize
    }
}

static SHADER: super::Shader = shader!("add.wgsl", SCALARS);
static VECTOR_SHADER: super::Shader = shader!("add.wgsl", VECTORS);

const WORKGROUP: &[(&str, f64)] = &[("WORKGROUP", super::ELEMENTWISE as f64)];

const NAIVE: Variant<Sum> = Variant {
    name: "naive",
    family: Family::Naive,
    suits: always,
    twin: None,
    shader: &SHADER,
    entry: "add",
    constants: WORKGROUP,
    workgroups: |p| per_element(p.elements()),
    chain: |p| p.terms as u64 - 1,
    supports: anywhere,
};
const BY_FOUR: Variant<Sum> = Variant {
    name: "vectors",
    family: Family::Vectors,
    shader: &VECTOR_SHADER,
    workgroups: |p| per_element(p.elements() / 4),
    supports: |p, _| p.pixels.is_multiple_of(4),
    ..NAIVE
};

/// For software adapters: what is one plane, or planes of one pixel, has better ones.
const PLANES: Variant<Sum> = Variant {
    name: "planes",
    family: Family::Rows,
    suits: |p| p.pixels > 1 && u64::from(p.n * p.channels) > FEW,
    entry: "add_planes",
    constants: &[("WORKGROUP", FEW as f64)],
    workgroups: |p| (u64::from(p.n) * u64::from(p.channels)).div_ceil(FEW),
    supports: |p, profile| takes_planes(p.pixels, profile),
    ..NAIVE
};
const PLANES4: Variant<Sum> = Variant {
    name: "planes4",
    shader: &VECTOR_SHADER,
    supports: |p, profile| p.pixels.is_multiple_of(4) && takes_planes(p.pixels / 4, profile),
    ..PLANES
};

/// y = a + b + c + d, as many as there are, stopped by the ReLU before
pub struct Add;

impl Op for Add {
    type Params = Sum;
    const NAME: &'static str = "add";
    const BINDINGS: &'static [Binding] = &[
        read("a"),
        read("b"),
        read("c"),
        read("d"),
        read("relu_mask"),
        out("y"),
    ];
    const VARIANTS: &'static [Variant<Sum>] = &[NAIVE, BY_FOUR, PLANES4, PLANES];

    fn lengths(p: &Sum) -> Vec<usize> {
        let operands = p.operands();
        let term = |at: usize| operands.get(at).map_or(UNUSED, |&[all, _]| p.len(all));
        let mask = match p.masked {
            0 => UNUSED,
            _ => p.len(p.mask_channels),
        };
        let y = p.len(p.y_channels);
        vec![term(0), term(1), term(2), term(3), mask, y]
    }
    fn reference(p: &Sum, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::elementwise::add(p, bindings)]
    }
    fn cost(p: &Sum) -> Cost {
        let read = u64::from(p.terms) + u64::from(p.masked != 0);
        Cost {
            flops: u64::from(p.terms - 1) * p.elements(),
            bytes: 4 * (read + 1) * p.elements(),
        }
    }
    fn cases() -> Vec<Case<Sum>> {
        let mut cases = Vec::new();
        for (name, params) in shapes() {
            let mut add = |suffix: &str, params, term: Fill, mask, exact| {
                cases.push(Case {
                    name: format!("{name}{suffix}"),
                    params,
                    step: Step::default(),
                    fills: [vec![term; TERMS], vec![mask]].concat(),
                    exact,
                })
            };
            let integers = || Fill::Integers(-1000, 1000);
            let masked = params.masked([params.channels + 3, 2]);
            add("", params, integers(), Fill::Zero, true);
            add("_random", params, Fill::Uniform(3.0), Fill::Zero, false);
            add("_mask", masked, integers(), Fill::Integers(-1, 1), true);
            add("_tiny_mask", masked, integers(), Fill::Tiny(-1, 1), true);
        }
        cases
    }
}

/// Two to four terms, around the lanes of a workgroup, and between channels of wider buffers.
fn shapes() -> Vec<(String, Sum)> {
    let mut all = Vec::new();
    for terms in 2..=TERMS {
        let places = [[7, 2], [5, 1], [4, 0], [6, 3]];
        for pixels in [35, 36] {
            let ranges = Sum::new([2, 3, pixels], &places[..terms], [9, 6]);
            all.push((format!("ranges{terms}_p{pixels}"), ranges));
        }
        for (n, c, pixels) in [(1, 1, 1), (1, 1, 63), (1, 1, 256), (1, 1, 260), (3, 5, 47)] {
            let whole = Sum::new([n, c, pixels], &[[c, 0]; TERMS][..terms], [c, 0]);
            all.push((format!("n{n}_c{c}_p{pixels}_t{terms}"), whole));
        }
    }
    all.push((
        "n64_c10_p2304_t2".into(),
        Sum::new([64, 10, 2304], &[[10, 0]; 2], [10, 0]),
    ));
    all
}
