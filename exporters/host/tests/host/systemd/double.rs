//! A stand-in for systemd on a bus: it answers what the subject asks from a list of units, and misbehaves when told to.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use taffrail_core::Clock;
use tokio::sync::oneshot;
use zbus::connection::Builder;
use zbus::export::futures_core::Stream;
use zbus::message::{Message, Type};
use zbus::{Connection, Guid, MessageStream, ObjectPath, Variant};

/// One unit: name, load state, active state, properties by name.
pub struct UnitDef {
    pub name: String,
    pub load: &'static str,
    pub active: &'static str,
    pub properties: HashMap<&'static str, Variant<'static>>,
}

/// A unit that is loaded.
pub fn unit(name: &str, active: &'static str, file_state: &'static str) -> UnitDef {
    let properties = HashMap::from([("UnitFileState", Variant::from(file_state))]);
    UnitDef { name: name.into(), load: "loaded", active, properties }
}

impl UnitDef {
    pub fn with(mut self, property: &'static str, value: impl Into<Variant<'static>>) -> Self {
        self.properties.insert(property, value.into());
        self
    }
}

/// What the double does, and what it was asked.
#[derive(Default)]
pub struct World {
    pub units: Vec<UnitDef>,
    pub manager: HashMap<&'static str, Variant<'static>>,
    /// Calls of this method are never answered.
    pub hangs: Option<&'static str>,
    /// Units that are listed and gone when they are asked.
    pub vanished: Vec<String>,
    /// The connection is cut after so many calls, once.
    pub cut_after: Option<usize>,
    /// Every call but Hello is answered with this error.
    pub error: Option<&'static str>,
    /// Time that passes with every call.
    pub slow: Option<(Clock, Duration)>,
    /// The list of units is something else.
    pub lists_nonsense: bool,
    /// Calls by method, or by property.
    pub calls: BTreeMap<String, usize>,
    pub connections: usize,
}

/// The double, serving on a socket until it is dropped.
pub struct Double {
    pub world: Arc<Mutex<World>>,
    pub dir: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Double {
    /// Serves at `path` below a new folder.
    pub fn start(path: &str, world: World) -> Double {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join(path);
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let world = Arc::new(Mutex::new(world));
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let shared = world.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::UnixListener::bind(&socket).unwrap();
                ready.send(()).unwrap();
                let accept = async {
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        shared.lock().unwrap().connections += 1;
                        tokio::spawn(serve(stream.into_std().unwrap(), shared.clone()));
                    }
                };
                tokio::select! { () = accept => {}, _ = stopped => {} }
            });
        });
        is_ready.recv().unwrap();
        Double { world, dir, stop: Some(stop), thread: Some(thread) }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().into()
    }

    /// The calls since this was last asked.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.world.lock().unwrap().calls)
    }

    pub fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.lock().unwrap());
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

async fn serve(stream: std::os::unix::net::UnixStream, world: Arc<Mutex<World>>) {
    let Ok(connection) = Builder::unix_stream(stream).server(Guid::generate()).p2p().build().await else {
        return;
    };
    let mut incoming = MessageStream::from(&connection);
    while let Some(Ok(call)) = poll_fn(|cx| Pin::new(&mut incoming).poll_next(cx)).await {
        if call.message_type() == Type::MethodCall && answer(&connection, &call, &world).await.is_none() {
            return;
        }
    }
}

/// What is said to one call.
enum Answer {
    Nothing,
    Text(&'static str),
    Value(Variant<'static>),
    Units(Vec<Listed>),
    Error(&'static str),
}

type Path = ObjectPath<'static>;
type Listed = (String, String, String, String, String, String, Path, u32, String, Path);

/// Answers one call; `None` when the connection is to be cut.
async fn answer(connection: &Connection, call: &Message, world: &Mutex<World>) -> Option<()> {
    let header = call.header();
    let answer = think(call, &mut world.lock().unwrap())?;
    let sent = match answer {
        Answer::Nothing => return Some(()),
        Answer::Text(text) => connection.reply(&header, &text).await,
        Answer::Value(value) => connection.reply(&header, &value).await,
        Answer::Units(units) => connection.reply(&header, &units).await,
        Answer::Error(name) => connection.reply_error(&header, name, &"as the test wants it").await,
    };
    sent.ok()
}

fn think(call: &Message, world: &mut World) -> Option<Answer> {
    let header = call.header();
    let member = header.member().unwrap().as_str().to_owned();
    if member == "Hello" {
        return Some(Answer::Text(":1.1"));
    }
    let body = call.body();
    let property = body.deserialize::<(&str, &str)>().map(|(_, name)| name).unwrap_or_default();
    let asked = if property.is_empty() { member.clone() } else { property.to_owned() };
    *world.calls.entry(asked.clone()).or_default() += 1;
    if let Some((clock, by)) = &world.slow {
        clock.advance(*by);
    }
    match &mut world.cut_after {
        Some(0) => {
            world.cut_after = None;
            return None;
        }
        Some(left) => *left -= 1,
        None => {}
    }
    if world.hangs.is_some_and(|hangs| hangs == asked) {
        return Some(Answer::Nothing);
    }
    if let Some(error) = world.error {
        return Some(Answer::Error(error));
    }
    if member == "ListUnits" {
        return Some(if world.lists_nonsense { Answer::Text("units") } else { Answer::Units(list(world)) });
    }
    let path = header.path().unwrap().as_str().to_owned();
    let properties = match path.strip_prefix("/u/") {
        None => Some(&world.manager),
        Some(number) => {
            let unit: &UnitDef = &world.units[number.parse::<usize>().unwrap()];
            (!world.vanished.contains(&unit.name)).then_some(&unit.properties)
        }
    };
    Some(match properties.map(|properties| properties.get(property)) {
        Some(Some(value)) => Answer::Value(value.try_clone().unwrap()),
        Some(None) => Answer::Error("org.freedesktop.DBus.Error.UnknownProperty"),
        None => Answer::Error("org.freedesktop.DBus.Error.UnknownObject"),
    })
}

fn list(world: &World) -> Vec<Listed> {
    let listed = |(number, unit): (usize, &UnitDef)| {
        let path = |text: String| Path::try_from(text).unwrap();
        let text = |text: &str| text.to_owned();
        let (sub, object) = (text("sub"), path(format!("/u/{number}")));
        let (load, active) = (text(unit.load), text(unit.active));
        (unit.name.clone(), text("d"), load, active, sub, text(""), object, 0, text(""), path("/".into()))
    };
    world.units.iter().enumerate().map(listed).collect()
}
