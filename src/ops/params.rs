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
        /// Adam's bias-corrected rate lr * sqrt(1 - beta2^t) / (1 - beta1^t), computed in f64.
        rate: f32,
    }
}
