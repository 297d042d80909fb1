//! An archive in an object store: S3 and what speaks it, Google Cloud Storage, Azure Blob Storage.

use std::borrow::Cow;
use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as Key;
use object_store::{Certificate, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};
use taffrail_core::secret::Secret;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::name::Name;
use crate::store::StoreError;

/// A larger object travels in parts of this size, one after the other: the least that S3 takes. It is the memory that
/// storing takes, too.
const PART: usize = 5 << 20;
/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest that an error may be, in characters.
const MOST_WORDS: usize = 400;
/// The most keys that are listed.
const MOST_KEYS: usize = 1_000_000;

/// Which store, and how to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Amazon's S3, or what speaks it.
    S3 {
        /// The bucket.
        bucket: String,
        /// The region; without it, what the environment says where it has the key too, else `us-east-1`.
        region: Option<String>,
        /// Where it is; without it, the same, else Amazon's own.
        endpoint: Option<String>,
        /// The key's id, and the key. Without them, what the environment or the machine's role gives.
        key: Option<(String, Secret)>,
    },
    /// Google Cloud Storage.
    Gcs {
        /// The bucket.
        bucket: String,
        /// Where it is; without it, Google's own.
        endpoint: Option<String>,
        /// A service account's key, as JSON. Without it, what the environment or the machine's account gives.
        key: Option<Secret>,
    },
    /// Azure Blob Storage.
    Azure {
        /// The storage account.
        account: String,
        /// The container.
        container: String,
        /// Where it is; without it, Azure's own.
        endpoint: Option<String>,
        /// The account's key. Without it, what the environment or the machine's identity gives.
        key: Option<Secret>,
    },
}

/// An object store.
#[derive(Clone)]
pub struct Remote {
    store: Arc<dyn ObjectStore>,
    /// What all keys begin with; empty, or ending in `/`.
    prefix: String,
    timeout: Duration,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.store, self.prefix)
    }
}

