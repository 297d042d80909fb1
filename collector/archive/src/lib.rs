//! The archive: log entries as objects of compressed NDJSON, in a folder or in an object store.
//!
//! A [`Window`] takes records of the logs' log and writes their entries to files beside it, one file for each hour and
//! service. [`Window::seal`] ends it: its files are on disk, and so is the list of them, so that whatever happens to the
//! process the very same objects are stored in the end. [`Store`] stores them, whole or not at all.

mod entry;
mod folder;
mod name;
mod read;
#[cfg(feature = "object-store")]
mod remote;
mod sealed;
mod store;
mod window;

pub use entry::rfc3339;
pub use folder::{Expired, Folder};
pub use name::{HOUR_MS, Name, Slot, segment};
pub use read::{Line, decode};
#[cfg(feature = "object-store")]
pub use remote::{Access, Remote};
pub use sealed::{Found, Object, Sealed, Staging};
pub use store::{Store, StoreError};
pub use window::{Added, Window};

#[cfg(test)]
mod tests;
