//! The first messages of PostgreSQL's protocol (version 3.0, "Frontend/Backend Protocol").

/// The largest message a server may begin with; errors are far smaller.
pub const MAX_MESSAGE: usize = 64 << 10;

/// Asks whether the server speaks TLS; it answers with one byte, `S` or `N`.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Says goodbye.
pub const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// What a server says to who introduces himself.
#[derive(Debug, PartialEq, Eq)]
pub enum Welcome {
    /// It wants to know who it is, or knows already: it takes connections.
    Authentication,
    /// It refuses.
    Error {
        /// The SQLSTATE code.
        code: String,
        /// What it says, for people.
        message: String,
    },
    /// Another message, which may come before either.
    Other,
}

/// Introduces `user`, who wants `database`.
pub fn startup(user: &str, database: &str) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(196_608_u32.to_be_bytes());
    for text in ["user", user, "database", database, "application_name", "taffrail"] {
        bytes.extend(text.bytes().filter(|byte| *byte != 0));
        bytes.push(0);
    }
    bytes.push(0);
    let len = (bytes.len() as u32).to_be_bytes();
    bytes[..4].copy_from_slice(&len);
    bytes
}

/// The length of what follows a message's header of a kind and a length, if there can be such a message.
pub fn body_len(header: [u8; 5]) -> Option<usize> {
    let len = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
    let known = matches!(header[0], b'R' | b'E' | b'N' | b'v');
    (known && (4..=MAX_MESSAGE).contains(&len)).then(|| len - 4)
}

/// Reads a message.
pub fn welcome(kind: u8, body: &[u8]) -> Welcome {
    match kind {
        b'R' => Welcome::Authentication,
        b'E' => Welcome::Error { code: field(body, b'C'), message: field(body, b'M') },
        _ => Welcome::Other,
    }
}

/// One field of an error: each is a byte for what it is, and text that ends in a zero.
fn field(body: &[u8], wanted: u8) -> String {
    let mut fields = body.split(|byte| *byte == 0);
    let found = fields.find_map(|field| field.split_first().filter(|(kind, _)| **kind == wanted));
    found.map(|(_, text)| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_introduction_is_as_the_document_says() {
        let bytes = startup("ada", "shop");
        assert_eq!(bytes[..4], (bytes.len() as u32).to_be_bytes());
        assert_eq!(bytes[4..8], [0, 3, 0, 0]);
        assert_eq!(&bytes[8..], b"user\0ada\0database\0shop\0application_name\0taffrail\0\0");
        assert_eq!(startup("a\0b", "c").len(), startup("ab", "c").len(), "no name ends another");
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(welcome(b'R', &[0, 0, 0, 0]), Welcome::Authentication);
        let body = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
        let error =
            Welcome::Error { code: "57P03".into(), message: "the database system is starting up".into() };
        assert_eq!(welcome(b'E', body), error);
        assert_eq!(welcome(b'E', b""), Welcome::Error { code: String::new(), message: String::new() });
        assert_eq!(welcome(b'N', b""), Welcome::Other);
        assert_eq!(body_len([b'R', 0, 0, 0, 8]), Some(4));
        for header in [*b"HTTP/", [b'R', 0, 0, 0, 3], [b'E', 0xff, 0, 0, 0]] {
            assert_eq!(body_len(header), None, "{header:?}");
        }
    }
}
