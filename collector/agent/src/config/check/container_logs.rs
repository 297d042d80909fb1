//! `logs`, of containers: where their engine is, and which of them are read.

use taffrail_container::inventory::Address;

use super::Checker;
use super::logs::start;
use crate::config::field::Field;
use crate::config::scalar::Text;
use crate::config::valid::{ContainerLogs, Containers, Host, Which};
use crate::config::written;

impl Checker<'_> {
    /// Without an engine and a root of its own, it looks where `containers` does, else where `host` does.
    pub(super) fn container_logs(
        &mut self,
        written: &written::ContainerLogs,
        (containers, host): (Option<&Containers>, Option<&Host>),
    ) -> ContainerLogs {
        let section = containers.map(|containers| &containers.config);
        let engine = match written.docker.good() {
            Some((at, address)) => {
                if address.0 == Address::Nowhere {
                    let help = "leave the log source out, or name the engine: unix:///var/run/docker.sock";
                    self.fault(at, "without an engine nobody knows which containers there are", help);
                }
                Some(address.0.clone())
            }
            None => section.and_then(|section| section.engine.clone()),
        };
        let rootfs = match written.rootfs.good() {
            Some((at, path)) => {
                if !path.0.is_absolute() {
                    self.fault(
                        at,
                        format!("`{}` is a relative path", path.0.display()),
                        "write the whole path",
                    );
                }
                path.0.clone()
            }
            None => section
                .map(|section| section.rootfs.clone())
                .or_else(|| host.map(|host| host.config.rootfs.clone()))
                .unwrap_or_else(|| "/".into()),
        };
        ContainerLogs {
            engine,
            rootfs,
            include: self.which(&written.include),
            exclude: self.which(&written.exclude),
            start: start(&written.start),
            max_line_bytes: self.max_line(&written.max_line_bytes),
        }
    }

    fn which(&mut self, field: &Field<written::Which>) -> Which {
        let Some((at, which)) = field.good() else { return Which::default() };
        if which.names.span().is_none() && which.labels.span().is_none() && !self.said(at) {
            self.fault(
                at,
                "it does not say which containers",
                "write names: [\"shop-*\"], or labels: [team=shop]",
            );
        }
        let names = texts(&which.names);
        let labels = texts(&which.labels);
        let labels = labels.map(|label| match label.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (label.to_owned(), None),
        });
        Which { labels: labels.collect(), names: names.map(str::to_owned).collect() }
    }
}

fn texts(field: &Field<Vec<Field<Text>>>) -> impl Iterator<Item = &str> {
    field.get().into_iter().flatten().filter_map(Field::get).map(|text| text.0.as_str())
}
