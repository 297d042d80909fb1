//! Go's layouts: the reference time `Mon Jan 2 15:04:05 MST 2006` written as the format wants it.
//!
//! <https://pkg.go.dev/time#pkg-constants>

use super::Item;

/// What stands for what, the longer before those that they begin with.
const PARTS: [(&str, Item); 31] = [
    ("January", Item::MonthName),
    ("Jan", Item::MonthName),
    ("Monday", Item::Weekday),
    ("Mon", Item::Weekday),
    ("MST", Item::ZoneName),
    ("2006", Item::Year),
    ("__2", Item::DayOfYear),
    ("_2", Item::Day),
    ("002", Item::DayOfYear),
    ("01", Item::Month),
    ("02", Item::Day),
    ("03", Item::Hour12),
    ("04", Item::Minute),
    ("05", Item::Second),
    ("06", Item::ShortYear),
    ("15", Item::Hour),
    ("-07:00:00", Item::Offset),
    ("-07:00", Item::Offset),
    ("-0700", Item::Offset),
    ("-07", Item::Offset),
    ("Z07:00:00", Item::Offset),
    ("Z07:00", Item::Offset),
    ("Z0700", Item::Offset),
    ("Z07", Item::Offset),
    ("PM", Item::AmPm),
    ("pm", Item::AmPm),
    ("1", Item::Month),
    ("2", Item::Day),
    ("3", Item::Hour12),
    ("4", Item::Minute),
    ("5", Item::Second),
];

/// The items of a layout; whatever stands for nothing stands for itself.
pub(super) fn items(layout: &str) -> Vec<Item> {
    let (mut items, mut rest) = (Vec::new(), layout);
    while let Some(first) = rest.chars().next() {
        let (item, length) = match fraction(rest) {
            Some(length) => (Item::MaybeFraction, length),
            None => match PARTS.iter().find(|(part, _)| starts_with(rest, part)) {
                Some((part, item)) => (item.clone(), part.len()),
                None => (Item::Text(first.to_string()), first.len_utf8()),
            },
        };
        rest = &rest[length..];
        match (&item, items.last_mut()) {
            (Item::Text(more), Some(Item::Text(text))) => text.push_str(more),
            _ => {
                let second = item == Item::Second;
                items.push(item);
                // Go takes a fraction behind the seconds, whether the layout has one or not.
                if second && fraction(rest).is_none() {
                    items.push(Item::MaybeFraction);
                }
            }
        }
    }
    items
}

fn starts_with(text: &str, part: &str) -> bool {
    let Some(rest) = text.strip_prefix(part) else { return false };
    // `Month` and `January` are words that begin like parts.
    !(matches!(part, "Jan" | "Mon") && rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// The length of `.000` or `,999`.
fn fraction(text: &str) -> Option<usize> {
    let digits = text.strip_prefix(['.', ','])?;
    let length = digits.len() - digits.trim_start_matches('0').len();
    let length = if length > 0 { length } else { digits.len() - digits.trim_start_matches('9').len() };
    let ends = !digits[length..].starts_with(|c: char| c.is_ascii_digit());
    (length > 0 && ends).then_some(1 + length)
}
