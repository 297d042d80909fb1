//! Formats as strftime has them: `%Y-%m-%d %H:%M:%S`.

use super::Item;

/// The items of a format. An error says what is wrong, then, behind a line feed, what would be right.
pub(super) fn items(format: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let mut kind = chars.next();
        // `%-d` and `%e` mean the same here: digits are read as they come. `%3N`, `%.3f` and `%.f` do, too.
        let mut dot = false;
        while let Some('-' | '_' | '0'..='9' | '.') = kind {
            dot |= kind == Some('.');
            kind = chars.next();
        }
        let item: &[Item] = match kind {
            Some('%') => {
                text.push('%');
                continue;
            }
            Some('n' | 't') => {
                text.push(' ');
                continue;
            }
            Some('f' | 'N' | 'L') if dot => &[Item::MaybeFraction],
            Some('f' | 'N' | 'L') => &[Item::Fraction],
            Some('Y') => &[Item::Year],
            Some('y') => &[Item::ShortYear],
            Some('m') => &[Item::Month],
            Some('b' | 'B' | 'h') => &[Item::MonthName],
            Some('d' | 'e') => &[Item::Day],
            Some('j') => &[Item::DayOfYear],
            Some('a' | 'A') => &[Item::Weekday],
            Some('H' | 'k') => &[Item::Hour],
            Some('I' | 'l') => &[Item::Hour12],
            Some('p' | 'P') => &[Item::AmPm],
            Some('M') => &[Item::Minute],
            Some('S') => &[Item::Second],
            Some('z') => &[Item::Offset],
            Some('Z') => &[Item::ZoneName],
            Some('s') => &[Item::Since1970(1_000_000_000)],
            Some('F') => &date(),
            Some('T') => &time(),
            Some('R') => &time()[..3],
            Some(c) => {
                return Err(format!(
                    "`%{c}` in `{format}` is not understood\nit has %Y %y %m %b %d %e %j %a %H %I %p %M %S %f %z %Z %s %F %T %R"
                ));
            }
            None => return Err(format!("`{format}` ends with a percent sign\nwrite %% for one")),
        };
        if !text.is_empty() {
            items.push(Item::Text(std::mem::take(&mut text)));
        }
        items.extend_from_slice(item);
    }
    if !text.is_empty() {
        items.push(Item::Text(text));
    }
    Ok(items)
}

fn date() -> [Item; 5] {
    let dash = Item::Text("-".to_owned());
    [Item::Year, dash.clone(), Item::Month, dash, Item::Day]
}

fn time() -> [Item; 5] {
    let colon = Item::Text(":".to_owned());
    [Item::Hour, colon.clone(), Item::Minute, colon, Item::Second]
}
