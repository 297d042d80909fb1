//! From a file and `--set` arguments to a valid configuration, or to everything that is wrong with them.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;

use super::check::Checker;
use super::de::{Context, Reader};
use super::defaults;
use super::env::Env;
use super::error::{Errors, Fault};
use super::field::Field;
use super::source::Source;
use super::tree::{self, Key, Node, Value};
use super::valid::Config;
use super::written::{Written, hint, literal};
use super::{include, query_files, secrets, set};

/// The largest configuration file, in bytes.
pub(super) const MAX_FILE: u64 = 4 << 20;

/// Reads `path`, or without one what is built in, and lays the `--set` arguments over it. `env` looks variables up.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub fn load(path: Option<&Path>, sets: &[String], env: Env<'_>) -> Result<Config, Errors> {
    let source = match path {
        Some(path) => read(path)?,
        None => Source::new("built in", defaults::WITHOUT_FILE, ""),
    };
    load_text(source, sets, env)
}

/// Where a process with this configuration listens, as far as that can be told from a file that may be wrong.
pub fn load_listen(path: Option<&Path>, sets: &[String], env: Env<'_>) -> SocketAddr {
    let source = path.and_then(|path| read(path).ok()).unwrap_or_else(|| Source::new("", "", ""));
    attempt(source, sets, env).0.map_or(defaults::LISTEN_ADDRESS, |config| config.listen)
}

/// The same as [`load`] of a text that was read already: of an example in the documentation.
pub fn load_text(source: Source, sets: &[String], env: Env<'_>) -> Result<Config, Errors> {
    match attempt(source, sets, env) {
        (Some(config), None) => Ok(config),
        (_, Some(errors)) => Err(errors),
        (None, None) => Err(Errors { problems: Vec::new() }),
    }
}

/// What can be made of a text, and what is wrong with it.
fn attempt(source: Source, sets: &[String], env: Env<'_>) -> (Option<Config>, Option<Errors>) {
    let mut sources = vec![source];
    sources.extend(sets.iter().map(|argument| Source::new("--set", argument.as_str(), "")));
    let mut faults = Vec::new();
    let root = match tree(&mut sources, &mut faults) {
        Ok(mut root) => {
            include::scrape_configs(&mut root, &mut sources, env, &mut faults);
            query_files::queries(&mut root, &mut sources, env, &mut faults);
            root
        }
        Err(fault) => {
            for source in sources.iter_mut().filter(|source| source.hidden.is_empty()) {
                source.hidden = secrets::in_text(&source.text);
            }
            faults.push(fault);
            return (None, Some(Errors::show(faults, &sources)));
        }
    };
    let context = Context { env, hint: &hint, literal: &literal, faults: RefCell::new(faults) };
    let written = Field::<Written>::deserialize(Reader::root(&root, &context));
    let mut faults = context.faults.into_inner();
    let config = match written {
        Ok(Field::Good(_, written)) => Some(Checker::new(&sources, env, &mut faults).config(&written)),
        Ok(_) => None,
        Err(fault) => {
            faults.push(fault);
            None
        }
    };
    // Without a configuration there is a fault that says why.
    let errors = (config.is_none() || !faults.is_empty()).then(|| Errors::show(faults, &sources));
    (config, errors)
}

/// The file's tree with every `--set` in it; secrets are noted in the sources.
fn tree(sources: &mut [Source], faults: &mut Vec<Fault>) -> Result<Node, Fault> {
    let Some((file, sets)) = sources.split_first_mut() else { return Ok(Node::empty(Default::default())) };
    let mut root = tree::parse(&file.text, 0, 0, faults)?;
    file.hidden = secrets::in_tree(&root, &file.text);
    for (at, source) in sets.iter_mut().enumerate() {
        let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
        let (keys, value) = set::parse(&source.text, number, faults)?;
        source.hidden = secrets::in_tree(&wrapped(&keys, value.clone()), &source.text);
        set::apply(&mut root, &keys, value)?;
    }
    Ok(root)
}

/// The value under its keys.
fn wrapped(keys: &[Key], value: Node) -> Node {
    keys.iter()
        .rev()
        .fold(value, |node, key| Node { span: node.span, value: Value::Map(vec![(key.clone(), node)]) })
}

