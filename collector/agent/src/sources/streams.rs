//! The streams that messages may make: two labels of their own each, and a bound, as anybody may write any name.

use std::collections::HashMap;
use std::time::Duration;

use taffrail_stages::times::Times;
use taffrail_wire::loki::write_label_set;

/// The most streams at once.
pub(super) const MAX: usize = 1000;
/// A stream without messages for so long makes room for another.
const QUIET: Duration = Duration::from_secs(3600);
/// Room is looked for at most so often.
const LOOK: Duration = Duration::from_secs(60);

/// The streams that had messages lately.
#[derive(Debug)]
pub(super) struct Streams {
    /// The names of the labels, sorted.
    names: [&'static str; 2],
    known: HashMap<(Box<str>, Box<str>), usize>,
    all: Vec<Stream>,
    /// Places in `all` that are free.
    free: Vec<usize>,
    looked: Option<Duration>,
}

/// One stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Its own labels, in Loki's syntax.
    pub(super) labels: String,
    /// The times of its entries.
    pub(super) times: Times,
    used: Duration,
}

/// The stream of all that have none of their own.
pub(super) const COMMON: usize = 0;

impl Streams {
    /// Of the labels of these names, which are sorted.
    pub(super) fn new(names: [&'static str; 2]) -> Self {
        let common = Stream { labels: "{}".to_owned(), ..Stream::default() };
        Streams { names, known: HashMap::new(), all: vec![common], free: Vec::new(), looked: None }
    }

    /// The number of the stream with these values of its labels; [`COMMON`] where there are too many. An empty one is the
    /// source's own.
    pub(super) fn of(&mut self, first: &str, second: &str, now: Duration) -> usize {
        // Looked up by owned names, which are short: most messages have both.
        let key = (Box::from(first), Box::from(second));
        if let Some(number) = self.known.get(&key) {
            self.all[*number].used = now;
            return *number;
        }
        if self.known.len() >= MAX && !self.make_room(now) {
            return COMMON;
        }
        let mut labels = String::new();
        write_label_set(&mut labels, [(self.names[0], first), (self.names[1], second)]);
        let stream = Stream { labels, times: Times::default(), used: now };
        let number = match self.free.pop() {
            Some(number) => {
                self.all[number] = stream;
                number
            }
            None => {
                self.all.push(stream);
                self.all.len() - 1
            }
        };
        self.known.insert(key, number);
        number
    }

    /// A stream by its number.
    pub(super) fn get(&mut self, number: usize) -> &mut Stream {
        &mut self.all[number]
    }

    fn make_room(&mut self, now: Duration) -> bool {
        if self.looked.is_some_and(|looked| now.saturating_sub(looked) < LOOK) {
            return false;
        }
        self.looked = Some(now);
        let Streams { known, all, free, .. } = self;
        known.retain(|_, number| {
            let keep = now.saturating_sub(all[*number].used) < QUIET;
            if !keep {
                free.push(*number);
            }
            keep
        });
        known.len() < MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_and_no_more_until_some_are_quiet() {
        let mut streams = Streams::new(["instance", "service_name"]);
        let now = Duration::from_secs(10_000);
        let first = streams.of("web-1", "sshd", now);
        assert_eq!(streams.get(first).labels, r#"{instance="web-1", service_name="sshd"}"#);
        for n in 1..MAX {
            assert_ne!(streams.of(&n.to_string(), "", now), COMMON);
        }
        assert_eq!(streams.of("one", "more", now), COMMON);
        assert_eq!(streams.of("web-1", "sshd", now + QUIET), first, "known ones stay");
        let later = now + QUIET;
        assert_ne!(streams.of("one", "more", later), COMMON);
        assert_eq!(streams.of("web-1", "sshd", later), first);
        assert!(streams.all.len() <= MAX + 1, "places are used again");
    }
}
