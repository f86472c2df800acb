//! sum_shares: gradients that were made in shares, added up for as many as seven sources at once.
//!
//! A source is a convolution's partial gradients, kernel and bias in each share, or the gradient of a dense layer's
//! output, whose rows are shares of its bias. Where dispatches cost more than what they do, one for seven is what a GPU
//! wants; more buffers WebGPU does not promise.

use super::params::params;
use super::{
    Binding, Case, Cost, ELEMENTWISE, Family, Fill, Op, Phase, Shader, Step, Variant, always,
    anywhere, in_out, per_element, read, shader,
};
use crate::ops::reference::{Expected, sum_shares as reference};

/// The most sources of a dispatch.
pub const SOURCES: usize = 7;

params! {
    /// [`Source`] by source; see [`Sums::new`].
    Sums {
        /// Words of the buffer of gradients.
        gradient: u32 as detail,
        shares0: u32, words0: u32, sums0: u32, head0: u32,
        head_at0: u32 as place, tail_at0: u32 as place, lanes0: u32,
        shares1: u32, words1: u32, sums1: u32, head1: u32,
        head_at1: u32 as place, tail_at1: u32 as place, lanes1: u32,
        shares2: u32, words2: u32, sums2: u32, head2: u32,
        head_at2: u32 as place, tail_at2: u32 as place, lanes2: u32,
        shares3: u32, words3: u32, sums3: u32, head3: u32,
        head_at3: u32 as place, tail_at3: u32 as place, lanes3: u32,
        shares4: u32, words4: u32, sums4: u32, head4: u32,
        head_at4: u32 as place, tail_at4: u32 as place, lanes4: u32,
        shares5: u32, words5: u32, sums5: u32, head5: u32,
        head_at5: u32 as place, tail_at5: u32 as place, lanes5: u32,
        shares6: u32, words6: u32, sums6: u32, head6: u32,
        head_at6: u32 as place, tail_at6: u32 as place, lanes6: u32,
    }
}

/// A tensor (shares, words) that is summed over its shares.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Source {
    pub shares: u32,
    /// Words of a share.
    pub words: u32,
    /// How many of them are summed.
    pub sums: u32,
    /// How many of those go to `head_at`; the rest goes to `tail_at`.
    pub head: u32,
    /// Words of the buffer of gradients where they go.
    pub head_at: u32,
    pub tail_at: u32,
    /// Invocations of the tree that add up one number: a power of two, at most 32.
    pub lanes: u32,
}

/// Invocations of a workgroup of the tree, and the most of them that add up one number: that leaves eight neighbours, which
/// read what memory hands out at the least.
const TREE: u32 = 256;
const MOST_LANES: u32 = 32;

/// Invocations that keep a large card's memory busy with four loads each.
const FILL: u32 = 1 << 17;

/// Loads that a lane has at the least, in one go.
const LOADS: u32 = 4;

impl Source {
    /// With as many lanes as fill a card, as long as there is work for each: a tree of too few shares takes twice the time
    /// of none.
    pub fn in_lanes(self) -> Source {
        let mut lanes = 1;
        while lanes < MOST_LANES
            && self.sums.saturating_mul(lanes) < FILL
            && 2 * lanes * LOADS <= self.shares
        {
            lanes *= 2;
        }
        Source { lanes, ..self }
    }

    /// Words of the source.
    fn len(&self) -> usize {
        self.shares as usize * self.words as usize
    }

    /// Words of each share that are summed, of all shares.
    fn read(&self) -> u64 {
        self.shares as u64 * self.sums as u64
    }

    /// Where number `i` goes.
    pub fn target(&self, i: u32) -> usize {
        let at = match i.checked_sub(self.head) {
            None => self.head_at + i,
            Some(behind) => self.tail_at + behind,
        };
        at as usize
    }

    fn workgroups(&self) -> u64 {
        (self.sums as u64 * self.lanes as u64).div_ceil(TREE as u64)
    }

    /// A lane adds up its shares in four sums, joins these in two steps, and then the lanes join theirs.
    fn chain(&self) -> u64 {
        (self.shares as u64).div_ceil((LOADS * self.lanes) as u64) + 2 + self.lanes.ilog2() as u64
    }
}

impl Sums {
    /// Of one to seven sources, into a buffer of `gradient` words.
    pub fn new(sources: &[Source], gradient: u32) -> Sums {
        let absent = Source {
            lanes: 1,
            ..Source::default()
        };
        let mut all = [absent; SOURCES];
        all[..sources.len()].copy_from_slice(sources);
        let mut words = vec![gradient];
        words.extend_from_slice(bytemuck::cast_slice(&all));
        bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words))
    }

    pub fn sources(&self) -> [Source; SOURCES] {
        let words: &[u32] = bytemuck::cast_slice(bytemuck::bytes_of(self));
        bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words[1..]))
    }
}

static SHADER: Shader = shader!("sum_shares.wgsl");

/// gradient = the sums of the shares of each source, where they belong
pub struct SumShares;

