//! Counter-based random numbers: a value is a pure function of (stream, index), so that
//! weights, shuffles and test inputs are the same on every machine and after every resume.

use rayon::prelude::*;

/// The step between the states of SplitMix64.
pub const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64 (Steele, Lea, Flood 2014) of `(stream << 40) + index`.
pub fn splitmix64(stream: u64, index: u64) -> u64 {
    let mut z = (stream << 40).wrapping_add(index).wrapping_add(GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number in [0, 1) with 24 random bits: exact in f32.
pub fn unit(stream: u64, index: u64) -> f64 {
    (splitmix64(stream, index) >> 40) as f64 / (1u64 << 24) as f64
}

/// Uniform numbers in [-limit, limit): element `first` of the stream and those behind it.
pub fn fill_uniform(stream: u64, first: u64, limit: f64, values: &mut [f32]) {
    const PART: usize = 1 << 16;
    values
        .par_chunks_mut(PART)
        .enumerate()
        .for_each(|(part, values)| {
            let first = first + (part * PART) as u64;
            for (value, index) in values.iter_mut().zip(first..) {
                *value = ((2.0 * unit(stream, index) - 1.0) * limit) as f32;
            }
        });
}

/// Four well-mixed words of four: pcg4d of Jarzynski and Olano, Hash Functions for GPU Rendering (2020). Kernels
/// compute the same (`shaders/random.wgsl`).
pub fn pcg4d(words: [u32; 4]) -> [u32; 4] {
    let start = |word: u32| word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    let [mut x, mut y, mut z, mut w] = words.map(start);
    let mix = |[x, y, z, w]: [&mut u32; 4]| {
        *x = x.wrapping_add(y.wrapping_mul(*w));
        *y = y.wrapping_add(z.wrapping_mul(*x));
        *z = z.wrapping_add(x.wrapping_mul(*y));
        *w = w.wrapping_add(y.wrapping_mul(*z));
    };
    mix([&mut x, &mut y, &mut z, &mut w]);
    [x, y, z, w] = [x, y, z, w].map(|word| word ^ (word >> 16));
    mix([&mut x, &mut y, &mut z, &mut w]);
    [x, y, z, w]
}

/// A seed in the 32 bits that a step has for it: small seeds as they are.
pub fn folded(seed: u64) -> u32 {
    seed as u32 ^ (seed >> 32) as u32
}

/// A stream number made of several parts (seed, purpose, epoch, ...).
pub fn stream(parts: &[u64]) -> u64 {
    parts.iter().fold(0x5EED, |state, &part| {
        splitmix64(0, state ^ part.rotate_left(17))
    })
}

/// The order in which an epoch visits `count` rows (Fisher and Yates).
pub fn permutation(stream: u64, count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    for i in (1..count).rev() {
        // Multiply-shift maps 64 random bits to 0..=i with a bias below 2^-32.
        let j = ((splitmix64(stream, i as u64) as u128 * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, j);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_holds_every_row_once_and_depends_on_its_stream() {
        let order = permutation(stream(&[1, 2]), 1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().enumerate().all(|(i, &v)| i as u32 == v));
        assert_ne!(order, permutation(stream(&[1, 3]), 1000));
        assert_ne!(order, sorted);
    }
}
