//! The sums of tensors of shares over these, each where it belongs among the gradients.

use super::{Expected, Sum, UNTOUCHED, floats};
use crate::ops::sum_shares::Sums;

pub fn sum_shares(p: &Sums, sources: &[&[u32]]) -> Expected {
    let mut all = vec![(UNTOUCHED, 0.0); p.gradient as usize];
    for (source, words) in p.sources().iter().zip(sources) {
        let words = floats(words);
        for i in 0..source.sums {
            let mut sum = Sum::default();
            let shares = words.chunks_exact(source.words as usize);
            shares.for_each(|share| sum.add(share[i as usize]));
            all[source.target(i)] = (sum.value, sum.magnitude);
        }
    }
    Expected::sum(all)
}
