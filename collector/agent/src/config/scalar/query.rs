//! What a query of a user's own is written with.

/// The beginning of metrics' names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricName(pub String);

impl MetricName {
    /// Letters, digits and `_`, no digit first, at most 64 of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b':';
        let first = text.bytes().next().unwrap_or(b'0');
        if first.is_ascii_digit() || text.len() > 64 || !text.bytes().all(good) {
            return Err(format!(
                "`{text}` cannot begin a metric's name\nit has letters, digits and _, no digit first, and at most 64"
            ));
        }
        Ok(MetricName(text.to_owned()))
    }
}

super::from_text!(MetricName, { "type": "string", "pattern": "^[a-zA-Z_:][a-zA-Z0-9_:]{0,63}$" });

/// One SQL statement, of any number of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sql(pub String);

impl Sql {
    /// Any text but none, without a semicolon at its end.
    pub fn parse(text: &str) -> Result<Self, String> {
        let statement = text.trim().trim_end_matches(';').trim_end();
        if statement.is_empty() || statement.contains('\0') {
            return Err("there is no statement\nwrite select count(*) as count from orders".to_owned());
        }
        Ok(Sql(statement.to_owned()))
    }
}

super::from_text!(Sql, { "type": "string" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_no_end_of_its_own() {
        assert_eq!(Sql::parse(" select 1\n from a ;\n").unwrap().0, "select 1\n from a");
        assert!(Sql::parse(" ;").is_err());
        assert!(MetricName::parse("shop_orders").is_ok());
        assert!(MetricName::parse("9_orders").is_err() && MetricName::parse("a-b").is_err());
    }
}
