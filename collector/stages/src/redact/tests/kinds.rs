//! What each kind finds, and what it leaves alone.

use super::*;

/// Each text, and what is left of it: `~` stands for the mark.
#[track_caller]
fn check(kind: Kind, cases: &[(&str, &str)]) {
    let redactor = only(kind);
    for (text, expected) in cases {
        let expected = expected.replace('~', &format!("[redacted:{}]", kind.name()));
        assert_eq!(after(&redactor, text), expected, "{text}");
    }
}

/// Texts in which nothing is found.
#[track_caller]
fn check_clean(kind: Kind, texts: &[&str]) {
    let redactor = only(kind);
    for text in texts {
        assert_eq!(redactor.redact(text, &mut Block::default()), Outcome::Clean, "{text}");
    }
}

#[test]
fn emails() {
    check(
        Kind::Email,
        &[
            ("bob@example.com", "~"),
            ("user bob.smith+tag@mail.example.co.uk logged in.", "user ~ logged in."),
            ("<bob@example.com>, 'al@b.io'", "<~>, '~'"),
            ("user=bob@example.com ok", "user=~ ok"),
            ("mailto:bob@example.com.", "mailto:~."),
            ("ä bob@example.com é", "ä ~ é"),
        ],
    );
    check_clean(
        Kind::Email,
        &[
            "@",
            "a@",
            "@b.com",
            "bob@localhost",
            "left-pad@1.3.0",
            "getty@tty1.service",
            "git@github.com:a/b",
            "a@b..com",
            "x @ y.com",
        ],
    );
}

#[test]
fn cards() {
    check(
        Kind::Card,
        &[
            ("card 4111111111111111 declined", "card ~ declined"),
            ("4111 1111 1111 1111", "~"),
            ("5500-0055-5555-5559", "~"),
            ("\"378282246310005\"", "\"~\""),
            ("3782 822463 10005,", "~,"),
            ("6011000990139424 3530111333300000", "~ ~"),
            ("30569309025904", "~"),
            ("2223003122003222", "~"),
        ],
    );
    check_clean(
        Kind::Card,
        &[
            "4111111111111112",
            "1763721600000000000",
            "1763721600123",
            "trace 4111111111111111a",
            "0.4111111111111111",
            "x_4111111111111111",
            "4111 1111-1111 1111",
            "9111111111111111",
            "41111111111111111111111",
        ],
    );
}

#[test]
fn ibans() {
    check(
        Kind::Iban,
        &[
            ("to DE89370400440532013000 now", "to ~ now"),
            ("DE89 3704 0044 0532 0130 00", "~"),
            ("GB82 WEST 1234 5698 7654 32.", "~."),
            ("FR1420041010050500013M02606", "~"),
            ("NO9386011117947", "~"),
        ],
    );
    check_clean(
        Kind::Iban,
        &[
            "DE89370400440532013001",
            "XDE89370400440532013000",
            "DE89",
            "ZZ89370400440532013000",
            "DE893704004405320130001",
        ],
    );
}

#[test]
fn phones() {
    check(
        Kind::Phone,
        &[
            ("call +49 30 1234567 now", "call ~ now"),
            ("+1 (555) 234-5678", "~"),
            ("tel:+442071838750", "tel:~"),
            ("(555) 234-5678", "~"),
            ("555-234-5678 and 555.234.5678", "~ and ~"),
        ],
    );
    check_clean(
        Kind::Phone,
        &[
            "2026-11-21T10:00:00+0100",
            "10:00:00+01:00",
            "+123",
            "a+12345678",
            "555-234-56789",
            "10.0.0.1",
            "123-234-5678",
            "550e8400-e29b-41d4-a716-446655440000",
            "1555-234-5678",
        ],
    );
}

#[test]
fn ips() {
    check(
        Kind::Ip,
        &[
            ("10.0.0.1 - - [21/Nov/2026:10:00:00 +0000]", "~ - - [21/Nov/2026:10:00:00 +0000]"),
            ("from 203.0.113.7:443, 198.51.100.0/24.", "from ~:443, ~/24."),
            ("addr=[2001:db8::1]:443", "addr=[~]:443"),
            ("fe80::1%eth0 x", "~%eth0 x"),
            ("2001:0db8:0000:0000:0000:ff00:0042:8329", "~"),
            ("::ffff:192.0.2.1", "~"),
        ],
    );
    check_clean(
        Kind::Ip,
        &[
            "127.0.0.1:9090",
            "::1",
            "0.0.0.0",
            "v1.2.3.4",
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "Chrome/120.0.6099.109",
            "10:00:00",
            "2026-11-21T10:00:00.000Z",
            "std::fmt::a1::b",
            "00:1a:2b:3c:4d:5e",
        ],
    );
}