impl Remote {
    /// A store. `timeout` is for each request; `ca` are certificates in PEM to trust beside the system's. Connections
    /// without TLS are made only with `allow_http`. Nobody is asked anything yet.
    ///
    /// # Errors
    /// In words, when it cannot be like this.
    pub fn new(
        access: &Access,
        prefix: &str,
        timeout: Duration,
        allow_http: bool,
        ca: Option<&str>,
    ) -> Result<Self, StoreError> {
        let options = options(timeout, allow_http, ca)?;
        // Whether and when to try again is decided by who stores; only a hiccup is not worth a word.
        let retry = RetryConfig { max_retries: 1, retry_timeout: timeout, ..RetryConfig::default() };
        let store = match access {
            Access::S3 { bucket, region, endpoint, key } => {
                // A token of the environment belongs to the environment's key.
                let builder =
                    if key.is_some() { AmazonS3Builder::new() } else { AmazonS3Builder::from_env() };
                let mut builder = builder.with_bucket_name(bucket);
                if let Some(region) = region {
                    builder = builder.with_region(region);
                }
                if let Some(endpoint) = endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                if let Some((id, key)) = key {
                    builder = builder.with_access_key_id(id).with_secret_access_key(key.reveal());
                }
                let built = builder.with_retry(retry).with_client_options(options).build();
                built.map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
            }
            Access::Gcs { bucket, endpoint, key } => {
                let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket);
                if let Some(endpoint) = endpoint {
                    builder = builder.with_base_url(endpoint);
                }
                if let Some(key) = key {
                    builder = builder.with_service_account_key(key.reveal());
                }
                let built = builder.with_retry(retry).with_client_options(options).build();
                built.map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
            }
            Access::Azure { account, container, endpoint, key } => {
                let builder = MicrosoftAzureBuilder::from_env();
                let mut builder = builder.with_account(account).with_container_name(container);
                if let Some(endpoint) = endpoint {
                    builder = builder.with_endpoint(endpoint.clone());
                }
                if let Some(key) = key {
                    builder = builder.with_access_key(key.reveal());
                }
                let built = builder.with_retry(retry).with_client_options(options).build();
                built.map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
            }
        };
        let store = store.map_err(|error| explain(&error))?;
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let remote = Remote { store, prefix, timeout };
        remote.key("x")?;
        Ok(remote)
    }

    fn key(&self, key: &str) -> Result<Key, StoreError> {
        let key = format!("{}{key}", self.prefix);
        Key::parse(&key).map_err(|error| StoreError(format!("`{key}` cannot be a key: {error}")))
    }

    /// Stores a file. In parts it is seen only when all of them are there.
    pub(crate) async fn put(&self, key: &str, path: &Path) -> Result<u64, StoreError> {
        let key = self.key(key)?;
        let broken = |error| StoreError(format!("cannot read {}: {error}", path.display()));
        let mut file = File::open(path).await.map_err(broken)?;
        let size = file.metadata().await.map_err(broken)?.len();
        if size <= PART as u64 {
            let mut bytes = Vec::with_capacity(size as usize);
            file.read_to_end(&mut bytes).await.map_err(broken)?;
            self.bounded(self.store.put(&key, PutPayload::from(bytes))).await?;
            return Ok(size);
        }
        let mut upload = self.bounded(self.store.put_multipart(&key)).await?;
        let stored = async {
            loop {
                let mut part = Vec::with_capacity(PART);
                (&mut file).take(PART as u64).read_to_end(&mut part).await.map_err(broken)?;
                if part.is_empty() {
                    break;
                }
                self.bounded(upload.put_part(PutPayload::from(Bytes::from(part)))).await?;
            }
            self.bounded(upload.complete()).await
        };
        let stored = stored.await;
        if stored.is_err() {
            // Parts that nobody ends cost money. If this fails too, the bucket's rules have to.
            let _ = self.bounded(upload.abort()).await;
        }
        stored.map(|_| size)
    }

    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let prefix = self.key(folder)?;
        let mut listed = self.store.list(Some(&prefix));
        let mut keys = Vec::new();
        while let Some(object) = self.within(listed.next()).await? {
            let object = object.map_err(|error| explain(&error))?;
            if let Some(key) = object.location.as_ref().strip_prefix(&self.prefix)
                && Name::parse(key).is_some()
            {
                keys.push(key.to_owned());
            }
            if keys.len() > MOST_KEYS {
                return Err(StoreError(format!(
                    "there are more than {MOST_KEYS} objects: ask for less time"
                )));
            }
        }
        keys.sort();
        Ok(keys)
    }

    pub(crate) async fn read(&self, key: &str) -> Result<Vec<u8>, StoreError> {
        let key = self.key(key)?;
        let found = self.bounded(self.store.get(&key)).await?;
        self.bounded(found.bytes()).await.map(|bytes| bytes.to_vec())
    }

    async fn bounded<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        self.within(work).await?.map_err(|error| explain(&error))
    }

    /// Each request has its own bound; this one is for all that comes with it, such as asking for credentials.
    async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, StoreError> {
        let most = self.timeout * 3;
        let late = |_| StoreError(format!("no answer within {} s", most.as_secs_f64()));
        tokio::time::timeout(most, work).await.map_err(late)
    }
}

fn options(timeout: Duration, allow_http: bool, ca: Option<&str>) -> Result<ClientOptions, StoreError> {
    let mut options = ClientOptions::new()
        .with_allow_http(allow_http)
        .with_timeout(timeout)
        .with_connect_timeout(CONNECT.min(timeout))
        .with_default_content_type("application/zstd");
    if let Some(pem) = ca {
        for certificate in Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| explain(&error))? {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

/// What failed, and what would help, on one line.
fn explain(error: &Error) -> StoreError {
    let hint = match error {
        Error::PermissionDenied { .. } => "the store does not let these credentials do that: ",
        Error::Unauthenticated { .. } => "the store does not take these credentials: ",
        Error::NotFound { .. } => "the store has no such bucket or object: ",
        _ => "",
    };
    let mut text = match error {
        Error::PermissionDenied { source, .. }
        | Error::Unauthenticated { source, .. }
        | Error::NotFound { source, .. }
        | Error::Generic { source, .. } => source.to_string(),
        error => error.to_string(),
    };
    // What lies deepest says most: who refused the connection, which name has no address.
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let words = deeper.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = deeper.source();
    }
    StoreError(format!("{hint}{}", shorten(&asked(&text))))
}

/// What was asked and what came of it; without the object's name and how often it was tried, which nobody can do anything
/// about. `Error performing PUT http://host/bucket/key in 1ms, … - HTTP error: … (Connect): …` is how the library says it.
fn asked(text: &str) -> Cow<'_, str> {
    let parts = || {
        let (_, rest) = text.rsplit_once("Error performing ")?;
        let (asked, said) = rest.split_once(" - ")?;
        let (method, url) = asked.split_once(' ')?;
        let place: Vec<&str> = url.split([' ', '?']).next()?.split('/').take(4).collect();
        Some((method, place.join("/"), said))
    };
    let Some((method, place, said)) = parts() else { return Cow::Borrowed(text) };
    let said = said.trim_start_matches("HTTP error: error sending request: ");
    match said.strip_prefix("client error (Connect): ") {
        Some(why) => Cow::Owned(format!("cannot connect for {method} {place}: {why}")),
        None => Cow::Owned(format!("{method} {place}: {said}")),
    }
}

