//! Which errors are known: at most so many a service, and what is new or came back.

use std::collections::HashMap;

/// The most fingerprints of one service; further ones are counted together, as [`OTHER`].
pub const MAX_FINGERPRINTS: usize = 200;

/// The most services.
pub const MAX_SERVICES: usize = 1000;

/// The label's value for all errors beyond the bound.
pub const OTHER: &str = "__other__";

/// So long an error must have been away to come back, in nanoseconds: an hour.
pub const AWAY_NS: i64 = 3_600_000_000_000;

/// Something worth a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// This service never had it before.
    First,
    /// It had been away for [`AWAY_NS`] or more, and the service was deployed anew meanwhile.
    Returned {
        /// When it was last seen, in nanoseconds since 1970.
        last_ns: i64,
        /// The version in which it was last seen.
        version: String,
    },
    /// The service has more than [`MAX_FINGERPRINTS`]; said once.
    Full,
}

#[derive(Debug, Default)]
struct Service {
    seen: HashMap<u64, Seen>,
    full: bool,
}

#[derive(Debug)]
struct Seen {
    last_ns: i64,
    version: String,
}

/// The errors of all services.
#[derive(Debug, Default)]
pub struct Registry {
    services: HashMap<String, Service>,
}

impl Registry {
    /// Takes note of an error of this service in this version (empty where unknown). True where its fingerprint has a
    /// place, so that it may be a label; else it counts as [`OTHER`].
    pub fn record(
        &mut self,
        service: &str,
        version: &str,
        fingerprint: u64,
        now_ns: i64,
    ) -> (bool, Option<Event>) {
        if !self.services.contains_key(service) {
            if self.services.len() >= MAX_SERVICES {
                return (false, None);
            }
            self.services.insert(service.to_owned(), Service::default());
        }
        let Some(service) = self.services.get_mut(service) else { return (false, None) };
        if let Some(seen) = service.seen.get_mut(&fingerprint) {
            let away = now_ns.saturating_sub(seen.last_ns) >= AWAY_NS;
            let anew = seen.version != version;
            let event = (away && anew)
                .then(|| Event::Returned { last_ns: seen.last_ns, version: seen.version.clone() });
            seen.last_ns = seen.last_ns.max(now_ns);
            if anew {
                version.clone_into(&mut seen.version);
            }
            return (true, event);
        }
        if service.seen.len() >= MAX_FINGERPRINTS {
            let first = !std::mem::replace(&mut service.full, true);
            return (false, first.then_some(Event::Full));
        }
        service.seen.insert(fingerprint, Seen { last_ns: now_ns, version: version.to_owned() });
        (true, Some(Event::First))
    }

    /// What must outlive a restart, so that known errors are not new again: service, fingerprint, when last seen, version.
    pub fn known(&self) -> impl Iterator<Item = (&str, u64, i64, &str)> {
        self.services.iter().flat_map(|(name, service)| {
            service
                .seen
                .iter()
                .map(|(print, seen)| (name.as_str(), *print, seen.last_ns, seen.version.as_str()))
        })
    }

    /// Takes back one of [`Registry::known`]; what is beyond the bounds is left out.
    pub fn restore(&mut self, service: &str, fingerprint: u64, last_ns: i64, version: &str) {
        let _ = self.record(service, version, fingerprint, last_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = AWAY_NS;

    #[test]
    fn first_seen_then_known_then_back() {
        let mut registry = Registry::default();
        assert_eq!(registry.record("a", "v1", 1, 0), (true, Some(Event::First)));
        assert_eq!(registry.record("a", "v1", 1, 1), (true, None));
        assert_eq!(registry.record("b", "v1", 1, 1), (true, Some(Event::First)));
        // Away, but not deployed; deployed, but not away.
        assert_eq!(registry.record("a", "v1", 1, HOUR + 1), (true, None));
        assert_eq!(registry.record("a", "v2", 1, HOUR + 2), (true, None));
        let back = Event::Returned { last_ns: HOUR + 2, version: "v2".into() };
        assert_eq!(registry.record("a", "v3", 1, HOUR * 3), (true, Some(back)));
        let mut other = Registry::default();
        for (service, print, last_ns, version) in registry.known() {
            other.restore(service, print, last_ns, version);
        }
        assert_eq!(other.record("a", "v3", 1, HOUR * 3 + 1), (true, None));
    }

    #[test]
    fn the_bound_holds() {
        let mut registry = Registry::default();
        for print in 0..MAX_FINGERPRINTS as u64 {
            assert!(registry.record("a", "", print, 0).0);
        }
        assert_eq!(registry.record("a", "", 1000, 0), (false, Some(Event::Full)));
        assert_eq!(registry.record("a", "", 1001, 0), (false, None));
        assert_eq!(registry.record("a", "", 7, 0), (true, None));
        for number in 0..MAX_SERVICES {
            registry.record(&number.to_string(), "", 0, 0);
        }
        assert_eq!(registry.record("one more", "", 0, 0), (false, None));
    }
}
