//! Names the first tensor that is not finite: runs the forward pass of a batch again, dispatch
//! by dispatch. No weight has changed since, so the replay computes the same bits.

use crate::gpu::{self, Batch, Executor, Program, Role};
use crate::ops::Access;
use crate::plan::{Dispatch, Range};

/// `<layer> <binding>` of the first binding that holds an infinity or a NaN: inputs are looked
/// at before each dispatch, outputs after it, up to the loss.
pub fn first_non_finite(executor: &Executor, batch: &Batch) -> Result<String, gpu::Error> {
    // Branches share the buffer of a concat: what the failed step left there would mislead.
    executor.clear_outputs(Program::Loss);
    executor.upload(batch);
    for (index, dispatch) in executor.dispatches(Program::Loss).iter().enumerate() {
        for written in [false, true] {
            if written {
                executor.launch(Program::Loss, index)?;
            }
            for (binding, range) in dispatch.op.bindings().iter().zip(&dispatch.bindings) {
                let concerned = (binding.access == Access::Read) != written;
                if concerned && holds_non_finite(executor, range, binding.name)? {
                    return Ok(describe(executor, dispatch, binding.name, range));
                }
            }
        }
    }
    Ok("the loss itself".into())
}

/// The first parameter that holds an infinity or a NaN; read back, for this is asked once the
/// device has counted some.
pub fn first_non_finite_weight(executor: &Executor) -> Result<String, gpu::Error> {
    for (index, parameter) in executor.plan.parameters.iter().enumerate() {
        let mut found = false;
        executor.read_parameter(index, Role::Weights, |_, values| {
            found |= values.iter().any(|value| !value.is_finite());
            Ok::<(), gpu::Error>(())
        })?;
        if found {
            return Ok(format!("`{}`", parameter.name));
        }
    }
    Ok("the padding of a parameter".into())
}

fn holds_non_finite(executor: &Executor, range: &Range, name: &str) -> Result<bool, gpu::Error> {
    // Bytes and numbers of rows and classes are no floats.
    if ["data", "rows", "labels"].contains(&name) {
        return Ok(false);
    }
    let words = executor.words(range)?;
    Ok(words.iter().any(|&word| !f32::from_bits(word).is_finite()))
}

fn describe(executor: &Executor, dispatch: &Dispatch, binding: &str, range: &Range) -> String {
    let parameter = executor
        .plan
        .parameters
        .iter()
        .find(|p| p.storage.begins_at(range.buffer, range.offset));
    match parameter {
        Some(parameter) => format!("`{}`", parameter.name),
        None if binding == "x" && range.buffer == executor.plan.ports.images => "the images".into(),
        None => format!("`{binding}` of layer {}", dispatch.label),
    }
}
