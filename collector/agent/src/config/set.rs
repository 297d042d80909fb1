//! `--set host.interval=5s`: one value laid over the tree, by its dotted key.

use super::error::Fault;
use super::source::Span;
use super::tree::{self, Key, Node, Value};

/// Reads one `--set` argument, whose text is source number `source`: its keys, and a tree of its value alone, wrapped in
/// those keys. A number in the key is an index into a list.
pub fn parse(argument: &str, source: u32, faults: &mut Vec<Fault>) -> Result<(Vec<Key>, Node), Fault> {
    let span = |start: usize, end: usize| {
        let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Span { source, start: place(start), end: place(end) }
    };
    let Some((path, value)) = argument.split_once('=') else {
        return Err(
            Fault::at(span(0, argument.len()), "no `=` after the key").help("write --set host.interval=5s")
        );
    };
    let mut keys = Vec::new();
    let mut start = 0;
    for text in path.split('.') {
        let span = span(start, start + text.len());
        if text.is_empty() {
            return Err(Fault::at(span, "a part of the key is empty").help("write --set host.interval=5s"));
        }
        keys.push(Key { span, text: text.to_owned() });
        start += text.len() + 1;
    }
    let mut node = tree::parse(value, source, path.len() + 1, faults)?;
    if value.trim().is_empty() {
        // `--set hostname=` is a scalar without a value, not an empty section.
        node = Node {
            span: span(path.len() + 1, argument.len()),
            value: Value::Scalar { text: String::new(), plain: true },
        };
    }
    Ok((keys, node))
}

/// Puts `value` at `keys`, and makes the mappings and list entries on the way.
pub fn apply(root: &mut Node, keys: &[Key], value: Node) -> Result<(), Fault> {
    let Some((key, rest)) = keys.split_first() else {
        *root = value;
        return Ok(());
    };
    if root.is_null() {
        let span = root.span;
        *root = match key.text.parse::<usize>() {
            Ok(_) => Node { span, value: Value::List(Vec::new()) },
            Err(_) => Node::empty(span),
        };
    }
    match &mut root.value {
        Value::Map(entries) => {
            let at = entries.iter().position(|(known, _)| known.text == key.text).unwrap_or(entries.len());
            if at == entries.len() {
                entries.push((key.clone(), nothing(key.span)));
            }
            apply(&mut entries[at].1, rest, value)
        }
        Value::List(items) => {
            let last = items.len();
            match key.text.parse::<usize>() {
                Ok(at) if at <= last => {
                    if at == last {
                        items.push(nothing(key.span));
                    }
                    apply(&mut items[at], rest, value)
                }
                _ => Err(Fault::at(key.span, format!("`{}` is not an index of this list", key.text))
                    .help(format!("write {last} to add an entry"))),
            }
        }
        Value::Scalar { .. } => {
            Err(Fault::at(key.span, format!("`{}` would be a key of a single value", key.text))
                .help("set the key before it, or remove its value from the file"))
        }
    }
}

fn nothing(span: Span) -> Node {
    Node { span, value: Value::Scalar { text: String::new(), plain: true } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(node: &Node) -> String {
        match &node.value {
            Value::Scalar { text, .. } => text.clone(),
            Value::List(items) => format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(",")),
            Value::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(k, v)| format!("{}:{}", k.text, shape(v))).collect();
                format!("{{{}}}", entries.join(","))
            }
        }
    }

    fn set(text: &str, argument: &str) -> Result<String, Fault> {
        let mut root = tree::parse(text, 0, 0, &mut Vec::new()).unwrap();
        let (keys, value) = parse(argument, 1, &mut Vec::new())?;
        apply(&mut root, &keys, value)?;
        Ok(shape(&root))
    }

    #[test]
    fn values_are_laid_over_the_tree() {
        assert_eq!(set("a: 1", "a=2").unwrap(), "{a:2}");
        assert_eq!(set("a:", "a.b.c=x=y").unwrap(), "{a:{b:{c:x=y}}}");
        assert_eq!(set("", "o.0.url=http://h:1/").unwrap(), "{o:[{url:http://h:1/}]}");
        assert_eq!(set("o: [{n: a}]", "o.0.m=b").unwrap(), "{o:[{n:a,m:b}]}");
        assert_eq!(set("o: [a]", "o.1=b").unwrap(), "{o:[a,b]}");
        assert_eq!(set("", "a={b: [1, 2]}").unwrap(), "{a:{b:[1,2]}}");
    }

    #[test]
    fn what_has_no_place_is_refused() {
        for (text, argument) in [
            ("", "a"),
            ("", ".=1"),
            ("", "a..b=1"),
            ("a: 1", "a.b=2"),
            ("a: [1]", "a.5=2"),
            ("a: [1]", "a.x=2"),
            ("", "a=["),
        ] {
            assert!(set(text, argument).is_err(), "{argument}");
        }
    }
}
