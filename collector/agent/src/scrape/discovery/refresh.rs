//! Discovery that asks a service again and again. What cannot be found out now stays as it was known.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taffrail_core::Clock;
use tokio::sync::mpsc;

use super::dns::Dns;
use super::docker::Docker;
use super::http::Http;
use crate::scrape::job::Discovery;
use crate::scrape::target::Group;
use crate::scrape::watch::News;
use crate::status::lock;

/// How long to wait at most until something is known at all: a service often starts together with its users.
const IMPATIENT: Duration = Duration::from_secs(5);

/// A part of what a discovery asks for, such as one of several names, and what it holds.
pub type Part = (String, Result<Vec<Group>, String>);

/// Asks a service for targets.
#[derive(Debug)]
pub enum Finder {
    /// A list of targets.
    Http(Http),
    /// Records of names.
    Dns(Dns),
    /// Containers.
    Docker(Docker),
}

impl Finder {
    /// What asks the service of `discovery`, if it has one. An error is one of the config.
    pub fn new(discovery: &Discovery, clock: &Clock) -> Result<Option<Self>, String> {
        Ok(Some(match discovery {
            Discovery::Static(_) | Discovery::Files { .. } => return Ok(None),
            Discovery::Http(list) => Finder::Http(Http::new(list, clock)?),
            Discovery::Dns(names) => Finder::Dns(Dns::new(names)),
            Discovery::Docker(engine) => Finder::Docker(Docker::new(engine, clock)?),
        }))
    }

    async fn find(&self) -> Vec<Part> {
        match self {
            Finder::Http(http) => vec![http.find().await],
            Finder::Dns(dns) => dns.find().await,
            Finder::Docker(docker) => vec![docker.find().await],
        }
    }

    fn every(&self) -> Duration {
        match self {
            Finder::Http(http) => http.every(),
            Finder::Dns(dns) => dns.every(),
            Finder::Docker(docker) => docker.every(),
        }
    }
}

/// What is known of a service.
#[derive(Debug, Default)]
pub struct Known {
    parts: BTreeMap<String, Kept>,
    said: Option<News>,
}

#[derive(Debug, Default)]
struct Kept {
    groups: Vec<Group>,
    problem: Option<String>,
    /// It was found out at least once.
    good: bool,
}

impl Known {
    /// What is known now, if that is not what was said before.
    fn take(&mut self, at: usize, found: Vec<Part>) -> Option<News> {
        let mut before = std::mem::take(&mut self.parts);
        for (name, found) in found {
            let mut kept = before.remove(&name).unwrap_or_default();
            match found {
                Ok(groups) => kept = Kept { groups, problem: None, good: true },
                Err(problem) => kept.problem = Some(problem),
            }
            self.parts.insert(name, kept);
        }
        let news = self.news(at);
        if self.said.as_ref() == Some(&news) {
            return None;
        }
        self.said = Some(news.clone());
        Some(news)
    }

    /// What was known before, to somebody who was told nothing yet.
    fn again(&mut self, at: usize) -> Option<News> {
        self.said = self.parts.values().any(|kept| kept.good).then(|| self.news(at));
        self.said.clone()
    }

    fn news(&self, at: usize) -> News {
        News {
            at,
            groups: self.parts.values().flat_map(|kept| kept.groups.clone()).collect(),
            problems: self.parts.values().filter_map(|kept| kept.problem.clone()).collect(),
        }
    }

    fn complete(&self) -> bool {
        self.parts.values().all(|kept| kept.good)
    }
}

/// Says what a service knows of, at once and whenever that changes.
pub async fn refresh(at: usize, finder: Arc<Finder>, known: Arc<Mutex<Known>>, news: mpsc::Sender<News>) {
    // What a job before this one knew holds until the service has answered, which may take its time.
    let before = lock(&known).again(at);
    if let Some(before) = before
        && news.send(before).await.is_err()
    {
        return;
    }
    loop {
        let found = finder.find().await;
        let (said, complete) = {
            let mut known = lock(&known);
            (known.take(at, found), known.complete())
        };
        if let Some(said) = said
            && news.send(said).await.is_err()
        {
            return;
        }
        let every = finder.every();
        tokio::time::sleep(if complete { every } else { every.min(IMPATIENT) }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrape::discovery::fixed;

    #[test]
    fn what_cannot_be_found_out_stays() {
        let group = |name: &str| vec![fixed(&[name.to_owned()], Default::default(), name.to_owned())];
        let mut known = Known::default();
        let mut take = |found: [(&str, Result<Vec<Group>, String>); 2]| {
            let news = known.take(0, found.map(|(name, found)| (name.to_owned(), found)).into())?;
            let sources: Vec<_> = news.groups.iter().map(|group| group.source.clone()).collect();
            Some((sources.join(" "), news.problems.join(" ")))
        };
        let said = |groups: &str, problems: &str| Some((groups.to_owned(), problems.to_owned()));
        assert_eq!(take([("a", Ok(group("a1"))), ("b", Err("no".into()))]), said("a1", "no"));
        assert_eq!(take([("a", Ok(group("a1"))), ("b", Err("no".into()))]), None, "said already");
        assert_eq!(take([("a", Err("no".into())), ("b", Ok(group("b1")))]), said("a1 b1", "no"));
        assert_eq!(take([("a", Ok(Vec::new())), ("b", Ok(group("b2")))]), said("b2", ""));
        assert!(known.complete());
        assert!(known.take(0, vec![("c".into(), Err("no".into()))]).unwrap().groups.is_empty());
        assert!(!known.complete());
    }
}
