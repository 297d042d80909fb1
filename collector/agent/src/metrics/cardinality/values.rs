//! How many values a label has, counted in bounded memory.

/// The values of a label that are in use, or a sample of them.
///
/// While they are few, all are kept, each with the number of its uses, so that the count is exact and a value that
/// nobody uses any more leaves it. When they are many, only those are kept whose hash begins with so many zeros: which
/// of them these are does not change, so that what goes is known to be kept or not, and each kept one stands for as many
/// as its zeros make it rare. This is distinct sampling (Gibbons, 2001); with 1024 kept the count is off by about 4 %.
#[derive(Debug, Default)]
pub(super) struct Values {
    zeros: u32,
    /// By value.
    kept: Vec<(u32, u32)>,
}

impl Values {
    /// One more use of a value, of which at most `room` are kept.
    pub(super) fn add(&mut self, value: u32, room: usize) {
        if !is_kept(value, self.zeros) {
            return;
        }
        match self.kept.binary_search_by_key(&value, |(value, _)| *value) {
            Ok(at) => self.kept[at].1 += 1,
            Err(at) => {
                if self.kept.len() == self.kept.capacity() {
                    self.kept.reserve_exact((self.kept.len() / 2).max(1));
                }
                self.kept.insert(at, (value, 1));
            }
        }
        while self.kept.len() > room {
            self.zeros += 1;
            self.kept.retain(|(value, _)| is_kept(*value, self.zeros));
        }
    }

    /// One use less.
    pub(super) fn remove(&mut self, value: u32) {
        let Ok(at) = self.kept.binary_search_by_key(&value, |(value, _)| *value) else { return };
        self.kept[at].1 -= 1;
        if self.kept[at].1 == 0 {
            self.kept.remove(at);
        }
    }

    /// How many values are in use, about; there are at least one and at most `most`.
    pub(super) fn count(&self, most: usize) -> usize {
        let count = (self.kept.len() as u64) << self.zeros.min(32);
        count.clamp(1, most.max(1) as u64) as usize
    }

    /// Whether that is exact.
    pub(super) fn exact(&self) -> bool {
        self.zeros == 0
    }
}

fn is_kept(value: u32, zeros: u32) -> bool {
    mixed(value).leading_zeros() >= zeros
}

/// Numbers in a row become numbers without order (the end of splitmix64).
fn mixed(value: u32) -> u64 {
    let mixed = u64::from(value).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_counted_exactly_as_they_come_and_go() {
        let mut values = Values::default();
        (0..60).for_each(|value| values.add(value, 64));
        (0..60).for_each(|value| values.add(value, 64));
        (0..30).for_each(|value| values.remove(value));
        assert_eq!((values.count(1000), values.exact()), (60, true), "each was there twice");
        (0..30).for_each(|value| values.remove(value));
        assert_eq!(values.count(1000), 30);
        assert_eq!(values.kept.len(), 30);
    }

    #[test]
    fn many_are_estimated_in_bounded_memory_and_forgotten_again() {
        let mut values = Values::default();
        for value in 0..100_000 {
            values.add(value, 1024);
            assert!(values.kept.len() <= 1024);
        }
        let count = values.count(usize::MAX);
        assert!((90_000..110_000).contains(&count), "{count}");
        assert!(!values.exact());
        (0..50_000).for_each(|value| values.remove(value));
        let half = values.count(usize::MAX);
        assert!((43_000..57_000).contains(&half), "{half}");
        (50_000..100_000).for_each(|value| values.remove(value));
        assert!(values.kept.is_empty());
    }

    #[test]
    fn an_estimate_is_never_more_than_the_series() {
        let mut values = Values::default();
        (0..100).for_each(|value| values.add(value, 64));
        assert!(values.count(90) <= 90);
        (0..99).for_each(|value| values.remove(value));
        assert_eq!(values.count(1), 1);
    }
}
