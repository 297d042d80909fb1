//! Syslog as a source: util-linux's `logger` and rsyslog send to it, and hands that misbehave.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use taffrail_tests::{LokiDouble, Process, Taffrail, free_port, tool, wait_for};

use crate::support::{SOON, own};
use crate::targets::kit::Pki;

/// A source, and where it listens for both protocols.
fn start(loki: &LokiDouble, more: &str) -> (Taffrail, u16) {
    let port = free_port().unwrap();
    let taffrail = Taffrail::start(&format!(
        "hostname: ship
logs: [{{name: net, syslog: {{udp: \"127.0.0.1:{port}\", tcp: \"127.0.0.1:{port}\"{more}}}}}]
outputs: {{loki: [{{url: \"{}\"}}]}}
",
        loki.url()
    ));
    (taffrail.unwrap(), port)
}

fn logger(port: u16, args: &[&str]) {
    let port = port.to_string();
    let common = ["--server", "127.0.0.1", "--port", &port, "--id=77", "--tag", "shop"];
    let ended = Command::new("logger").args(common).args(args).status().unwrap();
    assert!(ended.success(), "{args:?}");
}

/// The streams of messages that came, as `instance service_name line metadata`.
fn seen(loki: &LokiDouble) -> Vec<String> {
    let streams = loki.streams().into_iter().filter(|stream| stream.labels["job"] == "net");
    let mut all = Vec::new();
    for stream in streams {
        for entry in stream.entries {
            let metadata: Vec<String> = entry.metadata.iter().map(|(n, v)| format!("{n}={v}")).collect();
            let service = &stream.labels["service_name"];
            all.push(format!(
                "{} {service} {} {}",
                stream.labels["instance"],
                entry.line,
                metadata.join(" ")
            ));
        }
    }
    all
}

#[test]
fn logger_sends_every_form_it_knows() {
    let loki = LokiDouble::start().unwrap();
    let (taffrail, port) = start(&loki, "");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let data = ["--rfc5424", "--msgid", "ID7", "--sd-id", "one@32473", "--sd-param", "a=\"x y\""];
    logger(port, &[&["--udp", "-p", "auth.err"], &data[..], &["by udp"]].concat());
    logger(port, &[&["--tcp", "-p", "local0.debug"], &data[..], &["by tcp"]].concat());
    logger(port, &["--tcp", "--octet-count", "-p", "daemon.warning", "--rfc5424=notime", "counted"]);
    logger(port, &["--udp", "--rfc3164", "-p", "user.notice", "the old form"]);
    logger(port, &["--tcp", "--rfc3164", "-p", "kern.emerg", "the old form by tcp"]);
    loki.wait_for_lines(&[("job", "net")], 5, SOON).unwrap();
    let seen = seen(&loki);
    for (line, metadata) in [
        ("by udp", "detected_level=error facility=auth msg_id=ID7 pid=77 sd_one_32473_a=x y"),
        ("by tcp", "detected_level=debug facility=local0 msg_id=ID7 pid=77 sd_one_32473_a=x y"),
        ("counted", "detected_level=warn facility=daemon pid=77"),
        ("the old form", "detected_level=info facility=user pid=77"),
        ("the old form by tcp", "detected_level="),
    ] {
        let start = format!("{host} shop {line} {metadata}");
        assert!(seen.iter().any(|entry| entry.starts_with(&start)), "{start} is not in {seen:#?}");
    }
    assert_eq!(own(&taffrail, "taffrail_source_lines_total{source=\"net\"}"), 5.0);
}

/// The real rsyslog with a configuration of its own.
fn rsyslog(dir: &Path, action: &str) -> Process {
    let config = dir.join("rsyslog.conf");
    let text = format!(
        "global(workDirectory=\"{dir}\")
module(load=\"imfile\" mode=\"polling\" pollingInterval=\"1\")
input(type=\"imfile\" file=\"{dir}/in.txt\" tag=\"app:\" severity=\"warning\" facility=\"local3\")
{action}
",
        dir = dir.display(),
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(tool("RSYSLOG").unwrap());
    command.arg("-n").arg("-f").arg(&config).arg("-i").arg(dir.join("rsyslog.pid"));
    Process::start("rsyslogd", &mut command, &dir.join("rsyslog.log")).unwrap()
}

#[test]
fn rsyslog_forwards_over_tcp_and_every_line_arrives() {
    let loki = LokiDouble::start().unwrap();
    let (taffrail, port) = start(&loki, "");
    let dir = taffrail.dir().join("rsyslog");
    std::fs::create_dir(&dir).unwrap();
    let lines: Vec<String> = (0..20_000).map(|n| format!("number {n}")).collect();
    std::fs::write(dir.join("in.txt"), lines.join("\n") + "\n").unwrap();
    let action = format!(
        "*.* action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{port}\" protocol=\"tcp\" \
         template=\"RSYSLOG_SyslogProtocol23Format\" tcp_framing=\"octet-counted\" action.resumeRetryCount=\"-1\")"
    );
    let _rsyslog = rsyslog(&dir, &action);
    let arrived = loki.wait_for_lines(&[("service_name", "app")], lines.len(), SOON).unwrap();
    assert!(arrived == lines, "all, in their order, {} of them", arrived.len());
    let entry = seen(&loki).into_iter().find(|entry| entry.contains("number 7 ")).unwrap();
    assert!(entry.ends_with("detected_level=warn facility=local3 severity=warning"), "{entry}");
}

#[test]
fn tls_lets_in_whom_the_authority_knows() {
    let (loki, pki) = (LokiDouble::start().unwrap(), Pki::new());
    let port = free_port().unwrap();
    let mut taffrail = Taffrail::prepare(&format!(
        "hostname: ship
logs: [{{name: net, syslog: {{tls: {{listen: \"0.0.0.0:{port}\", cert_file: DIR/net.crt, key_file: DIR/net.key, client_ca_file: DIR/ca.pem}}}}}}]
outputs: {{loki: [{{url: \"{}\"}}]}}
",
        loki.url()
    ))
    .unwrap();
    pki.issue(|_| {}).write(taffrail.dir(), "net");
    pki.issue(|_| {}).write(taffrail.dir(), "us");
    std::fs::write(taffrail.dir().join("ca.pem"), pki.pem()).unwrap();
    taffrail.restart().unwrap();
    let send = |args: &[&str]| {
        let at = |name: &str| taffrail.dir().join(name).display().to_string();
        let connect = format!("127.0.0.1:{port}");
        let mut child = Command::new("openssl")
            .args(["s_client", "-quiet", "-no_ign_eof", "-connect", &connect, "-CAfile", &at("ca.pem")])
            .args(args)
            .current_dir(taffrail.dir())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let message = "<165>1 2026-11-21T12:00:00Z edge-1 shop - - - through TLS\n";
        // Who is not let in may be hung up on before.
        let _ = child.stdin.take().unwrap().write_all(message.as_bytes());
        child.wait().unwrap();
    };
    send(&[]);
    send(&["-cert", "us.crt", "-key", "us.key"]);
    loki.wait_for_lines(&[("instance", "edge-1")], 1, SOON).unwrap();
    assert_eq!(seen(&loki).len(), 1);
    wait_for("the one that was turned away", SOON, || {
        let refused = own(&taffrail, "taffrail_source_refused_total{source=\"net\",reason=\"tls\"}");
        ensure!(refused == 1.0, "{refused}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn hands_that_misbehave_are_bounded_and_counted() {
    let loki = LokiDouble::start().unwrap();
    let (taffrail, port) =
        start(&loki, ", max_message_bytes: 1KiB, max_connections: 5, timezone: \"+02:00\"");
    // A message of ten megabytes, a length that is none, many names, bytes that are no text.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .write_all(
            &[b"<13>Nov 21 12:00:00 h long: ".to_vec(), vec![b'x'; 10 << 20], b"\nnext\n".to_vec()].concat(),
        )
        .unwrap();
    drop(stream);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"8 <13>one!then no length").unwrap();
    drop(stream);
    loki.wait_for_lines(&[("job", "net")], 3, SOON).unwrap();
    let long = loki.lines(&[("service_name", "long")]).remove(0);
    assert!(long.len() <= 1024 && long.ends_with("bytes left out]"), "{long}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let names: String = (0..1500).map(|n| format!("<13>1 - host-{n} app{n} - - - of {n}\n")).collect();
    stream.write_all(names.as_bytes()).unwrap();
    stream.write_all(b"\xff\xfe\x80\n").unwrap();
    drop(stream);
    loki.wait_for_lines(&[("job", "net")], 1504, SOON).unwrap();
    assert!(loki.streams().len() <= 1003, "{} streams", loki.streams().len());
    assert!(
        seen(&loki).iter().any(|entry| entry.contains("of 1400") && entry.contains("hostname=host-1400"))
    );
    // No more connections than there may be.
    let held: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    wait_for("connections that are turned away", SOON, || {
        let refused = own(&taffrail, "taffrail_source_refused_total{source=\"net\",reason=\"connections\"}");
        ensure!(refused >= 15.0, "{refused} of {}", held.len());
        Ok(())
    })
    .unwrap();
    assert_eq!(own(&taffrail, "taffrail_source_refused_total{source=\"net\",reason=\"framing\"}"), 1.0);
    assert_eq!(own(&taffrail, "taffrail_source_cut_lines_total{source=\"net\"}"), 1.0);
}

#[test]
fn what_comes_by_udp_is_delivered_or_counted() {
    const SENT: usize = 50_000;
    let loki = LokiDouble::start().unwrap();
    let (taffrail, port) = start(&loki, "");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..SENT {
        let message = format!("<13>1 - h app - - - number {n} {}", "x".repeat(200));
        socket.send_to(message.as_bytes(), ("127.0.0.1", port)).unwrap();
    }
    wait_for("every message, or its loss", SOON, || {
        let lost: f64 = ["queue", "kernel"]
            .map(|reason| {
                own(
                    &taffrail,
                    &format!("taffrail_source_lost_messages_total{{source=\"net\",reason=\"{reason}\"}}"),
                )
            })
            .iter()
            .sum();
        let there = loki.lines(&[("service_name", "app")]).len();
        ensure!(there + lost as usize == SENT, "{there} arrived and {lost} were counted as lost of {SENT}");
        Ok(())
    })
    .unwrap();
}
