//! Several tenants of one receiver: whose a stream is, by one of its labels. Each tenant has an output and a cursor of
//! its own, so that one of which nothing is taken holds up no other.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem::Finder;
use taffrail_wire::loki::{Batch, Stream, parse_label_set, streams, write_label_set};
use taffrail_wire::proto::ProtoError;

use super::arrange::Refused;
use super::push::Push;

/// The longest name of a tenant that Loki takes.
const LONGEST: usize = 150;

/// Starts what sends for a tenant, if nothing does yet. An error says why nothing can.
pub type StartTenant = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Whose streams an output sends.
#[derive(Clone)]
pub enum Mine {
    /// Everybody's.
    All,
    /// Those that name no tenant; those that do are handed over.
    Nobodys(StartTenant),
    /// One tenant's.
    Tenant(String),
}

impl fmt::Debug for Mine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mine::All => f.write_str("All"),
            Mine::Nobodys(_) => f.write_str("Nobodys"),
            Mine::Tenant(name) => write!(f, "Tenant({name})"),
        }
    }
}

/// Chooses the streams that are an output's.
#[derive(Debug)]
pub(super) struct Tenants {
    mine: Mine,
    label: String,
    /// Finds the label in a label set, or what looks like it.
    finder: Finder<'static>,
}

/// What of a record is an output's.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Nothing where there are no streams of its.
    pub(super) record: Option<Bytes>,
    /// Streams of tenants for whom nobody can send.
    pub(super) refused: Vec<Refused>,
}

impl Tenants {
    /// By this label; nothing where there is none to choose by.
    pub(super) fn new(label: Option<&str>, mine: Mine) -> Option<Self> {
        let label = label.filter(|_| !matches!(mine, Mine::All))?.to_owned();
        let finder = Finder::new(format!("{label}=").as_bytes()).into_owned();
        Some(Tenants { mine, label, finder })
    }

    /// What of a record is this output's, without the label.
    pub(super) fn share(&self, record: &Bytes) -> Result<Share, ProtoError> {
        let mut named = false;
        for stream in streams(record) {
            named |= self.finder.find(stream?.labels.as_bytes()).is_some();
        }
        if !named {
            let all = matches!(self.mine, Mine::Nobodys(_));
            return Ok(Share { record: all.then(|| record.clone()), refused: Vec::new() });
        }
        let (mut batch, mut share) = (Batch::new(), Share::default());
        let mut started = BTreeSet::new();
        for stream in streams(record) {
            let stream = stream?;
            let (tenant, labels) = self.tenant(stream.labels);
            match (&self.mine, tenant) {
                (Mine::Tenant(mine), Some(tenant)) if *mine == tenant => {
                    copy(&mut batch, &labels, &stream)?;
                }
                (Mine::Nobodys(_) | Mine::All, None) => batch.copy_stream(&stream),
                (Mine::Nobodys(start), Some(tenant)) if !started.contains(&tenant) => match start(&tenant) {
                    Ok(()) => drop(started.insert(tenant)),
                    Err(message) => {
                        let mut alone = Batch::new();
                        copy(&mut alone, &labels, &stream)?;
                        let letter = Push::new(Bytes::copy_from_slice(alone.finish()))?;
                        let (count, letter, tenant) = (letter.entries, Some(letter), Some(tenant));
                        share.refused.push(Refused { count, reason: "tenant", message, letter, tenant });
                    }
                },
                _ => {}
            }
        }
        if !batch.is_empty() {
            share.record = Some(Bytes::copy_from_slice(batch.finish()));
        }
        Ok(share)
    }

    /// The tenant that a label set names, and the set without that label.
    fn tenant<'a>(&self, labels: &'a str) -> (Option<String>, Cow<'a, str>) {
        let none = (None, Cow::Borrowed(labels));
        if self.finder.find(labels.as_bytes()).is_none() {
            return none;
        }
        let Some(mut pairs) = parse_label_set(labels) else { return none };
        let Some(at) = pairs.iter().position(|(name, value)| *name == self.label && !value.is_empty()) else {
            return none;
        };
        let (_, tenant) = pairs.remove(at);
        let mut rest = String::new();
        write_label_set(&mut rest, pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        (Some(tenant.into_owned()), Cow::Owned(rest))
    }
}

/// Adds a stream's entries with other labels.
fn copy(batch: &mut Batch, labels: &str, stream: &Stream<'_>) -> Result<(), ProtoError> {
    batch.stream(labels);
    for entry in stream.entries() {
        let entry = entry?;
        let metadata: Vec<(&str, &str)> = entry.metadata().collect::<Result<_, _>>()?;
        batch.entry(entry.ts_ns, entry.line, metadata);
    }
    Ok(())
}

/// Whether Loki takes this name for a tenant's; if not, why.
pub fn check_tenant(name: &str) -> Result<(), String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"!-_.*'()".contains(&b);
    if name.is_empty() || name.len() > LONGEST || matches!(name, "." | "..") || !name.bytes().all(good) {
        return Err(format!(
            "{name:?} cannot be a tenant: it has letters, digits and !-_.*'() only, at most {LONGEST}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::status::lock;

    fn record() -> Bytes {
        let mut batch = Batch::new();
        for labels in [
            r#"{job="a", team="shop"}"#,
            r#"{job="a"}"#,
            r#"{job="team=", other_team="x"}"#,
            r#"{team="bank"}"#,
            r#"{job="b", team="shop"}"#,
        ] {
            batch.stream(labels);
            batch.entry(1, labels, [("k", "v")]);
        }
        Bytes::copy_from_slice(batch.finish())
    }

    fn shown(share: &Share) -> Vec<String> {
        let record = share.record.clone().unwrap_or_default();
        streams(&record).map(|stream| stream.unwrap().labels.to_owned()).collect()
    }

    #[test]
    fn every_stream_is_somebodys() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        let start: StartTenant = Arc::new(move |tenant| {
            lock(&heard).push(tenant.to_owned());
            if tenant == "bank" { Err("full".to_owned()) } else { Ok(()) }
        });
        let main = Tenants::new(Some("team"), Mine::Nobodys(start)).unwrap();
        let share = main.share(&record()).unwrap();
        assert_eq!(shown(&share), [r#"{job="a"}"#, r#"{job="team=", other_team="x"}"#]);
        assert_eq!(*lock(&asked), ["shop", "bank"]);
        let refused = &share.refused[0];
        assert_eq!((share.refused.len(), refused.count, refused.reason), (1, 1, "tenant"));
        assert_eq!(
            (refused.tenant.as_deref(), refused.letter.as_ref().unwrap().labels()),
            (Some("bank"), "{}")
        );
        let shop = Tenants::new(Some("team"), Mine::Tenant("shop".into())).unwrap();
        let share = shop.share(&record()).unwrap();
        assert_eq!(shown(&share), [r#"{job="a"}"#, r#"{job="b"}"#]);
        let record = share.record.unwrap();
        let entry = streams(&record).next().unwrap().unwrap().entries().next().unwrap().unwrap();
        assert_eq!(entry.line, r#"{job="a", team="shop"}"#);
        assert_eq!(entry.metadata().next(), Some(Ok(("k", "v"))));
        assert!(Tenants::new(None, Mine::Tenant("shop".into())).is_none());
    }

    #[test]
    fn names_are_lokis() {
        for good in ["shop", "team-a", "0", "a.b_c!*'()"] {
            check_tenant(good).unwrap();
        }
        for bad in ["", ".", "..", "a/b", "a b", "é", &"x".repeat(151)] {
            assert!(check_tenant(bad).is_err(), "{bad}");
        }
    }
}
