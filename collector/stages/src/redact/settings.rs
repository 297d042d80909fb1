//! What is to be redacted, and how.

use regex::{Regex, RegexBuilder};

/// What can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An e-mail address: ASCII, with a dot in its domain.
    Email,
    /// A payment card's number: a brand's prefix and length, and Luhn's check digit.
    Card,
    /// An IBAN (ISO 13616): a country's length, and the remainder 1 by 97.
    Iban,
    /// A telephone number: `+` and 8 to 15 digits (E.164), or North America's `555-123-4567`.
    Phone,
    /// An IP address, v4 or v6, other than loopback and unspecified.
    Ip,
    /// A JSON web token (RFC 7519).
    Jwt,
    /// What follows `Bearer` (RFC 6750) or `Basic` (RFC 7617).
    Authorization,
    /// A key or token with the form of a known service: AWS, Google, Azure, GitHub, GitLab, Slack, Stripe and others.
    CloudKey,
    /// A private key in PEM, over lines too.
    PrivateKey,
    /// The value of a key like `password`, `api_key`, `token`; a password in a URL.
    Password,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Email,
        Self::Card,
        Self::Iban,
        Self::Phone,
        Self::Ip,
        Self::Jwt,
        Self::Authorization,
        Self::CloudKey,
        Self::PrivateKey,
        Self::Password,
    ];

    /// Those that are on unless turned off: what opens a door.
    pub const CREDENTIALS: [Self; 5] =
        [Self::Jwt, Self::Authorization, Self::CloudKey, Self::PrivateKey, Self::Password];

    /// Its name, in the configuration and in marks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Phone => "phone",
            Self::Ip => "ip",
            Self::Jwt => "jwt",
            Self::Authorization => "authorization",
            Self::CloudKey => "cloud_key",
            Self::PrivateKey => "private_key",
            Self::Password => "password",
        }
    }
}

/// What happens with what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `[redacted:kind]` stands in its place.
    Replace,
    /// `[redacted:kind#…]` stands in its place: 64 bits of HMAC-SHA-256 (RFC 2104) as 16 letters. Only who has the key
    /// can try out whose they are; a hash without a key would fall to a list of all telephone numbers in minutes.
    Hash,
    /// The whole line goes.
    Drop,
}

/// A pattern of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Its name, in marks and counters.
    pub name: String,
    /// A regular expression; all that it matches is redacted.
    pub regex: String,
    /// What happens with it.
    pub action: Action,
}

impl Pattern {
    pub(super) fn compile(&self) -> Result<Regex, Error> {
        let name = || self.name.clone();
        let regex = RegexBuilder::new(&self.regex)
            .size_limit(1 << 20)
            .dfa_size_limit(1 << 20)
            .build()
            .map_err(|source| Error::Pattern { name: name(), source: Box::new(source) })?;
        if regex.is_match("") {
            return Err(Error::Empty { name: name() });
        }
        Ok(regex)
    }
}

/// What is to be redacted, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The kinds looked for; of several entries for a kind the last counts.
    pub kinds: Vec<(Kind, Action)>,
    /// Own patterns.
    pub patterns: Vec<Pattern>,
    /// The key of [`Action::Hash`].
    pub key: Key,
}

/// A secret key; empty where there is none. It cannot be printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// Of these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// Credentials, replaced.
impl Default for Settings {
    fn default() -> Self {
        let kinds = Kind::CREDENTIALS.iter().map(|kind| (*kind, Action::Replace)).collect();
        Self { kinds, patterns: Vec::new(), key: Key::default() }
    }
}

/// What can be wrong with [`Settings`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a regular expression, or one that needs too much memory.
    #[error("the pattern `{name}` cannot be used: {source}")]
    Pattern {
        /// The pattern's name.
        name: String,
        /// What the parser says.
        source: Box<regex::Error>,
    },
    /// It would redact between all characters.
    #[error("the pattern `{name}` matches the empty text: make it match at least one character")]
    Empty {
        /// The pattern's name.
        name: String,
    },
    /// A hash without a key.
    #[error("the action `hash` needs a key: without one anybody could try out whose a hash is")]
    NoKey,
}
