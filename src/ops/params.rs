//! The uniform blocks that host and shader share, and how a test can compare them.

/// The type of one field of a uniform block; all are four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    U32,
    F32,
}

/// One field as WGSL must declare it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub offset: usize,
    pub scalar: Scalar,
}

impl Field {
    /// Does it say where a kernel works, rather than on how much?
    pub fn is_place(&self) -> bool {
        self.name.starts_with("first_") || self.name.ends_with("_first")
    }

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
/// what naga reads from the shader.
macro_rules! params {
    (@scalar u32) => { $crate::ops::params::Scalar::U32 };
    (@scalar f32) => { $crate::ops::params::Scalar::F32 };
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $scalar:ident),* $(,)? }) => {
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
        /// The optimiser's scalars of this step, computed in f64: what each means is its formula's word.
        rule0: f32,
        rule1: f32,
        rule2: f32,
        rule3: f32,
    }
}

impl Step {
    pub fn new(step: u32, valid_rows: u32, rule: [f32; 4]) -> Step {
        let [rule0, rule1, rule2, rule3] = rule;
        Step {
            step,
            valid_rows,
            rule0,
            rule1,
            rule2,
            rule3,
        }
    }

    /// The optimiser's scalars.
    pub fn rule(&self) -> [f32; 4] {
        [self.rule0, self.rule1, self.rule2, self.rule3]
    }
}
