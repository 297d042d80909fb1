//! Fibre Channel ports of this machine from `/sys/class/fc_host` (kernel document `scsi/scsi_fc_transport`). Counters
//! are hexadecimal.

use taffrail_core::{Subject, metrics};

use crate::attribute::Buffer;
use crate::columns::{Column, Numbers, Texts, Unit};
use crate::config::HostConfig;
use crate::devices::{Devices, Node};

metrics! {
    /// What of the port is no number. Always 1.
    INFO: Gauge = "node_fibrechannel_info" [
        "fc_host", "speed", "port_state", "port_type", "port_id", "port_name", "fabric_name", "symbolic_name",
        "supported_classes", "supported_speeds", "dev_loss_tmo"
    ];
    /// Frames dropped.
    DUMPED_FRAMES: Counter = "node_fibrechannel_dumped_frames_total" ["fc_host"];
    /// Frames with errors.
    ERROR_FRAMES: Counter = "node_fibrechannel_error_frames_total" ["fc_host"];
    /// Frames whose checksum was wrong.
    INVALID_CRC: Counter = "node_fibrechannel_invalid_crc_total" ["fc_host"];
    /// Frames received.
    RX_FRAMES: Counter = "node_fibrechannel_rx_frames_total" ["fc_host"];
    /// Words of four octets received.
    RX_WORDS: Counter = "node_fibrechannel_rx_words_total" ["fc_host"];
    /// Frames sent.
    TX_FRAMES: Counter = "node_fibrechannel_tx_frames_total" ["fc_host"];
    /// Words of four octets sent.
    TX_WORDS: Counter = "node_fibrechannel_tx_words_total" ["fc_host"];
    /// Seconds since the port was reset.
    SINCE_RESET: Counter = "node_fibrechannel_seconds_since_last_reset_total" ["fc_host"];
    /// Words received that no sender would send.
    INVALID_TX_WORDS: Counter = "node_fibrechannel_invalid_tx_words_total" ["fc_host"];
    /// How often the link failed.
    LINK_FAILURE: Counter = "node_fibrechannel_link_failure_total" ["fc_host"];
    /// How often the port lost the beginnings of words.
    LOSS_OF_SYNC: Counter = "node_fibrechannel_loss_of_sync_total" ["fc_host"];
    /// How often the port lost the signal.
    LOSS_OF_SIGNAL: Counter = "node_fibrechannel_loss_of_signal_total" ["fc_host"];
    /// How often the other side said that it was not operational.
    NOS: Counter = "node_fibrechannel_nos_total" ["fc_host"];
    /// SCSI exchanges aborted.
    FCP_ABORTS: Counter = "node_fibrechannel_fcp_packet_aborts_total" ["fc_host"];
}

static COLUMNS: [Column<1>; 14] = [
    ("statistics/dumped_frames", &DUMPED_FRAMES, Unit::One),
    ("statistics/error_frames", &ERROR_FRAMES, Unit::One),
    ("statistics/invalid_crc_count", &INVALID_CRC, Unit::One),
    ("statistics/rx_frames", &RX_FRAMES, Unit::One),
    ("statistics/rx_words", &RX_WORDS, Unit::One),
    ("statistics/tx_frames", &TX_FRAMES, Unit::One),
    ("statistics/tx_words", &TX_WORDS, Unit::One),
    ("statistics/seconds_since_last_reset", &SINCE_RESET, Unit::One),
    ("statistics/invalid_tx_word_count", &INVALID_TX_WORDS, Unit::One),
    ("statistics/link_failure_count", &LINK_FAILURE, Unit::One),
    ("statistics/loss_of_sync_count", &LOSS_OF_SYNC, Unit::One),
    ("statistics/loss_of_signal_count", &LOSS_OF_SIGNAL, Unit::One),
    ("statistics/nos_count", &NOS, Unit::One),
    ("statistics/fcp_packet_aborts", &FCP_ABORTS, Unit::One),
];
const TEXTS: [&str; 10] = [
    "speed",
    "port_state",
    "port_type",
    "port_id",
    "port_name",
    "fabric_name",
    "symbolic_name",
    "supported_classes",
    "supported_speeds",
    "dev_loss_tmo",
];
/// What firmware that does not count shows: all bits set.
const NOT_COUNTED: f64 = u64::MAX as f64;

struct Port {
    node: Node,
    numbers: Numbers<1>,
    texts: Texts<10>,
}

/// The subject `fibrechannel`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut ports = Devices::new(config.sys("class/fc_host"));
    let mut buffer: Box<Buffer> = Box::new([0; 4096]);
    Subject::blocking("fibrechannel", METRICS, move |out| {
        let new = |class: &_, name: &_| {
            let node = Node::open(class, name)?;
            Some(Port { node, numbers: Numbers::new(&COLUMNS), texts: Texts::new(TEXTS) })
        };
        for Port { node, numbers, texts } in ports.present(new)? {
            let host = &*node.label;
            let [speed, state, kind, id, name, fabric, symbolic, classes, speeds, timeout] =
                texts.read(&*node, &mut buffer);
            let [id, name, fabric] = [id, name, fabric].map(without_0x);
            let labels = [host, speed, state, kind, id, name, fabric, symbolic, classes, speeds, timeout];
            out.put(&INFO, labels, 1.0);
            // A port that is down has no counters; node_exporter publishes zeros then, which a counter is not.
            numbers.write_if(&*node, [host], &mut buffer, out, |value| value < NOT_COUNTED);
        }
        Ok(())
    })
}

fn without_0x(number: &str) -> &str {
    number.strip_prefix("0x").unwrap_or(number)
}
