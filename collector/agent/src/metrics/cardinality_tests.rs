//! Series are counted as they come and go, however many there are.

use super::*;

struct Bed {
    interner: Arc<Mutex<Interner>>,
    all: Cardinality,
    counter: Arc<Counter>,
}

impl Bed {
    fn new() -> Self {
        let interner: Arc<Mutex<Interner>> = Arc::default();
        let all = Cardinality::new(interner.clone());
        let counter = all.job("app");
        Bed { interner, all, counter }
    }

    fn add(&self, labels: &[(&str, &str)]) -> Key {
        let key = lock(&self.interner).key(labels.iter().copied());
        self.counter.add(&key);
        key
    }

    fn remove(&self, key: &Key) {
        self.counter.remove(key);
        lock(&self.interner).release(key);
    }

    fn job(&self) -> JobSeries {
        self.all.jobs(10).remove(0)
    }
}

#[test]
fn metrics_and_labels_are_told_the_largest_first() {
    let bed = Bed::new();
    let users: Vec<Key> = (0..40)
        .map(|user| {
            let code = if user % 2 == 0 { "200" } else { "500" };
            bed.add(&[("Env", "prod"), ("__name__", "hits"), ("code", code), ("user", &user.to_string())])
        })
        .collect();
    bed.add(&[("__name__", "up"), ("instance", "a")]);
    let job = bed.job();
    assert_eq!((job.series, job.metrics, job.budget), (41, 2, JOB_BUDGET));
    let told: Vec<_> = job.top_metrics.iter().map(|metric| (&*metric.metric, metric.series)).collect();
    assert_eq!(told, [("hits", 40), ("up", 1)]);
    let labels = |job: &JobSeries| -> Vec<_> {
        job.top_labels.iter().map(|l| (l.metric.clone(), l.label.clone(), l.values)).collect()
    };
    let label = |metric: &str, label: &str, values| (metric.to_owned(), label.to_owned(), values);
    assert_eq!(labels(&job)[..2], [label("hits", "user", 40), label("hits", "code", 2)]);
    assert_eq!(job.cause().to_string(), "hits has 40 of them, and its label `user` about 40 values");

    users.iter().for_each(|key| bed.remove(key));
    let job = bed.job();
    assert_eq!((job.series, job.metrics), (1, 1));
    assert_eq!(labels(&job), [label("up", "instance", 1)]);
}

#[test]
fn numbers_of_texts_that_are_used_again_mislead_nobody() {
    let bed = Bed::new();
    let first = bed.add(&[("__name__", "a"), ("x", "1")]);
    let other = bed.add(&[("__name__", "a"), ("y", "2")]);
    bed.remove(&first);
    // `x` and `1` are forgotten: their numbers become those of these.
    let second = bed.add(&[("__name__", "a"), ("z", "3")]);
    let job = bed.job();
    let labels: Vec<&str> = job.top_metrics[0].labels.iter().map(|label| &*label.label).collect();
    assert_eq!(labels, ["y", "z"]);
    bed.remove(&other);
    bed.remove(&second);
    assert_eq!((bed.job().series, bed.job().metrics), (0, 0));
}

#[test]
fn metrics_without_end_are_counted_in_bounded_memory() {
    let bed = Bed::new();
    let keys: Vec<Key> =
        (0..7000).map(|at| bed.add(&[("__name__", &format!("m{at}")), ("a", "b")])).collect();
    let job = bed.job();
    assert_eq!((job.series, job.metrics, job.series_beyond), (7000, 5000, 2000));
    assert_eq!(job.cause().to_string(), "there are about 7000 metrics: `__name__` explodes");
    bed.remove(&keys[0]);
    bed.add(&[("__name__", "m6000"), ("a", "c")]);
    assert_eq!(bed.job().series_beyond, 2001, "it is among those already");
    keys[1..].iter().for_each(|key| bed.remove(key));
    let job = bed.job();
    assert_eq!((job.series, job.metrics, job.series_beyond), (1, 0, 1));
}

#[test]
fn labels_without_end_are_counted_in_bounded_memory() {
    let bed = Bed::new();
    let keys: Vec<Key> =
        (0..50).map(|at| bed.add(&[("__name__", "a"), (&format!("l{at:02}"), "1")])).collect();
    assert_eq!(bed.job().top_metrics[0].labels.len(), 32);
    keys.iter().for_each(|key| bed.remove(key));
    assert_eq!((bed.job().series, bed.job().metrics), (0, 0));
}

#[test]
fn a_job_that_is_gone_is_forgotten() {
    let bed = Bed::new();
    drop(bed.all.job("old"));
    let jobs: Vec<String> = bed.all.sizes().into_iter().map(|size| size.job).collect();
    assert_eq!(jobs, ["app"]);
}
