//! Objects below a prefix in a store that speaks S3.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use globset::{GlobBuilder, GlobMatcher};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore, ObjectStoreExt, RetryConfig};

use super::found::Found;
use super::{MARKER, Settings, moment};
use taffrail_core::secret::Secret;

/// The most objects that one look lists.
const MAX_OBJECTS: usize = 200_000;

/// How to reach an object store.
#[derive(Clone, Default)]
pub struct Access {
    /// `https://minio.example:9000`; Amazon's own without it.
    pub endpoint: Option<String>,
    /// The region; `us-east-1` without it.
    pub region: Option<String>,
    /// The key's id and the key. Without them, the machine's own role is asked for.
    pub key: Option<(String, Secret)>,
    /// Asks without a signature, for buckets that anybody may read.
    pub anonymous: bool,
    /// Clients that were made, by bucket: each holds connections and trusted authorities.
    clients: Arc<Mutex<BTreeMap<String, Arc<AmazonS3>>>>,
}

/// Two are equal when they reach the same store the same way.
impl PartialEq for Access {
    fn eq(&self, other: &Self) -> bool {
        (&self.endpoint, &self.region, &self.key, self.anonymous)
            == (&other.endpoint, &other.region, &other.key, other.anonymous)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl Access {
    fn client(&self, bucket: &str) -> Result<Arc<AmazonS3>, String> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(bucket) {
            return Ok(client.clone());
        }
        // Who probes comes back soon anyway, and wants to know now.
        let retry =
            RetryConfig { max_retries: 1, retry_timeout: Duration::from_secs(10), ..Default::default() };
        let plain = self.endpoint.as_ref().is_some_and(|url| url.starts_with("http://"));
        let options = ClientOptions::new().with_allow_http(plain).with_timeout_disabled();
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(self.region.as_deref().unwrap_or("us-east-1"))
            .with_retry(retry)
            .with_skip_signature(self.anonymous)
            .with_client_options(options);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some((id, key)) = &self.key {
            builder = builder.with_access_key_id(id).with_secret_access_key(key.reveal());
        }
        let client = Arc::new(builder.build().map_err(|error| explain(&error))?);
        clients.insert(bucket.to_owned(), client.clone());
        Ok(client)
    }
}

/// A target taken apart.
struct Target<'a> {
    bucket: &'a str,
    /// What keys begin with.
    prefix: &'a str,
    /// What they have to match beside.
    glob: Option<GlobMatcher>,
}

impl Target<'_> {
    fn fits(&self, key: &str) -> bool {
        key.starts_with(self.prefix) && self.glob.as_ref().is_none_or(|glob| glob.is_match(key))
    }
}

/// Whether a target reads as one, in words if not.
pub fn check(url: &str) -> Result<(), String> {
    take_apart(url).map(drop)
}

fn take_apart(url: &str) -> Result<Target<'_>, String> {
    let wanted = "wanted: s3://bucket/prefix, s3://bucket/folder/*.dump, or an absolute path";
    let rest = url
        .strip_prefix("s3://")
        .ok_or_else(|| format!("`{url}` names no store that can be read; {wanted}"))?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() || bucket.contains(['@', '?', '*', ':']) {
        return Err(format!("`{bucket}` is no bucket; {wanted}"));
    }
    let Some(meta) = key.find(['*', '?', '[', '{', '\\']) else {
        return Ok(Target { bucket, prefix: key, glob: None });
    };
    let glob = GlobBuilder::new(key).literal_separator(true).build();
    let glob = glob.map_err(|error| format!("the glob cannot be read: {}", error.kind()))?;
    Ok(Target { bucket, prefix: &key[..meta], glob: Some(glob.compile_matcher()) })
}

/// Lists what matches, and reads the marker of the last verified restore, in milliseconds since 1970.
pub(super) async fn look(url: &str, settings: &Settings) -> Result<(Found, Option<i64>), String> {
    let target = take_apart(url)?;
    let client = settings.store.clone().unwrap_or_default().client(target.bucket)?;
    let mut found = Found::default();
    // The store lists by whole folders; what only begins alike is sorted out here.
    let folder = target.prefix.rsplit_once('/').map(|(folder, _)| Path::from(folder));
    let mut objects = client.list(folder.as_ref());
    let mut listed = 0;
    while let Some(object) = objects.next().await {
        let object = object.map_err(|error| explain(&error))?;
        listed += 1;
        if listed > MAX_OBJECTS {
            return Err(format!("there are more than {MAX_OBJECTS} objects: name a longer prefix"));
        }
        let key = object.location.as_ref();
        if target.fits(key) {
            found.add(key, object.last_modified.timestamp_millis(), object.size);
        }
    }
    let restored_ms = match &settings.restore {
        Some(restore) => marker(&client, &restore.marker).await.map_err(|error| explain(&error))?,
        None => None,
    };
    Ok((found, restored_ms))
}

async fn marker(client: &AmazonS3, key: &str) -> Result<Option<i64>, Error> {
    let path = Path::from(key);
    let facts = match client.head(&path).await {
        Err(Error::NotFound { .. }) => return Ok(None),
        facts => facts?,
    };
    let modified_ms = facts.last_modified.timestamp_millis();
    if facts.size == 0 || facts.size > MARKER {
        return Ok(Some(modified_ms));
    }
    let text = client.get(&path).await?.bytes().await?;
    Ok(Some(moment::parse(&text).unwrap_or(modified_ms)))
}

/// The error and what is behind it, on one line; no request's headers are in it.
fn explain(error: &Error) -> String {
    let mut text = error.to_string().replace('\n', " ");
    if text.chars().count() > 400 {
        text = text.chars().take(400).collect::<String>() + "…";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_prefixes_or_globs() {
        let fits = |url: &str, key: &str| take_apart(url).unwrap().fits(key);
        assert!(fits("s3://b/db/2026", "db/2026-01-01.dump"));
        assert!(!fits("s3://b/db/2026", "db/2025.dump"));
        assert!(fits("s3://b", "anything"));
        assert!(fits("s3://b/db/*.dump", "db/a.dump"));
        assert!(!fits("s3://b/db/*.dump", "db/old/a.dump"));
        assert!(!fits("s3://b/db/*.dump", "db/a.part"));
        for wrong in ["gs://b/x", "s3:///x", "s3://user:key@b/x", "s3://b/["] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
