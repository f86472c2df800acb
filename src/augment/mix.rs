//! Mixtures of two rows as the loss wants them: lambda w_a L(x, a) + (1 - lambda) w_b L(x, b) is one cross-entropy, whose
//! target is the mean of both by what each counts, times what they count together. Label smoothing, which is linear
//! in the target, goes on top.

/// What the loss wants of one row.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The class, where there are no shares.
    pub label: u32,
    /// Each class's share.
    pub shares: Option<&'a [f32]>,
    /// How often the row counts.
    pub weight: f32,
}

impl Wanted<'_> {
    fn share(&self, class: usize) -> f64 {
        match self.shares {
            Some(shares) => shares[class] as f64,
            None => f64::from(class == self.label as usize),
        }
    }
}

/// Fills in the target (classes) of `own`, which keeps `share` of itself, mixed with `other`; returns how often it counts.
pub fn mixture(share: f32, own: Wanted, other: Wanted, target: &mut [f32]) -> f32 {
    let share = share as f64;
    let counts = [
        share * own.weight as f64,
        (1.0 - share) * other.weight as f64,
    ];
    let weight: f64 = counts.iter().sum();
    // Of rows that do not count at all the target is as if they did.
    let [of_own, of_other] = match weight > 0.0 {
        true => counts.map(|count| count / weight),
        false => [share, 1.0 - share],
    };
    for (class, target) in target.iter_mut().enumerate() {
        *target = (of_own * own.share(class) + of_other * other.share(class)) as f32;
    }
    weight as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// -sum(t log p), smoothed, times what the row counts.
    fn loss(target: &[f64], weight: f64) -> f64 {
        const LOGARITHMS: [f64; 3] = [-0.3, -1.7, -2.9];
        let smoothed = target.iter().map(|t| 0.9 * t + 0.1 / 3.0);
        -weight * smoothed.zip(LOGARITHMS).map(|(t, l)| t * l).sum::<f64>()
    }

    #[test]
    fn the_loss_of_a_mixture_is_the_mixture_of_losses() {
        let shares = [0.25, 0.5, 0.25];
        let own = Wanted {
            label: 2,
            shares: None,
            weight: 0.5,
        };
        for (other, of_other) in [
            (
                Wanted {
                    label: 0,
                    shares: None,
                    weight: 3.0,
                },
                [1.0, 0.0, 0.0],
            ),
            (
                Wanted {
                    label: 1,
                    shares: Some(&shares),
                    weight: 0.0,
                },
                [0.25, 0.5, 0.25],
            ),
            (own, [0.0, 0.0, 1.0]),
        ] {
            for share in [1.0, 0.75, 0.6] {
                let mut target = [0.0; 3];
                let weight = mixture(share, own, other, &mut target);
                let found = loss(&target.map(f64::from), weight as f64);
                let share = share as f64;
                let expected = share * loss(&[0.0, 0.0, 1.0], 0.5)
                    + (1.0 - share) * loss(&of_other, other.weight as f64);
                assert!(
                    (found - expected).abs() <= 1e-6 * expected,
                    "{found} {expected}"
                );
                assert!((target.iter().sum::<f32>() - 1.0).abs() <= 1e-6);
            }
        }
        // An unmixed row has its own target, to the bit.
        let mut target = [0.5; 3];
        assert_eq!(mixture(1.0, own, own, &mut target), 0.5);
        assert_eq!(target, [0.0, 0.0, 1.0]);
        let nothing = Wanted { weight: 0.0, ..own };
        assert_eq!(mixture(0.75, nothing, nothing, &mut target), 0.0);
        assert_eq!(target, [0.0, 0.0, 1.0]);
    }
}
