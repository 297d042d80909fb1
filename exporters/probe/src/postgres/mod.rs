//! The PostgreSQL prober: whether a server takes connections, as `pg_isready` asks, and whether one can log in and query.

mod message;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use taffrail_core::metrics;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use self::message::Welcome;
use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::resolve::Addressing;
use crate::target::host_and_port;
use crate::tls::{self, Handshake, Seen};
use taffrail_core::secret::{Secret, Source};

metrics! {
    /// Seconds each phase took: resolve, connect, tls, startup (or login, where a password is known) and query.
    DURATION: Gauge = "probe_postgres_duration_seconds" ["phase"];
    /// Whether the server takes connections (1), or refuses them or does not answer (0).
    ACCEPTING: Gauge = "probe_postgres_accepting" [];
}

/// PostgreSQL's port.
const PORT: u16 = 5432;
/// The code with which a server says that it starts, stops or recovers: ERRCODE_CANNOT_CONNECT_NOW.
const CANNOT_CONNECT_NOW: &str = "57P03";
/// The code of a server whose connections are all taken: ERRCODE_TOO_MANY_CONNECTIONS.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// Who asks, and how far he goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which address is probed.
    pub addressing: Addressing,
    /// The address that the connection is made from.
    pub source: Option<IpAddr>,
    /// The user. Without a password nobody logs in, but a server may log that there is no such user.
    pub user: String,
    /// The database.
    pub database: String,
    /// With it, the probe logs in and runs `select 1`.
    pub password: Option<Source>,
    /// With it, the connection has to be one with TLS; certificates are told as the tls prober tells them.
    pub tls: Option<tls::Client>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            addressing: Addressing::default(),
            source: None,
            user: "postgres".to_owned(),
            database: "postgres".to_owned(),
            password: None,
            tls: None,
        }
    }
}

