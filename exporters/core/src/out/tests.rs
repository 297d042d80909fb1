//! Series that come, stay and go.

use super::*;

crate::metrics! {
    /// A.
    A: Gauge = "a" ["x"];
    /// Field {key}.
    F: Untyped = "f_" {"test"} "" [];
    /// Named by a user.
    U: Gauge = "u" [];
}

#[test]
fn users_name_labels() {
    let mut out = Out::default();
    for run in 0..2 {
        out.begin(run);
        out.put_labelled(&U, &[("a", "1"), ("b", "2")], 1.0);
        out.put_labelled(&U, &[("b", "1"), ("a", "2")], 2.0);
        out.put_labelled(&U, &[], 3.0);
        let collected = out.finish();
        assert_eq!((collected.samples.len(), collected.duplicates), (3, 0));
        assert_eq!(collected.new.len(), if run == 0 { 3 } else { 0 });
        if run == 0 {
            assert_eq!(collected.new[0].1.labels[1], (Cow::Borrowed("b"), Box::from("2")));
            assert_eq!(collected.new[1].1.labels[0], (Cow::Borrowed("b"), Box::from("1")));
            assert!(collected.new[2].1.labels.is_empty() && collected.new[2].1.family.name == "u");
        }
    }
}

#[test]
fn more_labels_than_declared_where_they_have_values() {
    let mut out = Out::default();
    let names = [Cow::Borrowed("team"), Cow::Borrowed("tier")];
    let values = |team: &str, tier: &str| [Box::from(team), Box::from(tier)];
    for run in 0..2 {
        out.begin(run);
        out.put_more(&A, ["1"], (&names, &values("shop", "")), 1.0);
        out.put_more(&A, ["1"], (&names, &values("", "shop")), 2.0);
        out.put_more(&A, ["1"], (&names, &values("", "")), 3.0);
        let collected = out.finish();
        assert_eq!((collected.samples.len(), collected.duplicates), (3, 0));
        assert_eq!(collected.new.len(), if run == 0 { 3 } else { 0 });
        let labels = |at: usize| collected.new.get(at).map(|(_, def)| def.labels.to_vec());
        if run == 0 {
            let x = (Cow::Borrowed("x"), Box::from("1"));
            assert_eq!(labels(0), Some(vec![x.clone(), (Cow::Borrowed("team"), Box::from("shop"))]));
            assert_eq!(labels(1), Some(vec![x.clone(), (Cow::Borrowed("tier"), Box::from("shop"))]));
            assert_eq!(labels(2), Some(vec![x]));
        }
    }
}

fn run(out: &mut Out, ts_ms: i64, values: &[(&str, f64)]) -> Collected {
    out.begin(ts_ms);
    for (label, value) in values {
        out.put(&A, [label], *value);
    }
    out.finish()
}

#[test]
fn a_series_is_defined_once_and_leaves_once() {
    let mut out = Out::default();
    let first = run(&mut out, 1, &[("1", 1.0), ("2", 2.0), ("3", 3.0)]);
    assert_eq!(first.new.len(), 3);
    let second = run(&mut out, 2, &[("1", 1.0), ("3", 3.0), ("4", 4.0)]);
    assert_eq!(second.new.len(), 1);
    assert_eq!(second.new[0].1.labels[0], (Cow::Borrowed("x"), Box::from("4")));
    assert_eq!(second.gone, [first.new[1].0]);
    assert_eq!(second.samples[1].series, first.new[2].0);
    let third = run(&mut out, 3, &[]);
    assert_eq!(third.gone.len(), 3);
    assert!(run(&mut out, 4, &[]).gone.is_empty());
    assert_eq!(out.text, 0, "texts of series that left are not counted");
    assert!(out.bytes() > 0);
}

#[test]
fn a_freed_reference_is_defined_anew() {
    let mut out = Out::default();
    let first = run(&mut out, 1, &[("1", 1.0)]);
    run(&mut out, 2, &[]);
    let third = run(&mut out, 3, &[("2", 2.0)]);
    assert_eq!(third.new[0].0, first.new[0].0);
    assert_eq!(&*third.new[0].1.labels[0].1, "2");
}

