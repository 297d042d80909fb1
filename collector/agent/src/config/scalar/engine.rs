//! Addresses of container engines.

use taffrail_container::inventory::Address;

/// `unix:///path` or `tcp://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineAddress(pub Address);

impl EngineAddress {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not the address of an engine\nwrite unix:///var/run/docker.sock, tcp://host:port, or none"
            )
        };
        if text == "none" {
            return Ok(EngineAddress(Address::Nowhere));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        match scheme {
            "unix" if rest.len() > 1 && rest.starts_with('/') => {
                Ok(EngineAddress(Address::Unix(rest.into())))
            }
            "tcp" | "http" => {
                let authority = rest.strip_suffix('/').unwrap_or(rest);
                let parsed: http::uri::Authority = authority.parse().map_err(|_| wrong())?;
                if parsed.port_u16().is_none() || parsed.host().is_empty() || authority.contains('@') {
                    return Err(wrong());
                }
                Ok(EngineAddress(Address::Tcp(authority.to_owned())))
            }
            "https" => Err(format!(
                "`{text}` wants TLS, which is not spoken to engines\nwrite the address of a filter \
                on this machine, as tcp://127.0.0.1:port"
            )),
            _ => Err(wrong()),
        }
    }
}

super::from_text!(EngineAddress, { "type": "string", "pattern": "^((unix|tcp|http)://|none$|.*\\$\\{)" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_engines() {
        let parsed = |text: &str| EngineAddress::parse(text).map(|address| address.0);
        assert_eq!(parsed("unix:///run/docker.sock"), Ok(Address::Unix("/run/docker.sock".into())));
        assert_eq!(parsed("tcp://127.0.0.1:2375"), Ok(Address::Tcp("127.0.0.1:2375".into())));
        assert_eq!(parsed("http://proxy:2375/"), Ok(Address::Tcp("proxy:2375".into())));
        assert_eq!(parsed("none"), Ok(Address::Nowhere));
        for bad in [
            "",
            "/run/docker.sock",
            "unix://run/docker.sock",
            "unix:///",
            "tcp://proxy",
            "tcp://a@b:1",
            "x://a:1",
        ] {
            assert!(parsed(bad).unwrap_err().contains("not the address of an engine"), "{bad}");
        }
        assert!(parsed("https://a:1").unwrap_err().contains("TLS"));
    }
}
