//! Names of the kernel and the machine (uname(2)). In a container, whose own host name means nothing, the node's name
//! is read from the host's root directory. Beside them this program's version, by which dashboards list their hosts.

use rustix::system::Uname;
use taffrail_core::{Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::host_name;

metrics! {
    /// The kernel's name, release and version, the machine's architecture and its names. Always 1.
    INFO: Gauge = "node_uname_info" ["sysname", "release", "version", "machine", "nodename", "domainname"];
    /// What publishes this host's metrics, by its version. Always 1.
    BUILD: Gauge = "node_exporter_build_info" ["goarch", "goos", "version"];
}

/// What uname(2) says.
#[derive(Clone, Debug)]
pub struct Names {
    /// `Linux`.
    pub sysname: Vec<u8>,
    /// The kernel's release.
    pub release: Vec<u8>,
    /// How and when the kernel was built.
    pub version: Vec<u8>,
    /// The architecture.
    pub machine: Vec<u8>,
    /// The host's name.
    pub nodename: Vec<u8>,
    /// The NIS domain, mostly `(none)`.
    pub domainname: Vec<u8>,
}

impl From<Uname> for Names {
    fn from(uname: Uname) -> Self {
        Names {
            sysname: uname.sysname().to_bytes().into(),
            release: uname.release().to_bytes().into(),
            version: uname.version().to_bytes().into(),
            machine: uname.machine().to_bytes().into(),
            nodename: uname.nodename().to_bytes().into(),
            domainname: uname.domainname().to_bytes().into(),
        }
    }
}

/// The subject `uname`.
pub fn subject(config: &HostConfig) -> Subject {
    let config = config.clone();
    let mut last: Option<(Vec<u8>, Names)> = None;
    Subject::blocking("uname", METRICS, move |out| {
        let uname = rustix::system::uname();
        // Only the node's name changes while a machine runs.
        match &last {
            Some((nodename, names)) if **nodename == *uname.nodename().to_bytes() => write(names, out),
            _ => {
                let nodename = uname.nodename().to_bytes().to_vec();
                let mut names = Names::from(uname);
                if config.has_own_rootfs()
                    && let Some(name) = host_name::from_rootfs(&config.rootfs)
                {
                    names.nodename = name.into_bytes();
                }
                write(&names, out);
                last = Some((nodename, names));
            }
        }
        write_build(architecture(std::env::consts::ARCH), env!("CARGO_PKG_VERSION"), out);
        Ok(())
    })
}

/// Writes the names.
pub fn write(names: &Names, out: &mut Out) {
    let labels = [
        &*label::value(&names.sysname),
        &*label::value(&names.release),
        &*label::value(&names.version),
        &*label::value(&names.machine),
        &*label::value(&names.nodename),
        &*label::value(&names.domainname),
    ];
    out.put(&INFO, labels, 1.0);
}

/// Writes for which architecture this program was built, and its version.
pub fn write_build(architecture: &str, version: &str, out: &mut Out) {
    out.put(&BUILD, [architecture, "linux", version], 1.0);
}

/// An architecture's name in node_exporter's labels.
fn architecture(rust: &'static str) -> &'static str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
