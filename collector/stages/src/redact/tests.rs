use proptest::prelude::*;

use super::*;

mod kinds;

fn all() -> Redactor {
    Redactor::new(&Settings {
        kinds: Kind::ALL.iter().map(|kind| (*kind, Action::Replace)).collect(),
        ..Settings::default()
    })
    .unwrap()
}

fn only(kind: Kind) -> Redactor {
    Redactor::new(&Settings { kinds: vec![(kind, Action::Replace)], ..Settings::default() }).unwrap()
}

fn after(redactor: &Redactor, text: &str) -> String {
    match redactor.redact(text, &mut Block::default()) {
        Outcome::Clean => text.to_owned(),
        Outcome::Changed(text, _) => text,
        Outcome::Drop(rule) => format!("dropped: {}", redactor.name(rule)),
    }
}

#[test]
fn a_private_key_over_lines() {
    let (redactor, mut block) = (only(Kind::PrivateKey), Block::default());
    let mut lines = Vec::new();
    for line in [
        "-----BEGIN EC PRIVATE KEY-----",
        "Proc-Type: 4,ENCRYPTED",
        "",
        "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoGCCqGSM49",
        "10:00:00 another thread speaks",
        "AwEHoUQDQgAEPR3tU2Fta9ktY+6P9G0cWO+0kETA6SFs38GecTyudlHz6xvCdz8q",
        "-----END EC PRIVATE KEY-----",
        "done",
    ] {
        lines.push(match redactor.redact(line, &mut block) {
            Outcome::Changed(text, _) => text,
            _ => line.to_owned(),
        });
    }
    let mark = "[redacted:private_key]";
    let expected = [
        mark,
        "Proc-Type: 4,ENCRYPTED",
        "",
        mark,
        "10:00:00 another thread speaks",
        mark,
        "-----END EC PRIVATE KEY-----",
        "done",
    ];
    assert_eq!(lines, expected);
    // Without an end, it is over soon.
    assert!(matches!(redactor.redact("-----BEGIN PRIVATE KEY-----", &mut block), Outcome::Changed(..)));
    for line in ["one line", "two lines", "three lines", "word"] {
        assert_eq!(redactor.redact(line, &mut block), Outcome::Clean);
    }
}

#[test]
fn credentials_are_the_default() {
    let redactor = Redactor::new(&Settings::default()).unwrap();
    assert_eq!(
        after(&redactor, "bob@example.com 10.0.0.1 password=x https://a:b@c/"),
        "bob@example.com 10.0.0.1 password=[redacted:password] https://a:[redacted:password]@c/"
    );
}

#[test]
fn a_hash_keeps_the_person() {
    let of = |key: &[u8]| {
        let kinds = vec![(Kind::Email, Action::Hash), (Kind::Card, Action::Hash)];
        Redactor::new(&Settings { kinds, patterns: Vec::new(), key: Key::new(key) }).unwrap()
    };
    let one = after(&of(b"key"), "bob@example.com");
    // `printf bob@example.com | openssl dgst -sha256 -hmac key`, its first 16 digits as letters from a to p.
    assert_eq!(one, "[redacted:email#lffmcojbpligacka]");
    assert_eq!(after(&of(b"key"), "BOB@Example.com"), one);
    assert_ne!(after(&of(b"key"), "al@example.com"), one);
    assert_ne!(after(&of(b"other"), "bob@example.com"), one);
    assert_eq!(after(&of(b"key"), "4111 1111 1111 1111"), after(&of(b"key"), "4111111111111111"));
    assert_eq!(after(&of(b"key"), &one), one);
}

#[test]
fn a_line_is_dropped() {
    let kinds = vec![(Kind::Card, Action::Drop), (Kind::Email, Action::Replace)];
    let redactor = Redactor::new(&Settings { kinds, ..Settings::default() }).unwrap();
    assert_eq!(after(&redactor, "a@b.com 4111111111111111"), "dropped: card");
}

#[test]
fn own_patterns() {
    let pattern =
        |regex: &str| Pattern { name: "order".into(), regex: regex.into(), action: Action::Replace };
    let with =
        |regex: &str| Redactor::new(&Settings { patterns: vec![pattern(regex)], ..Settings::default() });
    assert_eq!(
        after(&with("ORD-[0-9]+").unwrap(), "got ORD-12, ORD-3"),
        "got [redacted:order], [redacted:order]"
    );
    // What would find its own marks, or something new beside them.
    for regex in ["[a-z]+", "\\bfoo", "."] {
        let redactor = with(regex).unwrap();
        let once = after(&redactor, "foofoofoo bar");
        assert_eq!(after(&redactor, &once), once, "{regex}");
    }
    for (regex, message) in [
        ("(", "the pattern `order` cannot be used"),
        ("a*", "matches the empty text"),
        (".{1000}{1000}", "cannot be used"),
    ] {
        let error = with(regex).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let hash = Settings { kinds: vec![(Kind::Ip, Action::Hash)], ..Settings::default() };
    assert!(matches!(Redactor::new(&hash), Err(Error::NoKey)));
}

#[test]
fn how_often_is_counted() {
    let outcome = all().redact("a@b.com c@d.com 10.0.0.1", &mut Block::default());
    let Outcome::Changed(_, counts) = outcome else { panic!("{outcome:?}") };
    assert_eq!(counts, [(Kind::Email as usize, 2), (Kind::Ip as usize, 1)]);
}

#[test]
fn time_is_linear() {
    // Each of these would take minutes if anything were quadratic.
    for part in [
        "://@",
        "@",
        "a@",
        "1.",
        "1:",
        "password",
        "eyJ",
        "://a:b@",
        "\\",
        "token=\"",
        "-----BEGIN ",
        "+1 ",
        "AKIA",
        "[redacted:",
        "a",
        "4111 ",
    ] {
        let text = part.repeat(1_000_000 / part.len());
        let _ = after(&all(), &text);
    }
}

/// Texts made of the parts that the checks look for.
fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[ -~]{0,6}",
        "\\PC{0,4}",
        "[0-9]{1,17}",
        "[0-9]{1,3}[.:+-]",
        prop::sample::select(vec![
            "password",
            "token",
            "=",
            ": ",
            "\"",
            "\\\"",
            "'",
            "@",
            "a@b.com",
            "://",
            "eyJ",
            "eyJhbGciOiJIUzI1NiJ9",
            ".",
            "Bearer ",
            "basic ",
            "AKIA",
            "AKIAIOSFODNN7EXAMPLE",
            "-----BEGIN ",
            "PRIVATE KEY",
            "-----",
            "-----END",
            "4111111111111111",
            "+49",
            "DE89370400440532013000",
            "fe80::1",
            "10.0.0.1",
            "[redacted:",
            "]",
            "--",
            " ",
            "\n",
            "ä",
            "sig=",
            "Authorization: ",
            "Some(",
            "(555) 234-5678",
            "_key",
            "api",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn twice_is_once(text in texts()) {
        let redactor = all();
        let once = after(&redactor, &text);
        prop_assert_eq!(after(&redactor, &once), once);
    }

    #[test]
    fn blocks_never_panic(texts in prop::collection::vec(texts(), 0..6)) {
        let (redactor, mut block) = (all(), Block::default());
        for text in texts {
            let _ = redactor.redact(&text, &mut block);
        }
    }
}
