//! What containers take on the engine's disk.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::answer;
use super::client::{Client, EngineError};

const SIZES: &str = "/containers/json?size=1";
const INFO: &str = "/info";

/// Bytes that each running container has written over its image, by its id. The engine may take long to count.
pub async fn all(client: &Client) -> Result<HashMap<String, u64>, EngineError> {
    let list = answer::list(SIZES, &client.get(SIZES).await?)?;
    // An engine that has counted nothing leaves the field out, as it does for nothing written.
    Ok(list.into_iter().map(|(id, size)| (id, size.unwrap_or(0))).collect())
}

/// The folder in which the engine keeps its data.
pub async fn data_root(client: &Client) -> Result<PathBuf, EngineError> {
    #[derive(Deserialize)]
    struct Info {
        #[serde(rename = "DockerRootDir")]
        root: PathBuf,
    }
    let info: Result<Info, _> = serde_json::from_slice(&client.get(INFO).await?);
    info.map(|info| info.root).map_err(|e| EngineError::Json { path: INFO.to_owned(), what: e.to_string() })
}
