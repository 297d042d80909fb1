//! The harness itself: Chromium opens a page, runs its script and tells its errors.

use std::time::Duration;

use taffrail_tests::{Answer, Receiver, open_page};

const PAGE: &str = "<title>A page</title><p id=late hidden>first</p><script>
setTimeout(() => { late.textContent = 'drawn by script'; late.hidden = false; }, 200);
console.error('told');
</script>";

#[test]
fn sees_what_a_script_draws_and_its_errors() {
    let server = Receiver::start().unwrap();
    server.always(Answer::text(200, PAGE).with_header("content-type", "text/html"));
    let seen = open_page(&server.url("/"), "harness", (390, 844), "#late", Duration::from_secs(15)).unwrap();
    assert_eq!((seen.title.as_str(), seen.text.as_str()), ("A page", "drawn by script"));
    assert!(seen.errors.contains(&"told".to_owned()), "{:?}", seen.errors);
    assert!(std::fs::metadata(&seen.screenshot).unwrap().len() > 1000);
    let err =
        open_page(&server.url("/"), "harness", (390, 844), "#never", Duration::from_secs(1)).unwrap_err();
    assert!(err.to_string().contains("nothing visible for #never"), "{err}");
}