/// How long each phase took; none for those that there were not.
#[derive(Default)]
struct Measured {
    phases: Vec<(&'static str, Duration)>,
    accepting: bool,
}

/// A connection, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Asks the target, `host` or `host:port`.
pub async fn probe(settings: &Settings, attempt: &mut Attempt<'_>) -> Result<(), Failure> {
    let mut measured = Measured::default();
    let asked = ask(settings, attempt, &mut measured).await;
    for (phase, took) in measured.phases {
        attempt.out.put(&DURATION, [phase], took.as_secs_f64());
    }
    attempt.out.put(&ACCEPTING, [], f64::from(u8::from(measured.accepting)));
    asked
}

async fn ask(settings: &Settings, attempt: &mut Attempt<'_>, measured: &mut Measured) -> Result<(), Failure> {
    let clock = attempt.cx.clock.clone();
    let (host, port) = host_and_port(attempt.target, PORT)?;
    let (ip, took) = attempt.resolve(host, settings.addressing).await;
    measured.phases.push(("resolve", took));
    let to = SocketAddr::new(ip?, port);
    let start = clock.monotonic();
    let stream = attempt.connect(to, settings.source).await?;
    measured.phases.push(("connect", clock.monotonic().saturating_sub(start)));
    let mut stream: Box<dyn Stream> = Box::new(stream);
    if let Some(client) = &settings.tls {
        let start = clock.monotonic();
        stream = encrypt(client, host, stream, attempt).await?;
        measured.phases.push(("tls", clock.monotonic().saturating_sub(start)));
    }
    match &settings.password {
        Some(password) => {
            let password = attempt.within(|| "reading the password".into(), password.secret()).await?;
            let password = password.map_err(|error| Failure::Answer(format!("the password: {error}")))?;
            login(settings, &password, stream, attempt, measured).await
        }
        None => ping(settings, &mut stream, attempt, measured).await,
    }
}

/// Asks for TLS, and shakes hands.
async fn encrypt(
    client: &tls::Client,
    host: &str,
    mut stream: Box<dyn Stream>,
    attempt: &mut Attempt<'_>,
) -> Result<Box<dyn Stream>, Failure> {
    let asking = async {
        stream.write_all(&message::SSL_REQUEST).await?;
        stream.read_u8().await
    };
    let answer = attempt.within(|| "asking for TLS".into(), asking).await?;
    match answer {
        Ok(b'S') => {}
        Ok(b'N') => {
            let why = "the server speaks no TLS: set ssl = on in its postgresql.conf, or ask without `tls`";
            return Err(Failure::Answer(why.to_owned()));
        }
        Ok(_) => return Err(Failure::Answer("it does not speak PostgreSQL's protocol".to_owned())),
        Err(error) => return Err(Failure::Answer(format!("no answer to the question for TLS: {error}"))),
    }
    let name = client.server_name().unwrap_or(host).to_owned();
    let Handshake { outcome, presented } = client.connect(attempt, stream, &name, &[]).await;
    let connection = outcome.as_ref().ok().map(|stream| stream.get_ref().1);
    Seen::new(presented.as_ref(), connection, &mut attempt.trail).write(attempt.out, true);
    Ok(Box::new(outcome?))
}

/// Introduces itself, and goes as soon as the server answers.
async fn ping(
    settings: &Settings,
    stream: &mut Box<dyn Stream>,
    attempt: &mut Attempt<'_>,
    measured: &mut Measured,
) -> Result<(), Failure> {
    let start = attempt.cx.clock.monotonic();
    let startup = message::startup(&settings.user, &settings.database);
    let introducing = introduce(stream, &startup);
    let welcome = attempt.within(|| "waiting for the server's answer".into(), introducing).await?;
    measured.phases.push(("startup", attempt.cx.clock.monotonic().saturating_sub(start)));
    let welcome =
        welcome.map_err(|error| Failure::Answer(format!("no answer as PostgreSQL gives it: {error}")))?;
    match welcome {
        Welcome::Error { code, message } if refuses(&code) => {
            Err(Failure::Answer(format!("the server takes no connections: {message} (SQLSTATE {code})")))
        }
        Welcome::Error { code, message } => {
            // It has looked at who asks, so it takes connections: of others.
            attempt.trail.say(format!("The server refuses {}: {message} (SQLSTATE {code})", settings.user));
            measured.accepting = true;
            Ok(())
        }
        Welcome::Authentication | Welcome::Other => {
            attempt.trail.say("The server takes connections");
            measured.accepting = true;
            Ok(())
        }
    }
}

fn refuses(code: &str) -> bool {
    code == CANNOT_CONNECT_NOW || code == TOO_MANY_CONNECTIONS
}

async fn introduce(stream: &mut Box<dyn Stream>, startup: &[u8]) -> io::Result<Welcome> {
    stream.write_all(startup).await?;
    stream.flush().await?;
    loop {
        let mut header = [0; 5];
        stream.read_exact(&mut header).await?;
        let len = message::body_len(header);
        let len = len.ok_or_else(|| io::Error::other("it does not speak PostgreSQL's protocol"))?;
        let mut body = vec![0; len];
        stream.read_exact(&mut body).await?;
        match message::welcome(header[0], &body) {
            Welcome::Other => {}
            welcome => {
                // Whoever is let in without a password says goodbye, as the server waits for queries.
                let _ = stream.write_all(&message::TERMINATE).await;
                return Ok(welcome);
            }
        }
    }
}

/// Logs in and runs a query.
async fn login(
    settings: &Settings,
    password: &Secret,
    stream: Box<dyn Stream>,
    attempt: &mut Attempt<'_>,
    measured: &mut Measured,
) -> Result<(), Failure> {
    let clock = attempt.cx.clock.clone();
    let mut config = tokio_postgres::Config::new();
    config
        .user(&settings.user)
        .dbname(&settings.database)
        .password(password.reveal())
        .application_name("taffrail")
        // Where TLS is wanted, this stream is it already.
        .ssl_mode(tokio_postgres::config::SslMode::Disable);
    let start = clock.monotonic();
    let logging_in = config.connect_raw(stream, tokio_postgres::NoTls);
    let session = attempt.within(|| format!("logging in as {}", settings.user), logging_in).await?;
    measured.phases.push(("login", clock.monotonic().saturating_sub(start)));
    let (client, connection) = session.map_err(|error| {
        measured.accepting = error.code().is_some_and(|code| !refuses(code.code()));
        failed("logging in", &error)
    })?;
    measured.accepting = true;
    attempt.trail.say(format!("Logged in as {}", settings.user));
    let start = clock.monotonic();
    let querying = async {
        tokio::select! {
            answer = client.simple_query("select 1") => answer.map(drop),
            // It ends only when the server does.
            ended = connection => ended,
        }
    };
    let answer = attempt.within(|| "running a query".into(), querying).await?;
    measured.phases.push(("query", clock.monotonic().saturating_sub(start)));
    answer.map_err(|error| failed("running a query", &error))
}

fn failed(what: &str, error: &tokio_postgres::Error) -> Failure {
    match error.as_db_error() {
        Some(said) => {
            Failure::Answer(format!("{what}: {} (SQLSTATE {})", said.message(), said.code().code()))
        }
        None => Failure::Answer(format!("{what}: {error}")),
    }
}
