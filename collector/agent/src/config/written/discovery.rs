//! Where targets come from: the `static_configs` and `…_sd_configs` of prometheus.yml.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::http::with_http_keys;
use crate::config::field::Field;
use crate::config::scalar::{Interval, PathText, ProbedUrl, Text};

/// Targets by address.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Static {
    /// `host:port`, each.
    #[schemars(extend("examples" = [["app:8080"]]))]
    pub targets: Field<Vec<String>>,
    /// Labels of all of them.
    pub labels: Field<BTreeMap<String, String>>,
}

/// Files that list targets.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Files {
    /// Names of files, in JSON or YAML; `*` may stand in the last part.
    #[schemars(extend("examples" = [["/etc/taffrail/targets/*.json"]]))]
    pub files: Field<Vec<Field<PathText>>>,
    /// Taken for the sake of prometheus.yml: files are looked at every two seconds.
    pub refresh_interval: Field<Interval>,
}

with_http_keys! {
    /// A service that has a list of targets.
    #[derive(Debug, Default, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    #[schemars(extend("required" = ["url"]))]
    pub struct HttpList {
        /// Where the list is, in JSON.
        #[schemars(extend("examples" = ["http://inventory.example/targets"]))]
        pub url: Field<ProbedUrl>,
        /// How often it is asked for.
        #[schemars(extend("default" = "1m"))]
        pub refresh_interval: Field<Interval>,
    }
}

/// Names whose records are targets.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["names"]))]
pub struct DnsNames {
    /// The names.
    #[schemars(extend("examples" = [["_metrics._tcp.example.com"]]))]
    pub names: Field<Vec<Field<Text>>>,
    /// Which records: `SRV`, `A`, `AAAA`, `MX` or `NS`.
    #[serde(rename = "type")]
    #[schemars(extend("default" = "SRV"))]
    pub kind: Field<Text>,
    /// The port of targets; records of the type `SRV` have their own.
    pub port: Field<u64>,
    /// How often they are asked for.
    #[schemars(extend("default" = "30s"))]
    pub refresh_interval: Field<Interval>,
}

with_http_keys! {
    /// A Docker engine whose containers are targets.
    #[derive(Debug, Default, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    #[schemars(extend("required" = ["host"]))]
    pub struct DockerEngine {
        /// Where it is.
        #[schemars(extend("examples" = ["unix:///var/run/docker.sock"]))]
        pub host: Field<Text>,
        /// The port of containers that expose none.
        #[schemars(extend("default" = 80))]
        pub port: Field<u64>,
        /// The address of containers in the host's own network.
        #[schemars(extend("default" = "localhost"))]
        pub host_networking_host: Field<Text>,
        /// Of a container in several networks, only the first by name.
        #[schemars(extend("default" = true))]
        pub match_first_network: Field<bool>,
        /// Which containers, as `docker ps --filter` has them.
        pub filters: Field<Vec<Field<DockerFilter>>>,
        /// How often the engine is asked.
        #[schemars(extend("default" = "1m"))]
        pub refresh_interval: Field<Interval>,
    }
}

/// Which containers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "values"]))]
pub struct DockerFilter {
    /// What is looked at, such as `label`.
    pub name: Field<Text>,
    /// What it may be.
    pub values: Field<Vec<String>>,
}

/// What to do where Prometheus' discovery of this key is not here.
pub fn instead_of(key: &str) -> &'static str {
    match key {
        "kubernetes_sd_configs" => {
            "this version does not ask Kubernetes: name a headless service in `dns_sd_configs`, or have a program in \
             the cluster list pods for `http_sd_configs`"
        }
        "consul_sd_configs" => {
            "this version does not ask Consul's catalog: ask its DNS by `dns_sd_configs` (web.service.consul, type \
             SRV), or have a program list services for `http_sd_configs`"
        }
        "dockerswarm_sd_configs" => {
            "this version does not ask a swarm: write `docker_sd_configs` on each node, or name tasks.SERVICE in \
             `dns_sd_configs`"
        }
        "eureka_sd_configs"
        | "nomad_sd_configs"
        | "marathon_sd_configs"
        | "nerve_sd_configs"
        | "serverset_sd_configs"
        | "kuma_sd_configs" => {
            "this version does not ask that registry: have a program list its services for `http_sd_configs` or \
             `file_sd_configs`"
        }
        "puppetdb_sd_configs" | "uyuni_sd_configs" => {
            "this version does not ask that inventory: have a program list its machines for `http_sd_configs` or \
             `file_sd_configs`"
        }
        _ => {
            "this version does not ask that cloud's API: have a program list its machines for `http_sd_configs` or \
             `file_sd_configs`"
        }
    }
}
