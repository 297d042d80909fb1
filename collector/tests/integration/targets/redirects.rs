//! Redirects: followed to where the page is, but nobody there learns what only the target may know.

use super::kit::{Asked, Web, answer, beside, page};

/// What a request showed of what is secret.
fn shown(asked: &Asked) -> Vec<&'static str> {
    ["authorization", "x-token", "cookie", "proxy-authorization"]
        .into_iter()
        .filter(|name| asked.header(name).is_some())
        .collect()
}

fn ours(web: &Web) -> Vec<Asked> {
    let ours = |asked: &Asked| asked.header("user-agent").is_some_and(|agent| agent.starts_with("taffrail/"));
    web.asked().into_iter().filter(ours).collect()
}

#[test]
fn credentials_stay_with_the_host_that_they_are_for() {
    let away = Web::start(None, |_| page());
    let to = format!("http://127.0.0.1:{}/elsewhere", away.port());
    // The same machine under another name is another host.
    let to_name = format!("http://localhost:{}/named", away.port());
    let home = Web::start(None, move |asked| match asked.path.as_str() {
        "/metrics" => page(),
        "/here" => answer(302, &[("location", "/metrics")], ""),
        "/away" => answer(307, &[("location", &to)], ""),
        "/away-by-name" => answer(301, &[("location", &to_name)], ""),
        "/circle" => answer(302, &[("location", "/circle")], ""),
        "/file" => answer(302, &[("location", "file:///etc/passwd")], ""),
        "/nowhere" => answer(302, &[("location", "http://[::1")], ""),
        _ => answer(404, &[], ""),
    });
    let auths = [
        ("basic", "basic_auth: {username: ada, password: sesame}"),
        ("bearer", "authorization: {credentials: sesame}"),
    ];
    let paths = ["here", "away", "away-by-name", "circle", "file", "nowhere"];
    let mut jobs = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for (auth, text) in auths {
        for path in paths {
            jobs.push_str(&format!(
                "  - {{job_name: {auth}-{path}, metrics_path: /{path}, {text}, \
                 http_headers: {{x-token: {{secrets: [sesame]}}}}, \
                 static_configs: [{{targets: ['127.0.0.1:{}']}}]}}\n",
                home.port()
            ));
        }
    }
    jobs.push_str(&format!(
        "  - {{job_name: not-followed, metrics_path: /here, follow_redirects: false, \
         static_configs: [{{targets: ['127.0.0.1:{}']}}]}}\n",
        home.port()
    ));
    let (taffrail, verdicts, differ) = beside(&jobs, auths.len() * paths.len() + 1);
    assert!(differ.is_empty(), "{differ:#?}");
    for (job, words) in [
        ("here", ""),
        ("away", ""),
        ("away-by-name", ""),
        ("circle", "10 redirects"),
        ("file", "only http and https are followed"),
        ("nowhere", "which is not an address"),
    ] {
        for (auth, _) in auths {
            let (up, error) = &verdicts[&format!("{auth}-{job}")];
            assert_eq!(*up, words.is_empty(), "{auth}-{job}: {error}");
            assert!(error.contains(words), "{auth}-{job}: {error}");
        }
    }
    assert!(verdicts["not-followed"].1.contains("HTTP 302"), "{verdicts:?}");

    let (at_home, elsewhere) = (ours(&home), ours(&away));
    assert!(elsewhere.len() >= 4, "{} requests were redirected", elsewhere.len());
    for asked in &elsewhere {
        assert!(shown(asked).is_empty(), "{} shows {:?}", asked.path, shown(asked));
    }
    let redirected = at_home.iter().filter(|asked| asked.path == "/metrics");
    assert!(redirected.clone().count() >= 2);
    for asked in redirected {
        assert_eq!(shown(asked), ["authorization", "x-token"], "the same host goes on knowing");
    }
    let (log, page) = (taffrail.log().unwrap(), taffrail.client().get_ok("/api/v1/targets").unwrap().text());
    assert!(!log.contains("sesame") && !page.contains("sesame"), "a secret is shown");
}
