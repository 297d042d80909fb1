//! Any bytes are messages or an error, however they are cut into pieces; any text is a message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taffrail_wire::syslog::{Frame, Frames, parse};

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let run = |size: usize| {
        let (mut frames, mut all) = (Frames::new(64), Vec::new());
        let mut each = |frame: Frame<'_>| all.push((frame.bytes.to_vec(), frame.missing));
        let good = bytes.chunks(size).all(|piece| frames.take(piece, &mut each).is_ok());
        frames.end(&mut each);
        (good, all)
    };
    assert_eq!(run(usize::from(size).max(1)), run(bytes.len().max(1)));
    let text = String::from_utf8_lossy(bytes);
    let message = parse(&text);
    if let Some(time) = message.time {
        let _ = time.local(1_795_273_200);
    }
});
