//! The inventory on engines that behave well and badly.

use std::time::Duration;

use taffrail_container::inventory::{Address, Engine};

use crate::Kept;
use crate::socket::{Answer, END, Socket, committed};

const ID: &str = "aa00000000000000000000000000000000000000000000000000000000000000";
const NEXT: &str = "bb00000000000000000000000000000000000000000000000000000000000000";

fn inspected(id: &str, name: &str, image: &str, created: &str) -> Answer {
    let body = format!(
        r#"{{"Id":"{id}","Name":"/{name}","Created":"{created}","Image":"sha256:{image}",
            "State":{{"Status":"running","Running":true}},"Config":{{"Image":"{image}","Labels":{{}}}}}}"#
    );
    Answer::Whole(200, body)
}

fn event(action: &str, id: &str) -> String {
    format!(
        "{{\"Type\":\"container\",\"Action\":\"{action}\",\"Actor\":{{\"ID\":\"{id}\",\
         \"Attributes\":{{\"name\":\"brief\",\"image\":\"busybox\",\"exitCode\":\"3\"}}}}}}\n"
    )
}

/// One container with the list, or none.
fn engine(listed: bool) -> impl FnMut(&str) -> Answer + Send {
    move |path| match path {
        "/version" => Answer::Whole(200, r#"{"Version":"1"}"#.into()),
        "/containers/json?all=1" if listed => Answer::Whole(200, format!(r#"[{{"Id":"{ID}"}}]"#)),
        "/containers/json?all=1" => Answer::Whole(200, "[]".into()),
        path if path.contains(ID) => inspected(ID, "web", "one", "2026-01-01T00:00:00Z"),
        path if path.contains(NEXT) => inspected(NEXT, "web", "two", "2026-01-02T00:00:00Z"),
        path if path.starts_with("/events") => Answer::Whole(200, String::new()),
        _ => Answer::Whole(404, String::new()),
    }
}

#[tokio::test]
async fn a_new_image_under_the_same_name_is_a_deployment() {
    let socket = Socket::new(engine(true));
    let kept = Kept::of(socket.address());
    kept.connected().await;
    let mut events = kept.inventory.events();
    for line in [event("die", ID), event("destroy", ID), event("start", NEXT)] {
        socket.events.send(line).unwrap();
    }
    kept.wait("the new one is known", |state| {
        state.containers.contains_key(NEXT) && state.counts.all().len() == 4
    })
    .await;
    assert_eq!(kept.events(), ["container_die", "container_destroy", "container_start", "deployment"]);
    let notes = kept.notes.lock().unwrap().clone();
    assert_eq!(notes[0].text, "container web ended with 3");
    assert_eq!(notes[3].text, "web now runs two, before one");
    assert!(notes[3].facts.contains(&("previous_image", "one".to_owned())));
    assert_eq!(events.recv().await.unwrap().container.image, "one");
    assert!(!kept.inventory.state().containers.contains_key(ID));
}

#[tokio::test]
async fn a_container_that_is_gone_before_it_is_asked_for_is_told_of() {
    let socket = Socket::new(engine(false));
    let kept = Kept::of(socket.address());
    kept.connected().await;
    let gone = ID.replace('a', "c");
    // Two in one chunk, and one in two.
    let (die, destroy) = (event("die", &gone), event("destroy", &gone));
    socket.events.send(format!("{}{}", event("start", &gone), &die[..20])).unwrap();
    socket.events.send(format!("{}{destroy}", &die[20..])).unwrap();
    kept.wait("all are counted", |state| state.counts.all().len() == 3).await;
    assert_eq!(kept.notes.lock().unwrap()[0].text, "container brief started");
}

#[tokio::test]
async fn an_engine_that_restarts_is_found_again_and_names_stay_meanwhile() {
    let mut socket = Socket::new(committed);
    let kept = Kept::of(socket.address());
    let before = kept.connected().await;
    assert_eq!(before.containers.len(), 4);
    socket.stop();
    let away = kept.wait("it is away", |state| matches!(state.engine, Engine::Away(_))).await;
    assert_eq!(away.containers.len(), 4);
    socket.start(engine(true));
    let after = kept.connected().await;
    assert_eq!(after.containers.len(), 1, "what is not there any more is forgotten");
}

#[tokio::test]
async fn an_engine_that_tells_half_is_asked_again() {
    let mut halves = 3;
    let socket = Socket::new(move |path| match committed(path) {
        Answer::Whole(_, body) if path.contains("json") && halves > 0 => {
            halves -= 1;
            Answer::Half(body)
        }
        answer => answer,
    });
    let kept = Kept::of(socket.address());
    let away = kept.wait("it says why", |state| matches!(state.engine, Engine::Away(_))).await;
    assert!(
        matches!(&away.engine, Engine::Away(why) if why.starts_with("/containers/json?all=1: ")),
        "{away:?}"
    );
    assert_eq!(kept.connected().await.containers.len(), 4);
}

#[tokio::test]
async fn what_is_no_json_is_said() {
    for (bad, wanted) in [("{\"message\":", "does not read as JSON"), ("<html>", "does not read as JSON")] {
        let socket = Socket::new(move |_| Answer::Whole(200, bad.to_owned()));
        let kept = Kept::of(socket.address());
        let away = kept.wait("it says why", |state| matches!(state.engine, Engine::Away(_))).await;
        assert!(matches!(&away.engine, Engine::Away(why) if why.contains(wanted)), "{away:?}");
    }
    let socket = Socket::new(|_| Answer::Whole(403, r#"{"message":"not for you"}"#.to_owned()));
    let kept = Kept::of(socket.address());
    let away = kept.wait("it says why", |state| matches!(state.engine, Engine::Away(_))).await;
    assert_eq!(away.engine, Engine::Away("/version was answered with 403 Forbidden: not for you".into()));
}

#[tokio::test]
async fn one_container_that_hangs_holds_up_no_other() {
    let socket = Socket::new(|path| match path {
        "/containers/json?all=1" => Answer::Whole(200, format!(r#"[{{"Id":"{NEXT}"}},{{"Id":"{ID}"}}]"#)),
        path if path.contains(NEXT) => Answer::Never,
        path => engine(true)(path),
    });
    let kept = Kept::of(socket.address());
    assert!(kept.connected().await.containers.contains_key(ID));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_hangs_is_away() {
    let socket = Socket::new(|_| Answer::Never);
    let kept = Kept::of(socket.address());
    let mut watch = kept.inventory.watch();
    let hour = Duration::from_secs(3600);
    let state =
        tokio::time::timeout(hour, watch.wait_for(|state| matches!(state.engine, Engine::Away(_)))).await;
    assert_eq!(state.unwrap().unwrap().engine, Engine::Away("/version was not answered within 10 s".into()));
    drop(socket.events.send(END.to_owned()));
}

#[tokio::test]
async fn many_short_lives_leave_nothing() {
    let socket = Socket::new(engine(false));
    let kept = Kept::of(socket.address());
    kept.connected().await;
    const LIVES: usize = 1500;
    for life in 0..LIVES {
        let id = format!("{life:064x}");
        let name = format!("\"name\":\"brief-{life}\"");
        for action in ["start", "die", "destroy"] {
            let line = event(action, &id).replace("\"name\":\"brief\"", &name);
            socket.events.send(line).unwrap();
        }
        if life % 100 == 99 {
            let last = format!("brief-{life}");
            let told = |state: &taffrail_container::inventory::State| {
                state.counts.all().iter().any(|(name, event, _)| *name == last && *event == "destroy")
            };
            kept.wait("it keeps up", told).await;
        }
    }
    let state = kept.inventory.state();
    assert!(state.containers.is_empty());
    assert!(state.counts.all().len() <= 3000, "{}", state.counts.all().len());
}

#[tokio::test]
async fn where_no_engine_is_to_be_asked_none_is() {
    let kept = Kept::of(Address::Nowhere);
    kept.wait("it knows that there is none", |state| state.engine == Engine::None).await;
    assert!(kept.inventory.client().is_none());
}
