//! The compose file: pinned images, bounds, no more rights than needed, nothing open to the network.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::files;

#[derive(Deserialize)]
struct Compose {
    services: BTreeMap<String, BTreeMap<String, Value>>,
    volumes: BTreeMap<String, Value>,
}

/// Capabilities that a service may have beside none, and why the compose file says so there.
const CAPABILITIES: [(&str, &str); 2] = [("init", "CHOWN"), ("taffrail", "DAC_READ_SEARCH")];

/// What is wrong with a compose file.
fn check(text: &str) -> Vec<String> {
    let compose: Compose = match serde_saphyr::from_str(text) {
        Ok(compose) => compose,
        Err(error) => return vec![format!("not a compose file: {error}")],
    };
    let mut problems = Vec::new();
    for (name, service) in &compose.services {
        let get = |key: &str| service.get(key).unwrap_or(&Value::Null);
        let mut found = rights(name, &get);
        found.extend(bounds(name, &get));
        found.extend(mounts(&get, &compose.volumes));
        problems.extend(found.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    problems
}

fn rights<'a>(name: &str, get: &impl Fn(&str) -> &'a Value) -> Vec<String> {
    let mut problems = Vec::new();
    if get("read_only") != &Value::Bool(true) {
        problems.push("its root is not read-only".to_owned());
    }
    if strings(get("cap_drop")) != ["ALL"] {
        problems.push("it does not drop all capabilities".to_owned());
    }
    for added in strings(get("cap_add")) {
        if !CAPABILITIES.contains(&(name, added)) {
            problems.push(format!("it has the capability {added}"));
        }
    }
    if !strings(get("security_opt")).contains(&"no-new-privileges:true") {
        problems.push("it may gain privileges".to_owned());
    }
    if !get("privileged").is_null() {
        problems.push("it is privileged".to_owned());
    }
    for port in strings(get("ports")) {
        if !port.starts_with("127.0.0.1:") {
            problems.push(format!("port {port} is open to the network"));
        }
    }
    if let Value::Object(environment) = get("environment") {
        for key in environment.keys() {
            let secret = ["PASSWORD", "SECRET", "TOKEN"].iter().any(|word| key.contains(word));
            if secret && !key.ends_with("__FILE") && !key.ends_with("_FILE") {
                problems.push(format!("{key} is a secret in the open"));
            }
        }
    }
    problems
}

fn bounds<'a>(name: &str, get: &impl Fn(&str) -> &'a Value) -> Vec<String> {
    let mut problems = Vec::new();
    let image = get("image").as_str().unwrap_or("");
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    let exact =
        tag.trim_start_matches('v').split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3;
    // Our own image is built here, from this source tree.
    if !exact && image != "taffrail:local" {
        problems.push(format!("its image {image:?} is not pinned to a version"));
    }
    for bound in ["mem_limit", "cpus", "pids_limit"] {
        if get(bound).is_null() {
            problems.push(format!("it has no {bound}"));
        }
    }
    if get("logging").pointer("/options/max-size").is_none() {
        problems.push("its log has no bound".to_owned());
    }
    let once = get("restart") == "no";
    if !once && get("restart") != "unless-stopped" {
        problems.push("it is not restarted".to_owned());
    }
    if !once && get("healthcheck").get("test").is_none() {
        problems.push("it has no health check".to_owned());
    }
    if once && name != "init" {
        problems.push("it runs once; only init does".to_owned());
    }
    problems
}

fn mounts<'a>(get: &impl Fn(&str) -> &'a Value, volumes: &BTreeMap<String, Value>) -> Vec<String> {
    let mut problems = Vec::new();
    for mount in get("volumes").as_array().into_iter().flatten() {
        let Some(short) = mount.as_str() else {
            // The long form is used for the host's folders, and those are never written.
            if mount["read_only"] != Value::Bool(true) {
                problems.push(format!("{} is mounted writable", mount["source"]));
            }
            continue;
        };
        let source = short.split(':').next().unwrap_or("");
        if let Some(path) = source.strip_prefix("./") {
            if !files::root().join(path).exists() {
                problems.push(format!("{source} does not exist"));
            }
            if !short.ends_with(":ro") {
                problems.push(format!("{source} is mounted writable"));
            }
        } else if !volumes.contains_key(source) {
            problems.push(format!("the volume {source} is not declared"));
        }
    }
    problems
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use taffrail_collector::config::{Source, load_text};

    use super::check;
    use crate::files;

    /// What the collector says of a configuration, or nothing. It looks for the folders, so the container's are replaced
    /// by this machine's.
    fn said(text: &str) -> String {
        let text = text.replace("rootfs: /host", "rootfs: /").replace(" /host/", " /");
        let source = Source::new("taffrail.yml", text, "");
        load_text(source, &[], &|_| None).map_or_else(|errors| errors.to_string(), |_| String::new())
    }

    #[test]
    fn the_collector_takes_its_config() {
        let good = files::read("compose/taffrail.yml").unwrap();
        assert_eq!(said(&good), "");
        assert!(said(&good.replace("procfs:", "proc:")).contains("proc"));
        assert!(said(&good.replace("insecure: true", "insecure: false")).contains("insecure"));
    }

    #[test]
    fn the_compose_file_is_sound_and_each_fault_in_it_is_found() {
        let good = files::read("observability.yml").unwrap();
        assert_eq!(check(&good), Vec::<String>::new());
        for (from, to, wanted) in [
            ("read_only: true\n  cap_drop", "read_only: false\n  cap_drop", "root is not read-only"),
            ("cap_drop: [ALL]", "cap_drop: [KILL]", "does not drop all"),
            ("cap_add: [DAC_READ_SEARCH]", "cap_add: [SYS_ADMIN]", "the capability SYS_ADMIN"),
            ("no-new-privileges:true", "apparmor:unconfined", "may gain privileges"),
            ("    pid: host", "    privileged: true", "is privileged"),
            ("\"127.0.0.1:${TAFFRAIL_GRAFANA_PORT", "\"${TAFFRAIL_GRAFANA_PORT", "open to the network"),
            (
                "ADMIN_PASSWORD__FILE: /secrets/grafana-admin-password",
                "ADMIN_PASSWORD: admin",
                "a secret in the open",
            ),
            ("prom/prometheus:v3.5.3", "prom/prometheus:latest", "not pinned"),
            ("    mem_limit: 128m\n", "", "no mem_limit"),
            ("max-size: 10m, ", "", "its log has no bound"),
            ("restart: unless-stopped", "restart: always", "is not restarted"),
            ("    healthcheck:", "    health:", "no health check"),
            ("    uts: host", "    restart: \"no\"", "it runs once"),
            ("read_only: true, bind", "read_only: false, bind", "is mounted writable"),
            ("./loki:", "./locki:", "does not exist"),
            ("./alerts:/etc/prometheus/alerts:ro", "./alerts:/etc/prometheus/alerts", "mounted writable"),
            ("      - loki:/loki", "      - logs:/loki", "volume logs is not declared"),
            ("services:", "parts:", "not a compose file"),
        ] {
            files::refused(&good, (from, to), wanted, check);
        }
    }
}
