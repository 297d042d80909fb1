//! `outputs.archive`, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::{Interval, Name, PathText, Size, Text, Url};

/// Keeps log entries as compressed objects, by date, hour and service.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Archive {
    /// Unique among archives. Cursors and metrics use it. Default: `archive`.
    pub name: Field<Name>,
    /// A folder to keep them in. Exactly one of `folder`, `s3`, `gcs` and `azure` is needed.
    #[schemars(extend("examples" = ["/var/lib/taffrail/archive"]))]
    pub folder: Field<PathText>,
    /// How long this machine's objects stay in the folder. Without it, they stay. Object stores have rules of their own
    /// for that.
    #[schemars(extend("examples" = ["90d"]))]
    pub keep: Field<Interval>,
    /// How much of the folder's file system stays free; below it, nothing more is stored and nothing is removed. Default: a
    /// tenth, 4 GiB at most.
    #[schemars(extend("examples" = ["10GiB"]))]
    pub min_free: Field<Size>,
    /// A bucket of Amazon's S3, or of what speaks it.
    pub s3: Field<S3>,
    /// A bucket of Google Cloud Storage.
    pub gcs: Field<Gcs>,
    /// A container of Azure Blob Storage.
    pub azure: Field<Azure>,
    /// What all keys begin with, in an object store.
    #[schemars(extend("examples" = ["logs/shop"]))]
    pub prefix: Field<Text>,
    /// How long a request to an object store may take.
    #[schemars(extend("default" = defaults::ARCHIVE_TIMEOUT))]
    pub timeout: Field<Interval>,
    /// A file of certificates in PEM to trust beside the system's.
    #[schemars(extend("examples" = ["/etc/ssl/minio.pem"]))]
    pub ca_file: Field<PathText>,
    /// Allows an `endpoint` without TLS: whoever is between reads the logs.
    #[schemars(extend("default" = false))]
    pub allow_http: Field<bool>,
    /// How old the first entry of objects may be before they are stored.
    #[schemars(extend("default" = defaults::ARCHIVE_EVERY))]
    pub every: Field<Interval>,
    /// How large the objects of one time may be together, before compression, before they are stored.
    #[schemars(extend("default" = defaults::ARCHIVE_SIZE))]
    pub size: Field<Size>,
}

/// A bucket of Amazon's S3, or of what speaks it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["bucket"]))]
pub struct S3 {
    /// The bucket's name.
    #[schemars(extend("examples" = ["shop-logs"]))]
    pub bucket: Field<Text>,
    /// The region. Default: `AWS_REGION`, else `us-east-1`.
    #[schemars(extend("examples" = ["eu-central-1"]))]
    pub region: Field<Text>,
    /// Where it is. Default: Amazon's own, in the region.
    #[schemars(extend("examples" = ["https://minio.example:9000"]))]
    pub endpoint: Field<Url>,
    /// The id of the access key. Without a key, the variables `AWS_…` of the environment are used, else the machine's role.
    pub access_key_id: Field<Text>,
    /// A file that holds the secret access key. It is read when the configuration is.
    #[schemars(extend("examples" = ["/run/secrets/s3-key"]))]
    pub secret_access_key_file: Field<PathText>,
}

/// A bucket of Google Cloud Storage.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["bucket"]))]
pub struct Gcs {
    /// The bucket's name.
    #[schemars(extend("examples" = ["shop-logs"]))]
    pub bucket: Field<Text>,
    /// Where it is. Default: Google's own.
    #[schemars(extend("examples" = ["https://storage.example"]))]
    pub endpoint: Field<Url>,
    /// A file that holds a service account's key, as JSON. It is read when the configuration is. Default: what
    /// `GOOGLE_APPLICATION_CREDENTIALS` names, else the machine's account.
    #[schemars(extend("examples" = ["/run/secrets/gcs.json"]))]
    pub key_file: Field<PathText>,
}

/// A container of Azure Blob Storage.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["account", "container"]))]
pub struct Azure {
    /// The storage account's name.
    #[schemars(extend("examples" = ["shoplogs"]))]
    pub account: Field<Text>,
    /// The container's name.
    #[schemars(extend("examples" = ["logs"]))]
    pub container: Field<Text>,
    /// Where it is. Default: Azure's own.
    #[schemars(extend("examples" = ["https://shoplogs.blob.core.windows.net"]))]
    pub endpoint: Field<Url>,
    /// A file that holds the account's key. It is read when the configuration is. Default: the variables `AZURE_…` of the
    /// environment, else the machine's identity.
    #[schemars(extend("examples" = ["/run/secrets/azure-key"]))]
    pub access_key_file: Field<PathText>,
}
