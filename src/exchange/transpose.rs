//! A tensor of a file in another order of its axes, in pieces: of a large one no more than a row is held.

use crate::weights::{Error, Sink};

/// What is held in memory at a time, in numbers.
const PIECE: usize = 16 << 20;

/// Reads numbers of a tensor from one of them on.
pub(super) type Read<'a> = dyn FnMut(usize, &mut [f32]) -> Result<(), Error> + 'a;

/// How a tensor lies in a file, and how it is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    /// Its extents there, slowest first; several axes of the file's may be one, and one several.
    extents: Vec<usize>,
    /// Which of them comes first, which next, and so on.
    axes: Vec<usize>,
}

impl Order {
    /// As it lies.
    pub fn kept(count: usize) -> Order {
        Order {
            extents: vec![count],
            axes: vec![0],
        }
    }

    /// The axes of `extents` in the order `axes`.
    pub fn of(extents: &[u32], axes: &[usize]) -> Order {
        Order {
            extents: extents.iter().map(|&extent| extent as usize).collect(),
            axes: axes.to_vec(),
        }
    }

    /// How many numbers there are.
    pub fn count(&self) -> usize {
        self.extents.iter().product()
    }

    /// Hands the numbers over in the wanted order; `read` reads them from a place on.
    pub fn walk(&self, read: &mut Read, sink: &mut Sink) -> Result<(), Error> {
        let count = self.count();
        let is_kept = self.axes.iter().enumerate().all(|(at, &axis)| at == axis);
        if is_kept {
            let mut piece = vec![0.0; count.min(PIECE)];
            for first in (0..count).step_by(PIECE) {
                let piece = &mut piece[..PIECE.min(count - first)];
                read(first, piece)?;
                sink(piece)?;
            }
            return Ok(());
        }
        let last = self.extents.len() - 1;
        let rows_stay = self.axes[last] == last;
        let run = if rows_stay { self.extents[last] } else { 1 };
        // A large tensor whose rows stay together is read row by row, any other as a whole.
        if rows_stay && count > PIECE {
            let mut row = vec![0.0; run];
            return self.starts(run, |at| {
                read(at, &mut row)?;
                sink(&row)
            });
        }
        let mut whole = vec![0.0; count];
        read(0, &mut whole)?;
        let mut piece = Vec::new();
        self.starts(run, |at| {
            piece.extend_from_slice(&whole[at..at + run]);
            match piece.len() >= 1 << 16 {
                true => sink(&std::mem::take(&mut piece)),
                false => Ok(()),
            }
        })?;
        sink(&piece)
    }

    /// Where each run of numbers begins that stays together, in the wanted order.
    fn starts(
        &self,
        run: usize,
        mut each: impl FnMut(usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let stride = |axis: usize| self.extents[axis + 1..].iter().product::<usize>();
        let walked = self.axes.iter().filter(|&&axis| stride(axis) >= run);
        let walked: Vec<[usize; 2]> = walked
            .map(|&axis| [self.extents[axis], stride(axis)])
            .collect();
        for number in 0..self.count() / run {
            let (mut left, mut at) = (number, 0);
            for &[extent, stride] in walked.iter().rev() {
                at += left % extent * stride;
                left /= extent;
            }
            each(at)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, PIECE};

    fn walked(order: &Order) -> Vec<f32> {
        let mut found = Vec::new();
        let mut read = |first: usize, values: &mut [f32]| {
            let numbers = (first..).map(|n| (n % (1 << 24)) as f32);
            values.iter_mut().zip(numbers).for_each(|(v, n)| *v = n);
            Ok(())
        };
        let mut sink = |values: &[f32]| {
            found.extend_from_slice(values);
            Ok(())
        };
        order.walk(&mut read, &mut sink).expect("walked");
        found
    }

    #[test]
    fn numbers_come_in_the_wanted_order() {
        assert_eq!(walked(&Order::kept(3)), [0.0, 1.0, 2.0]);
        let columns = walked(&Order::of(&[2, 3], &[1, 0]));
        assert_eq!(columns, [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        let rows = walked(&Order::of(&[2, 2, 2], &[1, 0, 2]));
        assert_eq!(rows, [0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0]);
        // (h, w, in, out) to (out, in, h, w), by its formula.
        let kernel = walked(&Order::of(&[2, 3, 4, 5], &[3, 2, 0, 1]));
        for (n, &value) in kernel.iter().enumerate() {
            let [o, i, y, x] = [n / 24, n / 6 % 4, n / 3 % 2, n % 3];
            assert_eq!(value as usize, ((y * 3 + x) * 4 + i) * 5 + o);
        }
        // An axis of one is no row.
        let thin = walked(&Order::of(&[2, 2, 1], &[1, 0, 2]));
        assert_eq!(thin, [0.0, 2.0, 1.0, 3.0]);
    }

    #[test]
    fn a_large_tensor_comes_row_by_row_in_the_same_order() {
        let n = 1 << 11;
        let order = Order::of(&[3, (PIECE / n) as u32, n as u32], &[1, 0, 2]);
        let found = walked(&order);
        assert_eq!(found.len(), order.count());
        for at in (0..found.len()).step_by(997) {
            let [c, p, x] = [at / n % 3, at / n / 3, at % n];
            let from = (c * (PIECE / n) + p) * n + x;
            assert_eq!(found[at], (from % (1 << 24)) as f32, "{at}");
        }
    }
}
