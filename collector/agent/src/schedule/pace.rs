//! How often a subject runs: as asked, or more seldom by itself while it is too slow or too costly.

use std::time::Duration;

/// The longest interval that a subject goes to by itself, as a multiple of what was asked.
pub const MOST: u32 = 8;
/// The part of its interval that a subject may use of a CPU: one part in so many.
const SHARE: u32 = 20;
/// So many runs in a row must be costly before one that keeps to its budget is slowed down; so many must be quick
/// before it is trusted again. One look at a cold cache, or one good moment, is neither.
const IN_A_ROW: u32 = 3;

/// A subject's interval.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    asked: Duration,
    factor: u32,
    costly: u32,
    quick: u32,
}

/// What a run changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It took longer than its budget: it runs more seldom.
    Overran,
    /// It used too much of a CPU, again and again: it runs more seldom.
    Costly,
    /// Its runs are quick again: it runs more often.
    Quick,
}

impl Pace {
    /// The interval that was asked for.
    pub fn new(asked: Duration) -> Self {
        Pace { asked, factor: 1, costly: 0, quick: 0 }
    }

    /// The interval now.
    pub fn interval(&self) -> Duration {
        self.asked * self.factor
    }

    /// How many times longer than asked it is.
    pub fn factor(&self) -> u32 {
        self.factor
    }

    /// Takes in a run that took `took` of its `budget`, and `cpu` of a CPU.
    pub fn take(&mut self, took: Duration, cpu: Duration, budget: Duration) -> Option<Change> {
        let overran = took > budget;
        self.costly = if cpu * SHARE > self.interval() { self.costly + 1 } else { 0 };
        if (overran || self.costly >= IN_A_ROW) && self.factor < MOST {
            (self.factor, self.costly, self.quick) = (self.factor * 2, 0, 0);
            return Some(if overran { Change::Overran } else { Change::Costly });
        }
        // Quick is what leaves room at half the interval: else it would come back and go again.
        let quick = took <= budget / 2 && cpu * SHARE * 2 <= self.interval() / 2;
        self.quick = if quick && self.factor > 1 { self.quick + 1 } else { 0 };
        if self.quick >= IN_A_ROW {
            (self.factor, self.quick) = (self.factor / 2, 0);
            return Some(Change::Quick);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_secs(1);
    const LITTLE: Duration = Duration::from_millis(1);

    fn pace() -> Pace {
        Pace::new(Duration::from_secs(15))
    }

    #[test]
    fn a_run_beyond_its_budget_doubles_the_interval_up_to_eight_times() {
        let mut pace = pace();
        for factor in [2, 4, 8] {
            assert_eq!(pace.take(BUDGET * 2, LITTLE, BUDGET), Some(Change::Overran));
            assert_eq!(pace.interval(), Duration::from_secs(15) * factor);
        }
        assert_eq!(pace.take(BUDGET * 2, LITTLE, BUDGET), None);
        assert_eq!(pace.factor(), MOST);
    }

    #[test]
    fn quick_runs_bring_it_back_step_by_step() {
        let mut pace = pace();
        pace.take(BUDGET * 2, LITTLE, BUDGET);
        pace.take(BUDGET * 2, LITTLE, BUDGET);
        let mut quick = |took| pace.take(took, LITTLE, BUDGET).is_some();
        assert!(!quick(LITTLE) && !quick(LITTLE));
        assert!(!quick(BUDGET * 3 / 4), "neither slow nor quick: counting begins anew");
        assert!(!quick(LITTLE) && !quick(LITTLE) && quick(LITTLE));
        assert_eq!(pace.factor(), 2);
        let last: Vec<_> = (0..3).filter_map(|_| pace.take(LITTLE, LITTLE, BUDGET)).collect();
        assert_eq!(last, [Change::Quick]);
        assert_eq!(pace.factor(), 1);
        assert!((0..10).all(|_| pace.take(LITTLE, LITTLE, BUDGET).is_none()));
    }

    #[test]
    fn cost_counts_when_it_stays() {
        let mut pace = pace();
        // 750 ms are a twentieth of 15 s.
        let costly = Duration::from_millis(751);
        assert_eq!(pace.take(costly, costly, BUDGET), None);
        assert_eq!(pace.take(costly, costly, BUDGET), None);
        assert_eq!(pace.take(LITTLE, LITTLE, BUDGET), None);
        assert_eq!(pace.take(costly, costly, BUDGET), None);
        assert_eq!(pace.take(costly, costly, BUDGET), None);
        assert_eq!(pace.take(costly, costly, BUDGET), Some(Change::Costly));
        // At 30 s it is no longer too much, but would be again at 15 s.
        assert!((0..10).all(|_| pace.take(LITTLE, costly, BUDGET).is_none()));
        assert_eq!(pace.factor(), 2);
    }
}
