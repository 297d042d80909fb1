//! Counters of the network protocols from `<procfs>/1/net/{netstat,snmp,snmp6}` (kernel document
//! `networking/snmp_counter`). Untyped, as node_exporter publishes them.

use taffrail_core::pattern::Filter;
use taffrail_core::{CollectError, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::network::NetFile;
use crate::scan::{self, Malformed};

metrics! {
    /// Counter {key} of the network protocols.
    COUNTER: Untyped = "node_netstat_" {"protocols and counters of /proc/net/netstat, snmp and snmp6"} "" [] irregular;
}

/// The subject `netstat`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut tables = ["netstat", "snmp"].map(|name| (NetFile::new(config, name), Plan::default()));
    let (mut six, mut names) = (NetFile::new(config, "snmp6"), Names::default());
    let wanted = config.netstat.clone();
    Subject::blocking("netstat", METRICS, move |out| {
        for (file, plan) in &mut tables {
            let written = plan.write(file.read()?, &wanted, out);
            written.map_err(|e| file.malformed(e))?;
        }
        let written = match six.read() {
            Ok(bytes) => names.write(bytes, &wanted, out),
            // A kernel without IPv6.
            Err(CollectError::Absent) => return Ok(()),
            Err(error) => return Err(error),
        };
        written.map_err(|e| six.malformed(e))
    })
}

/// What is published of a file whose lines stand in pairs: names, then numbers. The names stay the same from run to run
/// and are compared as a whole, so that only the wanted few of several hundred are looked at.
#[derive(Default)]
struct Plan(Vec<Protocol>);

struct Protocol {
    names: Box<[u8]>,
    /// The columns that are wanted, the heading not counted, with their keys.
    wanted: Vec<(usize, String)>,
}

impl Protocol {
    fn new(names: &[u8], filter: &Filter) -> Result<Self, Malformed> {
        let (protocol, columns) = split(names)?;
        let key = |name: &[u8]| [protocol, b"_", name].concat();
        let columns = scan::fields(columns).map(key).enumerate();
        let wanted = columns.filter(|(_, key)| filter.keeps(key));
        let wanted = wanted.map(|(at, key)| (at, label::value(&key).into_owned())).collect();
        Ok(Protocol { names: names.into(), wanted })
    }
}

impl Plan {
    fn write(&mut self, bytes: &[u8], filter: &Filter, out: &mut Out) -> Result<(), Malformed> {
        let mut lines = scan::lines(bytes);
        let mut at = 0;
        while let Some(names) = lines.next() {
            let known = self.0.get(at).is_some_and(|known| *known.names == *names);
            if !known {
                self.0.truncate(at);
                self.0.push(Protocol::new(names, filter)?);
            }
            write_numbers(names, lines.next().unwrap_or_default(), &self.0[at].wanted, out)?;
            at += 1;
        }
        Ok(())
    }
}

fn write_numbers(
    names: &[u8],
    line: &[u8],
    wanted: &[(usize, String)],
    out: &mut Out,
) -> Result<(), Malformed> {
    let (protocol, numbers) = split(line)?;
    if !names.starts_with(protocol) {
        return Err(Malformed::new("a line of names and a line of numbers of one protocol", line));
    }
    let mut numbers = scan::fields(numbers);
    let mut passed = 0;
    for (at, key) in wanted {
        let value = scan::expect_number(numbers.nth(at - passed), line)?;
        passed = at + 1;
        out.put_keyed(&COUNTER, key, [], value);
    }
    Ok(())
}

/// `Tcp: 1 200` is `Tcp` and the rest.
fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    match memchr::memchr(b':', line) {
        Some(at) if at > 0 => Ok((&line[..at], &line[at + 1..])),
        _ => Err(Malformed::new("`Protocol: …`", line)),
    }
}

/// What is published of a file with a name and a number in each line: the names met in the run before, with their keys
/// where they are wanted.
#[derive(Default)]
struct Names(Vec<(Box<[u8]>, Option<String>)>);

