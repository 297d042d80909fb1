//! Module files of blackbox_exporter, read as they are.
//!
//! A fault in the file is an error with its place. What is right in itself and cannot be done here (a prober that is
//! not there, a file that cannot be read) takes only its own module out: the rest of the file works, and the module
//! says why it does not.

mod dns;
mod http;
mod scalar;
mod tcp;
mod tls;
mod written;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_saphyr::{Location, Spanned};

use crate::module::{Module, Prober};
use crate::resolve::{Addressing, Prefer};
use scalar::Protocol;
use taffrail_core::secret::{Secret, Source};

/// The largest module file that is read, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// The modules of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Modules {
    /// Those that work, by name.
    pub modules: BTreeMap<String, Module>,
    /// Those that cannot be used, by name, and why.
    pub refused: BTreeMap<String, String>,
    /// What does not mean here what it means there, one line each.
    pub warnings: Vec<String>,
}

/// A module file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModulesError {
    /// It cannot be read.
    #[error("{path}: {why}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Something in it is wrong.
    #[error("{path}:{line}:{column}: {why}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
        /// What is wrong, and what would be right.
        why: String,
    },
}

impl Modules {
    /// Reads a file. Blocks.
    pub fn read(path: &Path) -> Result<Self, ModulesError> {
        let fail = |why: String| ModulesError::Read { path: path.to_owned(), why };
        let size = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?.len();
        if size > MAX_FILE {
            return Err(fail(format!("larger than {} MiB, which is no module file", MAX_FILE >> 20)));
        }
        let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
        Modules::parse(&text, path)
    }

    /// Reads `text`, which stands in the file `path`. Files that it names are read as well; a relative path begins
    /// where `path` is.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ModulesError> {
        let options = serde_saphyr::options! { ignore_binary_tag_for_string: true, with_snippet: false };
        let wrong = |at: Option<Location>, why: String| {
            let (line, column) = at.map_or((1, 1), |at| (at.line(), at.column()));
            ModulesError::Wrong { path: path.to_owned(), line, column, why }
        };
        let file: written::File = match serde_saphyr::from_str_with_options(text, options) {
            Ok(file) => file,
            Err(error) => return Err(wrong(error.location(), plain(&error))),
        };
        let mut all = Modules::default();
        let folder = path.parent().unwrap_or(Path::new("."));
        for (name, module) in file.modules {
            let mut reader = Reader { text, folder, name: &name, warnings: &mut all.warnings };
            match reader.module(module) {
                Ok(module) => drop(all.modules.insert(name, module)),
                Err(Problem::Refused(why)) => drop(all.refused.insert(name, why)),
                Err(Problem::Wrong(at, why)) => return Err(wrong(Some(at), format!("module {name}: {why}"))),
            }
        }
        Ok(all)
    }

    /// A module by name, or why there is none.
    pub fn get(&self, name: &str) -> Result<&Module, String> {
        match (self.modules.get(name), self.refused.get(name)) {
            (Some(module), _) => Ok(module),
            (_, Some(why)) => Err(format!("module {name} cannot be used: {why}")),
            _ => {
                let known: Vec<_> = self.modules.keys().take(20).map(String::as_str).collect();
                Err(format!("there is no module {name}; there are: {}", known.join(", ")))
            }
        }
    }
}

/// What is wrong, without the place that stands in front of it anyway.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let cut = text.rfind(" at line ").unwrap_or(text.len());
    text[..cut].to_owned()
}

/// Why a module cannot be made.
enum Problem {
    /// The file is wrong, here.
    Wrong(Location, String),
    /// The module cannot be used here.
    Refused(String),
}

/// Makes modules of what is written.
struct Reader<'a> {
    text: &'a str,
    folder: &'a Path,
    name: &'a str,
    warnings: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn module(&mut self, module: Spanned<written::Module>) -> Result<Module, Problem> {
        let here = module.referenced;
        let written::Module { prober, timeout, http, tcp, dns, icmp, .. } = module.value;
        let refuse = |why: &str| Err(Problem::Refused(why.to_owned()));
        let prober = match prober.value.as_str() {
            "http" => {
                let (written, at) = section(http, here);
                Prober::Http(Box::new(self.http(written, at)?))
            }
            "tcp" => {
                let (written, at) = section(tcp, here);
                Prober::Tcp(self.tcp(written, at)?)
            }
            "dns" => {
                let (written, at) = section(dns, here);
                Prober::Dns(Box::new(self.dns(written, at)?))
            }
            "icmp" => {
                let (written, _) = section(icmp, here);
                Prober::Icmp(dns::icmp(&written))
            }
            "grpc" => {
                return refuse(
                    "the prober grpc is not here: probe the port with the prober tcp, `tls: true` where it speaks TLS",
                );
            }
            "unix" => return refuse("the prober unix is not here: probe the service on a TCP port"),
            "websocket" => {
                return refuse(
                    "the prober websocket is not here: probe its URL with the prober http, `valid_status_codes: [101, 400, 426]`",
                );
            }
            other => {
                let why = format!("`{other}` is no prober: wanted http, tcp, dns or icmp");
                return Err(Problem::Wrong(prober.referenced, why));
            }
        };
        let timeout = timeout.map(|timeout| timeout.0).filter(|timeout| !timeout.is_zero());
        Ok(Module { prober, timeout })
    }

    fn warn(&mut self, what: &str) {
        self.warnings.push(format!("module {}: {what}", self.name));
    }

    /// A text or a file, not both.
    fn source(
        &self,
        at: Location,
        key: &str,
        text: Option<String>,
        file: Option<PathBuf>,
    ) -> Result<Option<Source>, Problem> {
        match (text.filter(|text| !text.is_empty()), file.filter(|file| !file.as_os_str().is_empty())) {
            (Some(_), Some(_)) => {
                Err(Problem::Wrong(at, format!("{key} and {key}_file are both there: one of them is enough")))
            }
            (Some(text), None) => Ok(Some(Source::Text(Secret::new(text)))),
            (None, Some(file)) => Ok(Some(Source::File(self.folder.join(file)))),
            (None, None) => Ok(None),
        }
    }

    /// Whether the value at `at` has the tag of base64 in front of it.
    fn is_binary(&self, at: Location) -> bool {
        let offset = at.span().byte_offset().and_then(|offset| usize::try_from(offset).ok());
        let before = offset.and_then(|offset| self.text.get(..offset)).unwrap_or_default();
        before.trim_end_matches(['\'', '"', ' ', '|', '>', '-', '\n', '\r', '\t']).ends_with("!!binary")
    }
}

/// A section, or its defaults at the place of its module.
fn section<T: Default>(section: Option<Spanned<T>>, module: Location) -> (T, Location) {
    match section {
        Some(section) => (section.value, section.referenced),
        None => (T::default(), module),
    }
}

fn addressing(prefer: Option<Protocol>, fallback: Option<bool>) -> Addressing {
    Addressing {
        prefer: prefer.map_or(Prefer::V6, |protocol| protocol.0),
        fallback: fallback.unwrap_or(true),
    }
}

#[cfg(test)]
mod tests;
