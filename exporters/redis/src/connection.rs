//! A connection to a server: commands in one write, their replies in order.

use std::io;

use taffrail_core::SourceError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::address::Address;
use crate::reply::{self, Reply, ReplyError};
use crate::subject::Server;

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The connection could not be made, or ended.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The answer is none of Redis'.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// TLS cannot be spoken.
    #[error("TLS: {0}")]
    Tls(String),
    /// The password cannot be had.
    #[error("the password: {0}")]
    Password(#[from] SourceError),
    /// The server refused a command.
    #[error("the server says: {0}")]
    Refused(String),
}

/// What both kinds of streams are.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    /// What has come and was not taken yet.
    read: Vec<u8>,
}

impl Connection {
    /// Connects, and logs in where there is a password.
    pub(crate) async fn open(server: &Server) -> Result<Self, Error> {
        let stream: Box<dyn Stream> = match &server.address {
            Address::Socket(path) => Box::new(UnixStream::connect(path).await?),
            Address::Host { host, port, tls } => {
                let tcp = TcpStream::connect((host.as_str(), *port)).await?;
                tcp.set_nodelay(true)?;
                match tls {
                    false => Box::new(tcp),
                    true => {
                        let (tls, host) = (server.tls.clone(), host.clone());
                        let made = tokio::task::spawn_blocking(move || tls.connector(&host)).await;
                        let (connector, name) = made.map_err(|e| Error::Tls(e.to_string()))??;
                        Box::new(connector.connect(name, tcp).await?)
                    }
                }
            }
        };
        let mut connection = Connection { stream, read: Vec::new() };
        if let Some(password) = &server.password {
            let password = password.secret().await?;
            let mut words = vec!["AUTH"];
            words.extend(server.username.as_deref());
            words.push(password.reveal());
            connection.ask(&[&words]).await?.into_iter().try_for_each(good)?;
        }
        Ok(connection)
    }

    /// Sends the commands at once, and waits for all their replies.
    pub(crate) async fn ask(&mut self, commands: &[&[&str]]) -> Result<Vec<Reply>, Error> {
        let mut bytes = Vec::new();
        commands.iter().for_each(|words| reply::command(&mut bytes, words));
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await?;
        let mut replies = Vec::with_capacity(commands.len());
        while replies.len() < commands.len() {
            replies.push(self.next().await?);
        }
        Ok(replies)
    }

    async fn next(&mut self) -> Result<Reply, Error> {
        loop {
            if let Some((reply, len)) = reply::parse(&self.read)? {
                self.read.drain(..len);
                return Ok(reply);
            }
            self.read.reserve(16 << 10);
            if self.stream.read_buf(&mut self.read).await? == 0 {
                let why = "the server closed the connection";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why).into());
            }
        }
    }
}

/// An error if the server refused.
pub(crate) fn good(reply: Reply) -> Result<(), Error> {
    match reply {
        Reply::Error(message) => Err(Error::Refused(message)),
        _ => Ok(()),
    }
}
