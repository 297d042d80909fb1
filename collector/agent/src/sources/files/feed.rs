//! What the entries of a file carry, and what they pass through.

use std::path::Path;
use std::sync::Arc;

use taffrail_stages::Stages;

use super::source::Source;
use crate::logs::Pairs;

/// What is known of a file.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The labels of its stream, sorted by name.
    pub labels: Pairs,
    /// Structured metadata of its entries.
    pub metadata: Pairs,
    /// What its entries pass through.
    pub stages: Arc<Stages>,
    /// They are the last to go where the logs' log is full.
    pub keep: bool,
}

impl Source {
    /// What is known of `name`: from whoever named it, else from the configuration.
    pub(super) fn feed_of(&self, name: &Path) -> Feed {
        let given = self.listing.given().and_then(|given| given.feed(name));
        given.unwrap_or_else(|| Feed {
            labels: self.labels_of(name),
            metadata: Arc::from([]),
            stages: self.stages.clone(),
            keep: self.keep,
        })
    }

    fn labels_of(&self, name: &Path) -> Arc<[(String, String)]> {
        let mut labels = self.labels.clone();
        let job = labels.entry("job".to_owned()).or_insert_with(|| self.name.clone()).clone();
        labels.entry("instance".to_owned()).or_insert_with(|| self.instance.clone());
        labels.entry("service_name".to_owned()).or_insert(job);
        // One stream a file, whatever else is asked for: times may not go back within a stream.
        labels.insert("filename".to_owned(), name.to_string_lossy().into_owned());
        labels.into_iter().collect()
    }
}
