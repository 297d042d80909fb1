//! The one pass for all credentials: words that they begin with or stand behind.

use std::sync::LazyLock;

use super::{Action, Block, Found, Kind, block, keys, tokens};
use crate::prefilter::Prefilter;

/// What a word found leads to.
#[derive(Clone, Copy)]
enum Then {
    /// A part of a key's name: see [`keys`].
    Key,
    /// See [`tokens::jwt`].
    Jwt,
    /// See [`tokens::authorization`].
    Authorization,
    /// The beginning of a form in [`tokens::FORMS`], with its number.
    Form(usize),
    /// See [`block`].
    Block,
}

/// Parts of the names of keys, in the cases they are written in; what is common to several is written once.
const KEYS: [&str; 26] = [
    "assw",
    "ASSW",
    "assp",
    "ASSP",
    "_pass",
    "_PASS",
    "pwd",
    "PWD",
    "Pwd",
    "ecret",
    "ECRET",
    "oken",
    "OKEN",
    "_key",
    "_KEY",
    "-key",
    "-Key",
    "-KEY",
    "Key",
    "pikey",
    "PIKEY",
    "redential",
    "REDENTIAL",
    "uthorization",
    "UTHORIZATION",
    "PASS=",
];

struct Words {
    prefilter: Prefilter,
    then: Vec<Then>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let mut words: Vec<(&str, Then)> = vec![
        ("eyJ", Then::Jwt),
        ("earer ", Then::Authorization),
        ("EARER ", Then::Authorization),
        ("asic ", Then::Authorization),
        ("ASIC ", Then::Authorization),
        ("PRIVATE KEY", Then::Block),
    ];
    words.extend(tokens::FORMS.iter().enumerate().map(|(number, form)| (form.prefix, Then::Form(number))));
    words.extend(KEYS.iter().map(|key| (*key, Then::Key)));
    let patterns: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    Words { prefilter: Prefilter::new(&patterns), then: words.iter().map(|(_, then)| *then).collect() }
});

pub(super) fn find(text: &[u8], actions: &[Option<Action>], block: &mut Block, found: &mut Vec<Found>) {
    let words = &*WORDS;
    let on = |kind: Kind| actions[kind as usize].is_some();
    let mut from = 0;
    while let Some(word) = words.prefilter.find(text, from) {
        let (start, end) = (word.start(), word.end());
        let hit = match words.then[word.pattern().as_usize()] {
            Then::Key if on(Kind::Password) => keys::value(text, start, end),
            Then::Jwt if on(Kind::Jwt) => tokens::jwt(text, start),
            Then::Authorization if on(Kind::Authorization) => tokens::authorization(text, start, end),
            Then::Form(number) if on(Kind::CloudKey) => {
                tokens::form(text, start, &tokens::FORMS[number], found)
            }
            Then::Block if on(Kind::PrivateKey) => block::begin(text, start, block),
            _ => None,
        };
        from = end;
        if let Some(hit) = hit {
            // What a value holds is redacted with it.
            from = end.max(hit.end);
            found.push(hit);
        }
    }
}
