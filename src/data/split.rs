//! A validation part out of a training set: the same share of each class, and identical images on one side, so
//! that no part knows the other by heart.

use super::duplicates::hashes;
use super::{Dataset, Error};
use crate::random;
use std::collections::HashMap;

/// The share of the split in the random streams of a seed.
const STREAM: u64 = 0x5b_117;

impl Dataset {
    /// A set that trains on this one's training rows but for `part` of them, which it validates on. Its own
    /// test split is left out. Rows keep their order.
    ///
    /// # Errors
    /// If one of both sides would be empty.
    pub fn part(&self, part: usize, seed: u64) -> Result<Dataset, Error> {
        let rows = self.train.rows();
        let is_taken = choose(&hashes(&self.train, true), &self.train.labels, part, seed);
        let width = self.image.iter().product();
        let (taken, rest): (Vec<u32>, Vec<u32>) =
            (0..rows as u32).partition(|&row| is_taken[row as usize]);
        if rest.is_empty() || taken.is_empty() {
            return Err(Error::Part { asked: part, rows });
        }
        Ok(Dataset::of(
            self.train.select(&rest, width),
            self.train.select(&taken, width),
            self.range,
            self.image,
            self.class_names.clone(),
            self.name.clone(),
        ))
    }
}

/// Which rows belong to a part of `part` rows: of each class its share, rounded to the largest remainders, in a
/// random order. Rows of one hash go together, as the class of the first of them; where the last group of a class
/// does not fit, smaller ones fill up, so a part may be a few rows short.
fn choose(hashes: &[u128], labels: &[u32], part: usize, seed: u64) -> Vec<bool> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut group_of = HashMap::new();
    for (row, hash) in hashes.iter().enumerate() {
        let group = *group_of.entry(hash).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(rows) => rows.push(row),
            None => groups.push(vec![row]),
        }
    }
    let mut left = shares(&groups, labels, part);
    let mut taken = vec![false; labels.len()];
    for group in random::permutation(random::stream(&[seed, STREAM]), groups.len()) {
        let rows = &groups[group as usize];
        let left = &mut left[labels[rows[0]] as usize];
        if rows.len() <= *left {
            *left -= rows.len();
            rows.iter().for_each(|&row| taken[row] = true);
        }
    }
    taken
}

/// How many of `part` rows are of each class, by the classes of the groups.
fn shares(groups: &[Vec<usize>], labels: &[u32], part: usize) -> Vec<usize> {
    let classes = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let mut counts = vec![0usize; classes];
    for rows in groups {
        counts[labels[rows[0]] as usize] += rows.len();
    }
    let rows = labels.len().max(1);
    let part = part.min(rows);
    let mut shares: Vec<usize> = counts.iter().map(|count| count * part / rows).collect();
    let mut by_remainder: Vec<usize> = (0..classes).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(counts[class] * part % rows));
    let missing = part - shares.iter().sum::<usize>();
    by_remainder
        .iter()
        .take(missing)
        .for_each(|&class| shares[class] += 1);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_its_share_of_each_class_and_of_identical_images_all() {
        // 90 rows of class 0, 30 of class 1, each hash twice, thrice in class 1.
        let labels: Vec<u32> = (0..120).map(|row| u32::from(row >= 90)).collect();
        let hash = |row: usize| match row {
            ..90 => row as u128 / 2,
            _ => 1000 + (row as u128 - 90) / 3,
        };
        let hashes: Vec<u128> = (0..120).map(hash).collect();
        for seed in 0..20 {
            let taken = choose(&hashes, &labels, 24, seed);
            let of = |class| {
                (0..120)
                    .filter(|&row| taken[row] && labels[row] == class)
                    .count()
            };
            assert_eq!([of(0), of(1)], [18, 6], "seed {seed}");
            for row in 1..120 {
                if hashes[row] == hashes[row - 1] {
                    assert_eq!(taken[row], taken[row - 1], "row {row}");
                }
            }
        }
        assert_eq!(
            choose(&hashes, &labels, 24, 3),
            choose(&hashes, &labels, 24, 3)
        );
        assert_ne!(
            choose(&hashes, &labels, 24, 3),
            choose(&hashes, &labels, 24, 4)
        );
    }

    #[test]
    fn remainders_are_shared_out() {
        let labels: Vec<u32> = (0..100).map(|row| row % 7).collect();
        let hashes: Vec<u128> = (0..100).collect();
        for part in [1, 2, 10, 33, 99, 100] {
            let taken = choose(&hashes, &labels, part, 1);
            assert_eq!(taken.iter().filter(|&&t| t).count(), part);
        }
    }

    #[test]
    fn a_set_is_parted_into_two_that_share_no_image() {
        let set = Dataset::sample_faces(1, [70, 7]);
        let parted = set.part(14, 0).expect("a part");
        assert_eq!([parted.train.rows(), parted.test.rows()], [56, 14]);
        let shared = super::super::duplicates(&parted.train, &parted.test);
        assert!(shared.iter().all(|&shared| !shared));
        assert!(set.part(0, 0).is_err());
        assert!(set.part(70, 0).is_err());
    }
}
