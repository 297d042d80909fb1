//! Which version of the protocol an output speaks.

use std::time::Duration;

use taffrail_core::Clock;
use tracing::{info, warn};

use super::super::verdict::{Fate, Verdict};
use crate::config::RemoteWriteVersion;

/// A version of remote write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// 1.0, which every receiver knows.
    V1,
    /// 2.0.
    V2,
}

/// How long a receiver that did not take 2.0 is spared it. It may be updated one day.
const SPARED: Duration = Duration::from_secs(3600);

/// What is known of a receiver's versions.
pub(super) struct Speaking {
    output: String,
    wanted: RemoteWriteVersion,
    clock: Clock,
    /// When it last showed that it does not know 2.0, on the monotonic clock.
    refused: Option<Duration>,
}

impl Speaking {
    pub(super) fn new(output: &str, wanted: RemoteWriteVersion, clock: Clock) -> Self {
        Speaking { output: output.to_owned(), wanted, clock, refused: None }
    }

    /// The version to speak now.
    pub(super) fn version(&self) -> Version {
        match self.wanted {
            RemoteWriteVersion::V1 => Version::V1,
            RemoteWriteVersion::V2 => Version::V2,
            RemoteWriteVersion::Auto => {
                let now = self.clock.monotonic();
                let spared = self.refused.is_some_and(|at| now.saturating_sub(at) < SPARED);
                if spared { Version::V1 } else { Version::V2 }
            }
        }
    }

    /// Remembers what an answer in `version` says of the versions, and passes it on.
    pub(super) fn heard(&mut self, version: Version, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Downgrade { cause } if self.wanted == RemoteWriteVersion::V2 => Verdict::Retry {
                after: None,
                cause: format!("{cause}; `version: 2.0` lets nothing else be sent: set `version: auto`"),
                fate: Fate::NotStored,
            },
            Verdict::Downgrade { cause } => {
                if self.refused.is_none() {
                    warn!(output = %self.output, "remote write 1.0 is sent, and 2.0 tried again every hour: {cause}");
                }
                self.refused = Some(self.clock.monotonic());
                Verdict::Downgrade { cause }
            }
            verdict => {
                let taken = matches!(verdict, Verdict::Done | Verdict::Partial { .. });
                if version == Version::V2 && taken && self.refused.take().is_some() {
                    info!(output = %self.output, "the receiver takes remote write 2.0 now");
                }
                verdict
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaking(wanted: RemoteWriteVersion) -> (Speaking, Clock) {
        let clock = Clock::manual(0);
        (Speaking::new("test", wanted, clock.clone()), clock)
    }

    fn downgrade() -> Verdict {
        Verdict::Downgrade { cause: "it is old".into() }
    }

    #[test]
    fn an_old_receiver_is_spared_for_an_hour() {
        let (mut speaking, clock) = speaking(RemoteWriteVersion::Auto);
        assert_eq!(speaking.version(), Version::V2);
        assert_eq!(speaking.heard(Version::V2, downgrade()), downgrade());
        assert_eq!(speaking.version(), Version::V1);
        speaking.heard(Version::V1, Verdict::Done);
        clock.advance(SPARED - Duration::from_secs(1));
        assert_eq!(speaking.version(), Version::V1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(speaking.version(), Version::V2);
        speaking.heard(Version::V2, Verdict::Done);
        clock.advance(Duration::from_secs(1));
        assert_eq!(speaking.version(), Version::V2);
    }

    #[test]
    fn a_fixed_version_stays_and_loses_nothing() {
        let (mut speaking, _) = speaking(RemoteWriteVersion::V2);
        assert!(matches!(speaking.heard(Version::V2, downgrade()), Verdict::Retry { .. }));
        assert_eq!(speaking.version(), Version::V2);
        assert_eq!(self::speaking(RemoteWriteVersion::V1).0.version(), Version::V1);
    }
}
