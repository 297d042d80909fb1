//! Who is alive: the labels of each container, from the subject that reads the cgroups to those that ask elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::write::Labels;

/// Labels by container's id; the host's id is empty. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Directory(Arc<Mutex<HashMap<String, Arc<Labels>>>>);

impl Directory {
    /// Sets who is alive.
    pub fn set<'a>(&self, alive: impl Iterator<Item = (&'a str, &'a Arc<Labels>)> + Clone) {
        let mut known = self.lock();
        let same = known.len() == alive.clone().count()
            && alive.clone().all(|(id, labels)| known.get(id).is_some_and(|old| Arc::ptr_eq(old, labels)));
        if !same {
            *known = alive.map(|(id, labels)| (id.to_owned(), labels.clone())).collect();
        }
    }

    /// Who is alive, sorted by id.
    pub fn all(&self) -> Vec<(String, Arc<Labels>)> {
        let known = self.lock();
        let mut all: Vec<_> = known.iter().map(|(id, labels)| (id.clone(), labels.clone())).collect();
        drop(known);
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Whether nobody is known yet.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Labels>>> {
        // What a panic left is whole: it is replaced at once.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