#[test]
fn any_order_finds_the_same_series() {
    let mut out = Out::default();
    let first = run(&mut out, 1, &[("1", 1.0), ("2", 2.0), ("3", 3.0)]);
    let second = run(&mut out, 2, &[("3", 3.0), ("1", 1.0), ("2", 2.0)]);
    assert!(second.new.is_empty() && second.gone.is_empty());
    assert_eq!(second.samples[0].series, first.samples[2].series);
    assert_eq!(second.samples[2].series, first.samples[1].series);
}

#[test]
fn the_first_of_two_equal_series_is_kept_and_counted() {
    let collected = run(&mut Out::default(), 1, &[("1", 1.0), ("1", 2.0)]);
    assert_eq!(collected.samples.len(), 1);
    assert_eq!(collected.samples[0].value, Value::F64(1.0));
    assert_eq!(collected.duplicates, 1);
}

fn found(out: &mut Out, kind: Kind, values: &[(&'static str, &str, f64)]) -> Collected {
    let family = FamilyInfo { name: "job_seconds".into(), kind, help: "Help.".into() };
    let family = Arc::new(family);
    out.begin(0);
    for (suffix, le, value) in values {
        let labels: &[(Box<str>, Box<str>)] = &[("le".into(), (*le).into())];
        out.put_found(&family, suffix, if le.is_empty() { &[] } else { labels }, *value);
    }
    out.finish()
}

#[test]
fn a_found_family_keeps_its_series_and_their_names() {
    let values = [("_bucket", "1", 1.0), ("_bucket", "+Inf", 2.0), ("_count", "", 2.0)];
    let mut out = Out::default();
    let first = found(&mut out, Kind::Histogram, &values);
    let names: Vec<_> = first.new.iter().map(|(_, def)| def.name()).collect();
    assert_eq!(names, ["job_seconds_bucket", "job_seconds_bucket", "job_seconds_count"]);
    assert_eq!(first.new[1].1.labels[0], (Cow::Borrowed("le"), Box::from("+Inf")));
    let second = found(&mut out, Kind::Histogram, &values[1..]);
    assert!(second.new.is_empty());
    assert_eq!(second.gone, [first.new[0].0]);
    assert_eq!(second.samples[0].series, first.new[1].0);
}

#[test]
fn a_found_family_that_changes_its_type_ends_before_it_begins_anew() {
    let mut out = Out::default();
    assert_eq!(found(&mut out, Kind::Gauge, &[("", "", 1.0)]).new.len(), 1);
    let changed = found(&mut out, Kind::Counter, &[("", "", 2.0)]);
    assert_eq!((changed.gone.len(), changed.samples.len()), (1, 0));
    let anew = found(&mut out, Kind::Counter, &[("", "", 3.0)]);
    assert_eq!(anew.new[0].1.family.kind, Kind::Counter);
    assert_eq!(anew.samples.len(), 1);
}

#[test]
fn a_key_becomes_part_of_name_and_help() {
    let mut out = Out::default();
    out.begin(1);
    out.put_keyed(&F, "Active(anon)", [], 1.0);
    let family = out.finish().new[0].1.family.clone();
    assert_eq!(family.name, "f_Active_anon_");
    assert_eq!(family.help, "Field Active_anon_.");
}

#[test]
fn found_families_that_are_over_are_forgotten() {
    let mut out = Out::default();
    for run in 0..1000 {
        out.begin(run);
        for name in ["kept", &format!("new_{run}")] {
            let family = FamilyInfo { name: name.into(), kind: Kind::Gauge, help: "".into() };
            out.put_found(&Arc::new(family), "", &[], 1.0);
        }
        let collected = out.finish();
        assert_eq!(collected.new.len(), if run == 0 { 2 } else { 1 });
    }
    assert!(out.families.len() < 200, "{}", out.families.len());
}
