//! `docker_sd_configs`: containers of an engine.
//!
//! Asked over the engine's API: `/_ping` for its version, then the lists of containers and networks.
//! <https://docs.docker.com/reference/api/engine/>

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use taffrail_core::Clock;
use taffrail_wire::relabel::Labels;

use super::refresh::Part;
use crate::scrape::client::{HttpClient, body};
use crate::scrape::job::{DockerEngine, DockerHost};
use crate::scrape::target::{Group, escape};

/// The largest list of containers or networks, in bytes.
const MAX_LIST: usize = 64 << 20;
/// How long the engine may take in all.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many containers may share one another's network in a row.
const MAX_SHARED: usize = 16;

/// Asks an engine.
#[derive(Debug)]
pub struct Docker {
    engine: DockerEngine,
    client: HttpClient,
    base: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Container {
    id: String,
    names: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
    ports: Option<Vec<Port>>,
    host_config: HostConfig,
    network_settings: NetworkSettings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Port {
    #[serde(rename = "IP")]
    ip: String,
    private_port: u16,
    public_port: u16,
    #[serde(rename = "Type")]
    kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    network_mode: String,
}

type Endpoints = BTreeMap<String, Option<Endpoint>>;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    networks: Option<Endpoints>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Endpoint {
    #[serde(rename = "NetworkID")]
    network_id: String,
    #[serde(rename = "IPAddress")]
    ip_address: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Network {
    id: String,
    name: String,
    scope: String,
    internal: bool,
    ingress: bool,
    labels: Option<BTreeMap<String, String>>,
}

impl Docker {
    /// Asks the engine as `engine` says.
    pub fn new(engine: &DockerEngine, clock: &Clock) -> Result<Self, String> {
        let (client, base) = match &engine.host {
            DockerHost::Socket(path) => (HttpClient::of_socket(path, clock)?, "http://docker".to_owned()),
            DockerHost::Url(url) => (HttpClient::new(&engine.http, clock)?, url.clone()),
        };
        Ok(Docker { engine: engine.clone(), client, base })
    }

    /// How often it wants to be asked.
    pub fn every(&self) -> Duration {
        self.engine.refresh
    }

    /// The containers as they are now.
    pub async fn find(&self) -> Part {
        let patience = self.engine.refresh.clamp(Duration::from_secs(1), PATIENCE);
        let found = match tokio::time::timeout(patience, self.ask()).await {
            Ok(found) => found,
            Err(_) => Err(format!("no whole answer within {} s", patience.as_secs_f64())),
        };
        let host = match &self.engine.host {
            DockerHost::Socket(path) => path.display().to_string(),
            DockerHost::Url(url) => url.clone(),
        };
        let found = found.map(|group| vec![group]);
        (String::new(), found.map_err(|error| format!("docker_sd_configs: {host}: {error}")))
    }

    async fn ask(&self) -> Result<Group, String> {
        let ping = self.client.get(&format!("{}/_ping", self.base), &HeaderMap::new()).await?;
        let version = ping.headers().get("api-version").and_then(|version| version.to_str().ok());
        let version = version.map_or_else(String::new, |version| format!("/v{version}"));
        let filters = serde_json::to_string(&self.engine.filters).unwrap_or_default();
        let filters = match self.engine.filters.is_empty() {
            true => String::new(),
            false => format!("?filters={}", escape(&filters)),
        };
        let containers: Vec<Container> = self.list(&format!("{version}/containers/json{filters}")).await?;
        let networks: Vec<Network> = self.list(&format!("{version}/networks")).await?;
        Ok(group(&self.engine, &containers, &networks))
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let response = self.client.get(&format!("{}{path}", self.base), &HeaderMap::new()).await?;
        let status = response.status();
        let text = body(response, MAX_LIST).await?;
        if status != http::StatusCode::OK {
            let said = String::from_utf8_lossy(&text[..text.len().min(300)]).into_owned();
            return Err(format!("{path} is answered by HTTP {status}: {}", said.trim()));
        }
        serde_json::from_slice(&text)
            .map_err(|error| format!("the answer to {path} is not what an engine says: {error}"))
    }
}

/// The targets: each port that a container exposes in each of its networks.
fn group(engine: &DockerEngine, containers: &[Container], networks: &[Network]) -> Group {
    let networks: BTreeMap<&str, Labels> =
        networks.iter().map(|network| (&*network.id, about(network))).collect();
    let by_id: BTreeMap<&str, &Container> = containers.iter().map(|c| (&*c.id, c)).collect();
    let mut targets = Vec::new();
    for container in containers {
        let Some(name) = container.names.iter().flatten().next() else { continue };
        let mut common = Labels::default();
        common.set("__meta_docker_container_id", &container.id);
        common.set("__meta_docker_container_name", name);
        common.set("__meta_docker_container_network_mode", &container.host_config.network_mode);
        for (label, value) in container.labels.iter().flatten() {
            common.set(&format!("__meta_docker_container_label_{}", sanitized(label)), value);
        }
        let own = endpoints(container, &by_id);
        let some = own.into_iter().flatten().filter_map(|(_, endpoint)| endpoint.as_ref());
        let most = if engine.match_first_network { 1 } else { usize::MAX };
        for endpoint in some.take(most) {
            let mut labels = common.clone();
            labels.set("__meta_docker_network_ip", &endpoint.ip_address);
            for (name, value) in networks.get(&*endpoint.network_id).into_iter().flat_map(Labels::iter) {
                labels.set(name, value);
            }
            targets.extend(of_network(engine, container, endpoint, &labels));
        }
    }
    Group { targets, labels: Labels::default(), source: "docker_sd_configs".to_owned() }
}

/// The networks of a container, or those of the one whose network it shares.
fn endpoints<'c>(container: &'c Container, all: &BTreeMap<&str, &'c Container>) -> Option<&'c Endpoints> {
    let mut container = container;
    for _ in 0..MAX_SHARED {
        let networks = container.network_settings.networks.as_ref();
        if networks.is_some_and(|networks| !networks.is_empty()) {
            return networks;
        }
        container = all.get(container.host_config.network_mode.strip_prefix("container:")?)?;
    }
    None
}

/// What labels say of a network.
fn about(network: &Network) -> Labels {
    let mut labels = Labels::default();
    let mut set = |name: &str, value: &str| labels.set(&format!("__meta_docker_network_{name}"), value);
    set("id", &network.id);
    set("name", &network.name);
    set("scope", &network.scope);
    set("internal", if network.internal { "true" } else { "false" });
    set("ingress", if network.ingress { "true" } else { "false" });
    for (label, value) in network.labels.iter().flatten() {
        set(&format!("label_{}", sanitized(label)), value);
    }
    labels
}

/// The targets of a container in one network.
fn of_network(
    engine: &DockerEngine,
    container: &Container,
    endpoint: &Endpoint,
    labels: &Labels,
) -> Vec<Labels> {
    let tcp = container.ports.iter().flatten().filter(|port| port.kind == "tcp");
    let of_port = |port: &Port| {
        let mut labels = labels.clone();
        labels.set("__meta_docker_port_private", &port.private_port.to_string());
        if port.public_port > 0 {
            labels.set("__meta_docker_port_public", &port.public_port.to_string());
            labels.set("__meta_docker_port_public_ip", &port.ip);
        }
        labels.set("__address__", &join(&endpoint.ip_address, port.private_port));
        labels
    };
    let mut targets: Vec<Labels> = tcp.map(of_port).collect();
    if targets.is_empty() {
        let mut labels = labels.clone();
        let address = match container.host_config.network_mode == "host" {
            true => engine.host_networking_host.clone(),
            false => join(&endpoint.ip_address, engine.port),
        };
        labels.set("__address__", &address);
        targets.push(labels);
    }
    targets
}

fn join(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A label of Docker's as part of a label's name.
fn sanitized(label: &str) -> String {
    label.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrape::job::Http;

    fn engine(match_first_network: bool) -> DockerEngine {
        DockerEngine {
            host: DockerHost::Socket("/nowhere".into()),
            port: 80,
            host_networking_host: "localhost".into(),
            match_first_network,
            filters: BTreeMap::new(),
            refresh: Duration::from_secs(60),
            http: Http::default(),
        }
    }

    fn addresses(engine: &DockerEngine, containers: &str) -> Vec<String> {
        let containers: Vec<Container> = serde_json::from_str(containers).unwrap();
        let network = Network { id: "n1".into(), name: "one".into(), ..Network::default() };
        let group = group(engine, &containers, &[network]);
        group.targets.iter().map(|target| target.get("__address__").to_owned()).collect()
    }

    #[test]
    fn each_port_in_each_network_is_a_target() {
        let one = r#"[{"Id": "1", "Names": ["/one"], "Labels": null, "State": "running",
            "Ports": [{"PrivatePort": 8080, "Type": "tcp"}, {"PrivatePort": 53, "Type": "udp"},
                      {"IP": "::", "PrivatePort": 9090, "PublicPort": 9091, "Type": "tcp"}],
            "HostConfig": {"NetworkMode": "a"},
            "NetworkSettings": {"Networks": {"b": {"NetworkID": "n2", "IPAddress": "10.0.1.2"},
                                             "a": {"NetworkID": "n1", "IPAddress": "10.0.0.2"}}}},
            {"Id": "2", "Names": [], "HostConfig": {"NetworkMode": "a"}}]"#;
        assert_eq!(addresses(&engine(true), one), ["10.0.0.2:8080", "10.0.0.2:9090"]);
        let all = ["10.0.0.2:8080", "10.0.0.2:9090", "10.0.1.2:8080", "10.0.1.2:9090"];
        assert_eq!(addresses(&engine(false), one), all);
    }

    #[test]
    fn networks_are_shared_and_hosts_have_none() {
        let shared = r#"[
            {"Id": "1", "Names": ["/one"], "Ports": [{"PrivatePort": 81, "Type": "tcp"}],
             "HostConfig": {"NetworkMode": "container:2"}},
            {"Id": "2", "Names": ["/two"], "HostConfig": {"NetworkMode": "bridge"},
             "NetworkSettings": {"Networks": {"bridge": {"NetworkID": "n1", "IPAddress": "10.0.0.2"}}}},
            {"Id": "3", "Names": ["/three"], "HostConfig": {"NetworkMode": "host"},
             "NetworkSettings": {"Networks": {"host": {"NetworkID": "n3", "IPAddress": ""}}}},
            {"Id": "4", "Names": ["/four"], "HostConfig": {"NetworkMode": "container:4"}},
            {"Id": "5", "Names": ["/five"], "HostConfig": {"NetworkMode": "container:9"}}]"#;
        assert_eq!(addresses(&engine(true), shared), ["10.0.0.2:81", "10.0.0.2:80", "localhost"]);
    }
}