/// On one line, and not too long; of an answer in XML what it says.
fn shorten(text: &str) -> String {
    let element = |name: &str| {
        let from = text.find(&format!("<{name}>"))? + name.len() + 2;
        text[from..].split('<').next().filter(|value| !value.is_empty())
    };
    let said: Vec<&str> = ["Code", "Message"].into_iter().filter_map(element).collect();
    let text = match text.find('<') {
        Some(at) if !said.is_empty() => format!("{}{}", &text[..at], said.join(", ")),
        _ => text.to_owned(),
    };
    let mut text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() > MOST_WORDS {
        text = text.chars().take(MOST_WORDS).collect::<String>() + "…";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(endpoint: &str) -> Access {
        Access::S3 {
            bucket: "logs".into(),
            region: None,
            endpoint: Some(endpoint.into()),
            key: Some(("id".into(), Secret::new("hunter2"))),
        }
    }

    #[test]
    fn a_prefix_has_one_form() {
        for (written, read) in [("", ""), ("/", ""), ("a/b", "a/b/"), ("/a/", "a/")] {
            let remote =
                Remote::new(&s3("https://store.example"), written, Duration::from_secs(1), false, None);
            assert_eq!(remote.unwrap().prefix, read, "{written}");
        }
        let remote = Remote::new(&s3("https://store.example"), "a//b", Duration::from_secs(1), false, None);
        assert!(remote.unwrap_err().0.contains("cannot be a key"));
    }

    #[test]
    fn an_answer_says_what_it_says() {
        let text = "PUT http://s/b - 404 Not Found: <?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code>\
            <Message>The bucket is\nnot there</Message><RequestId>1</RequestId></Error>";
        assert_eq!(shorten(text), "PUT http://s/b - 404 Not Found: NoSuchBucket, The bucket is not there");
        assert_eq!(shorten("a <b>\nc"), "a <b> c");
        assert_eq!(shorten(&"x".repeat(1000)).chars().count(), MOST_WORDS + 1);
    }

    #[test]
    fn what_was_asked_is_told_in_few_words() {
        let head = "Error performing list request: Error performing GET http://s:1/logs?prefix=a in 1ms, after 1 retries, \
            max_retries: 1, retry_timeout: 60s - ";
        let told = |said: &str| asked(&format!("{head}{said}")).into_owned();
        assert_eq!(
            told(
                "HTTP error: error sending request: client error (Connect): tcp connect error: Connection refused"
            ),
            "cannot connect for GET http://s:1/logs: tcp connect error: Connection refused"
        );
        assert_eq!(told("Server returned 404"), "GET http://s:1/logs: Server returned 404");
        let put =
            "Error performing PUT http://s/logs/date%3D2026/x.zst in 1ms - HTTP error: operation timed out";
        assert_eq!(asked(put), "PUT http://s/logs: HTTP error: operation timed out");
        assert_eq!(asked("a file is gone"), "a file is gone");
    }

    #[test]
    fn nobody_sees_the_key() {
        let access = s3("https://store.example");
        let remote = Remote::new(&access, "", Duration::from_secs(1), false, None).unwrap();
        assert!(!format!("{access:?} {remote:?}").contains("hunter2"));
    }
}