#[test]
fn json_web_tokens() {
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    check(
        Kind::Jwt,
        &[
            (token, "~"),
            (&format!("jwt={token}, next"), "jwt=~, next"),
            (&format!("\"{token}\""), "\"~\""),
            (&format!("Got {token}."), "Got ~."),
        ],
    );
    check_clean(
        Kind::Jwt,
        &["eyJ", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi", "keyJar.a.b", "eyJa.b.c"],
    );
}

#[test]
fn authorization() {
    check(
        Kind::Authorization,
        &[
            ("Authorization: Bearer abc123def456", "Authorization: Bearer ~"),
            ("authorization: bearer AbCdEfGhIj.kl-mn", "authorization: bearer ~"),
            ("Basic dXNlcjpwYXNzd29yZA==", "Basic ~"),
            ("-H 'Authorization: Basic dXNlcjpwYXNz'", "-H 'Authorization: Basic ~'"),
        ],
    );
    check_clean(
        Kind::Authorization,
        &[
            "Bearer token required",
            "bearer authentication_failed",
            "Basic authentication",
            "basic plan",
            "forebearer ABC123456789",
            "Bearer ",
        ],
    );
}

#[test]
fn keys_of_services() {
    let long = "a1B2".repeat(20);
    for (text, expected) in [
        ("id AKIAIOSFODNN7EXAMPLE used".to_owned(), "id ~ used"),
        ("AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(), "~:~"),
        (format!("ghp_{}", &long[..36]), "~"),
        (format!("github_pat_{}", &long[..60]), "~"),
        (format!("key AIza{}.", &long[..35]), "key ~."),
        (format!("xoxb-{}", &long[..30]), "~"),
        (
            format!("https://hooks.slack.com/services/T0/B0/{}", &long[..24]),
            "https://hooks.slack.com/services/~",
        ),
        (format!("sk_live_{}", &long[..24]), "~"),
        (format!("?sv=1&sig={}%3D&x", &long[..43]), "?sv=1&sig=~&x"),
        (format!("X-Amz-Signature={}", &long[..64]), "X-Amz-Signature=~"),
        (format!("glpat-{}", &long[..20]), "~"),
        (format!("SG.{}.{}", &long[..22], &long[..43]), "~"),
    ] {
        check(Kind::CloudKey, &[(&text, expected)]);
    }
    check_clean(
        Kind::CloudKey,
        &[
            "AKIA",
            "XAKIAIOSFODNN7EXAMPLE",
            "AKIAIOSFODNN7EXAMPLEX",
            "ghp_short",
            "MSG.x",
            "sig=1",
            "npm_config_registry",
            "sk_live_x",
        ],
    );
}

#[test]
fn private_keys() {
    check(
        Kind::PrivateKey,
        &[
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nnext", "~\nnext"),
            (
                r#"{"k":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n","x":1}"#,
                r#"{"k":"~\n","x":1}"#,
            ),
            ("a -----BEGIN OPENSSH PRIVATE KEY-----", "a ~"),
        ],
    );
    check_clean(
        Kind::PrivateKey,
        &["-----BEGIN CERTIFICATE-----", "PRIVATE KEY", "-----BEGIN a PRIVATE KEY-----"],
    );
}

#[test]
fn passwords() {
    check(
        Kind::Password,
        &[
            ("password=hunter2 user=bob", "password=~ user=bob"),
            ("Password: hunter2", "Password: ~"),
            ("POSTGRES_PASSWORD=hunter2", "POSTGRES_PASSWORD=~"),
            ("PGPASSWORD=hunter2", "PGPASSWORD=~"),
            (r#"{"user":"bob","password":"hun\"ter2","n":1}"#, r#"{"user":"bob","password":"~","n":1}"#),
            (r#"{\"password\":\"hunter2\",\"n\":1}"#, r#"{\"password\":\"~\",\"n\":1}"#),
            (r#""token": "abc""#, r#""token": "~""#),
            ("api_key: abc-def", "api_key: ~"),
            ("apiKey=abc&page=2", "apiKey=~&page=2"),
            ("X-Api-Key: abc", "X-Api-Key: ~"),
            ("clientSecret => 'x y'", "clientSecret => '~'"),
            ("aws_secret_access_key = wJalrXUtnFEMI", "aws_secret_access_key = ~"),
            ("AccountKey=abc/def==;EndpointSuffix=x", "AccountKey=~;EndpointSuffix=x"),
            ("mysql --password hunter2 -u x", "mysql --password ~ -u x"),
            ("mysql --password=hunter2", "mysql --password=~"),
            ("ALTER USER x WITH PASSWORD 'hunter2';", "ALTER USER x WITH PASSWORD '~';"),
            ("Config { password: Some(\"hunter2\"), n: 1 }", "Config { password: Some(\"~\"), n: 1 }"),
            ("Config { password: hunter2 }", "Config { password: ~ }"),
            ("db_pass=hunter2", "db_pass=~"),
            ("postgres://bob:hunter2@db/x", "postgres://bob:~@db/x"),
            ("redis://:hun@ter2@cache:6379", "redis://:~@cache:6379"),
            ("Authorization: Bearer abc", "Authorization: Bearer ~"),
            ("\"authorization\":\"Token abc\"", "\"authorization\":\"Token ~\""),
            ("refresh_token=abc.def", "refresh_token=~"),
            ("token: abc123", "token: ~"),
            ("invalid token: ab12", "invalid token: ~"),
            ("password=ünïcode!", "password=~"),
            ("password: 'open", "password: '~"),
            ("params[password]=x", "params[password]=~"),
            ("pwd=hunter2", "pwd=~"),
        ],
    );
    check_clean(
        Kind::Password,
        &[
            "max_tokens=4096",
            "{\"max_tokens\":4096,\"total_tokens\":12}",
            "token_count=5 tokenizer=x",
            "password_file=/run/secrets/pg",
            "passwordless login: yes",
            "(using password: YES)",
            "password=",
            "password=****",
            "has_password=true",
            "\"token\": null",
            "password=${DB_PASSWORD}",
            "PWD=/app OLDPWD=/",
            "invalid token: expired",
            "unexpected token: }",
            "primary_key=7 foreign key: x",
            "key=value",
            "secret_name: db",
            "next_token=abc nextToken=abc",
            "token::Foo",
            "if (token == other)",
            "the password is wrong",
            "http://host:80/path/@scope/x",
            "https://bob@host/",
            "pass: 12 fail: 3",
        ],
    );
}
