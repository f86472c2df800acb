//! Names the first tensor that is not finite: runs the forward pass of a batch again, dispatch
//! by dispatch. No weight has changed since, so the replay computes the same bits.

use crate::gpu::{self, Batch, Executor, Tensor, Work};
use crate::ops::{Access, Binding, Dtype};
use crate::plan::{Dispatch, Range};

/// `<layer> <binding>` of the first binding that holds an infinity or a NaN: inputs are looked
/// at before each dispatch, outputs after it, up to the loss. None where that alone is not finite.
pub fn first_non_finite(executor: &Executor, batch: &Batch) -> Result<Option<String>, gpu::Error> {
    // Branches share the buffer of a concat: what the failed step left there would mislead.
    executor.clear_outputs(Work::LOSS);
    executor.upload(Work::LOSS, batch);
    for (index, dispatch) in executor.dispatches(Work::LOSS).iter().enumerate() {
        for written in [false, true] {
            if written {
                executor.launch(Work::LOSS, index)?;
            }
            for (binding, range) in dispatch.op.bindings().iter().zip(&dispatch.bindings) {
                let concerned = (binding.access == Access::Read) != written;
                if concerned && holds_non_finite(executor, range, binding)? {
                    return Ok(Some(describe(executor, dispatch, binding.name, range)));
                }
            }
        }
    }
    Ok(None)
}

/// The first parameter that holds an infinity or a NaN; read back, for this is asked once the
/// device has counted some.
pub fn first_non_finite_weight(executor: &Executor) -> Result<String, gpu::Error> {
    for (index, parameter) in executor.plan.parameters.iter().enumerate() {
        let mut found = false;
        executor.read_parameter(index, Tensor::Values, |_, values| {
            found |= values.iter().any(|value| !value.is_finite());
            Ok::<(), gpu::Error>(())
        })?;
        if found {
            return Ok(format!("`{}`", parameter.name));
        }
    }
    Ok("the padding of a parameter".into())
}

fn holds_non_finite(
    executor: &Executor,
    range: &Range,
    binding: &Binding,
) -> Result<bool, gpu::Error> {
    if binding.dtype != Dtype::F32 {
        return Ok(false);
    }
    let words = executor.words(range)?;
    Ok(words.iter().any(|&word| !f32::from_bits(word).is_finite()))
}

fn describe(executor: &Executor, dispatch: &Dispatch, binding: &str, range: &Range) -> String {
    let plan = &executor.plan;
    let begins = |&(region, offset): &(usize, u64)| {
        plan.regions[region].values == range.buffer && offset == range.offset
    };
    let parameters = plan.parameters.iter();
    let bound = parameters.filter(|p| p.storage.pieces().iter().any(begins));
    let names: Vec<String> = bound.map(|p| format!("`{}`", p.name)).collect();
    let images = executor.program(Work::LOSS).port("images");
    match &names[..] {
        [_, ..] => names.join(" and "),
        [] if images.is_some_and(|port| port.buffer == range.buffer) => "the images".into(),
        [] => format!("`{binding}` of layer {}", dispatch.label),
    }
}