/// The text of a configuration file.
pub(super) fn read(path: &Path) -> Result<Source, Errors> {
    let name = path.display().to_string();
    let unreadable = |e: std::io::Error| {
        let help = match e.kind() {
            std::io::ErrorKind::NotFound => "`taffrail init` writes a file to start from",
            std::io::ErrorKind::PermissionDenied => "let the user that runs taffrail read it",
            std::io::ErrorKind::IsADirectory => "name the file in it",
            _ => "name another file with --config",
        };
        Errors::file(&name, format!("cannot be read: {e}"), Some(help.to_owned()))
    };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        let what = "is larger than 4 MiB, which no configuration is";
        return Err(Errors::file(name, what, Some("is this the right file?".to_owned())));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = 1 + e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        Errors::file(&name, format!("line {line} is not UTF-8"), Some("save the file as UTF-8".to_owned()))
    })?;
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    Ok(Source::new(name, text.strip_prefix('\u{feff}').unwrap_or(&text), dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    fn refused(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.yml");
        std::fs::write(&file, bytes).unwrap();
        load(Some(&file), &[], &none).unwrap_err().to_string()
    }

    #[test]
    fn a_file_that_cannot_be_one_is_refused() {
        assert!(refused(b"host: {}\n\xff").contains("line 2 is not UTF-8"));
        assert!(refused(&vec![b'#'; 5 << 20]).contains("larger than 4 MiB"));
        let folder = tempfile::tempdir().unwrap();
        assert!(
            load(Some(folder.path()), &[], &none).unwrap_err().to_string().contains("name the file in it")
        );
        let missing = load(Some(&folder.path().join("x.yml")), &[], &none).unwrap_err().to_string();
        assert!(missing.contains("taffrail init"), "{missing}");
    }

    #[test]
    fn without_a_file_this_machine_is_collected() {
        let config = load(None, &["outputs.loki.0.url=http://loki:3100".to_owned()], &none).unwrap();
        assert!(config.host.is_some() && config.own_metrics && !config.logs.is_empty());
        assert_eq!(config.loki.len(), 1);
        assert!(config.prometheus.is_empty());
    }

    #[test]
    fn with_a_file_only_its_sections_run() {
        let config = load_text(Source::new("t.yml", "host: {}\n", ""), &[], &none).unwrap();
        assert!(config.host.is_some() && config.logs.is_empty());
        let config = load_text(Source::new("t.yml", "", ""), &[], &none).unwrap();
        assert!(config.host.is_none());
    }

    /// The keys of Prometheus 3.5's `scrape_config` and `global`.
    const OF_JOBS: &str = "job_name scrape_interval scrape_timeout scrape_protocols fallback_scrape_protocol \
        scrape_native_histograms always_scrape_classic_histograms convert_classic_histograms_to_nhcb metrics_path \
        honor_labels honor_timestamps track_timestamps_staleness scheme params enable_compression \
        scrape_failure_log_file relabel_configs metric_relabel_configs body_size_limit sample_limit label_limit \
        label_name_length_limit label_value_length_limit target_limit keep_dropped_targets \
        metric_name_validation_scheme metric_name_escaping_scheme native_histogram_bucket_limit \
        native_histogram_min_bucket_factor basic_auth authorization oauth2 follow_redirects enable_http2 tls_config \
        proxy_url no_proxy proxy_from_environment proxy_connect_header http_headers bearer_token bearer_token_file \
        azure_sd_configs consul_sd_configs digitalocean_sd_configs docker_sd_configs dockerswarm_sd_configs \
        dns_sd_configs ec2_sd_configs eureka_sd_configs file_sd_configs gce_sd_configs hetzner_sd_configs \
        http_sd_configs ionos_sd_configs kubernetes_sd_configs kuma_sd_configs lightsail_sd_configs \
        linode_sd_configs marathon_sd_configs nerve_sd_configs nomad_sd_configs openstack_sd_configs \
        ovhcloud_sd_configs puppetdb_sd_configs scaleway_sd_configs serverset_sd_configs stackit_sd_configs \
        static_configs triton_sd_configs uyuni_sd_configs vultr_sd_configs";
    const GLOBAL: &str = "scrape_interval scrape_timeout scrape_protocols evaluation_interval rule_query_offset \
        external_labels query_log_file scrape_failure_log_file body_size_limit sample_limit label_limit \
        label_name_length_limit label_value_length_limit target_limit keep_dropped_targets runtime \
        metric_name_validation_scheme metric_name_escaping_scheme convert_classic_histograms_to_nhcb \
        always_scrape_classic_histograms scrape_native_histograms";

    #[test]
    fn every_key_of_prometheus_is_known_or_says_what_to_do() {
        let jobs =
            OF_JOBS.split_whitespace().map(|key| (key, format!("scrape_configs: [{{{key}: {{}}}}]\n")));
        let global = GLOBAL.split_whitespace().map(|key| (key, format!("global: {{{key}: {{}}}}\n")));
        let top = ["rule_files", "alerting", "storage", "remote_read", "remote_write", "tracing", "runtime"];
        let top = top.into_iter().map(|key| (key, format!("{key}: {{}}\n")));
        for (key, text) in jobs.chain(global).chain(top) {
            let said = load_text(Source::new("t.yml", text.as_str(), ""), &[], &none);
            let said = said.map_or_else(|errors| errors.to_string(), |_| String::new());
            // A key of another part of Prometheus' file is told where it is here.
            assert!(!said.contains("unknown key") || said.contains("here it is"), "{key}: {said}");
        }
        let unknown = load_text(Source::new("t.yml", "scrape_configs: [{zebra: 1}]\n", ""), &[], &none);
        assert!(unknown.unwrap_err().to_string().contains("unknown key"));
    }

    #[test]
    fn lists_of_targets_may_be_long() {
        let targets: Vec<String> = (0..5000).map(|at| format!("host-{at}:9100")).collect();
        let text = format!(
            "scrape_configs: [{{job_name: x, static_configs: [{{targets: [{}]}}]}}]\n",
            targets.join(", ")
        );
        assert!(load_text(Source::new("t.yml", text.as_str(), ""), &[], &none).is_ok());
        let text = format!("logs: [{{files: {{include: [{}]}}}}]\n", targets.join(", "));
        let error = load_text(Source::new("t.yml", text.as_str(), ""), &[], &none).unwrap_err().to_string();
        assert!(error.contains("more than 1000 entries"), "{error}");
    }

    #[test]
    fn secrets_come_from_files_beside_the_configuration() {
        use crate::http_client::{Auth, Source as From, Watched};
        use taffrail_core::Clock;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hunter2\n").unwrap();
        let text = "outputs: {loki: [{url: 'http://loki', bearer_token_file: token}]}\n";
        let config = load_text(Source::new("t.yml", text, folder.path()), &[], &none).unwrap();
        let Some(Auth::Header { kind, credentials }) = &config.loki[0].receiver.auth else { panic!() };
        assert_eq!(*credentials, From::File(folder.path().join("token")));
        let secret = Watched::new(credentials.clone(), Clock::manual(0)).text_blocking().unwrap();
        assert_eq!((kind.as_str(), secret.expose()), ("Bearer", "hunter2"));
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn where_it_listens_is_told_from_a_broken_file_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.yml");
        std::fs::write(&file, "listen: 127.0.0.1:1234\nhots: {}\n").unwrap();
        assert_eq!(load_listen(Some(&file), &[], &none).port(), 1234);
        assert_eq!(load_listen(None, &[], &none), defaults::LISTEN_ADDRESS);
    }

    #[test]
    fn a_damaged_text_is_an_answer_and_never_a_panic() {
        let good = crate::cli::STARTER.replace("# ", "");
        let pieces = [
            "{", "}", "[", "]", ":", "- ", "\n", "  ", "\"", "'", "|\n", "&a ", "*a", "${", "}", "ä", "\t",
            "#", "\u{0}", "<<: ", "!x ",
        ];
        let mut random = 1u64;
        let mut next = |below: usize| {
            // Marsaglia's xorshift: the same texts in every run.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % below as u64).unwrap()
        };
        for _ in 0..3000 {
            let mut text: Vec<char> = good.chars().collect();
            for _ in 0..=next(4) {
                let at = next(text.len());
                let until = (at + next(12)).min(text.len());
                text.splice(at..until, pieces[next(pieces.len())].chars());
            }
            let text: String = text.into_iter().collect();
            let set = format!("outputs.loki.0.url={}", pieces[next(pieces.len())]);
            if let Err(errors) = load_text(Source::new("t.yml", text.as_str(), ""), &[set], &none) {
                assert!(!errors.problems.is_empty(), "{text}");
                assert!(!errors.to_string().is_empty());
            }
        }
    }
}
