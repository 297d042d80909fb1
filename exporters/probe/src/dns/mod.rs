//! The DNS prober: whether a server answers a question, how fast, and whether the answer is right.

mod checks;
mod exchange;
pub mod message;
pub mod numbers;
mod record;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use taffrail_core::metrics;

pub use self::checks::Checks;
use self::message::{MessageError, Response};
use crate::attempt::Attempt;
use crate::failure::Failure;
pub use crate::number::random_u16 as random_id;
use crate::resolve::Addressing;
use crate::target::host_and_port;
use crate::tls;

metrics! {
    /// Seconds each phase of the question took: resolve, connect and request.
    DURATION: Gauge = "probe_dns_duration_seconds" ["phase"];
    /// Records in the answer section.
    ANSWERS: Gauge = "probe_dns_answer_rrs" [];
    /// Records in the authority section.
    AUTHORITIES: Gauge = "probe_dns_authority_rrs" [];
    /// Records in the additional section.
    ADDITIONALS: Gauge = "probe_dns_additional_rrs" [];
    /// Whether the server answered (1) or not (0), whatever the answer says.
    SUCCEEDED: Gauge = "probe_dns_query_succeeded" [];
    /// The serial number of the zone, where a SOA record was asked for.
    SERIAL: Gauge = "probe_dns_serial" [];
}

/// How the question travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// One datagram each way.
    #[default]
    Udp,
    /// A connection.
    Tcp,
}

/// What is asked, and what the answer has to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which address of the server is asked.
    pub addressing: Addressing,
    /// The address to ask from.
    pub source: Option<IpAddr>,
    /// How the question travels.
    pub transport: Transport,
    /// DNS over TLS (RFC 7858), where the transport is TCP.
    pub tls: Option<tls::Client>,
    /// The question.
    pub question: Question,
    /// Whether the server is to ask others.
    pub recursion: bool,
    /// Response codes that are right.
    pub rcodes: Vec<u8>,
    /// What the answer section has to hold.
    pub answer: Checks,
    /// What the authority section has to hold.
    pub authority: Checks,
    /// What the additional section has to hold.
    pub additional: Checks,
}

impl Settings {
    /// Asks `question` over UDP, recursion desired; every answer with NOERROR is right.
    pub fn new(question: Question) -> Self {
        Settings {
            addressing: Addressing::default(),
            source: None,
            transport: Transport::Udp,
            tls: None,
            question,
            recursion: true,
            rcodes: vec![0],
            answer: Checks::default(),
            authority: Checks::default(),
            additional: Checks::default(),
        }
    }
}

/// A question: a name that can travel, a type and a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    name: String,
    kind: u16,
    class: u16,
}

impl Question {
    /// Asks for records of `kind` (a number of [`numbers`]) in `class`, of `name`; a dot at its end makes no difference.
    pub fn new(name: &str, kind: u16, class: u16) -> Result<Self, MessageError> {
        message::query(0, name, kind, class, true)?;
        Ok(Question { name: name.to_owned(), kind, class })
    }
}

/// What was measured, all 0 until it is.
#[derive(Default)]
struct Measured {
    resolve: Duration,
    connect: Duration,
    request: Duration,
    response: Option<Response>,
}

/// The ports of plain DNS, and of DNS over TLS.
const PORT: u16 = 53;
const TLS_PORT: u16 = 853;

/// Asks the target, `host` or `host:port`.
pub async fn probe(settings: &Settings, attempt: &mut Attempt<'_>) -> Result<(), Failure> {
    let mut measured = Measured::default();
    let asked = ask(settings, attempt, &mut measured).await;
    for (phase, took) in
        [("resolve", measured.resolve), ("connect", measured.connect), ("request", measured.request)]
    {
        attempt.out.put(&DURATION, [phase], took.as_secs_f64());
    }
    let response = measured.response.unwrap_or_default();
    attempt.out.put(&ANSWERS, [], response.answer.len() as f64);
    attempt.out.put(&AUTHORITIES, [], response.authority.len() as f64);
    attempt.out.put(&ADDITIONALS, [], response.additional.len() as f64);
    attempt.out.put(&SUCCEEDED, [], f64::from(u8::from(asked.is_ok())));
    asked?;
    if settings.question.kind == numbers::SOA {
        let serial = response.answer.iter().rev().find_map(|record| record.serial);
        attempt.out.put(&SERIAL, [], f64::from(serial.unwrap_or(0)));
    }
    judge(settings, attempt, &response)
}

async fn ask(settings: &Settings, attempt: &mut Attempt<'_>, measured: &mut Measured) -> Result<(), Failure> {
    let (host, port) = host_and_port(attempt.target, if settings.tls.is_some() { TLS_PORT } else { PORT })?;
    let (ip, took) = attempt.resolve(host, settings.addressing).await;
    measured.resolve = took;
    let to = SocketAddr::new(ip?, port);
    let Question { name, kind, class } = &settings.question;
    let id = random_id();
    let query = message::query(id, name, *kind, *class, settings.recursion)
        .map_err(|error| Failure::Answer(error.to_string()))?;
    attempt.trail.say(format!(
        "Asking {to} for {} records of {name}, class {}",
        numbers::kind_name(*kind),
        numbers::class_name(*class)
    ));
    let clock = attempt.cx.clock.clone();
    let start = clock.monotonic();
    let mut way = exchange::Way::open(settings, host, to, attempt).await;
    measured.connect = clock.monotonic().saturating_sub(start);
    let start = clock.monotonic();
    let answer = match &mut way {
        Ok(way) => way.exchange(&query, id, attempt).await,
        Err(_) => return way.map(drop),
    };
    measured.request = clock.monotonic().saturating_sub(start);
    measured.response = Some(answer?);
    Ok(())
}

fn judge(settings: &Settings, attempt: &mut Attempt<'_>, response: &Response) -> Result<(), Failure> {
    let code = numbers::rcode_name(response.rcode);
    attempt.trail.say(format!(
        "Answered {code}, {} answer, {} authority, {} additional records{}",
        response.answer.len(),
        response.authority.len(),
        response.additional.len(),
        if response.truncated { ", truncated" } else { "" },
    ));
    for record in &response.answer {
        attempt.trail.say(&record.text);
    }
    if !settings.rcodes.contains(&response.rcode) {
        let wanted: Vec<_> = settings.rcodes.iter().map(|code| numbers::rcode_name(*code)).collect();
        return Err(Failure::Answer(format!("the server answers {code}, wanted: {}", wanted.join(", "))));
    }
    let sections = [
        ("answer", &response.answer, &settings.answer),
        ("authority", &response.authority, &settings.authority),
        ("additional", &response.additional, &settings.additional),
    ];
    for (section, records, checks) in sections {
        let lines: Vec<&str> = records.iter().map(|record| record.text.as_str()).collect();
        checks.judge(section, &lines).map_err(Failure::Answer)?;
    }
    Ok(())
}
