//! The uniform blocks that host and shader share, and how a test can compare them.

/// The type of one field of a uniform block; all are four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    U32,
    F32,
}

/// What a field says of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldRole {
    /// On how much a kernel works, and how.
    Size,
    /// Images or rows of the batch.
    Batch,
    /// Where it works: the first channel or panel.
    Place,
    /// How operands lie: padding, channels of a buffer.
    Detail,
}

/// One field as WGSL must declare it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub offset: usize,
    pub scalar: Scalar,
    pub role: FieldRole,
}

impl Field {
    /// Its four bytes in a block, as an integer.
    pub fn word(&self, params: &[u8]) -> u32 {
        bytemuck::pod_read_unaligned(&params[self.offset..self.offset + 4])
    }
}

/// A `#[repr(C)]` block of u32 and f32 scalars: the same bytes on the host and in WGSL.
pub trait Params: bytemuck::Pod + Send + Sync + std::fmt::Debug {
    const FIELDS: &'static [Field];
}

/// Declares a uniform block and lists its fields, which `tests/shaders.rs` compares with
/// what naga reads from the shader. `as batch`, `as place` and `as detail` give a field its role.
macro_rules! params {
    (@role) => { $crate::ops::params::FieldRole::Size };
    (@role batch) => { $crate::ops::params::FieldRole::Batch };
    (@role place) => { $crate::ops::params::FieldRole::Place };
    (@role detail) => { $crate::ops::params::FieldRole::Detail };
    (@scalar u32) => { $crate::ops::params::Scalar::U32 };
    (@scalar f32) => { $crate::ops::params::Scalar::F32 };
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $scalar:ident $(as $role:ident)?),* $(,)? }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name { $($(#[$doc])* pub $field: $scalar),* }

        impl $crate::ops::params::Params for $name {
            const FIELDS: &'static [$crate::ops::params::Field] = &[
                $($crate::ops::params::Field {
                    name: stringify!($field),
                    offset: std::mem::offset_of!($name, $field),
                    scalar: params!(@scalar $scalar),
                    role: params!(@role $($role)?),
                }),*
            ];
        }
    };
}
pub(crate) use params;

params! {
    /// What changes from step to step: binding 1 of the kernels that need it.
    Step {
        /// Optimiser step, from 1.
        step: u32,
        /// Rows of the batch that hold samples; the rest are padding.
        valid_rows: u32,
        /// Such rows of all shards of the step: what a mean over the step divides by.
        all_rows: u32,
        /// The number of the batch's first row among the rows of all shards.
        first_row: u32,
        /// What random masks are drawn from, beside the step's number.
        seed: u32,
        /// The optimiser's scalars of this step, computed in f64: what each means is its formula's word.
        rule0: f32,
        rule1: f32,
        rule2: f32,
        rule3: f32,
        /// One over the number of the step's shards that have rows.
        shard_share: f32,
        /// The share of itself that a decaying weight loses.
        decay: f32,
        /// The share of the way that the average of the weights goes towards them.
        averaging: f32,
    }
}

impl Step {
    /// Of a step of one shard.
    pub fn new(step: u32, valid_rows: u32, rule: [f32; 4]) -> Step {
        let [rule0, rule1, rule2, rule3] = rule;
        Step {
            step,
            valid_rows,
            all_rows: valid_rows,
            first_row: 0,
            seed: 0,
            rule0,
            rule1,
            rule2,
            rule3,
            shard_share: 1.0,
            decay: 0.0,
            averaging: 0.0,
        }
    }

    /// The optimiser's scalars.
    pub fn rule(&self) -> [f32; 4] {
        [self.rule0, self.rule1, self.rule2, self.rule3]
    }
}
