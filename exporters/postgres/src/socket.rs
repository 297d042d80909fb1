//! A server's socket: TCP, or one in a folder. One type, as a boxed trait hides from the compiler that it can be sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::config::Address;
use crate::error::Error;

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// To a host.
    Tcp(TcpStream),
    /// On this machine.
    Unix(UnixStream),
}

/// Connects to a server.
pub async fn connect(address: &Address) -> Result<Socket, Error> {
    let fail = |error: io::Error| Error::Unreachable { address: address.to_string(), why: error.to_string() };
    match address {
        Address::Host(host, port) => {
            let stream = TcpStream::connect((host.clone(), *port)).await.map_err(fail)?;
            // Requests are small, and each waits for its answer.
            stream.set_nodelay(true).map_err(fail)?;
            Ok(Socket::Tcp(stream))
        }
        Address::Socket(folder, port) => {
            let path = folder.join(format!(".s.PGSQL.{port}"));
            Ok(Socket::Unix(UnixStream::connect(path).await.map_err(fail)?))
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        taffrail_core::cost::read(buf.filled().len() - before);
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
