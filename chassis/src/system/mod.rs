//! What the machine says: the pod's IP, the container's limits, the process's use of resources.
//! What only Linux has stands behind a plain answer for where it isn't.

pub mod address;
pub mod container;
pub mod descriptors;
pub mod memory;
pub(crate) mod process;
mod seconds;

pub use seconds::seconds;

#[cfg(fuzzing)]
#[allow(missing_docs)]
pub(crate) mod fuzz {
    pub fn memory(statm: &str, page: u64) -> (u64, u64) {
        super::process::memory_of(statm, page)
    }
}
