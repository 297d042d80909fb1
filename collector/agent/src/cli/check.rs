//! `taffrail check`: whether the configuration is valid, and what would run.

mod logs;

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use taffrail_postgres::custom::CustomQuery;

use self::logs::LogSummary;
use super::{ConfigOptions, USAGE, print, refuse};
use crate::config::scalar::show_duration;
use crate::config::{Config, reference};
use crate::scrape::job::Discovery;

/// `taffrail check`
#[derive(Args, Debug)]
pub struct Check {
    #[command(flatten)]
    config: ConfigOptions,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Print the JSON schema of taffrail.yml instead, for editors
    #[arg(long, conflicts_with_all = ["config", "set", "json"])]
    schema: bool,
}

/// What would run.
#[derive(Debug, Serialize)]
struct Summary {
    listen: String,
    data_dir: String,
    hostname: Option<String>,
    host: Option<HostSummary>,
    containers: Option<ContainersSummary>,
    servers: Vec<ServerSummary>,
    probes: Vec<ProbeSummary>,
    own_metrics: bool,
    scrape: Vec<ScrapeSummary>,
    logs: Vec<LogSummary>,
    outputs: Vec<OutputSummary>,
}

#[derive(Debug, Serialize)]
struct HostSummary {
    job: String,
    interval: String,
    subjects: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct ContainersSummary {
    job: String,
    interval: String,
}

/// A server that is seen from inside.
#[derive(Debug, Serialize)]
struct ServerSummary {
    /// The key it stands under: `postgres`, `pgbouncer`, `redis`.
    kind: &'static str,
    name: String,
    instance: String,
    interval: String,
    queries: Vec<QuerySummary>,
}

/// A query of the user's own.
#[derive(Debug, Serialize)]
struct QuerySummary {
    name: String,
    interval: String,
    /// Metrics that are told without it, and not by it.
    left_out: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ProbeSummary {
    name: String,
    target: String,
    interval: String,
}

#[derive(Debug, Serialize)]
struct ScrapeSummary {
    job: String,
    interval: String,
    /// Targets that the configuration names itself, before relabelling.
    static_targets: usize,
    /// The keys by which further ones are found.
    discovery: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct OutputSummary {
    kind: &'static str,
    name: String,
    url: String,
}

impl Check {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        if self.schema {
            print::json(&reference::schema())?;
            return Ok(ExitCode::SUCCESS);
        }
        match self.config.load() {
            Ok(config) if self.json => {
                print::json(&serde_json::json!({ "valid": true, "would_run": summary(&config) }))?;
            }
            Ok(config) => {
                let file = self.config.file().map(|file| file.display().to_string());
                print::out(&text(file.as_deref(), &summary(&config)))?;
            }
            Err(errors) if self.json => {
                print::json(&serde_json::json!({ "valid": false, "problems": errors.problems }))?;
                return Ok(ExitCode::from(USAGE));
            }
            Err(errors) => return Ok(refuse(&errors)),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn summary(config: &Config) -> Summary {
    let host = config.host.as_ref().map(|host| HostSummary {
        job: host.job.clone(),
        interval: show_duration(host.interval),
        subjects: taffrail_host::SUBJECTS
            .iter()
            .map(|about| about.name)
            .filter(|name| host.config.schedule(name).on)
            .collect(),
    });
    let containers = config.containers.as_ref().map(|containers| ContainersSummary {
        job: containers.job.clone(),
        interval: show_duration(containers.interval),
    });
    let probes = config.probes.iter().flat_map(|probes| &probes.list).map(|probe| ProbeSummary {
        name: probe.name.clone(),
        target: probe.target.clone(),
        interval: show_duration(probe.interval),
    });
    let scrape = config.scrape.iter().map(|job| {
        let fixed = job.discovery.iter().filter_map(|discovery| match discovery {
            Discovery::Static(groups) => Some(groups.iter().map(|group| group.targets.len()).sum::<usize>()),
            _ => None,
        });
        let kinds = job.discovery.iter().filter(|discovery| !matches!(discovery, Discovery::Static(_)));
        ScrapeSummary {
            job: job.name.clone(),
            interval: show_duration(job.interval),
            static_targets: fixed.sum(),
            discovery: kinds.map(Discovery::kind).collect(),
        }
    });
    let prometheus = config.prometheus.iter().map(|output| ("prometheus", &output.receiver));
    let loki = config.loki.iter().map(|output| ("loki", &output.receiver));
    let outputs = prometheus.chain(loki).map(|(kind, receiver)| OutputSummary {
        kind,
        name: receiver.name.clone(),
        url: receiver.url.to_string(),
    });
    let archives = config.archives.iter().map(|archive| OutputSummary {
        kind: "archive",
        name: archive.name.clone(),
        url: archive.url(),
    });
    Summary {
        listen: config.listen.to_string(),
        data_dir: config.data_dir.display().to_string(),
        hostname: config.hostname.clone(),
        host,
        containers,
        servers: servers(config),
        probes: probes.collect(),
        own_metrics: config.own_metrics,
        scrape: scrape.collect(),
        logs: config.logs.iter().map(LogSummary::of).collect(),
        outputs: outputs.chain(archives).collect(),
    }
}

fn servers(config: &Config) -> Vec<ServerSummary> {
    let of_postgres = |kind| {
        move |server: &taffrail_postgres::Server| ServerSummary {
            kind,
            name: server.name.clone(),
            instance: server.instance.clone(),
            interval: show_duration(server.interval),
            queries: server.queries.iter().map(|query| of_query(server, query)).collect(),
        }
    };
    let redis = config.redis.iter().map(|server| ServerSummary {
        kind: "redis",
        name: server.name.clone(),
        instance: server.address.to_string(),
        interval: show_duration(server.interval),
        queries: Vec::new(),
    });
    let postgres = config.postgres.iter().map(of_postgres("postgres"));
    postgres.chain(config.pgbouncer.iter().map(of_postgres("pgbouncer"))).chain(redis).collect()
}

fn of_query(server: &taffrail_postgres::Server, query: &CustomQuery) -> QuerySummary {
    QuerySummary {
        name: query.name.clone(),
        interval: show_duration(query.interval),
        left_out: query.metrics().filter(|metric| server.tells(metric)).collect(),
    }
}

fn text(file: Option<&str>, summary: &Summary) -> String {
    let mut text = match file {
        Some(file) => format!("{file} is valid. `taffrail run` would\n"),
        None => "No configuration file. `taffrail run` would\n".to_owned(),
    };
    let mut line = |what: &str, detail: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {what:8} {detail}");
    };
    line("serve", format!("http://{}/", summary.listen));
    line("keep", format!("its state in {}", summary.data_dir));
    match &summary.host {
        Some(host) => {
            let (subjects, job) = (host.subjects.join(", "), &host.job);
            line("collect", format!("the host every {}, job=\"{job}\": {subjects}", host.interval));
        }
        None => line("collect", "no host metrics: there is no `host`".to_owned()),
    }
    if let Some(containers) = &summary.containers {
        line("collect", format!("containers every {}, job=\"{}\"", containers.interval, containers.job));
    }
    for server in &summary.servers {
        let ServerSummary { kind, name, instance, interval, queries } = server;
        line("collect", format!("{kind} {name} every {interval}: {instance}"));
        for query in queries {
            let mut detail = format!("{name}: {} every {}", query.name, query.interval);
            if !query.left_out.is_empty() {
                let left_out = query.left_out.join(", ");
                let _ = write!(detail, ", without {left_out}: collected already");
            }
            line("query", detail);
        }
    }
    for probe in &summary.probes {
        line("probe", format!("{} every {}: {}", probe.name, probe.interval, probe.target));
    }
    for job in &summary.scrape {
        let count = match job.static_targets {
            1 => "1 target".to_owned(),
            count => format!("{count} targets"),
        };
        let found = job.discovery.iter().map(|kind| format!(", and what {kind} find"));
        line("scrape", format!("{} every {}: {count}{}", job.job, job.interval, found.collect::<String>()));
    }
    for source in &summary.logs {
        line("read", source.to_string());
    }
    for output in &summary.outputs {
        let (verb, what) = match output.kind {
            "loki" => ("push", "logs"),
            "archive" => ("archive", "logs"),
            _ => ("push", "metrics"),
        };
        line(verb, format!("{what} to {}: {}", output.name, output.url));
    }
    if summary.outputs.is_empty() {
        line("push", "nothing: there are no `outputs`".to_owned());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, load_text};

    #[test]
    fn the_answer_names_what_would_run() {
        let written = "host: {subjects: {netclass: false}}\nlogs: [{files: {include: [/var/log/a.log]}}]\n\
            outputs: {loki: [{url: http://loki:3100}]}\ndata_dir: /state\n\
            scrape_configs: [{job_name: app, static_configs: [{targets: [a:1, b:1]}], dns_sd_configs: [{names: [x]}]}]\n\
            containers: {}\nredis: [{url: redis://cache:6379}]\nprobes: [{name: shop, tcp: shop:80}]\n\
            postgres: [{name: main, url: postgres://db, queries: {orders: {query: select 1 as n, cache_seconds: 60}, \
            pg_database: {query: select 1 as size_bytes, metrics: [{size_bytes: {usage: GAUGE}}]}}}]\n";
        let config = load_text(Source::new("t.yml", written, ""), &[], &|_| None).unwrap();
        let text = text(Some("t.yml"), &summary(&config));
        for part in [
            "t.yml is valid",
            "127.0.0.1:9753",
            "/state",
            "job=\"node\"",
            "/var/log/a.log",
            "loki:3100/loki/api",
            "collect  containers every 15s, job=\"cadvisor\"",
            "collect  postgres main every 15s: db:5432",
            "query    main: orders every 1m\n",
            "query    main: pg_database every 15s, without pg_database_size_bytes: collected already",
            "collect  redis redis every 15s: cache:6379",
            "probe    shop every 15s: shop:80",
            "scrape   app every 15s: 2 targets, and what dns_sd_configs find",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains("netclass"));
    }
}
