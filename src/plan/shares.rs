//! Gradients that were made in shares are added up at the end of the backward pass, several tensors' in a dispatch:
//! nobody but the update waits for them, and on a GPU a dispatch costs more than such a sum.

use super::emitter::Emitter;
use super::placement::SHARED;
use crate::graph::{Kind, Place, Shares, TensorId};
use crate::ops::Phase;
use crate::ops::sum_shares::{SOURCES, Source, SumShares, Sums};

/// One tensor of shares, and where its sums go.
pub(super) struct Sum {
    shares: Shares,
    /// Where each gradient goes among those of the small weights, and its words; the second may have none.
    targets: [(Place, u32); 2],
}

impl Sum {
    /// The first byte that it writes, and the one behind the last.
    fn span(&self) -> [u64; 2] {
        let [[head, head_end], [tail, tail_end]] = self.targets.map(|(place, words)| {
            let end = place.offset + 4 * words as u64;
            [place.offset, end]
        });
        [head.min(tail), head_end.max(tail_end)]
    }

    /// As the kernel knows it, whose gradients begin at that byte.
    fn source(&self, start: u64) -> Source {
        let [(head_place, head), (tail_place, tail)] = self.targets;
        let at = |place: Place| ((place.offset - start) / 4) as u32;
        let source = Source {
            shares: self.shares.shares,
            words: self.shares.words,
            sums: head + tail,
            head,
            head_at: at(head_place),
            tail_at: at(tail_place),
            ..Source::default()
        };
        source.in_lanes()
    }
}

/// [`crate::graph::Emit::sum_later`].
pub(super) fn collect(emitter: &mut Emitter, shares: Shares, gradients: &[TensorId]) -> bool {
    if !emitter.options.schedule.overlaps() {
        return false;
    }
    let small = emitter.placement.regions[SHARED].gradient;
    let target = |gradient: &TensorId| match emitter.graph.tensors[*gradient].kind {
        Kind::Gradient { of } if emitter.finals.get(&of) == Some(gradient) => {
            let (place, words) = emitter.placement.stored_gradient(of)?;
            (Some(place.buffer) == small).then_some((place, words as u32))
        }
        _ => None,
    };
    let targets: Option<Vec<_>> = gradients.iter().map(target).collect();
    let targets = match targets.as_deref() {
        Some(&[one]) => [one, (one.0, 0)],
        Some(&[one, other]) => [one, other],
        _ => return false,
    };
    // Whoever writes them first is not to wait for another one's readers.
    emitter.transients.keep(shares.place.buffer);
    emitter.sums.push(Sum { shares, targets });
    true
}

/// Emits what was collected, as many at a time as a kernel takes. Where their gradients lie fits a binding, or the update,
/// which binds all of the small weights', would not either.
pub(super) fn finish(emitter: &mut Emitter) {
    let sums = std::mem::take(&mut emitter.sums);
    emitter.begin(0, "gradients", Phase::Backward);
    for group in sums.chunks(SOURCES) {
        let spans = group.iter().map(Sum::span);
        let joined = |[a, b]: [u64; 2], [c, d]: [u64; 2]| [a.min(c), b.max(d)];
        let [start, end] = spans.fold([u64::MAX, 0], joined);
        let sources: Vec<Source> = group.iter().map(|sum| sum.source(start)).collect();
        let mut places: Vec<Place> = group.iter().map(|sum| sum.shares.place).collect();
        places.resize(SOURCES, places[0]);
        let (first, _) = group[0].targets[0];
        places.push(Place {
            offset: start,
            ..first
        });
        let params = Sums::new(&sources, ((end - start) / 4) as u32);
        emitter.push(&SumShares, &params, &places);
    }
}
