//! Stack traces of Java, Python, Go, Rust, Node and .NET: their types, and the topmost frames of own code.

use super::message::normal_form;

/// How many frames of own code count.
const FRAMES: usize = 4;
/// How many causes count.
const TYPES: usize = 4;

/// What a trace says.
#[derive(Debug, Default)]
pub(super) struct Trace<'t> {
    /// The type of the error and those of its causes, the outermost first.
    pub types: Vec<String>,
    /// Functions, and files where there is no function; topmost first.
    pub frames: Vec<String>,
    /// The message of the outermost error.
    pub message: Option<&'t str>,
}

/// Functions of runtimes and frameworks: a trace's frames in them say little about what went wrong.
const FOREIGN_FUNCTIONS: [&str; 47] = [
    "java.",
    "javax.",
    "jakarta.",
    "jdk.",
    "sun.",
    "com.sun.",
    "kotlin.",
    "kotlinx.",
    "scala.",
    "akka.",
    "org.springframework.",
    "org.apache.",
    "org.eclipse.",
    "org.hibernate.",
    "org.postgresql.",
    "io.netty.",
    "reactor.",
    "io.undertow.",
    "com.zaxxer.",
    "com.fasterxml.",
    "org.junit.",
    "System.",
    "Microsoft.",
    "Npgsql.",
    "Newtonsoft.",
    "runtime.",
    "runtime/",
    "net/http.",
    "net.(",
    "reflect.",
    "testing.",
    "panic(",
    "created by ",
    "database/sql.",
    "google.golang.org/",
    "std::",
    "core::",
    "alloc::",
    "tokio::",
    "futures_util::",
    "hyper::",
    "<alloc::",
    "<core::",
    "rust_begin_unwind",
    "__rust",
    "_start",
    "__libc",
];

/// Files of runtimes and packages.
const FOREIGN_FILES: [&str; 12] = [
    "site-packages",
    "dist-packages",
    "/lib/python",
    "<frozen ",
    "node_modules",
    "node:",
    "/usr/local/go/src",
    "/usr/lib/go",
    "/pkg/mod/",
    "/vendor/",
    "/rustc/",
    ".cargo/registry",
];

#[derive(Debug)]
struct Frame<'t> {
    function: &'t str,
    file: &'t str,
}

impl Frame<'_> {
    fn is_own(&self) -> bool {
        let function = self.function.strip_prefix("async ").unwrap_or(self.function);
        // `java.base/java.lang.Thread.run`: the module stands before.
        let function = function
            .split_once('/')
            .filter(|(module, _)| module.starts_with("java."))
            .map_or(function, |it| it.1);
        !FOREIGN_FUNCTIONS.iter().any(|foreign| function.starts_with(foreign))
            && !FOREIGN_FILES.iter().any(|foreign| self.file.contains(foreign))
    }

    fn text(&self) -> String {
        normal_form(if self.function.is_empty() { self.file } else { self.function })
    }
}

/// The trace in a text; none where it has no frames.
pub(super) fn parse(text: &str) -> Option<Trace<'_>> {
    let mut trace = Trace::default();
    // Frames under each type; the last with own frames is the root cause's, or, in Python, the error's own.
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let mut newest_last = false;
    let mut lines = text.lines().peekable();
    let mut at_first = true;
    // In Python, whether the line with the type is still to come.
    let mut type_to_come = false;
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            continue;
        }
        if trimmed.starts_with("Traceback (most recent call last):")
            || trimmed.ends_with("Traceback (most recent call last):")
        {
            newest_last = true;
            type_to_come = true;
            frames.clear();
            continue;
        }
        if let Some(frame) = frame(line, trimmed, lines.peek().copied()) {
            frames.push(frame);
            at_first = false;
            continue;
        }
        // A header before the first frame, a cause, or Python's last line.
        let cause = trimmed.strip_prefix("Caused by: ").or_else(|| trimmed.strip_prefix("---> "));
        let python_end = type_to_come && !frames.is_empty() && !line.starts_with(char::is_whitespace);
        if let Some(cause) = cause {
            add_type(&mut trace, cause, true);
        } else if python_end || at_first {
            add_type(&mut trace, trimmed, python_end);
            type_to_come &= !python_end;
        }
        if let Some(cause) = trimmed.find(" ---> ") {
            add_type(&mut trace, &trimmed[cause + 6..], true);
        }
    }
    if frames.is_empty() {
        return None;
    }
    if newest_last {
        frames.reverse();
    }
    let own: Vec<&Frame<'_>> = frames.iter().filter(|frame| frame.is_own()).take(FRAMES).collect();
    let counted = if own.is_empty() { frames.iter().take(FRAMES).collect() } else { own };
    trace.frames = counted.into_iter().map(Frame::text).collect();
    Some(trace)
}

