//! `postgres[].query_files`: files in the shape of postgres_exporter's `queries.yaml`. Their queries are put beside those
//! of the server before anything is read of either, so that they are checked alike and every error has its own file,
//! line and column.

use super::env::{self, Env};
use super::error::Fault;
use super::include;
use super::source::{Source, Span};
use super::tree::{Key, Node, Value};

/// The section, the key of the files in each of its servers, and the key that their queries are put under.
const SECTION: &str = "postgres";
const FILES: &str = "query_files";
const QUERIES: &str = "queries";
/// The most files of one server.
const MAX_FILES: usize = 100;

/// Adds the queries of all files that servers name. What is wrong with a file is noted, and the others are still read.
pub fn queries(root: &mut Node, sources: &mut Vec<Source>, env: Env<'_>, faults: &mut Vec<Fault>) {
    let Some(Node { value: Value::List(servers), .. }) = entry(root, SECTION) else { return };
    for server in servers {
        let mut found = Vec::new();
        for (at, file) in files(server, sources, env).into_iter().take(MAX_FILES) {
            if let Err(error) = std::fs::metadata(&file) {
                let what = format!("{}: cannot be read: {error}", file.display());
                faults.push(
                    Fault::at(at, what)
                        .help("name a file with queries, that the user who runs taffrail can read"),
                );
                continue;
            }
            let Some(file) = include::file(&file, at, sources, faults) else { continue };
            let null = file.is_null();
            match file.value {
                Value::Map(entries) => found.extend(entries),
                _ if null => {}
                _ => faults.push(
                    Fault::at(file.span, "the file is not a mapping")
                        .help("such a file has the names of queries, and what each asks under it"),
                ),
            }
        }
        add(server, found, faults);
    }
}

fn entry<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    let Value::Map(entries) = &mut node.value else { return None };
    entries.iter_mut().find(|(key, _)| key.text == name).map(|(_, node)| node)
}

/// What a server names, as absolute as its source is. What is wrong there is noted when the tree is read.
fn files(server: &mut Node, sources: &[Source], env: Env<'_>) -> Vec<(Span, std::path::PathBuf)> {
    let Some(Node { value: Value::List(items), .. }) = entry(server, FILES) else { return Vec::new() };
    let path = |node: &Node| {
        let Value::Scalar { text, .. } = &node.value else { return None };
        let text = env::replace(text, env).ok()?.unwrap_or_else(|| text.clone());
        let dir = &sources.get(node.span.source as usize)?.dir;
        Some((node.span, dir.join(text)))
    };
    items.iter().filter_map(path).collect()
}

fn add(server: &mut Node, found: Vec<(Key, Node)>, faults: &mut Vec<Fault>) {
    let Some((first, _)) = found.first() else { return };
    let span = first.span;
    if entry(server, QUERIES).is_none()
        && let Value::Map(entries) = &mut server.value
    {
        let key = Key { span, text: QUERIES.to_owned() };
        entries.push((key, Node { span, value: Value::Map(Vec::new()) }));
    }
    let Some(node) = entry(server, QUERIES) else { return };
    if node.is_null() {
        node.value = Value::Map(Vec::new());
    }
    // What else stands there is wrong, and is said to be.
    let Value::Map(queries) = &mut node.value else { return };
    for (key, query) in found {
        if queries.iter().any(|(known, _)| known.text == key.text) {
            let what = format!("two queries are called `{}`", key.text);
            faults.push(Fault::at(key.span, what).help("rename one, or remove it"));
            continue;
        }
        queries.push((key, query));
    }
}
