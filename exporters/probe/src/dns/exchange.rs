//! A question and its answer, as a datagram or on a connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::client::TlsStream;

use super::message::{self, Response};
use super::{Settings, Transport};
use crate::attempt::Attempt;
use crate::failure::Failure;

/// The most that is read of a datagram. Servers send 512 bytes at most to whoever does not say more, and this does not.
const DATAGRAM: usize = 4096;

/// The way to the server.
pub enum Way {
    /// Connected: what others send is not received, and an unreachable port is an error.
    Udp(UdpSocket),
    /// A connection.
    Tcp(TcpStream),
    /// A connection, with TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Way {
    pub async fn open(
        settings: &Settings,
        host: &str,
        to: SocketAddr,
        attempt: &mut Attempt<'_>,
    ) -> Result<Self, Failure> {
        match settings.transport {
            Transport::Tcp => {
                let stream = attempt.connect(to, settings.source).await?;
                let Some(client) = &settings.tls else { return Ok(Way::Tcp(stream)) };
                let name = client.server_name().unwrap_or(host);
                let handshake = client.connect(attempt, stream, name, &[]).await;
                Ok(Way::Tls(Box::new(handshake.outcome?)))
            }
            Transport::Udp => {
                attempt.allow(to.ip())?;
                let any =
                    if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
                let source = settings.source.or(attempt.cx.source).filter(|ip| ip.is_ipv4() == to.is_ipv4());
                let socket = udp(source.unwrap_or(any), to).await;
                Ok(Way::Udp(socket.map_err(|why| Failure::Connect { to, why })?))
            }
        }
    }

    /// Sends the query and waits for the answer that carries `id`.
    pub async fn exchange(
        &mut self,
        query: &[u8],
        id: u16,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response, Failure> {
        let answer = async {
            match self {
                Way::Udp(socket) => datagram(socket, query, id).await,
                Way::Tcp(stream) => connection(stream, query, id).await,
                Way::Tls(stream) => connection(stream, query, id).await,
            }
        };
        let doing = || "waiting for the answer".to_owned();
        attempt.within(doing, answer).await?.map_err(|why| Failure::Answer(format!("no answer: {why}")))
    }
}

async fn udp(source: IpAddr, to: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::new(source, 0)).await?;
    socket.connect(to).await?;
    Ok(socket)
}

async fn datagram(socket: &UdpSocket, query: &[u8], id: u16) -> io::Result<Response> {
    socket.send(query).await?;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let len = socket.recv(&mut buffer).await?;
        // An answer to a question of old, or a forgery: the right one may still come.
        if buffer[..len].get(..2) != Some(&id.to_be_bytes()[..]) {
            continue;
        }
        return read(&buffer[..len], id);
    }
}

/// On a connection each message has its length in front (RFC 1035, 4.2.2).
async fn connection(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    query: &[u8],
    id: u16,
) -> io::Result<Response> {
    let mut framed = (query.len() as u16).to_be_bytes().to_vec();
    framed.extend(query);
    stream.write_all(&framed).await?;
    stream.flush().await?;
    let len = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(len)];
    stream.read_exact(&mut answer).await?;
    read(&answer, id)
}

fn read(answer: &[u8], id: u16) -> io::Result<Response> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let response = message::parse(answer).map_err(|why| invalid(why.to_string()))?;
    match (response.response, response.id == id) {
        (true, true) => Ok(response),
        (false, _) => Err(invalid("the server sends a question, not an answer".into())),
        (_, false) => Err(invalid("the server answers another question".into())),
    }
}
