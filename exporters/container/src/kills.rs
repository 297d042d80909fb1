//! Kills for lack of memory. A container's cgroup forgets them when the container ends, which is what most often follows
//! one; so they are added up by the container's id, with those that only the engine saw.

use std::collections::HashMap;

/// Kills by container's id.
#[derive(Debug, Default)]
pub struct Kills {
    by_id: HashMap<String, Count>,
}

#[derive(Debug, Default)]
struct Count {
    /// The cgroup's inode.
    inode: u64,
    /// Of cgroups of before.
    before: f64,
    /// Of this cgroup.
    now: f64,
    /// What was told last. It never goes back.
    told: f64,
}

impl Kills {
    /// The kills of the container `id`, whose cgroup now says `now`, and of which the engine told `engine`. None where
    /// nobody tells.
    pub fn count(&mut self, id: &str, inode: u64, now: Option<f64>, engine: u64) -> Option<f64> {
        if now.is_none() && engine == 0 {
            return None;
        }
        if !self.by_id.contains_key(id) {
            self.by_id.insert(id.to_owned(), Count { inode, ..Count::default() });
        }
        let count = self.by_id.get_mut(id)?;
        if count.inode != inode {
            (count.inode, count.before, count.now) = (inode, count.before + count.now, 0.0);
        }
        count.now = now.unwrap_or(0.0);
        // The engine tells of the same kills once more, and of those that no cgroup lived to tell.
        count.told = count.told.max(count.before + count.now).max(engine as f64);
        Some(count.told)
    }

    /// Forgets containers that are gone.
    pub fn forget(&mut self, lives: impl Fn(&str) -> bool) {
        self.by_id.retain(|id, _| lives(id));
    }

    /// How many containers are remembered.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_outlive_the_cgroup() {
        let mut kills = Kills::default();
        assert_eq!(kills.count("a", 1, None, 0), None);
        assert_eq!(kills.count("a", 1, Some(0.0), 0), Some(0.0));
        assert_eq!(kills.count("a", 1, Some(2.0), 1), Some(2.0));
        assert_eq!(kills.count("a", 2, Some(0.0), 1), Some(2.0));
        assert_eq!(kills.count("a", 2, Some(1.0), 1), Some(3.0));
        assert_eq!(kills.count("a", 3, Some(0.0), 4), Some(4.0));
        kills.forget(|_| false);
        assert_eq!(kills.count("a", 3, Some(0.0), 0), Some(0.0));
    }
}
