//! Where objects are kept: one of two kinds, with what both can do.

use std::path::Path;

use crate::folder::Folder;
#[cfg(feature = "object-store")]
use crate::remote::Remote;

/// Why something could not be stored or read, in words. It is worth trying again: nothing that a store answers says
/// that the entries are bad.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// A folder or an object store.
#[derive(Clone, Debug)]
pub enum Store {
    /// A folder.
    Folder(Folder),
    /// An object store.
    #[cfg(feature = "object-store")]
    Remote(Remote),
}

impl Store {
    /// Stores a file under a key, whole or not at all. What was there is replaced. Gives the bytes stored.
    ///
    /// # Errors
    /// When it is not stored, as far as is known.
    pub async fn put(&self, key: &str, file: &Path) -> Result<u64, StoreError> {
        match self {
            Store::Folder(folder) => {
                let (folder, key, file) = (folder.clone(), key.to_owned(), file.to_owned());
                blocking(move || folder.put(&key, &file)).await
            }
            #[cfg(feature = "object-store")]
            Store::Remote(remote) => remote.put(key, file).await,
        }
    }

    /// The keys of all objects in a folder of the archive, such as `date=2026-11-21/hour=18`, in order.
    ///
    /// # Errors
    /// When they cannot be listed. Without the folder, there are none.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        match self {
            Store::Folder(store) => {
                let (store, folder) = (store.clone(), folder.to_owned());
                blocking(move || store.list(&folder)).await
            }
            #[cfg(feature = "object-store")]
            Store::Remote(remote) => remote.list(folder).await,
        }
    }

    /// An object's bytes, compressed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&self, key: &str) -> Result<Vec<u8>, StoreError> {
        match self {
            Store::Folder(store) => {
                let (store, key) = (store.clone(), key.to_owned());
                blocking(move || store.read(&key)).await
            }
            #[cfg(feature = "object-store")]
            Store::Remote(remote) => remote.read(key).await,
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError(format!("broken off: {error}"))),
    }
}
