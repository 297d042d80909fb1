//! Log sources: what they are given, and how they are started.

use std::sync::Arc;
use std::time::Duration;

use taffrail_stages::Stages;

use super::Pipeline;
use super::part::Part;
use crate::component::Key;
use crate::config::LogSource;
use crate::sources;
use crate::status::SourceStatus;

/// How long a source may take to start.
const START: Duration = Duration::from_secs(5);

impl Pipeline {
    pub(super) async fn start_source(
        &self,
        key: &Key,
        source: &LogSource,
        instance: &str,
    ) -> anyhow::Result<Part> {
        let kind = source.reads.kind();
        let status = SourceStatus { name: source.name.clone(), kind, ..Default::default() };
        let context = sources::Context {
            clock: self.shared.clock.clone(),
            instance: instance.to_owned(),
            stages: Arc::new(Stages::new(source.stages.clone()).joining(source.multiline.clone())),
            keep: source.keep,
            notes: self.notes.clone(),
            chunks: self.chunks.clone(),
            engines: self.engines.clone(),
            pause: self.pause.clone(),
            state: self.shared.state.join("sources").join(&source.name),
            sockets: self.sockets.clone(),
            status: self.shared.board.source(key.clone(), status),
        };
        match tokio::time::timeout(START, sources::start(source, context)).await {
            Ok(started) => Ok(Part::Source(started?)),
            Err(_) => anyhow::bail!("what it reads does not answer within {START:?}: is a mount dead?"),
        }
    }
}
