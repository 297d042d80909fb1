//! Who is folded, and what that adds up to.

use super::*;

fn rules(keep: usize) -> [Fold; 1] {
    [Fold { label: "user".into(), keep }]
}

fn family(name: &str, kind: MetricKind) -> Family<'_> {
    Family { name, kind, help: "", unit: "" }
}

fn fate(folds: &mut Folds, keep: usize, of: Family<'_>, name: &str, user: &str) -> (Fate, String) {
    let mut labels: Labels = [("__name__", name), ("user", user)].into_iter().collect();
    let fate = folds.admit(&rules(keep), of, name, &mut labels);
    (fate, labels.get("user").to_owned())
}

#[test]
fn the_first_values_stay_and_the_rest_is_folded() {
    let mut folds = Folds::default();
    let hits = family("hits", MetricKind::Counter);
    let mut of = |user: &str| fate(&mut folds, 2, hits, "hits_total", user);
    assert_eq!(of("a").0, Fate::Kept);
    assert_eq!(of(OTHER).0, Fate::Folded, "whoever is called so is no other");
    assert_eq!(of("b").0, Fate::Kept);
    assert_eq!(of("c"), (Fate::Folded, OTHER.to_owned()));
    assert_eq!(of("a"), (Fate::Kept, "a".to_owned()));
    assert_eq!(of("").0, Fate::Kept, "there is no such label");
    assert_eq!(fate(&mut folds, 2, hits, "hits_created", "c").0, Fate::LeftOut);
    assert_eq!(fate(&mut folds, 2, hits, "hits_created", "a").0, Fate::Kept);
    let others = family("misses", MetricKind::Counter);
    assert_eq!(fate(&mut folds, 2, others, "misses_total", "c").0, Fate::Kept, "each family has its own");
}

#[test]
fn only_what_adds_up_is_folded_and_histograms_as_a_whole() {
    let mut folds = Folds::default();
    let seconds = family("s", MetricKind::Histogram);
    for part in ["s_bucket", "s_sum", "s_count"] {
        assert_eq!(fate(&mut folds, 1, seconds, part, "a").0, Fate::Kept);
        assert_eq!(fate(&mut folds, 1, seconds, part, "b").0, Fate::Folded);
    }
    assert_eq!(fate(&mut folds, 1, seconds, "s", "c").0, Fate::Kept, "a native histogram");
    for kind in [MetricKind::Gauge, MetricKind::Summary, MetricKind::Unknown, MetricKind::GaugeHistogram] {
        assert_eq!(fate(&mut folds, 0, family("g", kind), "g", "a").0, Fate::Kept);
    }
}

#[test]
fn metrics_without_end_are_remembered_within_a_bound() {
    let mut folds = Folds::default();
    for at in 0..2 * FAMILIES {
        let name = format!("m{at}");
        let of = family(&name, MetricKind::Counter);
        assert_eq!(fate(&mut folds, 1, of, &name, "a").0, Fate::Kept);
    }
    assert_eq!(folds.admitted.len(), FAMILIES);
}

/// A page with these members and values; the sum of the one series that all are part of.
fn page(folds: &mut Folds, values: &[(Member, f64)]) -> f64 {
    folds.begin();
    values.iter().for_each(|(member, value)| assert!(folds.see(*member, *value)));
    folds.add_up()[0].1
}

#[test]
fn sums_grow_by_what_their_members_grow() {
    let mut folds = Folds::default();
    let (a, b) = (folds.add(7), folds.add(7));
    assert_eq!(page(&mut folds, &[(a, 100.0), (b, 50.0)]), 0.0, "what was there before");
    assert_eq!(page(&mut folds, &[(a, 103.0), (b, 51.0)]), 4.0);
    assert_eq!(page(&mut folds, &[(a, 2.0), (b, 51.0)]), 6.0, "one begins anew");
    let c = folds.add(7);
    assert_eq!(page(&mut folds, &[(a, 2.0), (b, 51.0), (c, 5.0)]), 11.0, "it began since the page before");
    assert_eq!(folds.remove(b), Some(7));
    assert_eq!(page(&mut folds, &[(a, 2.0), (c, 5.0)]), 11.0, "what is gone takes nothing away");
    folds.begin();
    assert!(folds.see(a, 1000.0));
    assert!(!folds.see(a, 2000.0), "once a page");
    assert_eq!(page(&mut folds, &[(a, 3.0), (c, f64::NAN)]), 12.0, "the page before was bad");
    assert_eq!(page(&mut folds, &[(a, 3.0), (c, 6.0)]), 13.0);
    assert_eq!(folds.count(), 2);
}

#[test]
fn other_rules_do_not_count_anything_twice() {
    let mut folds = Folds::default();
    let a = folds.add(7);
    page(&mut folds, &[(a, 10.0)]);
    page(&mut folds, &[(a, 14.0)]);
    folds.forget_lines();
    let a = folds.add(7);
    assert_eq!(page(&mut folds, &[(a, 15.0)]), 4.0);
    assert_eq!(page(&mut folds, &[(a, 16.0)]), 5.0);
    folds.forget(7);
    assert_eq!(page(&mut folds, &[(a, 17.0)]), 1.0);
}
