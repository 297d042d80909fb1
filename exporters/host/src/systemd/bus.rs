//! A connection to systemd: over the system bus, or straight to its own socket. Calls go out many at a time and their
//! answers are taken as they come, so that a hundred properties cost a few round trips.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use tokio::net::UnixStream;
use zbus::connection::Builder;
use zbus::export::futures_core::Stream;
use zbus::message::{Flags, Type};
use zbus::{Connection, Message, MessageStream, Variant};

use crate::config::HostConfig;

const SYSTEMD: &str = "org.freedesktop.systemd1";
/// The object that stands for systemd itself.
pub const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
/// The interface of that object.
pub const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// The most calls that wait for their answers at once: few enough for every queue on the way.
const IN_FLIGHT: usize = 64;

/// Where systemd may be reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// A bus, by its address (D-Bus specification, "Server Addresses").
    Address(String),
    /// A bus at a socket.
    Bus(PathBuf),
    /// systemd's own socket, where nobody is between it and us.
    Private(PathBuf),
}

/// Where to try, in this order. None: D-Bus is not here.
pub fn places(config: &HostConfig) -> Vec<Place> {
    let named = config.systemd.bus.clone();
    if let Some(addresses) = named.or_else(|| std::env::var("DBUS_SYSTEM_BUS_ADDRESS").ok()) {
        return addresses.split(';').map(|address| Place::Address(address.to_owned())).collect();
    }
    let below = |path: &str| Some(config.rootfs.join(path)).filter(|path| path.exists());
    let bus = below("run/dbus/system_bus_socket");
    // systemd answers there to root alone.
    let private = below("run/systemd/private").filter(|_| rustix::process::geteuid().is_root());
    bus.map(Place::Bus).into_iter().chain(private.map(Place::Private)).collect()
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody is called systemd on this bus.
    #[error("systemd is not on the bus")]
    NoSystemd,
    /// The bus or systemd forbids the call.
    #[error("{0}: let this process read org.freedesktop.systemd1, or set `host.subjects.systemd: false`")]
    Denied(String),
    /// systemd says no, for a reason of its own.
    #[error("{0}")]
    Refused(String),
    /// The connection is of no use any more.
    #[error("the connection to systemd: {0}")]
    Broken(String),
}

impl From<zbus::Error> for Failure {
    fn from(error: zbus::Error) -> Self {
        Failure::Broken(error.to_string())
    }
}

/// One property of one object.
#[derive(Clone, Copy, Debug)]
pub struct Property<'a> {
    /// The object.
    pub path: &'a str,
    /// The interface that has the property.
    pub interface: &'static str,
    /// Its name.
    pub name: &'static str,
}

impl Property<'static> {
    /// A property of systemd itself.
    pub fn of_manager(name: &'static str) -> Self {
        Property { path: MANAGER_PATH, interface: MANAGER, name }
    }
}

/// A connection. Broken after a [`Failure::Broken`], and when a call on it was given up.
#[derive(Debug)]
pub struct Bus {
    connection: Connection,
    private: bool,
}

impl Bus {
    /// Connects to the first place that lets us in; the error tells of all of them.
    pub async fn connect(places: &[Place]) -> Result<Bus, String> {
        let mut errors = Vec::new();
        for place in places {
            match Bus::connect_to(place).await {
                Ok(bus) => return Ok(bus),
                Err(error) => errors.push(error),
            }
        }
        Err(errors.join("; "))
    }

    async fn connect_to(place: &Place) -> Result<Bus, String> {
        let (shown, builder) = match place {
            Place::Address(address) => (address.clone(), Builder::address(&**address)),
            Place::Bus(path) | Place::Private(path) => {
                let stream = open(path).await.map_err(|error| format!("{}: {error}", path.display()))?;
                (path.display().to_string(), Builder::unix_stream(stream))
            }
        };
        let private = matches!(place, Place::Private(_));
        let builder = if private { builder.p2p() } else { builder };
        let connection = builder.build().await.map_err(|error| format!("{shown}: {error}"))?;
        Ok(Bus { connection, private })
    }

