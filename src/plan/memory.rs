//! Maps the short-lived tensors of a program onto few buffers: two tensors share one where
//! their lifetimes do not meet. Distinct buffers, never ranges of one, so that no dispatch
//! reads and writes the same buffer.

use super::{BufferId, BufferSpec, Dispatch};

/// Marks a buffer number that stands for a short-lived tensor, until `assign` replaces it.
pub(super) const TRANSIENT: BufferId = 1 << 32;

/// Gives every transient buffer of `program` a real one. `pool` holds the shared buffers made
/// so far, for other programs of the same plan to use again.
pub(super) fn assign(
    program: &mut [Dispatch],
    transients: &[BufferSpec],
    buffers: &mut Vec<BufferSpec>,
    pool: &mut Vec<BufferId>,
) -> Vec<BufferId> {
    let lives = lifetimes(program, transients.len());
    let mut free = pool.clone();
    let mut chosen = vec![usize::MAX; transients.len()];
    for step in 0..program.len() {
        for (id, tensor) in transients.iter().enumerate() {
            if lives[id].is_some_and(|(born, _)| born == step) {
                chosen[id] = take(tensor, &mut free, buffers, pool);
            }
        }
        for (id, life) in lives.iter().enumerate() {
            if life.is_some_and(|(_, dies)| dies == step) {
                free.push(chosen[id]);
            }
        }
    }
    for range in program
        .iter_mut()
        .flat_map(|dispatch| &mut dispatch.bindings)
    {
        if range.buffer >= TRANSIENT {
            range.buffer = chosen[range.buffer - TRANSIENT];
        }
    }
    chosen
}

/// (first, last) dispatch that touches each transient.
fn lifetimes(program: &[Dispatch], count: usize) -> Vec<Option<(usize, usize)>> {
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; count];
    for (step, dispatch) in program.iter().enumerate() {
        for range in dispatch
            .bindings
            .iter()
            .filter(|range| range.buffer >= TRANSIENT)
        {
            let life = &mut lives[range.buffer - TRANSIENT];
            let born = life.map_or(step, |(born, _)| born);
            *life = Some((born, step));
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
    buffers.push(BufferSpec {
        name: format!("shared {}", pool.len()),
        bytes: tensor.bytes,
    });
    pool.push(buffers.len() - 1);
    buffers.len() - 1
}
