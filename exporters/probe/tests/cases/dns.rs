//! DNS probes of a server in this process, which answers what a test wants.

use std::net::SocketAddr;
use std::time::Duration;

use taffrail_core::Pattern;
use taffrail_probe::dns::{Question, Settings, Transport, numbers};
use taffrail_probe::{Failure, Module, Prober};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::kit::probe;

/// `name. A 127.0.0.1`, the name pointing at the question's.
pub const A: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\x7f\0\0\x01";
/// `name. SOA n. m. 77 1 2 3 4`
pub const SOA: &[u8] =
    b"\xc0\x0c\0\x06\0\x01\0\0\0\x05\0\x1a\x01n\0\x01m\0\0\0\0\x4d\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04";

/// What a server makes of a query.
pub type Answer = fn(Vec<u8>) -> Vec<u8>;

pub fn with(mut query: Vec<u8>, rcode: u8, records: &[&[u8]]) -> Vec<u8> {
    query[2] |= 0x80;
    query[3] = rcode;
    query[7] = records.len() as u8;
    records.iter().for_each(|record| query.extend(*record));
    query
}

/// A server on the same port of UDP and TCP.
pub async fn server(answer: Answer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let socket = UdpSocket::bind(at).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            // A forgery first: it carries another number, and is not to be believed.
            let mut forged = with(buffer[..len].to_vec(), 5, &[]);
            forged[0] ^= 1;
            socket.send_to(&forged, from).await.unwrap();
            socket.send_to(&answer(buffer[..len].to_vec()), from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let len = stream.read_u16().await.unwrap();
            let mut query = vec![0; usize::from(len)];
            stream.read_exact(&mut query).await.unwrap();
            let answer = answer(query);
            stream.write_u16(answer.len() as u16).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    at
}

fn settings(kind: u16) -> Settings {
    Settings::new(Question::new("example.com", kind, numbers::IN).unwrap())
}

fn module(settings: Settings) -> Module {
    Module { prober: Prober::Dns(Box::new(settings)), timeout: Some(Duration::from_secs(2)) }
}

#[tokio::test]
async fn an_answer_is_counted_and_timed_on_both_ways() {
    let at = server(|query| with(query, 0, &[A, A])).await.to_string();
    for transport in [Transport::Udp, Transport::Tcp] {
        let (verdict, samples) = probe(&module(Settings { transport, ..settings(numbers::A) }), &at).await;
        assert!(verdict.success(), "{}", verdict.trail.text());
        assert_eq!(samples["probe_dns_answer_rrs"], 2.0);
        assert_eq!(samples["probe_dns_authority_rrs"], 0.0);
        assert_eq!(samples["probe_dns_query_succeeded"], 1.0);
        assert!(samples["probe_dns_duration_seconds{phase=\"request\"}"] > 0.0);
        assert!(!samples.contains_key("probe_dns_serial"));
        let text = verdict.trail.text();
        assert!(text.contains("example.com..3600.IN.A.127.0.0.1"), "{text}");
    }
}

#[tokio::test]
async fn the_serial_of_a_zone_is_published() {
    let at = server(|query| with(query, 0, &[SOA])).await.to_string();
    let (verdict, samples) = probe(&module(settings(numbers::SOA)), &at).await;
    assert!(verdict.success(), "{}", verdict.trail.text());
    assert_eq!(samples["probe_dns_serial"], 77.0);
}

#[tokio::test]
async fn a_wrong_code_fails_and_says_so() {
    let at = server(|query| with(query, 3, &[])).await.to_string();
    let (verdict, samples) = probe(&module(settings(numbers::A)), &at).await;
    let failure = verdict.failure.unwrap().to_string();
    assert_eq!(failure, "the server answers NXDOMAIN, wanted: NOERROR");
    assert_eq!(samples["probe_dns_query_succeeded"], 1.0, "it did answer");
    let wanted = Settings { rcodes: vec![3], ..settings(numbers::A) };
    assert!(probe(&module(wanted), &at).await.0.success());
}

#[tokio::test]
async fn a_record_that_must_not_be_fails() {
    let at = server(|query| with(query, 0, &[A])).await.to_string();
    let mut checked = settings(numbers::A);
    checked.answer.none_may = vec![Pattern::new(r"127\.0\.0\.1$").unwrap()];
    let failure = probe(&module(checked), &at).await.0.failure.unwrap().to_string();
    assert_eq!(
        failure,
        "a record of the answer section matches `127\\.0\\.0\\.1$`, which none may: example.com. 3600 IN A 127.0.0.1"
    );
}

#[tokio::test]
async fn silence_garbage_and_a_closed_port_fail() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let module_now = Module { timeout: Some(Duration::from_millis(80)), ..module(settings(numbers::A)) };
    let at = silent.local_addr().unwrap().to_string();
    let (verdict, samples) = probe(&module_now, &at).await;
    assert!(matches!(verdict.failure, Some(Failure::Timeout { .. })), "{:?}", verdict.failure);
    assert_eq!(samples["probe_dns_query_succeeded"], 0.0);
    drop(silent);
    let (verdict, _) = probe(&module(settings(numbers::A)), &at).await;
    assert!(verdict.failure.unwrap().to_string().contains("refused"));
    let at = server(|query| query).await.to_string();
    let failure = probe(&module(settings(numbers::A)), &at).await.0.failure.unwrap().to_string();
    assert_eq!(failure, "no answer: the server sends a question, not an answer");
    let at = server(|mut query| {
        query[2] |= 0x80;
        query[7] = 9;
        query
    });
    let failure = probe(&module(settings(numbers::A)), &at.await.to_string()).await.0.failure.unwrap();
    assert_eq!(failure.to_string(), "no answer: the message ends too early, in a name");
}
