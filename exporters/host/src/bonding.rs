//! Bonded interfaces from `<procfs>/1/net/bonding` (kernel document `networking/bonding`).
//!
//! node_exporter reads the same from sysfs, which shows the network in which it was mounted; here it is the host's.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use taffrail_core::file::KernelFile;
use taffrail_core::{CollectError, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::network;
use crate::scan::{self, Malformed};

metrics! {
    /// Interfaces in the bond.
    SLAVES: Gauge = "node_bonding_slaves" ["master"];
    /// Interfaces in the bond whose link is up.
    ACTIVE: Gauge = "node_bonding_active" ["master"];
}

/// The subject `bonding`.
pub fn subject(config: &HostConfig) -> Subject {
    let config = config.clone();
    let mut known: Option<Bonds> = None;
    Subject::blocking("bonding", METRICS, move |out| {
        let bonds = match &mut known {
            Some(bonds) => bonds,
            None => known.insert(Bonds::new(network::directory(&config)?.join("bonding"))),
        };
        bonds.refresh()?;
        bonds.write(out)
    })
}

/// The folder and its files, which are kept open.
struct Bonds {
    dir: PathBuf,
    files: BTreeMap<Vec<u8>, (String, KernelFile)>,
}

impl Bonds {
    fn new(dir: PathBuf) -> Self {
        Bonds { dir, files: BTreeMap::new() }
    }

    /// Lists the folder: a machine has few bonds, mostly none, and then there is no folder.
    fn refresh(&mut self) -> Result<(), CollectError> {
        let unreadable = |source: std::io::Error| match source.kind() {
            ErrorKind::NotFound => CollectError::Absent,
            _ => CollectError::Read { path: self.dir.clone(), source },
        };
        let entries = fs::read_dir(&self.dir).map_err(unreadable);
        let names = entries?.map(|entry| entry.map(|entry| entry.file_name().as_bytes().to_vec()));
        let names = names.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        self.files.retain(|name, _| names.contains(name));
        for name in names {
            let path = self.dir.join(std::ffi::OsStr::from_bytes(&name));
            let new = || (label::value(&name).into_owned(), KernelFile::new(path));
            self.files.entry(name.clone()).or_insert_with(new);
        }
        Ok(())
    }

    fn write(&mut self, out: &mut Out) -> Result<(), CollectError> {
        let mut odd = None;
        for (label, file) in self.files.values_mut() {
            // A bond that went meanwhile, or was made anew under its old name, is left out this once.
            let Ok(bytes) = file.read() else { continue };
            match parse(bytes) {
                Ok(bond) => {
                    out.put(&SLAVES, [label], f64::from(bond.slaves));
                    out.put(&ACTIVE, [label], f64::from(bond.active));
                }
                Err(error) => odd = Some(file.malformed(error)),
            }
        }
        odd.map_or(Ok(()), Err)
    }
}

/// The interfaces of one bond.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Bond {
    /// How many there are.
    pub slaves: u32,
    /// How many are up.
    pub active: u32,
}

/// Parses one file: what is said of the bond, and then of each interface, begun by its name.
pub fn parse(bytes: &[u8]) -> Result<Bond, Malformed> {
    const MODE: &[u8] = b"Bonding Mode:";
    let mut bond = Bond::default();
    let mut is_bond = false;
    for line in scan::lines(bytes) {
        is_bond |= line.starts_with(MODE);
        if line.starts_with(b"Slave Interface:") {
            bond.slaves += 1;
        } else if bond.slaves > 0
            && line.strip_prefix(b"MII Status:").is_some_and(|is| scan::trim(is) == b"up")
        {
            bond.active += 1;
        }
    }
    if is_bond { Ok(bond) } else { Err(Malformed::new("a line `Bonding Mode: …`", bytes)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bond_s_own_state_is_none_of_an_interface() {
        let text = b"Ethernet Channel Bonding Driver: v6\n\nBonding Mode: x\nMII Status: up\n\n\
            Slave Interface: eth0\nMII Status: up\nSpeed: 1\n\nSlave Interface: eth1\nMII Status: going down\n";
        assert_eq!(parse(text).unwrap(), Bond { slaves: 2, active: 1 });
        assert_eq!(parse(b"Bonding Mode: x\nMII Status: up\n").unwrap(), Bond::default());
        assert!(parse(b"").is_err() && parse(b"MII Status: up\n").is_err());
    }

    #[test]
    fn bonds_come_and_go() {
        let root = tempfile::tempdir().unwrap();
        let bond = |name: &str| root.path().join("bonding").join(name);
        let mut bonds = Bonds::new(root.path().join("bonding"));
        assert!(matches!(bonds.refresh(), Err(CollectError::Absent)));
        fs::create_dir(root.path().join("bonding")).unwrap();
        for name in ["bond0", "bond1"] {
            fs::write(bond(name), "Bonding Mode: x\n").unwrap();
        }
        fs::write(bond("odd"), "x").unwrap();
        let mut out = Out::default();
        let mut run = || {
            bonds.refresh()?;
            out.begin(0);
            let result = bonds.write(&mut out);
            Ok::<_, CollectError>((out.finish().samples.len(), result.is_ok()))
        };
        assert_eq!(run().unwrap(), (4, false), "an odd one leaves the rest alone");
        fs::remove_file(bond("odd")).unwrap();
        fs::remove_file(bond("bond0")).unwrap();
        assert_eq!(run().unwrap(), (2, true));
    }
}