impl Op for SumShares {
    type Params = Sums;
    const NAME: &'static str = "sum_shares";
    const PHASE: Phase = Phase::Backward;
    const BINDINGS: &'static [Binding] = &[
        read("s0"),
        read("s1"),
        read("s2"),
        read("s3"),
        read("s4"),
        read("s5"),
        read("s6"),
        in_out("gradient"),
    ];
    const VARIANTS: &'static [Variant<Sums>] = &[
        Variant {
            name: "naive",
            family: Family::Naive,
            suits: always,
            twin: None,
            shader: &SHADER,
            entry: "sum_shares",
            constants: &[("WORKGROUP", ELEMENTWISE as f64)],
            workgroups: |p| per_element(p.sources().iter().map(|s| s.sums as u64).sum()),
            chain: |p| {
                p.sources()
                    .map(|s| s.shares as u64)
                    .into_iter()
                    .fold(1, u64::max)
            },
            supports: anywhere,
        },
        Variant {
            name: "tree",
            family: Family::Tree,
            suits: always,
            twin: None,
            shader: &SHADER,
            entry: "sum_shares_tree",
            constants: &[("WORKGROUP", TREE as f64)],
            workgroups: |p| p.sources().iter().map(Source::workgroups).sum(),
            chain: |p| p.sources().iter().map(Source::chain).fold(1, u64::max),
            supports: anywhere,
        },
    ];

    /// A source that is not there has a word that nobody reads.
    fn lengths(p: &Sums) -> Vec<usize> {
        let sources = p.sources().map(|source| source.len().max(1));
        sources.into_iter().chain([p.gradient as usize]).collect()
    }
    fn reference(p: &Sums, _: &Step, bindings: &[&[u32]]) -> Vec<Expected> {
        vec![reference::sum_shares(p, &bindings[..SOURCES])]
    }
    fn cost(p: &Sums) -> Cost {
        let sources = p.sources();
        let read: u64 = sources.iter().map(Source::read).sum();
        let written: u64 = sources.iter().map(|source| source.sums as u64).sum();
        Cost {
            flops: read,
            bytes: 4 * (read + written),
        }
    }
    fn cases() -> Vec<Case<Sums>> {
        let mut cases = Vec::new();
        for (name, sources) in sets() {
            let params = apart(&sources);
            let mut add = |what: &str, fill: Fill, exact| {
                cases.push(Case {
                    name: format!("{name}{what}"),
                    params,
                    step: Step::default(),
                    fills: vec![fill; SOURCES + 1],
                    exact,
                });
            };
            add("", Fill::Uniform(1.0), false);
            add("_integers", Fill::Integers(-1000, 1000), true);
        }
        cases
    }
}

/// (shares, words, sums, head), as a layer would have them, in lanes as usual.
fn source(shares: u32, words: u32, sums: u32, head: u32) -> Source {
    Source {
        shares,
        words,
        sums,
        head,
        ..Source::default()
    }
    .in_lanes()
}

/// Some sources each, without their targets.
fn sets() -> Vec<(String, Vec<Source>)> {
    let mut sets = Vec::new();
    // Kernel and bias, of a workgroup's numbers and one more and less.
    for shares in [1, 2, 7, 64, 512] {
        for words in [2, 255, 256, 257] {
            let one = source(shares, words, words, words - words.div_ceil(8));
            sets.push((format!("shares{shares}_words{words}"), vec![one]));
        }
    }
    // As many lanes as there may be, whatever the shares.
    for lanes in [1, 2, 4, 8, 16, 32] {
        let one = |shares, words| Source {
            lanes,
            ..source(shares, words, words, words / 3)
        };
        let all = vec![one(131, 33), one(3, 65), one(32, 8)];
        sets.push((format!("lanes{lanes}"), all));
    }
    // A bias alone, a kernel alone, and one whose bias nobody wants.
    sets.push(("dense".into(), vec![source(64, 150, 150, 150)]));
    sets.push((
        "no_bias".into(),
        vec![source(9, 40, 30, 30), source(64, 7, 7, 7)],
    ));
    // A workgroup that is full to the last number, and another source behind it.
    sets.push((
        "full_workgroup".into(),
        vec![source(1, 256, 256, 200), source(1, 3, 3, 3)],
    ));
    let all = [
        source(512, 20, 20, 10),
        source(1, 1, 1, 1),
        source(7, 910, 910, 900),
        source(64, 257, 256, 256),
        source(130, 63, 63, 60),
        source(3, 40, 40, 33),
        source(36, 129, 120, 100),
    ];
    for count in 2..=SOURCES {
        sets.push((format!("sources{count}"), all[..count].to_vec()));
    }
    let last = [all[2], all[4], all[6], all[3], all[5], all[0], all[1]];
    sets.push(("small_last".into(), last.to_vec()));
    sets
}

/// The sums of these, whose targets lie apart: the tails before the heads, and those of the first source last.
fn apart(sources: &[Source]) -> Sums {
    let gap = 3;
    let mut sources = sources.to_vec();
    let mut at = gap;
    for source in sources.iter_mut().rev() {
        source.tail_at = at;
        source.head_at = at + source.sums - source.head + gap;
        at = source.head_at + source.head + gap;
    }
    Sums::new(&sources, at)
}
