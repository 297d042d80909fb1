//! From a file and `--set` arguments to a valid configuration, or to everything that is wrong with them.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;

use super::check::Checker;
use super::de::{Context, Reader};
use super::defaults;
use super::env::Env;
use super::error::{Errors, Fault};
use super::field::Field;
use super::source::Source;
use super::tree::{self, Key, Node, Value};
use super::valid::Config;
use super::written::{Written, hint, literal};
use super::{secrets, set};

/// The largest configuration file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Reads `path`, or without one what is built in, and lays the `--set` arguments over it. `env` looks variables up.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub fn load(path: Option<&Path>, sets: &[String], env: Env<'_>) -> Result<Config, Errors> {
    let source = match path {
        Some(path) => read(path)?,
        None => Source::new("built in", defaults::WITHOUT_FILE, ""),
    };
    load_text(source, sets, env)
}

/// Where a process with this configuration listens, as far as that can be told from a file that may be wrong.
pub fn load_listen(path: Option<&Path>, sets: &[String], env: Env<'_>) -> SocketAddr {
    let source = path.and_then(|path| read(path).ok()).unwrap_or_else(|| Source::new("", "", ""));
    attempt(source, sets, env).0.map_or(defaults::LISTEN_ADDRESS, |config| config.listen)
}

/// The same as [`load`] of a text that was read already: of an example in the documentation.
pub fn load_text(source: Source, sets: &[String], env: Env<'_>) -> Result<Config, Errors> {
    match attempt(source, sets, env) {
        (Some(config), None) => Ok(config),
        (_, Some(errors)) => Err(errors),
        (None, None) => Err(Errors { problems: Vec::new() }),
    }
}

/// What can be made of a text, and what is wrong with it.
fn attempt(source: Source, sets: &[String], env: Env<'_>) -> (Option<Config>, Option<Errors>) {
    let mut sources = vec![source];
    sources.extend(sets.iter().map(|argument| Source::new("--set", argument.as_str(), "")));
    let mut faults = Vec::new();
    let root = match tree(&mut sources, &mut faults) {
        Ok(root) => root,
        Err(fault) => {
            for source in sources.iter_mut().filter(|source| source.hidden.is_empty()) {
                source.hidden = secrets::in_text(&source.text);
            }
            faults.push(fault);
            return (None, Some(Errors::show(faults, &sources)));
        }
    };
    let context = Context { env, hint: &hint, literal: &literal, faults: RefCell::new(faults) };
    let written = Field::<Written>::deserialize(Reader::root(&root, &context));
    let mut faults = context.faults.into_inner();
    let config = match written {
        Ok(Field::Good(_, written)) => Some(Checker::new(&sources, env, &mut faults).config(&written)),
        Ok(_) => None,
        Err(fault) => {
            faults.push(fault);
            None
        }
    };
    // Without a configuration there is a fault that says why.
    let errors = (config.is_none() || !faults.is_empty()).then(|| Errors::show(faults, &sources));
    (config, errors)
}

/// The file's tree with every `--set` in it; secrets are noted in the sources.
fn tree(sources: &mut [Source], faults: &mut Vec<Fault>) -> Result<Node, Fault> {
    let Some((file, sets)) = sources.split_first_mut() else { return Ok(Node::empty(Default::default())) };
    let mut root = tree::parse(&file.text, 0, 0, faults)?;
    file.hidden = secrets::in_tree(&root, &file.text);
    for (at, source) in sets.iter_mut().enumerate() {
        let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
        let (keys, value) = set::parse(&source.text, number, faults)?;
        source.hidden = secrets::in_tree(&wrapped(&keys, value.clone()), &source.text);
        set::apply(&mut root, &keys, value)?;
    }
    Ok(root)
}

/// The value under its keys.
fn wrapped(keys: &[Key], value: Node) -> Node {
    keys.iter()
        .rev()
        .fold(value, |node, key| Node { span: node.span, value: Value::Map(vec![(key.clone(), node)]) })
}

fn read(path: &Path) -> Result<Source, Errors> {
    let name = path.display().to_string();
    let unreadable = |e: std::io::Error| {
        let help = match e.kind() {
            std::io::ErrorKind::NotFound => "`taffrail init` writes a file to start from",
            std::io::ErrorKind::PermissionDenied => "let the user that runs taffrail read it",
            std::io::ErrorKind::IsADirectory => "name the file in it",
            _ => "name another file with --config",
        };
        Errors::file(&name, format!("cannot be read: {e}"), Some(help.to_owned()))
    };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        let what = "is larger than 1 MiB, which no configuration is";
        return Err(Errors::file(name, what, Some("is this the right file?".to_owned())));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = 1 + e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        Errors::file(&name, format!("line {line} is not UTF-8"), Some("save the file as UTF-8".to_owned()))
    })?;
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    Ok(Source::new(name, text.strip_prefix('\u{feff}').unwrap_or(&text), dir))
}
