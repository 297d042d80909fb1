//! `outputs.archive`: one place each, and what goes with it.

use std::time::Duration;

use taffrail_archive::Folder;

use super::{Checker, bounds};
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::Size;
use crate::config::source::Span;
use crate::config::valid::{ArchiveOutput, ArchivePlace};
use crate::config::written::{Archive, Outputs};

/// What objects of one time may hold together: what is smaller makes many small objects, and what is larger is too much
/// of what the log on disk may hold meanwhile.
const SIZES: (usize, usize) = (1 << 20, 256 << 20);
/// More than an hour is too much of the six that the log on disk has.
const EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));
const KEEP: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(100 * 365 * 86_400));

impl Checker<'_> {
    pub(super) fn archives(&mut self, outputs: Option<&Outputs>) -> Vec<ArchiveOutput> {
        let (mut archives, mut names) = (Vec::new(), Vec::new());
        let written = outputs.and_then(|outputs| outputs.archive.get()).into_iter().flatten();
        for (at, archive) in written.filter_map(Field::good) {
            let name = archive.name.get().map_or("archive", |name| &name.0).to_owned();
            self.unique("archives", &name, archive.name.span().or(Some(at)), &mut names);
            let every = self.duration(&archive.every, defaults::ARCHIVE_EVERY, &EVERY);
            let size = self.archive_size(&archive.size);
            let place = self.archive_place(at, archive);
            archives.extend(place.map(|place| ArchiveOutput { name, place, every, size }));
        }
        archives
    }

    fn archive_size(&mut self, field: &Field<Size>) -> u64 {
        let default = Size::parse(defaults::ARCHIVE_SIZE).map_or(SIZES.0, |size| size.0);
        let size = field.get().map_or(default, |size| size.0);
        if let Some(at) = field.span().filter(|_| !(SIZES.0..=SIZES.1).contains(&size)) {
            self.fault(at, format!("{size} bytes are out of bounds"), "between 1MiB and 256MiB");
        }
        size as u64
    }

    fn archive_place(&mut self, at: Span, archive: &Archive) -> Option<ArchivePlace> {
        let kinds = [
            ("folder", archive.folder.span()),
            ("s3", archive.s3.span()),
            ("gcs", archive.gcs.span()),
            ("azure", archive.azure.span()),
        ];
        let given: Vec<_> = kinds.into_iter().filter_map(|(kind, at)| Some((kind, at?))).collect();
        match given.as_slice() {
            [] => {
                let help = "add folder: /var/lib/taffrail/archive, or s3, gcs or azure: {…}";
                self.fault(at, "the archive says no place", help);
                return None;
            }
            [_] => {}
            [(first, _), (second, at), ..] => {
                let what = format!("the archive has two places, `{first}` and `{second}`");
                self.fault(*at, what, "make two archives of it, each with a `name`");
                return None;
            }
        }
        if matches!(archive.folder, Field::Absent) {
            let of_folders = [("keep", archive.keep.span()), ("min_free", archive.min_free.span())];
            for (key, at) in of_folders.into_iter().filter_map(|(key, at)| Some((key, at?))) {
                let help = "remove it, and give the bucket a lifecycle rule: see docs/guides/archive.md";
                self.fault(at, format!("`{key}` is for folders"), help);
            }
            return self.archive_remote(at, archive);
        }
        let of_stores = [
            ("prefix", archive.prefix.span()),
            ("timeout", archive.timeout.span()),
            ("ca_file", archive.ca_file.span()),
            ("allow_http", archive.allow_http.span()),
        ];
        for (key, at) in of_stores.into_iter().filter_map(|(key, at)| Some((key, at?))) {
            self.fault(at, format!("`{key}` is for object stores"), "remove it");
        }
        let (at, path) = archive.folder.good()?;
        if path.0.is_relative() {
            let what = format!("the folder `{}` is relative", path.0.display());
            self.fault(at, what, "write the whole path");
        }
        let keep = archive.keep.get().map(|_| self.duration(&archive.keep, "90d", &KEEP));
        let min_free = archive.min_free.get().map(|size| size.0 as u64);
        Some(ArchivePlace::Folder { folder: Folder { path: self.path(at, path), min_free }, keep })
    }

    #[cfg(not(feature = "object-store"))]
    fn archive_remote(&mut self, at: Span, _: &Archive) -> Option<ArchivePlace> {
        self.fault(at, "this build reaches no object stores", "take one with the feature object-store");
        let _ = bounds;
        None
    }

    #[cfg(feature = "object-store")]
    fn archive_remote(&mut self, at: Span, archive: &Archive) -> Option<ArchivePlace> {
        use crate::config::valid::RemoteArchive;

        let before = self.faults.len();
        let access = self.archive_access(archive)?;
        let timeout = bounds(Duration::from_secs(1), Duration::from_secs(600));
        let ca = archive.ca_file.good().and_then(|(at, path)| {
            let path = self.path(at, path);
            let read = super::outputs::read_pem(&path);
            let wrong = |what| self.fault(at, what, "name a file of certificates in PEM");
            read.map_err(|what| format!("{}: {what}", path.display())).map_err(wrong).ok()
        });
        let remote = RemoteArchive {
            access,
            prefix: archive.prefix.get().map_or_else(String::new, |text| text.0.clone()),
            timeout: self.duration(&archive.timeout, defaults::ARCHIVE_TIMEOUT, &timeout),
            allow_http: archive.allow_http.get().copied().unwrap_or(false),
            ca,
        };
        // Made and thrown away: what cannot be a store is told here, with its place.
        if self.faults.len() == before
            && let Err(error) = remote.store()
        {
            self.fault(at, error.to_string(), "mend what it names; the environment's variables count too");
        }
        Some(ArchivePlace::Remote(remote))
    }

    #[cfg(feature = "object-store")]
    fn archive_access(&mut self, archive: &Archive) -> Option<taffrail_archive::Access> {
        use taffrail_archive::Access;
        use taffrail_core::secret::Secret;

        let http = archive.allow_http.get().copied().unwrap_or(false);
        if let Some((at, s3)) = archive.s3.good() {
            let key = match (s3.access_key_id.get(), s3.secret_access_key_file.good()) {
                (Some(id), Some((at, path))) => {
                    Some((id.0.clone(), Secret::new(self.secret(at, path).expose())))
                }
                (None, None) => None,
                _ => {
                    let help = "write both access_key_id: … and secret_access_key_file: /path/to/the/secret, or neither";
                    self.fault(at, "a key has two halves, and one is missing", help);
                    None
                }
            };
            return Some(Access::S3 {
                bucket: self.required(at, &s3.bucket, "bucket", "shop-logs")?,
                region: s3.region.get().map(|text| text.0.clone()),
                endpoint: self.endpoint(&s3.endpoint, http),
                key,
            });
        }
        if let Some((at, gcs)) = archive.gcs.good() {
            let key = gcs.key_file.good().map(|(at, path)| Secret::new(self.secret(at, path).expose()));
            return Some(Access::Gcs {
                bucket: self.required(at, &gcs.bucket, "bucket", "shop-logs")?,
                endpoint: self.endpoint(&gcs.endpoint, http),
                key,
            });
        }
        let (at, azure) = archive.azure.good()?;
        let key = azure.access_key_file.good().map(|(at, path)| Secret::new(self.secret(at, path).expose()));
        let account = self.required(at, &azure.account, "account", "shoplogs");
        Some(Access::Azure {
            container: self.required(at, &azure.container, "container", "logs")?,
            account: account?,
            endpoint: self.endpoint(&azure.endpoint, http),
            key,
        })
    }

    #[cfg(feature = "object-store")]
    fn endpoint(&mut self, field: &Field<crate::config::scalar::Url>, http: bool) -> Option<String> {
        let (at, url) = field.good()?;
        if url.0.scheme_str() == Some("http") && !http {
            let help =
                "write https://, or add `allow_http: true` to the archive if nobody can listen between";
            self.fault(at, "the endpoint has no TLS: keys are signed, but log lines travel in clear", help);
        }
        Some(url.0.to_string().trim_end_matches('/').to_owned())
    }
}
