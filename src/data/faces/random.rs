//! A small random stream (SplitMix64): integers and exact fractions only, so
//! every machine draws the same faces.

use crate::random::{GAMMA, splitmix64};

pub struct Random(u64);

impl Random {
    /// The stream named by `words`; any change to any word gives an unrelated one.
    pub fn keyed(words: [u64; 3]) -> Self {
        let key = words.iter().fold(0, |key, &word| Self(key ^ word).bits());
        Self(key)
    }

    pub fn bits(&mut self) -> u64 {
        let bits = splitmix64(0, self.0);
        self.0 = self.0.wrapping_add(GAMMA);
        bits
    }

    /// Uniform in `[0, 1)`, a multiple of 2⁻²⁴: exact in an `f32`.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }

    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `[-reach, reach)`.
    pub fn around_zero(&mut self, reach: f32) -> f32 {
        self.between(-reach, reach)
    }

    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Near enough a standard normal: the sum of eight random bytes (the
    /// central limit theorem needs no logarithm, which libraries round apart).
    pub fn normal(&mut self) -> f32 {
        let sum: u32 = self
            .bits()
            .to_le_bytes()
            .iter()
            .map(|&byte| u32::from(byte))
            .sum();
        (sum as f32 - 1020.0) / 209.0
    }
}
