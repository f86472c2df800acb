
// What changes from step to step, binding 1 of the kernels that need it: ops::params::Step. The rule's
// scalars mean what the optimiser's formula says (adam_rule.wgsl, ...).

struct Step {
    step: u32,
    valid_rows: u32,
    all_rows: u32,
    first_row: u32,
    seed: u32,
    rule0: f32,
    rule1: f32,
    rule2: f32,
    rule3: f32,
    shard_share: f32,
    decay: f32,
    averaging: f32,
}
