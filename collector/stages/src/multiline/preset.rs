//! How languages write what goes over several lines: which line belongs to the one before.

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// Java, Kotlin, Scala: `at` frames, `Caused by:`, thread dumps; a trace belongs to the log line before it.
    Java,
    /// Python: tracebacks with those that led to them; groups; a traceback belongs to the log line before it.
    Python,
    /// Go: panics, fatal errors and goroutine dumps.
    Go,
    /// Rust: panics with and without backtraces, and reports with their causes (`Error: … Caused by: …`).
    Rust,
    /// Node: errors with their causes and properties, and what an uncaught one prints.
    Node,
    /// .NET: exceptions with inner ones, and the console logger's entries.
    Dotnet,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Java, Self::Python, Self::Go, Self::Rust, Self::Node, Self::Dotnet];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Python => "python",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Node => "node",
            Self::Dotnet => "dotnet",
        }
    }
}

/// What the line before was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// A line like any other.
    #[default]
    Line,
    /// Within a trace or a panic.
    Trace,
    /// The next line is a message, whatever it is.
    Message,
    /// A trace is complete, but another one may follow behind an empty line.
    Done,
    /// An empty line behind a complete trace.
    Gap,
}

impl Preset {
    /// Whether a line belongs to the one before it.
    pub(super) fn goes_on(self, state: &mut State, line: &str) -> bool {
        let (goes_on, next) = match self {
            Self::Java => java(*state, line),
            Self::Python => python(*state, line),
            Self::Go => go(*state, line),
            Self::Rust => rust(*state, line),
            Self::Node => node(*state, line),
            Self::Dotnet => dotnet(*state, line),
        };
        *state = next;
        goes_on
    }
}

fn indented(line: &str) -> bool {
    line.starts_with([' ', '\t'])
}

/// A name like `java.lang.IllegalStateException`, alone or with a message behind a colon.
fn is_type(line: &str, dotted: bool) -> bool {
    let name = line.split_once(':').map_or(line, |(name, _)| name).trim_end();
    let ends = ["Exception", "Error", "Throwable", "Interrupt", "Exit", "Iteration", "Warning", "Group"];
    (name.contains('.') || !dotted)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$'))
        && (dotted || name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_'))
        && (!dotted || ends.iter().any(|end| name.ends_with(end)))
        && !name.is_empty()
}

fn java(state: State, line: &str) -> (bool, State) {
    let dump = line.starts_with("Full thread dump");
    if dump || line.starts_with("Exception in thread ") {
        return (false, State::Gap);
    }
    if indented(line) {
        return (true, if state == State::Gap { State::Gap } else { State::Trace });
    }
    if line.starts_with("Caused by: ") || is_type(line, true) {
        return (true, State::Trace);
    }
    // A dump's threads (`"main" #1 prio=5 …`), with empty lines between.
    if state == State::Gap && (line.is_empty() || line.starts_with('"') || line.starts_with("JNI global ref"))
    {
        return (true, State::Gap);
    }
    (false, State::Line)
}

fn python(state: State, line: &str) -> (bool, State) {
    if line.starts_with("Traceback (most recent call last):") {
        return (true, State::Trace);
    }
    if indented(line) {
        // A type is to come only behind the traceback's own first line: a group's are indented.
        return (true, state);
    }
    let led_to = line.starts_with("During handling of the above exception")
        || line.starts_with("The above exception was the direct cause");
    match state {
        // The type, which ends it; an empty line within a message ends nothing.
        State::Trace if is_type(line, false) => (true, State::Done),
        State::Trace if line.is_empty() => (true, State::Trace),
        State::Done if line.is_empty() => (true, State::Gap),
        State::Gap if line.is_empty() => (true, State::Gap),
        State::Done | State::Gap if led_to => (true, State::Gap),
        _ => (false, State::Line),
    }
}

fn go(state: State, line: &str) -> (bool, State) {
    if line.starts_with("goroutine ") && line.ends_with("]:") {
        // Behind a panic, or behind the log line that says why.
        return (true, State::Trace);
    }
    let recovered = line.starts_with("panic: ") && state == State::Message;
    if line.starts_with("panic: ") || line.starts_with("fatal error: ") || line.starts_with("runtime: ") {
        return (recovered, State::Message);
    }
    match state {
        State::Trace | State::Message => {
            let part = line.is_empty()
                || indented(line)
                || line.starts_with("[signal ")
                || line.starts_with("created by ")
                || line.starts_with("exit status ")
                || line.starts_with("runtime stack:")
                || line.starts_with("...additional frames elided...")
                || is_call(line)
                || is_register(line);
            (part, if part { state } else { State::Line })
        }
        _ => (indented(line), State::Line),
    }
}

/// `main.(*Server).serve(0xc000012345, {0x1, 0x2})`
fn is_call(line: &str) -> bool {
    let name = line.split_once('(').map_or("", |(name, _)| name);
    line.ends_with(')') && (name.contains('.') || name == "panic") && !name.contains([' ', ':', '='])
}

/// `rax    0x0`, as a signal prints them.
fn is_register(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let short = words.next().is_some_and(|word| word.len() <= 6);
    short && words.next().is_some_and(|word| word.starts_with("0x")) && words.next().is_none()
}

fn rust(state: State, line: &str) -> (bool, State) {
    let panicked = line.starts_with("thread '") && line.contains(" panicked at ");
    if panicked {
        // Since 1.73 the message is in the next line.
        return (false, if line.ends_with(':') { State::Message } else { State::Trace });
    }
    if line.starts_with("Error: ") {
        return (false, State::Trace);
    }
    if state == State::Message {
        return (true, State::Trace);
    }
    let part = indented(line)
        || (state == State::Trace
            && (line.is_empty()
                || line.starts_with("note: ")
                || line.starts_with("stack backtrace:")
                || line.starts_with("Stack backtrace:")
                || line.starts_with("Caused by:")
                || line.starts_with("Location:")));
    (part, if part && state == State::Trace { State::Trace } else { State::Line })
}

fn node(state: State, line: &str) -> (bool, State) {
    if indented(line) {
        return (true, if state == State::Message { State::Message } else { State::Trace });
    }
    // What an uncaught error prints first: where it was thrown.
    let place = line.rsplit_once(':').is_some_and(|(file, number)| {
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && (file.starts_with('/') || file.starts_with("node:") || file.starts_with("file://"))
            && !file.contains(' ')
    });
    if place {
        return (false, State::Message);
    }
    match state {
        State::Message if line.is_empty() => (true, State::Message),
        // Its type, and whatever else was thrown.
        State::Message => (true, State::Trace),
        State::Trace if line.starts_with("Node.js v") || line == "}" || line.starts_with("} ") => {
            (true, State::Trace)
        }
        // Behind it an empty line, then the version; another line would begin an entry by itself.
        State::Trace if line.is_empty() => (true, State::Trace),
        _ => (false, State::Line),
    }
}

fn dotnet(state: State, line: &str) -> (bool, State) {
    if line.starts_with("Unhandled exception. ") {
        return (false, State::Trace);
    }
    if indented(line) {
        return (true, State::Trace);
    }
    // A type in a line of its own, as loggers write it behind their own line.
    if is_type(line, true) {
        return (true, State::Trace);
    }
    let part = state == State::Trace && line.starts_with("--- End of ");
    (part, if part { State::Trace } else { State::Line })
}
