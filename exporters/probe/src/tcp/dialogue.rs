//! Saying and hearing, step by step, on one connection.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use taffrail_core::label;

use super::{Expect, Settings, Step};
use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::matching::{BYTES, INFO, REGEX};
use crate::tls::Seen;

/// The longest line that is heard, in bytes.
const MAX_LINE: usize = 64 << 10;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection, and what was read of it and not heard yet.
struct Line {
    stream: Box<dyn Stream>,
    unheard: Vec<u8>,
}

/// What a dialogue fails of, for the metrics.
#[derive(Default)]
struct Faults {
    regex: bool,
    bytes: bool,
    seen: Option<Seen>,
}

/// Goes through the dialogue with the server called `name`.
pub(super) async fn hold(
    settings: &Settings,
    attempt: &mut Attempt<'_>,
    stream: TcpStream,
    name: &str,
) -> Result<(), Failure> {
    let mut faults = Faults::default();
    let mut line = Line { stream: Box::new(stream), unheard: Vec::new() };
    let mut outcome = Ok(());
    let mut connected = true;
    if settings.tls {
        outcome = line.secure(settings, attempt, name, &mut faults).await;
        connected = outcome.is_ok();
    }
    for (at, step) in settings.query_response.iter().enumerate() {
        if outcome.is_err() {
            break;
        }
        outcome = take(settings, attempt, &mut line, name, (at, step), &mut faults).await;
    }
    // Without a connection nothing was expected in vain.
    if connected {
        attempt.out.put(&REGEX, [], f64::from(u8::from(faults.regex)));
        attempt.out.put(&BYTES, [], f64::from(u8::from(faults.bytes)));
    }
    if let Some(seen) = &faults.seen {
        seen.write(attempt.out, false);
    }
    outcome
}

async fn take(
    settings: &Settings,
    attempt: &mut Attempt<'_>,
    line: &mut Line,
    name: &str,
    (at, step): (usize, &Step),
    faults: &mut Faults,
) -> Result<(), Failure> {
    let mut send = step.send.clone();
    match &step.expect {
        Some(Expect::Line(pattern)) => {
            let mut templates: Vec<&[u8]> = vec![&step.send];
            templates.extend(step.labels.iter().map(|(_, value)| value.as_bytes()));
            let mut filled = loop {
                let Some(heard) = line.hear(attempt, pattern.as_str()).await? else {
                    faults.regex = true;
                    let why = format!(
                        "step {}: the connection ended, and no line matched `{}`",
                        at + 1,
                        pattern.as_str()
                    );
                    return Err(Failure::Answer(why));
                };
                attempt.trail.say(format!("< {}", String::from_utf8_lossy(&heard)));
                if let Some(filled) = pattern.expand(&heard, &templates) {
                    break filled.into_iter();
                }
            };
            send = filled.next().unwrap_or_default();
            if !step.labels.is_empty() {
                let values: Vec<_> = filled.map(|value| label::value(&value).into_owned()).collect();
                let names = step.labels.iter().map(|(name, _)| name.as_str());
                let labels: Vec<_> = names.zip(values.iter().map(String::as_str)).collect();
                attempt.out.put_labelled(&INFO, &labels, 1.0);
            }
        }
        Some(Expect::Bytes(wanted)) => {
            let heard = line.hear_bytes(attempt, wanted.len()).await?;
            attempt.trail.say(format!("< {}", heard.escape_ascii()));
            if heard != *wanted {
                faults.bytes = true;
                let why = format!(
                    "step {}: `{}` came; wanted `{}`",
                    at + 1,
                    heard.escape_ascii(),
                    wanted.escape_ascii()
                );
                return Err(Failure::Answer(why));
            }
        }
        None => {}
    }
    if !send.is_empty() {
        line.say(attempt, send).await?;
    }
    if step.starttls {
        line.secure(settings, attempt, name, faults).await?;
    }
    Ok(())
}

impl Line {
    /// The next line without its end, or none when the connection ended.
    async fn hear(&mut self, attempt: &mut Attempt<'_>, wanted: &str) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            if let Some(end) = self.unheard.iter().position(|byte| *byte == b'\n') {
                let mut heard: Vec<u8> = self.unheard.drain(..=end).collect();
                heard.pop();
                if heard.last() == Some(&b'\r') {
                    heard.pop();
                }
                return Ok(Some(heard));
            }
            if self.unheard.len() >= MAX_LINE {
                return Err(Failure::Answer(format!("a line of more than {} KiB came", MAX_LINE >> 10)));
            }
            let waiting = || format!("waiting for a line that matches `{wanted}`");
            if self.read(attempt, waiting).await? == 0 {
                let rest = std::mem::take(&mut self.unheard);
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
        }
    }

    async fn hear_bytes(&mut self, attempt: &mut Attempt<'_>, count: usize) -> Result<Vec<u8>, Failure> {
        while self.unheard.len() < count {
            if self.read(attempt, || format!("waiting for {count} bytes")).await? == 0 {
                let came = self.unheard.len();
                return Err(Failure::Answer(format!("the connection ended after {came} of {count} bytes")));
            }
        }
        Ok(self.unheard.drain(..count).collect())
    }

    async fn read(
        &mut self,
        attempt: &Attempt<'_>,
        doing: impl FnOnce() -> String,
    ) -> Result<usize, Failure> {
        let mut buffer = [0; 4096];
        let read = attempt.within(doing, self.stream.read(&mut buffer)).await?;
        let read = read.map_err(|e| Failure::Answer(format!("the connection broke: {e}")))?;
        self.unheard.extend_from_slice(&buffer[..read]);
        Ok(read)
    }

    async fn say(&mut self, attempt: &mut Attempt<'_>, mut words: Vec<u8>) -> Result<(), Failure> {
        attempt.trail.say(format!("> {}", words.escape_ascii()));
        words.push(b'\n');
        let saying = async {
            self.stream.write_all(&words).await?;
            self.stream.flush().await
        };
        let said = attempt.within(|| "sending".into(), saying).await?;
        said.map_err(|e| Failure::Answer(format!("the connection broke while sending: {e}")))
    }

    /// Goes over to TLS. What came before it in the open is not taken for something that came through it.
    async fn secure(
        &mut self,
        settings: &Settings,
        attempt: &mut Attempt<'_>,
        name: &str,
        faults: &mut Faults,
    ) -> Result<(), Failure> {
        self.unheard.clear();
        let stream = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let shaken = settings.client.connect(attempt, stream, name, &[]).await;
        let connection = shaken.outcome.as_ref().ok().map(|stream| stream.get_ref().1);
        faults.seen = Some(Seen::new(shaken.presented.as_ref(), connection, &mut attempt.trail));
        self.stream = Box::new(shaken.outcome?);
        Ok(())
    }
}
