//! What is JSON, what is not, and what is taken out of it.

use proptest::prelude::*;

use super::*;

fn all(text: &str) -> Result<Vec<(String, Option<String>)>, Malformed> {
    let mut found = Vec::new();
    members(text, |name, value| found.push((name.to_owned(), value.text().map(Cow::into_owned))))?;
    Ok(found)
}

fn one(value: &str) -> Option<String> {
    all(&format!("{{\"a\":{value}}}")).unwrap().remove(0).1
}

#[test]
fn values_are_texts() {
    for (value, text) in [
        ("\"x\"", "x"),
        ("\"\"", ""),
        ("-12.5e+3", "-12.5e+3"),
        ("0", "0"),
        ("true", "true"),
        ("false", "false"),
        ("[1, {\"b\": []}, {}]", "[1, {\"b\": []}, {}]"),
        ("{\"b\" : {\"c\":null , \"d\":\"}\"}}", "{\"b\" : {\"c\":null , \"d\":\"}\"}}"),
        (r#""é \"q\" \\ \/ \n\t\r\b\f A ü 😀""#, "é \"q\" \\ / \n\t\r\u{8}\u{c} A ü 😀"),
        (r#""\ud83d x \uzzzz \q""#, "\u{fffd} x \u{fffd}zzzz \u{fffd}"),
    ] {
        assert_eq!(one(value).as_deref(), Some(text), "{value}");
    }
    assert_eq!(one("null"), None);
    assert_eq!(all(" { } ").unwrap(), []);
    let names: Vec<_> = all("{\"a\":1,\"b\":2,\"a\":3}").unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b", "a"]);
}

#[test]
fn mistakes_have_a_place() {
    for (text, at) in [
        ("", 0),
        ("x", 0),
        ("[1]", 0),
        ("{\"a\":1", 6),
        ("{\"a\":1} x", 8),
        ("{\"a\":1,}", 7),
        ("{\"a\" 1}", 5),
        ("{\"a\":01}", 5),
        ("{\"a\":1.}", 5),
        ("{\"a\":\"x}", 5),
        ("{\"a\":\"\\", 5),
        ("{\"a\":[1}}", 7),
        ("{\"a\":{\"b\"}}", 9),
        ("{\"a\":tru}", 5),
        ("{a:1}", 1),
    ] {
        assert_eq!(all(text), Err(Malformed(at)), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = |n| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
    assert!(all(&deep(100)).is_ok() && all(&deep(MAX_DEPTH)).is_ok());
    assert_eq!(all(&deep(MAX_DEPTH + 1)), Err(Malformed(5 + MAX_DEPTH)));
    assert!(all(&"{\"a\":".repeat(1 << 18)).is_err());
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<i32>().prop_map(|n| (f64::from(n) / 8.0).into()),
        "(?s).{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map("(?s).{0,4}", inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_writes_is_read(map in prop::collection::btree_map("(?s).{0,6}", json(), 0..6), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&map) } else { serde_json::to_string(&map) }.unwrap();
        let mut found = Vec::new();
        members(&text, |name, value| found.push((unescape(name).into_owned(), value))).unwrap();
        prop_assert_eq!(found.len(), map.len());
        for ((name, value), (known, expected)) in found.into_iter().zip(&map) {
            prop_assert_eq!(&name, known);
            match expected {
                serde_json::Value::String(text) => prop_assert_eq!(value.text().unwrap(), text.as_str()),
                serde_json::Value::Null => prop_assert_eq!(value, Value::Null),
                other => prop_assert_eq!(
                    &serde_json::from_str::<serde_json::Value>(&value.text().unwrap()).unwrap(), other
                ),
            }
        }
    }

    #[test]
    fn what_serde_refuses_is_refused(text in r#"\{("a"|:|1|,|\[|\]|\{|\}|true|-|e|\.| ){0,12}\}"#) {
        let ours = members(&text, |_, _| ()).is_ok();
        prop_assert_eq!(ours, serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|v| v.is_object()));
    }

    #[test]
    fn any_text_is_taken(text in "(?s).{0,64}") {
        let _ = members(&text, |name, value| { let _ = (unescape(name), value.text()); });
        let _ = items(&text, |_| true);
    }
}
