//! `logs.preset`: how the lines of a well-known program are understood.

use taffrail_stages::preset::{self, Program};
use taffrail_stages::stage::Stage;

use super::Checker;
use crate::config::written::{LogPreset, LogSource};

impl Checker<'_> {
    /// The preset that a source names.
    pub(super) fn preset(&mut self, source: &LogSource) -> Option<preset::Preset> {
        let (at, program) = source.preset.good()?;
        let made = self.made(at, program_of(*program).preset())?;
        for stage in &made.stages {
            let Stage::Meter(meter) = stage else { continue };
            for metric in &meter.metrics {
                let known = self.metrics.entry(metric.name.clone()).or_insert_with(|| metric.clone());
                if *known != *metric {
                    let what =
                        format!("`{}` is a metric of this preset, and another one elsewhere", metric.name);
                    self.fault(at, what, "give the other one another name");
                }
            }
        }
        Some(made)
    }
}

fn program_of(written: LogPreset) -> Program {
    match written {
        LogPreset::Postgres => Program::Postgres,
        LogPreset::Nginx => Program::Nginx,
        LogPreset::Apache => Program::Apache,
        LogPreset::Traefik => Program::Traefik,
        LogPreset::Redis => Program::Redis,
        LogPreset::Celery => Program::Celery,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    #[test]
    fn no_preset_measures_what_an_exporter_does() {
        let catalogue = registry::catalogue();
        for program in Program::ALL {
            for stage in program.preset().unwrap().stages {
                let Stage::Meter(meter) = stage else { continue };
                for metric in meter.metrics {
                    let other = registry::find(&catalogue, &metric.name);
                    assert!(
                        other.is_none(),
                        "{} is a metric of {:?}",
                        metric.name,
                        other.map(|it| it.exporter)
                    );
                }
            }
        }
    }
}
