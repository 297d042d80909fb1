//! The floor: the least that any program must do to know the same of this host. It keeps the kernel's files open, reads
//! each once when asked, does not look at what it read, and answers with a page of many lines. What is no file, such as the
//! list of processes, it leaves out.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};

const FILES: [&str; 26] = [
    "/proc/stat",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/vmstat",
    "/proc/pressure/cpu",
    "/proc/pressure/io",
    "/proc/pressure/memory",
    "/proc/diskstats",
    "/proc/net/dev",
    "/proc/self/mountinfo",
    "/proc/sys/fs/file-nr",
    "/proc/sys/fs/file-max",
    "/proc/sys/kernel/random/entropy_avail",
    "/proc/sys/kernel/random/poolsize",
    "/proc/sys/net/netfilter/nf_conntrack_count",
    "/proc/sys/net/netfilter/nf_conntrack_max",
    "/proc/interrupts",
    "/proc/schedstat",
    "/proc/net/arp",
    "/proc/net/netstat",
    "/proc/net/snmp",
    "/proc/net/snmp6",
    "/proc/net/sockstat",
    "/proc/net/sockstat6",
    "/proc/net/softnet_stat",
    "/proc/net/stat/nf_conntrack",
];

/// Serves until it is killed.
pub fn serve(arguments: &[String]) -> Result<()> {
    let address = arguments.first().context("floor: an address is wanted")?;
    let listener = TcpListener::bind(address)?;
    // What the machine does not have (pressure, on an old kernel) nobody can read.
    let mut files: Vec<File> = FILES.iter().filter_map(|path| File::open(path).ok()).collect();
    for device in fs::read_dir("/sys/class/net")?.flatten() {
        let attributes =
            fs::read_dir(device.path())?.flatten().filter(|a| a.file_type().is_ok_and(|t| t.is_file()));
        files.extend(attributes.filter_map(|attribute| File::open(attribute.path()).ok()));
    }
    let page = vec![b"node_metric{device=\"x\"} 123456\n".as_slice(); 600].concat();
    let mut buffer = vec![0; 256 << 10];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
    for stream in listener.incoming() {
        let mut stream = stream?;
        while let Ok(1..) = stream.read(&mut [0; 1024]) {
            for file in &files {
                // A counter that an interface does not have says so with an error; asking is part of the floor.
                let _ = file.read_at(&mut buffer, 0);
            }
            stream.write_all(head.as_bytes())?;
            stream.write_all(&page)?;
        }
    }
    Ok(())
}