impl Names {
    fn write(&mut self, bytes: &[u8], filter: &Filter, out: &mut Out) -> Result<(), Malformed> {
        for (at, line) in scan::lines(bytes).enumerate() {
            let mut fields = scan::fields(line);
            let (Some(name), Some(value)) = (fields.next(), fields.next()) else {
                return Err(Malformed::new("`name number`", line));
            };
            if self.0.get(at).is_none_or(|(known, _)| **known != *name) {
                self.0.truncate(at);
                let key = key(name).filter(|key| filter.keeps(key));
                self.0.push((name.into(), key.map(|key| label::value(&key).into_owned())));
            }
            if let Some(key) = &self.0[at].1 {
                out.put_keyed(&COUNTER, key, [], scan::expect_number(Some(value), line)?);
            }
        }
        Ok(())
    }
}

/// `Ip6InOctets` is `Ip6_InOctets`: the protocol ends in the first 6. What has none is of no protocol.
fn key(name: &[u8]) -> Option<Vec<u8>> {
    let (protocol, counter) = name.split_at(memchr::memchr(b'6', name)? + 1);
    Some([protocol, b"_", counter].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(
        mut write: impl FnMut(&mut Out) -> Result<(), Malformed>,
    ) -> Result<Vec<(String, f64)>, Malformed> {
        let mut out = Out::default();
        out.begin(0);
        write(&mut out)?;
        let collected = out.finish();
        let names = collected.new.iter().map(|(_, def)| def.family.name.clone());
        Ok(names.zip(collected.samples.iter().map(|s| s.value.to_f64())).collect())
    }

    #[test]
    fn pairs_of_lines_whose_columns_move() {
        let filter = Filter::including("^(Tcp_MaxConn|Tcp_In.*|Udp_.*)$");
        let mut plan = Plan::default();
        let mut run = |text: &str| collect(|out| plan.write(text.as_bytes(), &filter, out));
        let pair = |name: &str, value: f64| (format!("node_netstat_{name}"), value);
        let text = "Tcp: MaxConn X InSegs InErrs\nTcp: -1 7 8 9\nUdp: NoPorts\nUdp: 18446744073709551615\n";
        let expected = [
            pair("Tcp_MaxConn", -1.0),
            pair("Tcp_InSegs", 8.0),
            pair("Tcp_InErrs", 9.0),
            pair("Udp_NoPorts", 18446744073709551615.0),
        ];
        assert_eq!(run(text).unwrap(), expected);
        assert_eq!(run(text).unwrap(), expected);
        let moved = "Udp: New NoPorts\nUdp: 1 2\nTcp: InErrs MaxConn\nTcp: 3 4\n";
        assert_eq!(
            run(moved).unwrap(),
            [
                pair("Udp_New", 1.0),
                pair("Udp_NoPorts", 2.0),
                pair("Tcp_InErrs", 3.0),
                pair("Tcp_MaxConn", 4.0)
            ]
        );
        for bad in [
            "Tcp: InErrs\n",
            "Tcp: InErrs\nUdp: 1\n",
            "Tcp: InErrs\nTcp:\n",
            "Tcp: InErrs\nTcp: x\n",
            "\n",
            ": a\n: 1\n",
        ] {
            assert!(run(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn one_counter_a_line() {
        let filter = Filter::including("^(Ip6_InOctets|Icmp6_.*)$");
        let mut names = Names::default();
        let mut run = |text: &str| collect(|out| names.write(text.as_bytes(), &filter, out));
        let text = "Ip6InReceives \t1\nIp6InOctets   \t2\nIcmp6OutType136\t3\nOther 4\n";
        let pair = |name: &str, value: f64| (format!("node_netstat_{name}"), value);
        let expected = [pair("Ip6_InOctets", 2.0), pair("Icmp6_OutType136", 3.0)];
        assert_eq!(run(text).unwrap(), expected);
        assert_eq!(run(text).unwrap(), expected);
        assert_eq!(run("Ip6InOctets 5\n").unwrap(), [pair("Ip6_InOctets", 5.0)]);
        for bad in ["Ip6InOctets\n", "Ip6InOctets x\n", "\n"] {
            assert!(run(bad).is_err(), "{bad:?}");
        }
    }
}