    /// Whether the connection is worth keeping for the next run: systemd sends all its signals to those who are connected
    /// to its own socket, and nobody here reads them.
    pub fn lasts(&self) -> bool {
        !self.private
    }

    /// All units, as `ListUnits` lists them.
    pub async fn list_units(&self) -> Result<Message, Failure> {
        let call = Message::method_call(MANAGER_PATH, "ListUnits").interface(MANAGER);
        let call = self.addressed(call).build(&())?;
        let mut answer = Err(Failure::Broken("there was no answer".into()));
        self.call_all(&[call], |_, result| answer = result).await?;
        answer
    }

    /// Reads properties, and gives each to `each` with its place in the list: `None` where it cannot be had, as the unit
    /// has gone or this systemd does not know it.
    pub async fn read(
        &self,
        properties: &[Property<'_>],
        mut each: impl FnMut(usize, Option<&Variant<'_>>),
    ) -> Result<(), Failure> {
        let mut calls = Vec::with_capacity(properties.len().min(IN_FLIGHT));
        for (begin, chunk) in properties.chunks(IN_FLIGHT).enumerate() {
            calls.clear();
            for property in chunk {
                let call = Message::method_call(property.path, "Get").interface(PROPERTIES);
                calls.push(self.addressed(call).build(&(property.interface, property.name))?);
            }
            self.call_all(&calls, |at, result| {
                let body = result.ok().map(|message| message.body());
                let value = body.as_ref().and_then(|body| body.deserialize::<Variant<'_>>().ok());
                each(begin * IN_FLIGHT + at, value.as_ref());
            })
            .await?;
        }
        Ok(())
    }

    /// Where the call goes. On a machine without systemd the bus is not asked to start one.
    fn addressed<'a>(&self, call: zbus::message::Builder<'a>) -> zbus::message::Builder<'a> {
        let call = call.with_flags(Flags::NO_AUTO_START);
        if self.private { call } else { call.destination(SYSTEMD) }
    }

    /// Sends all calls, at most [`IN_FLIGHT`], and waits for all answers.
    async fn call_all(
        &self,
        calls: &[Message],
        mut each: impl FnMut(usize, Result<Message, Failure>),
    ) -> Result<(), Failure> {
        let mut incoming = MessageStream::from(&self.connection);
        self.connection.send_all(calls).await?;
        let mut waiting = calls.len();
        // Answers come in the order of the calls, or nearly.
        let mut expected = 0;
        while waiting > 0 {
            let next = poll_fn(|context| Pin::new(&mut incoming).poll_next(context)).await;
            let message = next.ok_or_else(|| Failure::Broken("it was closed".into()))??;
            let Some(serial) = message.header().reply_serial() else { continue };
            let is_answer = |call: &Message| call.primary_header().serial_num() == serial;
            let (before, from) = calls.split_at(expected);
            let found = from.iter().position(is_answer).map(|at| at + expected);
            let Some(at) = found.or_else(|| before.iter().position(is_answer)) else { continue };
            expected = at + 1;
            waiting -= 1;
            each(at, judge(message));
        }
        Ok(())
    }
}

/// Opens a socket without waiting: one whose listener does not accept is an error, not a place to hang.
async fn open(path: &Path) -> std::io::Result<std::os::unix::net::UnixStream> {
    UnixStream::connect(path).await?.into_std()
}

fn judge(message: Message) -> Result<Message, Failure> {
    if message.message_type() != Type::Error {
        return Ok(message);
    }
    let header = message.header();
    let name = header.error_name().map(zbus::names::ErrorName::as_str).unwrap_or_default();
    let kind = name.rsplit('.').next().unwrap_or_default();
    let body = message.body();
    let text = body.deserialize::<&str>().ok().filter(|text| !text.is_empty()).unwrap_or(name);
    Err(match kind {
        "ServiceUnknown" | "NameHasNoOwner" => Failure::NoSystemd,
        "AccessDenied" | "AuthFailed" | "InteractiveAuthorizationRequired" => {
            Failure::Denied(text.to_owned())
        }
        _ => Failure::Refused(text.to_owned()),
    })
}
