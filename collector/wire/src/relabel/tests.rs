//! Rules and what they make of labels; the same cases are run through Prometheus itself.

use super::*;

fn rule(pairs: &[(&str, &str)]) -> Result<Rule, RuleError> {
    let mut written = Written::default();
    for (key, value) in pairs {
        let value = (*value).to_owned();
        match *key {
            "source" => written.source_labels = Some(value.split(',').map(str::to_owned).collect()),
            "separator" => written.separator = Some(value),
            "regex" => written.regex = Some(value),
            "modulus" => written.modulus = value.parse().ok(),
            "target" => written.target_label = Some(value),
            "replacement" => written.replacement = Some(value),
            "action" => written.action = Some(value),
            other => panic!("{other}"),
        }
    }
    Rule::new(&written, Names::Utf8)
}

/// What one rule makes of `a="foo", b="bar", c="baz"`.
fn after(pairs: &[(&str, &str)]) -> Option<String> {
    let mut labels: Labels = [("a", "foo"), ("b", "bar"), ("c", "baz")].into_iter().collect();
    apply(&[rule(pairs).unwrap()], &mut labels).then(|| labels.to_string())
}

#[test]
fn replacing() {
    let unchanged = r#"{a="foo", b="bar", c="baz"}"#;
    for (pairs, expected) in [
        (
            &[("source", "a"), ("regex", "f(.*)"), ("target", "d"), ("replacement", "ch${1}-ch${1}")][..],
            r#"{a="foo", b="bar", c="baz", d="choo-choo"}"#,
        ),
        (
            &[("source", "a,b"), ("regex", "f(.*);(.*)r"), ("target", "a"), ("replacement", "b${1}${2}m")],
            r#"{a="boobam", b="bar", c="baz"}"#,
        ),
        (&[("source", "a"), ("regex", "oo"), ("target", "a"), ("replacement", "x")], unchanged),
        (&[("source", "a"), ("regex", ".*"), ("target", "a"), ("replacement", "")], r#"{b="bar", c="baz"}"#),
        (&[("target", "d"), ("replacement", "static")], r#"{a="foo", b="bar", c="baz", d="static"}"#),
        (&[("source", "a"), ("regex", "(f).*"), ("target", "$1x"), ("replacement", "v")], unchanged),
        (
            &[("source", "a"), ("regex", "(f).*"), ("target", "${1}x"), ("replacement", "$1-$$1-$")],
            r#"{a="foo", b="bar", c="baz", fx="f-$1-$"}"#,
        ),
        (
            &[("source", "a"), ("regex", "(?P<head>f)(o)*"), ("target", "d"), ("replacement", "$head$2$3")],
            r#"{a="foo", b="bar", c="baz", d="fo"}"#,
        ),
        (
            &[("source", "a,nothing,c"), ("separator", "-"), ("target", "d")],
            r#"{a="foo", b="bar", c="baz", d="foo--baz"}"#,
        ),
    ] {
        assert_eq!(after(pairs).as_deref(), Some(expected), "{pairs:?}");
    }
}

#[test]
fn keeping_and_dropping() {
    for (pairs, kept) in [
        (&[("action", "keep"), ("source", "a"), ("regex", "foo")][..], true),
        (&[("action", "keep"), ("source", "a"), ("regex", "fo")], false),
        (&[("action", "Drop"), ("source", "a"), ("regex", "f|foo")], false),
        (&[("action", "drop"), ("source", "nothing"), ("regex", "")], false),
        (&[("action", "drop"), ("source", "nothing"), ("regex", ".+")], true),
        (&[("action", "keepequal"), ("source", "a"), ("target", "b")], false),
        (&[("action", "dropequal"), ("source", "a"), ("target", "b")], true),
        (&[("action", "dropequal"), ("source", "nothing"), ("target", "none")], false),
    ] {
        assert_eq!(after(pairs).is_some(), kept, "{pairs:?}");
    }
    let mut labels: Labels = [("a", "one\ntwo")].into_iter().collect();
    assert!(apply(
        &[rule(&[("action", "keep"), ("source", "a"), ("regex", "one.two")]).unwrap()],
        &mut labels
    ));
}

#[test]
fn names_cases_and_hashes() {
    for (pairs, expected) in [
        (
            &[("action", "hashmod"), ("source", "c"), ("target", "d"), ("modulus", "1000")][..],
            r#"{a="foo", b="bar", c="baz", d="976"}"#,
        ),
        (
            &[("action", "labelmap"), ("regex", "(a|b)"), ("replacement", "x_$1")],
            r#"{a="foo", b="bar", c="baz", x_a="foo", x_b="bar"}"#,
        ),
        (&[("action", "labeldrop"), ("regex", "a|c")], r#"{b="bar"}"#),
        (&[("action", "labelkeep"), ("regex", "a|c")], r#"{a="foo", c="baz"}"#),
        (&[("action", "uppercase"), ("source", "a"), ("target", "a")], r#"{a="FOO", b="bar", c="baz"}"#),
        (&[("action", "lowercase"), ("source", "nothing"), ("target", "a")], r#"{b="bar", c="baz"}"#),
    ] {
        assert_eq!(after(pairs).as_deref(), Some(expected), "{pairs:?}");
    }
    assert_eq!(
        ("ßİÉ".chars().map(lower).collect::<String>(), upper('ß'), upper('é')),
        ("ßié".into(), 'ß', 'É')
    );
}

#[test]
fn what_is_wrong_is_said() {
    for (pairs, expected) in [
        (&[("action", "rename")][..], "unknown action `rename`: there are"),
        (&[], "`replace` needs `target_label`"),
        (&[("action", "hashmod"), ("target", "a")], "`hashmod` needs `modulus`"),
        (&[("action", "labeldrop"), ("source", "a")], "`labeldrop` has no use for `source_labels`"),
        (&[("action", "keepequal"), ("target", "a"), ("regex", "x")], "`keepequal` has no use for `regex`"),
        (
            &[("action", "uppercase"), ("target", "a"), ("replacement", "x")],
            "`uppercase` has no use for `replacement`",
        ),
        (&[("action", "keep"), ("regex", "(")], "`(` is not a regular expression"),
        (&[("action", "labelmap"), ("replacement", "")], "`` cannot be the name of a label"),
    ] {
        let error = rule(pairs).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let legacy = |target: &str| {
        let written = Written { target_label: Some(target.into()), ..Written::default() };
        Rule::new(&written, Names::Legacy).is_ok()
    };
    assert!(legacy("a") && legacy("a_${1}") && !legacy("a.b") && !legacy("${1}-x"));
}
