//! Budgets of series: who exceeds one is told once, with what explodes. Nothing is dropped for it.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::cardinality::{Cardinality, Cause};

/// A budget that is exceeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excess {
    /// Whether it is that of all jobs together.
    pub all: bool,
    /// The job; of all, the one with the most series.
    pub job: String,
    /// How many series there are.
    pub series: usize,
    /// How many there should be at most.
    pub budget: usize,
    /// What of the job explodes.
    #[serde(flatten)]
    pub cause: Cause,
}

/// Looks at budgets again and again.
#[derive(Debug, Default)]
pub struct Budgets {
    /// Jobs that were told; the empty name is all.
    told: BTreeSet<String>,
}

/// What was looked at.
#[derive(Debug, Default)]
pub struct Looked {
    /// Budgets that are exceeded.
    pub over: Vec<Excess>,
    /// Those of them that were not, when they were looked at last.
    pub new: Vec<Excess>,
}

impl Budgets {
    /// Looks at all of them. One counts as kept again once there is a tenth of it to spare: a job at its edge is not
    /// told again and again.
    pub fn look(&mut self, cardinality: &Cardinality) -> Looked {
        let sizes = cardinality.sizes();
        let total: usize = sizes.iter().map(|size| size.series).sum();
        let budget = cardinality.budget();
        let exceeds = |series: usize, budget: usize| budget > 0 && series > budget;
        let kept = |series: usize, budget: usize| budget == 0 || series <= budget - budget / 10;
        self.told.retain(|job| match sizes.iter().find(|size| size.job == *job) {
            Some(size) => !kept(size.series, size.budget),
            None => job.is_empty() && !kept(total, budget),
        });
        let over = |size: &super::cardinality::Size| exceeds(size.series, size.budget);
        if !exceeds(total, budget) && !sizes.iter().any(over) {
            return Looked::default();
        }
        let jobs = cardinality.jobs(1);
        let of = |all: bool, job: &super::cardinality::JobSeries| Excess {
            all,
            job: job.job.clone(),
            series: if all { total } else { job.series },
            budget: if all { budget } else { job.budget },
            cause: job.cause(),
        };
        let all = jobs.first().filter(|_| exceeds(total, budget)).map(|job| of(true, job));
        let each = jobs.iter().filter(|job| exceeds(job.series, job.budget)).map(|job| of(false, job));
        let over: Vec<Excess> = all.into_iter().chain(each).collect();
        let key = |excess: &Excess| if excess.all { String::new() } else { excess.job.clone() };
        let new = over.iter().filter(|excess| self.told.insert(key(excess))).cloned().collect();
        Looked { over, new }
    }
}

impl Excess {
    /// What is exceeded, and why, without saying whose series they are.
    pub fn text(&self) -> String {
        let Excess { all, job, series, budget, cause } = self;
        match all {
            true => format!(
                "all jobs together have {series} series, and their budget is {budget}; most are of job {job}: {cause}"
            ),
            false => format!("has {series} series, and its budget is {budget}: {cause}"),
        }
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.all {
            true => f.write_str(&self.text()),
            false => write!(f, "job {} {}", self.job, self.text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::metrics::interner::{Interner, Key};
    use crate::status::lock;

    #[test]
    fn each_budget_is_told_once_until_it_is_kept_again() {
        let interner: Arc<Mutex<Interner>> = Arc::default();
        let all = Cardinality::new(interner.clone());
        let (app, mut budgets) = (all.job("app"), Budgets::default());
        app.set_budget(10);
        let add = |user: usize| -> Key {
            let user = user.to_string();
            let key = lock(&interner).key([("__name__", "hits"), ("user", &*user)].into_iter());
            app.add(&key);
            key
        };
        let keys: Vec<Key> = (0..10).map(add).collect();
        assert!(budgets.look(&all).over.is_empty(), "as many as there may be");
        let more = add(10);
        let looked = budgets.look(&all);
        assert_eq!(
            looked.new[0].to_string(),
            "job app has 11 series, and its budget is 10: hits has 11 of them, and its label `user` about 11 values"
        );
        let again = budgets.look(&all);
        assert_eq!((again.over.len(), again.new.len()), (1, 0), "it was told");
        app.remove(&more);
        assert!(budgets.look(&all).over.is_empty());
        app.add(&more);
        assert!(budgets.look(&all).new.is_empty(), "ten are no tenth less than ten");
        app.remove(&more);
        app.remove(&keys[0]);
        budgets.look(&all);
        app.add(&keys[0]);
        app.add(&more);
        assert_eq!(budgets.look(&all).new.len(), 1);

        all.set_budget(10);
        let looked = budgets.look(&all);
        assert_eq!(looked.over.len(), 2);
        assert!(looked.new[0].to_string().starts_with(
            "all jobs together have 11 series, and their budget is 10; most are of job app: hits has 11"
        ));
        all.set_budget(0);
        app.set_budget(0);
        assert!(budgets.look(&all).over.is_empty(), "there is none");
    }
}
