//! Every option that there is, written and read.

use taffrail_core::Pattern;

use super::*;
use crate::config::{Source, load_text};

/// The host's settings with `value` for `key` of `subject`.
fn with(subject: &str, key: &str, value: &str) -> HostConfig {
    let text = format!("host: {{subjects: {{{subject}: {{{key}: {value}}}}}}}\n");
    let config = load_text(Source::new("t.yml", text.as_str(), ""), &[], &|_| None);
    config.unwrap_or_else(|errors| panic!("{text}{errors}")).host.unwrap().config
}

#[test]
fn every_option_reaches_its_field() {
    for option in options::OPTIONS {
        for (place, key) in option.keys.iter().enumerate() {
            let at_default = &mut HostConfig::default();
            let found = |pattern: &Option<Pattern>| pattern.as_ref().map(|p| p.as_str().to_owned());
            match &option.kind {
                OptionKind::Filter(at) | OptionKind::Include(at) => {
                    let filter = at(&mut with(option.subject, key, "^x$")).clone();
                    let set = if place == 0 { &filter.include } else { &filter.exclude };
                    assert_eq!(found(set).as_deref(), Some("^x$"), "{option:?}");
                    if place == 0 && option.keys.len() > 1 {
                        assert_eq!(filter.exclude, None, "what is named is wanted: {option:?}");
                    } else {
                        assert_eq!(filter.include.is_some(), place == 0 || at(at_default).include.is_some());
                    }
                }
                OptionKind::Pattern(at) => {
                    let set = found(at(&mut with(option.subject, key, "^x$")));
                    assert_eq!(set.as_deref(), Some("^x$"), "{option:?}");
                }
                OptionKind::Number(bounds, at) => {
                    let set = *at(&mut with(option.subject, key, &bounds.end().to_string()));
                    assert_eq!(set, *bounds.end(), "{option:?}");
                    assert_ne!(set, *at(at_default), "{option:?}");
                }
                OptionKind::Text(at) => {
                    let set = at(&mut with(option.subject, key, "x y")).clone();
                    assert_eq!(set.as_deref(), Some("x y"), "{option:?}");
                }
                OptionKind::Words(words, at) => {
                    let value = format!("[{}]", words[0]);
                    let set = at(&mut with(option.subject, key, &value)).to_vec();
                    assert!(set[0] && !set[1..].contains(&true), "{option:?}: {set:?}");
                }
                OptionKind::Flag(at) => {
                    let other = !*at(at_default);
                    let set = *at(&mut with(option.subject, key, &other.to_string()));
                    assert_eq!(set, other, "{option:?}");
                }
            }
        }
    }
}

#[test]
fn a_subject_is_turned_on_and_off_and_given_its_time() {
    for about in SUBJECTS {
        let text = |setting: &str| format!("host: {{subjects: {{{}: {setting}}}}}\n", about.name);
        let schedule = |setting: &str| {
            let config = load_text(Source::new("t.yml", text(setting), ""), &[], &|_| None).unwrap();
            config.host.unwrap().config.schedule(about.name)
        };
        assert!(!schedule("false").on && schedule("true").on && schedule("{}").on && schedule("").on);
        let timed = schedule("{interval: 2m, budget: 700ms}");
        assert!(timed.on);
        assert_eq!(timed.interval.map(|interval| interval.as_secs()), Some(120));
        assert_eq!(timed.budget.as_millis(), 700);
    }
}
