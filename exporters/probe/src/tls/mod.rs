//! TLS: the prober that looks at a server's certificates, and what the other probers share.

pub mod certificate;
mod client;
mod name;
mod report;
mod roots;
mod verify;

use std::net::{IpAddr, SocketAddr};

pub use client::{Client, Handshake, Options, OptionsError, Version};
pub use report::{METRICS, Seen};
pub use roots::{Roots, RootsError, SystemRoots};
pub use verify::Presented;

use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::resolve::Addressing;
use crate::target::host_and_port;

/// How to probe a server's TLS.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which address is probed.
    pub addressing: Addressing,
    /// The address that the connection is made from.
    pub source: Option<IpAddr>,
    /// How TLS is spoken.
    pub client: Client,
}

/// The port that is probed where the target names none.
const PORT: u16 = 443;

/// Shakes hands with the target, `host` or `host:port`, and tells what it presented.
pub async fn probe(settings: &Settings, attempt: &mut Attempt<'_>) -> Result<(), Failure> {
    let (host, port) = host_and_port(attempt.target, PORT)?;
    let (found, _) = attempt.resolve(host, settings.addressing).await;
    let stream = attempt.connect(SocketAddr::new(found?, port), settings.source).await?;
    let name = settings.client.server_name().unwrap_or(host).to_owned();
    let Handshake { outcome, presented } = settings.client.connect(attempt, stream, &name, &[]).await;
    let connection = outcome.as_ref().ok().map(|stream| stream.get_ref().1);
    Seen::new(presented.as_ref(), connection, &mut attempt.trail).write(attempt.out, true);
    outcome.map(|_| ())
}
