//! The trail of a probe: what happened and when, line by line, for people. Bounded, whatever a server sends.

use std::time::Duration;

use taffrail_core::Clock;

/// The most lines kept; those after are counted.
const MAX_LINES: usize = 100;

/// The longest line kept, in characters.
const MAX_LINE: usize = 300;

/// What happened in one probe.
#[derive(Debug)]
pub struct Trail {
    clock: Clock,
    start: Duration,
    lines: Vec<(Duration, String)>,
    left_out: usize,
}

impl Trail {
    /// An empty trail that begins now.
    pub fn new(clock: &Clock) -> Self {
        Trail { clock: clock.clone(), start: clock.monotonic(), lines: Vec::new(), left_out: 0 }
    }

    /// Adds one line. Control characters become dots, what is too long is cut.
    pub fn say(&mut self, line: impl AsRef<str>) {
        if self.lines.len() == MAX_LINES {
            self.left_out += 1;
            return;
        }
        let mut chars = line.as_ref().chars().map(|c| if c.is_control() { '.' } else { c });
        let mut text: String = chars.by_ref().take(MAX_LINE).collect();
        if chars.next().is_some() {
            text.push('…');
        }
        self.lines.push((self.clock.monotonic().saturating_sub(self.start), text));
    }

    /// The lines, each with the time since the probe began.
    pub fn lines(&self) -> impl Iterator<Item = (Duration, &str)> {
        self.lines.iter().map(|(at, line)| (*at, line.as_str()))
    }

    /// All of it as text, one line each, with milliseconds in front.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (at, line) in self.lines() {
            text.push_str(&format!("{:9.3} ms  {line}\n", at.as_secs_f64() * 1e3));
        }
        if self.left_out > 0 {
            text.push_str(&format!("({} more lines left out)\n", self.left_out));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_is_bounded() {
        let clock = Clock::manual(0);
        let mut trail = Trail::new(&clock);
        clock.advance(Duration::from_micros(1500));
        trail.say("a\r\nb");
        trail.say("é".repeat(MAX_LINE + 1));
        for _ in 0..MAX_LINES {
            trail.say("more");
        }
        let text = trail.text();
        assert!(text.starts_with("    1.500 ms  a..b\n"), "{text}");
        assert!(text.lines().nth(1).unwrap().ends_with("é…"));
        assert!(text.ends_with("(2 more lines left out)\n"));
        assert_eq!(trail.lines().count(), MAX_LINES);
    }
}
