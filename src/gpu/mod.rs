//! The only room that knows wgpu: adapters, devices, kernels, and the executor of a plan.
//!
//! Plans and ops come in as plain data; numbers go out. Errors of the driver, which wgpu
//! reports through callbacks, surface here as [`Error`].

pub mod adapter;
pub mod device;
pub mod executor;
pub mod kernel;
pub mod parameters;

pub use adapter::{Adapter, LimitChoice, Selector};
pub use device::{Buffer, Gpu};
pub use executor::{Batch, Executor, Images, Metrics, Program};
pub use kernel::Checks;
pub use parameters::Role;

/// What can go wrong between the host and a device.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no GPU adapter was found; on Debian or Ubuntu `apt-get install mesa-vulkan-drivers` installs a software one, for a real GPU install its Vulkan driver"
    )]
    NoAdapter,
    #[error("no adapter matches `--device {wanted}`; there are: {present}")]
    UnknownDevice { wanted: String, present: String },
    #[error("{adapter} refuses a device: {cause}")]
    Request { adapter: String, cause: String },
    #[error("{adapter} ran out of memory{what}; a smaller --batch needs less")]
    OutOfMemory { adapter: String, what: String },
    #[error(
        "{adapter} was lost ({cause}); the last checkpoint is intact: go on with --resume, on another --device if it happens again"
    )]
    Lost { adapter: String, cause: String },
    #[error("{adapter} rejects {what}: {cause}")]
    Rejected {
        adapter: String,
        what: String,
        cause: String,
    },
    #[error("{adapter} allows {limit} of {allowed}, {what} needs {needed}")]
    Limit {
        adapter: String,
        limit: &'static str,
        allowed: u64,
        needed: u64,
        what: String,
    },
}
