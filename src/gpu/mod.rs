//! The only room that knows wgpu: adapters, devices, kernels, the executor of a plan with its steps of shards and
//! what they measured, and the clocks that time kernels, alone or within a step.
//!
//! Plans and ops come in as plain data; numbers go out. Errors of the driver, which wgpu
//! reports through callbacks, surface here as [`Error`].

pub mod adapter;
pub mod device;
mod estimate;
pub mod executor;
mod faults;
pub mod kernel;
mod launch;
mod metrics;
pub mod parameters;
mod shards;
pub mod timing;
mod trace;

pub use adapter::{Adapter, LimitChoice, Selector};
pub use device::{Buffer, Gpu};
pub use executor::{Augmented, Batch, Executor, Images, Part, Work};
pub use kernel::Checks;
pub use metrics::Metrics;
pub use parameters::Tensor;
pub use timing::{Sample, Timed, Timer};
pub use trace::{Marks, Tracer};

/// What can go wrong between the host and a device.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    #[error("no GPU adapter was found")]
    #[diagnostic(help(
        "on Debian or Ubuntu `apt-get install mesa-vulkan-drivers` installs a software one, for a real GPU install its Vulkan driver (NVIDIA's needs libegl1 and libgl1 too)"
    ))]
    NoAdapter,
    #[error("no adapter matches `--device {wanted}`; there are: {present}")]
    UnknownDevice { wanted: String, present: String },
    #[error("{adapter} lacks {lacks}, which the kernels need")]
    #[diagnostic(help(
        "update its driver or choose another --device, such as the software one that `apt-get install mesa-vulkan-drivers` installs"
    ))]
    Incapable { adapter: String, lacks: String },
    #[error("{adapter} refuses a device: {cause}")]
    #[diagnostic(help("update its driver or choose another --device"))]
    Request { adapter: String, cause: String },
    #[error("{adapter} ran out of memory ({what})")]
    #[diagnostic(help("free some, or begin with a smaller --batch or on another --device"))]
    OutOfMemory { adapter: String, what: String },
    #[error("{adapter} was lost in {what} ({cause})")]
    #[diagnostic(help("if it happens again, update its driver or choose another --device"))]
    Lost {
        adapter: String,
        what: String,
        cause: String,
    },
    #[error("{adapter} rejects {what}: {cause}")]
    #[diagnostic(help("update its driver or choose another --device, and report this line"))]
    Rejected {
        adapter: String,
        what: String,
        cause: String,
    },
    #[error("{adapter} allows {limit} of {allowed}, {what} needs {needed}")]
    #[diagnostic(help("a smaller --batch needs less"))]
    Limit {
        adapter: String,
        limit: &'static str,
        allowed: u64,
        needed: u64,
        what: String,
    },
}
