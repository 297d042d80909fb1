//! Archives of log entries.

use std::time::Duration;

use taffrail_archive::Folder;

/// An archive.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchiveOutput {
    /// Unique among archives.
    pub name: String,
    /// Where it is.
    pub place: ArchivePlace,
    /// How old the first entry of objects may be before they are stored.
    pub every: Duration,
    /// How many bytes they may be together before that.
    pub size: u64,
}

/// Where an archive is.
#[derive(Clone, Debug, PartialEq)]
pub enum ArchivePlace {
    /// In a folder.
    Folder {
        /// Which.
        folder: Folder,
        /// How long objects stay; for ever without it.
        keep: Option<Duration>,
    },
    /// In an object store.
    #[cfg(feature = "object-store")]
    Remote(RemoteArchive),
}

/// An archive in an object store.
#[cfg(feature = "object-store")]
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteArchive {
    /// Which, and how to be let in.
    pub access: taffrail_archive::Access,
    /// What all keys begin with.
    pub prefix: String,
    /// How long a request may take.
    pub timeout: Duration,
    /// Whether connections without TLS are made.
    pub allow_http: bool,
    /// Certificates in PEM to trust beside the system's.
    pub ca: Option<String>,
}

impl ArchiveOutput {
    /// Where it is, for people, without credentials: `/var/lib/taffrail/archive`, `s3://shop-logs/prod`.
    pub fn url(&self) -> String {
        match &self.place {
            ArchivePlace::Folder { folder, .. } => folder.path.display().to_string(),
            #[cfg(feature = "object-store")]
            ArchivePlace::Remote(remote) => {
                use taffrail_archive::Access;
                let bucket = match &remote.access {
                    Access::S3 { bucket, .. } => format!("s3://{bucket}"),
                    Access::Gcs { bucket, .. } => format!("gs://{bucket}"),
                    Access::Azure { account, container, .. } => format!("az://{account}/{container}"),
                };
                let url = format!("{bucket}/{}", remote.prefix);
                url.trim_end_matches('/').to_owned()
            }
        }
    }

    /// Its store; nobody is asked anything yet.
    ///
    /// # Errors
    /// In words, when there can be no such store.
    pub fn store(&self) -> Result<taffrail_archive::Store, taffrail_archive::StoreError> {
        match &self.place {
            ArchivePlace::Folder { folder, .. } => Ok(taffrail_archive::Store::Folder(folder.clone())),
            #[cfg(feature = "object-store")]
            ArchivePlace::Remote(remote) => remote.store(),
        }
    }
}

#[cfg(feature = "object-store")]
impl RemoteArchive {
    /// Its store.
    ///
    /// # Errors
    /// As [`ArchiveOutput::store`].
    pub fn store(&self) -> Result<taffrail_archive::Store, taffrail_archive::StoreError> {
        let RemoteArchive { access, prefix, timeout, allow_http, ca } = self;
        let remote = taffrail_archive::Remote::new(access, prefix, *timeout, *allow_http, ca.as_deref())?;
        Ok(taffrail_archive::Store::Remote(remote))
    }
}
