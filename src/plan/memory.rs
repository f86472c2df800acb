//! Maps the short-lived tensors of a program onto few buffers: two tensors share one where
//! their lifetimes do not meet. Distinct buffers, never ranges of one, so that no dispatch
//! reads and writes the same buffer.

use super::{BufferId, BufferSpec, Dispatch};
use std::collections::BTreeSet;

/// The short-lived tensors of a program. Until [`assign`] gives them buffers they have the numbers behind those
/// of the buffers that are there.
pub(super) struct Transients {
    fixed: usize,
    specs: Vec<BufferSpec>,
    /// The one that nobody writes.
    zeros: Option<usize>,
    /// Those whose buffers are theirs for the whole program.
    kept: BTreeSet<usize>,
}

/// Bytes of a program's tensors that are small altogether.
const SMALL: u64 = 128 << 20;

/// The buffer that nobody writes: it begins as zeros.
const ZEROS: &str = "zeros";

impl Transients {
    /// None yet, behind so many buffers.
    pub fn behind(fixed: usize) -> Transients {
        let specs = Vec::new();
        Transients {
            fixed,
            specs,
            zeros: None,
            kept: BTreeSet::new(),
        }
    }

    pub fn add(&mut self, name: String, words: usize) -> BufferId {
        self.specs.push(BufferSpec {
            name,
            bytes: 4 * words as u64,
        });
        self.fixed + self.specs.len() - 1
    }

    /// So many words that stay zero, for whoever reads such.
    pub fn zeros(&mut self, words: usize) -> BufferId {
        match self.zeros {
            Some(at) => {
                let bytes = &mut self.specs[at].bytes;
                *bytes = (*bytes).max(4 * words as u64);
                self.fixed + at
            }
            None => {
                self.zeros = Some(self.specs.len());
                self.add(ZEROS.into(), words)
            }
        }
    }

    /// Says that no other of the program may have that buffer, before or after: whoever writes it first waits for
    /// nobody.
    pub fn keep(&mut self, buffer: BufferId) {
        self.kept.extend(self.index(buffer));
    }

    /// Which of them a buffer number means, if one.
    fn index(&self, buffer: BufferId) -> Option<usize> {
        buffer.checked_sub(self.fixed)
    }
}

/// Gives every transient buffer of `program` a real one. `pool` holds the shared buffers made
/// so far, for other programs of the same plan to use again. Where dispatches overlap, a program whose tensors are
/// small altogether has a buffer for each: a barrier stands before every dispatch that writes what another one used.
pub(super) fn assign(
    program: &mut [Dispatch],
    transients: &Transients,
    overlaps: bool,
    buffers: &mut Vec<BufferSpec>,
    pool: &mut Vec<BufferId>,
) {
    let all: u64 = transients.specs.iter().map(|spec| spec.bytes).sum();
    let apart = overlaps && all <= SMALL;
    let is_kept = |id: usize| apart || transients.kept.contains(&id);
    let mut lives = lifetimes(program, transients);
    let mut free = pool.clone();
    let mut chosen = vec![usize::MAX; lives.len()];
    if let Some(at) = transients.zeros {
        lives[at] = None;
        chosen[at] = zeros(transients.specs[at].bytes, buffers);
    }
    for step in 0..program.len() {
        for (id, tensor) in transients.specs.iter().enumerate() {
            if lives[id].is_some_and(|(born, _)| born == step) {
                chosen[id] = match is_kept(id) {
                    true => fresh(tensor, buffers, pool),
                    false => take(tensor, &mut free, buffers, pool),
                };
            }
        }
        for (id, life) in lives.iter().enumerate() {
            if life.is_some_and(|(_, dies)| dies == step) && !is_kept(id) {
                free.push(chosen[id]);
            }
        }
    }
    for range in program
        .iter_mut()
        .flat_map(|dispatch| &mut dispatch.bindings)
    {
        if let Some(index) = transients.index(range.buffer) {
            range.buffer = chosen[index];
        }
    }
}

/// The plan's buffer of zeros, with at least so many bytes.
fn zeros(bytes: u64, buffers: &mut Vec<BufferSpec>) -> BufferId {
    let at = buffers.iter().position(|b| b.name == ZEROS);
    let at = at.unwrap_or_else(|| {
        let name = ZEROS.into();
        buffers.push(BufferSpec { name, bytes: 0 });
        buffers.len() - 1
    });
    buffers[at].bytes = buffers[at].bytes.max(bytes);
    at
}

/// (first, last) dispatch that touches each transient.
fn lifetimes(program: &[Dispatch], transients: &Transients) -> Vec<Option<(usize, usize)>> {
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; transients.specs.len()];
    for (step, dispatch) in program.iter().enumerate() {
        let buffers = dispatch.bindings.iter().map(|range| range.buffer);
        for index in buffers.filter_map(|buffer| transients.index(buffer)) {
            let born = lives[index].map_or(step, |(born, _)| born);
            lives[index] = Some((born, step));
        }
    }
    lives
}

/// The smallest free buffer that is large enough, or the largest free one grown, or a new one.
fn take(
    tensor: &BufferSpec,
    free: &mut Vec<BufferId>,
    buffers: &mut Vec<BufferSpec>,
    pool: &mut Vec<BufferId>,
) -> BufferId {
    let fits = |&at: &usize| buffers[free[at]].bytes >= tensor.bytes;
    let smallest = (0..free.len())
        .filter(fits)
        .min_by_key(|&at| buffers[free[at]].bytes);
    let largest = (0..free.len()).max_by_key(|&at| buffers[free[at]].bytes);
    if let Some(at) = smallest.or(largest) {
        let id = free.swap_remove(at);
        buffers[id].bytes = buffers[id].bytes.max(tensor.bytes);
        return id;
    }
    fresh(tensor, buffers, pool)
}

/// A new buffer.
fn fresh(tensor: &BufferSpec, buffers: &mut Vec<BufferSpec>, pool: &mut Vec<BufferId>) -> BufferId {
    buffers.push(BufferSpec {
        name: format!("shared {}", pool.len()),
        bytes: tensor.bytes,
    });
    pool.push(buffers.len() - 1);
    buffers.len() - 1
}