/// The type that a line names, and its message.
fn add_type<'t>(trace: &mut Trace<'t>, line: &'t str, sure: bool) {
    if trace.types.len() >= TYPES {
        return;
    }
    // Go and Rust have no types: their messages stand for them.
    if let Some((_, message)) = line.split_once("panic: ").filter(|(before, _)| before.is_empty()) {
        trace.types.push(format!("panic: {}", normal_form(message)));
        return;
    }
    if let Some(message) = line.strip_prefix("fatal error: ") {
        trace.types.push(format!("fatal error: {}", normal_form(message)));
        return;
    }
    if line.starts_with("thread '") && line.contains("panicked at") {
        // Without the thread's name; the message is in the next line.
        let place = line.split_once("panicked at").map_or("", |(_, place)| place);
        trace.types.push(format!("panicked at{}", normal_form(place)));
        return;
    }
    let (head, message) =
        line.split_once(": ").map_or((line.trim_end_matches(':'), None), |(head, rest)| (head, Some(rest)));
    // `Exception in thread "main" java.lang.X`, `Unhandled exception. System.X`, `2026-11-21 ERROR x.Y`.
    let name = head.rsplit(' ').next().unwrap_or(head);
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b':'))
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let known = ["Exception", "Error", "Throwable", "Interrupt", "Exit", "Warning", "Iteration", "Fault"];
    let typed = known.iter().any(|end| name.ends_with(end));
    if is_name && (typed || (sure && head == name)) {
        trace.types.push(name.to_owned());
        if trace.message.is_none() {
            trace.message = message;
        }
    } else if let Some(rest) = message.filter(|rest| rest.contains("Exception") || rest.contains("Error")) {
        // A logger's header before the type.
        add_type(trace, rest, false);
    }
}

/// The frame that a line is.
fn frame<'t>(line: &'t str, trimmed: &'t str, next: Option<&'t str>) -> Option<Frame<'t>> {
    let indented = line.starts_with([' ', '\t']);
    if let Some(place) = trimmed.strip_prefix("at ").filter(|_| indented) {
        return at_frame(place);
    }
    if let Some(rest) = trimmed.strip_prefix("File \"").filter(|_| indented) {
        let (file, rest) = rest.split_once('"')?;
        let function = rest.split_once(", in ").map_or("", |(_, function)| function);
        return Some(Frame { function, file });
    }
    // Rust's `  12: crate::function`, with `at file:line:column` in the next line.
    if let Some((number, function)) = trimmed.split_once(": ").filter(|_| indented)
        && !number.is_empty()
        && number.len() < 5
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        let file = next.map(str::trim).and_then(|next| next.strip_prefix("at ")).unwrap_or_default();
        return Some(Frame { function, file });
    }
    // Go: `package.Function(…)`, with `\tfile:line +0x…` in the next line.
    let next = next.filter(|next| next.starts_with('\t') || next.starts_with("    /"))?;
    if indented || !next.contains(".go:") {
        return None;
    }
    let function = match trimmed.rfind('(') {
        // `main.(*Server).serve(0xc000…)`: the last bracket holds the arguments.
        Some(open) if open > 0 && !trimmed.starts_with("created by ") => &trimmed[..open],
        _ => trimmed.split(" in goroutine").next().unwrap_or(trimmed),
    };
    Some(Frame { function, file: next.trim() })
}

/// Java's `a.B.c(B.java:1)`, Node's `f (/a/b.js:1:2)` and `/a/b.js:1:2`, .NET's `A.B(C d) in /a/b.cs:line 1`; also Rust's
/// files, which belong to the frame before and are none of their own.
fn at_frame(place: &str) -> Option<Frame<'_>> {
    if let Some((function, file)) = place.split_once(" in ") {
        return Some(Frame { function: function.split('(').next().unwrap_or(function), file });
    }
    match place.split_once('(') {
        Some((function, file)) => {
            Some(Frame { function: function.trim_end(), file: file.trim_end_matches(')') })
        }
        // A place without brackets is Node's where it has a line and a column in a script, and else Rust's or .NET's.
        None if place.contains(".js:")
            || place.contains(".ts:")
            || place.contains(".mjs:")
            || place.contains(".cjs:") =>
        {
            Some(Frame { function: "", file: place })
        }
        None => None,
    }
}
