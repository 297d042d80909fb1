//! Counters of InfiniBand and RoCE ports, as a table (kernel document `ABI/stable/sysfs-class-infiniband`; those below
//! `hw_counters` are the driver's own, mlx5's mostly).

use taffrail_core::metrics;

use crate::columns::{Column, Unit};

metrics! {
    /// What of the device is no number. Always 1.
    pub(crate) INFO: Gauge = "node_infiniband_info" ["device", "board_id", "firmware_version", "hca_type"];
    /// The port's state: 0 no change, 1 down, 2 initialising, 3 armed, 4 active, 5 active and deferred.
    pub(crate) STATE: Gauge = "node_infiniband_state_id" ["device", "port"];
    /// State of the port's wires: 0 no change, 1 asleep, 2 polling, 3 disabled, 4 training, 5 up, 6 recovering, 7 test.
    pub(crate) PHYSICAL_STATE: Gauge = "node_infiniband_physical_state_id" ["device", "port"];
    /// The port's speed in bytes a second.
    pub(crate) RATE: Gauge = "node_infiniband_rate_bytes_per_second" ["device", "port"];
    /// Seconds for which the driver keeps its counters before it asks the device again.
    LIFESPAN: Gauge = "node_infiniband_lifespan_seconds" ["device", "port"];
    /// Multicast packets received, as kernels before 4.5 count them.
    LEGACY_MULTICAST_PACKETS_RECEIVED: Counter = "node_infiniband_legacy_multicast_packets_received_total" ["device", "port"];
    /// Multicast packets sent, as kernels before 4.5 count them.
    LEGACY_MULTICAST_PACKETS_TRANSMITTED: Counter = "node_infiniband_legacy_multicast_packets_transmitted_total" ["device", "port"];
    /// Bytes received, as kernels before 4.5 count them.
    LEGACY_DATA_RECEIVED_BYTES: Counter = "node_infiniband_legacy_data_received_bytes_total" ["device", "port"];
    /// Packets received, as kernels before 4.5 count them.
    LEGACY_PACKETS_RECEIVED: Counter = "node_infiniband_legacy_packets_received_total" ["device", "port"];
    /// Unicast packets received, as kernels before 4.5 count them.
    LEGACY_UNICAST_PACKETS_RECEIVED: Counter = "node_infiniband_legacy_unicast_packets_received_total" ["device", "port"];
    /// Unicast packets sent, as kernels before 4.5 count them.
    LEGACY_UNICAST_PACKETS_TRANSMITTED: Counter = "node_infiniband_legacy_unicast_packets_transmitted_total" ["device", "port"];
    /// Bytes sent, as kernels before 4.5 count them.
    LEGACY_DATA_TRANSMITTED_BYTES: Counter = "node_infiniband_legacy_data_transmitted_bytes_total" ["device", "port"];
    /// Packets sent, as kernels before 4.5 count them.
    LEGACY_PACKETS_TRANSMITTED: Counter = "node_infiniband_legacy_packets_transmitted_total" ["device", "port"];
    /// How often the port's buffer overran in several updates of the flow control in a row.
    EXCESSIVE_BUFFER_OVERRUN_ERRORS: Counter = "node_infiniband_excessive_buffer_overrun_errors_total" ["device", "port"];
    /// How often the link could not recover from an error and went down.
    LINK_DOWNED: Counter = "node_infiniband_link_downed_total" ["device", "port"];
    /// How often the link recovered from an error.
    LINK_ERROR_RECOVERY: Counter = "node_infiniband_link_error_recovery_total" ["device", "port"];
    /// How often local physical errors were more than allowed.
    LOCAL_LINK_INTEGRITY_ERRORS: Counter = "node_infiniband_local_link_integrity_errors_total" ["device", "port"];
    /// Multicast packets received, bad ones included.
    MULTICAST_PACKETS_RECEIVED: Counter = "node_infiniband_multicast_packets_received_total" ["device", "port"];
    /// Multicast packets sent, bad ones included.
    MULTICAST_PACKETS_TRANSMITTED: Counter = "node_infiniband_multicast_packets_transmitted_total" ["device", "port"];
    /// Packets received that the switch's port may not take.
    PORT_CONSTRAINT_ERRORS_RECEIVED: Counter = "node_infiniband_port_constraint_errors_received_total" ["device", "port"];
    /// Bytes received.
    PORT_DATA_RECEIVED_BYTES: Counter = "node_infiniband_port_data_received_bytes_total" ["device", "port"];
    /// Packets received and dropped because the port was down or congested.
    PORT_DISCARDS_RECEIVED: Counter = "node_infiniband_port_discards_received_total" ["device", "port"];
    /// Packets received with an error.
    PORT_ERRORS_RECEIVED: Counter = "node_infiniband_port_errors_received_total" ["device", "port"];
    /// Packets received, bad ones included.
    PORT_PACKETS_RECEIVED: Counter = "node_infiniband_port_packets_received_total" ["device", "port"];
    /// Packets received that were marked as bad on their way.
    PORT_RECEIVE_REMOTE_PHYSICAL_ERRORS: Counter = "node_infiniband_port_receive_remote_physical_errors_total" ["device", "port"];
    /// Packets received that the switch could not forward.
    PORT_RECEIVE_SWITCH_RELAY_ERRORS: Counter = "node_infiniband_port_receive_switch_relay_errors_total" ["device", "port"];
    /// Packets not sent because the switch's port may not.
    PORT_CONSTRAINT_ERRORS_TRANSMITTED: Counter = "node_infiniband_port_constraint_errors_transmitted_total" ["device", "port"];
    /// Bytes sent.
    PORT_DATA_TRANSMITTED_BYTES: Counter = "node_infiniband_port_data_transmitted_bytes_total" ["device", "port"];
    /// Packets to send that were dropped because the port was down or congested.
    PORT_DISCARDS_TRANSMITTED: Counter = "node_infiniband_port_discards_transmitted_total" ["device", "port"];
    /// Packets sent, bad ones included.
    PORT_PACKETS_TRANSMITTED: Counter = "node_infiniband_port_packets_transmitted_total" ["device", "port"];
    /// Ticks in which there was data to send and none could be sent.
    PORT_TRANSMIT_WAIT: Counter = "node_infiniband_port_transmit_wait_total" ["device", "port"];
    /// Small errors on the wires.
    SYMBOL_ERROR: Counter = "node_infiniband_symbol_error_total" ["device", "port"];
    /// Unicast packets received, bad ones included.
    UNICAST_PACKETS_RECEIVED: Counter = "node_infiniband_unicast_packets_received_total" ["device", "port"];
    /// Unicast packets sent, bad ones included.
    UNICAST_PACKETS_TRANSMITTED: Counter = "node_infiniband_unicast_packets_transmitted_total" ["device", "port"];
    /// Management packets received and dropped for lack of room.
    VL15_DROPPED: Counter = "node_infiniband_vl15_dropped_total" ["device", "port"];
    /// Requests received that were carried out before.
    DUPLICATE_REQUESTS_PACKETS: Counter = "node_infiniband_duplicate_requests_packets_total" ["device", "port"];
    /// Acknowledgements received that were further ahead than expected.
    IMPLIED_NAK_SEQ_ERRORS: Counter = "node_infiniband_implied_nak_seq_errors_total" ["device", "port"];
    /// How often the sender waited too long for an acknowledgement.
    LOCAL_ACK_TIMEOUT_ERRORS: Counter = "node_infiniband_local_ack_timeout_errors_total" ["device", "port"];
    /// Notices of congestion sent.
    NP_CNP_PACKETS_SENT: Counter = "node_infiniband_np_cnp_packets_sent_total" ["device", "port"];
    /// RoCE packets received that were marked as having met congestion.
    NP_ECN_MARKED_ROCE_PACKETS_RECEIVED: Counter = "node_infiniband_np_ecn_marked_roce_packets_received_total" ["device", "port"];
    /// Packets dropped because a queue had no receive request.
    OUT_OF_BUFFER_DROPS: Counter = "node_infiniband_out_of_buffer_drops_total" ["device", "port"];
    /// Packets received out of order.
    OUT_OF_SEQUENCE_PACKETS_RECEIVED: Counter = "node_infiniband_out_of_sequence_packets_received_total" ["device", "port"];
    /// Refusals received because packets were out of order.
    PACKET_SEQUENCE_ERRORS: Counter = "node_infiniband_packet_sequence_errors_total" ["device", "port"];
    /// Requests that completed with an error.
    REQ_CQES_ERRORS: Counter = "node_infiniband_req_cqes_errors_total" ["device", "port"];
    /// Requests that were thrown away with their queue.
    REQ_CQES_FLUSH_ERRORS: Counter = "node_infiniband_req_cqes_flush_errors_total" ["device", "port"];
    /// Requests that the other side did not allow.
    REQ_REMOTE_ACCESS_ERRORS: Counter = "node_infiniband_req_remote_access_errors_total" ["device", "port"];
    /// Requests that the other side called invalid.
    REQ_REMOTE_INVALID_REQUEST_ERRORS: Counter = "node_infiniband_req_remote_invalid_request_errors_total" ["device", "port"];
    /// Answers that completed with an error.
    RESP_CQES_ERRORS: Counter = "node_infiniband_resp_cqes_errors_total" ["device", "port"];
    /// Answers that were thrown away with their queue.
    RESP_CQES_FLUSH_ERRORS: Counter = "node_infiniband_resp_cqes_flush_errors_total" ["device", "port"];
    /// Requests received of a wrong length.
    RESP_LOCAL_LENGTH_ERRORS: Counter = "node_infiniband_resp_local_length_errors_total" ["device", "port"];
    /// Requests received that were not allowed.
    RESP_REMOTE_ACCESS_ERRORS: Counter = "node_infiniband_resp_remote_access_errors_total" ["device", "port"];
    /// Answers received that the other side was not ready.
    RNR_NAK_RETRY_PACKETS_RECEIVED: Counter = "node_infiniband_rnr_nak_retry_packets_received_total" ["device", "port"];
    /// Adaptive retransmissions of RoCE.
    ROCE_ADP_RETRANSMITS: Counter = "node_infiniband_roce_adp_retransmits_total" ["device", "port"];
    /// Adaptive retransmissions of RoCE that came too late.
    ROCE_ADP_RETRANSMITS_TIMEOUT: Counter = "node_infiniband_roce_adp_retransmits_timeout_total" ["device", "port"];
    /// How often RoCE's slow restart was used.
    ROCE_SLOW_RESTART_USED: Counter = "node_infiniband_roce_slow_restart_used_total" ["device", "port"];
    /// Notices of congestion that RoCE's slow restart made.
    ROCE_SLOW_RESTART_CNPS: Counter = "node_infiniband_roce_slow_restart_cnps_total" ["device", "port"];
    /// How often RoCE changed over to slow restart.
    ROCE_SLOW_RESTART: Counter = "node_infiniband_roce_slow_restart_total" ["device", "port"];
    /// Notices of congestion on which the sender slowed down.
    RP_CNP_PACKETS_HANDLED: Counter = "node_infiniband_rp_cnp_packets_handled_total" ["device", "port"];
    /// Notices of congestion that the sender ignored.
    RP_CNP_IGNORED_PACKETS_RECEIVED: Counter = "node_infiniband_rp_cnp_ignored_packets_received_total" ["device", "port"];
    /// Atomic requests received.
    RX_ATOMIC_REQUESTS: Counter = "node_infiniband_rx_atomic_requests_total" ["device", "port"];
    /// Requests received to connect dynamically.
    RX_DCT_CONNECT_REQUESTS: Counter = "node_infiniband_rx_dct_connect_requests_total" ["device", "port"];
    /// RoCE packets received with a wrong checksum.
    RX_ICRC_ENCAPSULATED_ERRORS: Counter = "node_infiniband_rx_icrc_encapsulated_errors_total" ["device", "port"];
    /// Read requests received.
    RX_READ_REQUESTS: Counter = "node_infiniband_rx_read_requests_total" ["device", "port"];
    /// Write requests received.
    RX_WRITE_REQUESTS: Counter = "node_infiniband_rx_write_requests_total" ["device", "port"];
}

/// The counters of a port, below its folder.
///
/// node_exporter divides the lifespan's milliseconds without a remainder, so that most are 0 seconds there.
pub(crate) static COUNTERS: [Column<2>; 60] = [
    ("counters_ext/port_multicast_rcv_packets", &LEGACY_MULTICAST_PACKETS_RECEIVED, Unit::One),
    ("counters_ext/port_multicast_xmit_packets", &LEGACY_MULTICAST_PACKETS_TRANSMITTED, Unit::One),
    ("counters_ext/port_rcv_data_64", &LEGACY_DATA_RECEIVED_BYTES, Unit::FourOctets),
    ("counters_ext/port_rcv_packets_64", &LEGACY_PACKETS_RECEIVED, Unit::One),
    ("counters_ext/port_unicast_rcv_packets", &LEGACY_UNICAST_PACKETS_RECEIVED, Unit::One),
    ("counters_ext/port_unicast_xmit_packets", &LEGACY_UNICAST_PACKETS_TRANSMITTED, Unit::One),
    ("counters_ext/port_xmit_data_64", &LEGACY_DATA_TRANSMITTED_BYTES, Unit::FourOctets),
    ("counters_ext/port_xmit_packets_64", &LEGACY_PACKETS_TRANSMITTED, Unit::One),
    ("counters/excessive_buffer_overrun_errors", &EXCESSIVE_BUFFER_OVERRUN_ERRORS, Unit::One),
    ("counters/link_downed", &LINK_DOWNED, Unit::One),
    ("counters/link_error_recovery", &LINK_ERROR_RECOVERY, Unit::One),
    ("counters/local_link_integrity_errors", &LOCAL_LINK_INTEGRITY_ERRORS, Unit::One),
    ("counters/multicast_rcv_packets", &MULTICAST_PACKETS_RECEIVED, Unit::One),
    ("counters/multicast_xmit_packets", &MULTICAST_PACKETS_TRANSMITTED, Unit::One),
    ("counters/port_rcv_constraint_errors", &PORT_CONSTRAINT_ERRORS_RECEIVED, Unit::One),
    ("counters/port_rcv_data", &PORT_DATA_RECEIVED_BYTES, Unit::FourOctets),
    ("counters/port_rcv_discards", &PORT_DISCARDS_RECEIVED, Unit::One),
    ("counters/port_rcv_errors", &PORT_ERRORS_RECEIVED, Unit::One),
    ("counters/port_rcv_packets", &PORT_PACKETS_RECEIVED, Unit::One),
    ("counters/port_rcv_remote_physical_errors", &PORT_RECEIVE_REMOTE_PHYSICAL_ERRORS, Unit::One),
    ("counters/port_rcv_switch_relay_errors", &PORT_RECEIVE_SWITCH_RELAY_ERRORS, Unit::One),
    ("counters/port_xmit_constraint_errors", &PORT_CONSTRAINT_ERRORS_TRANSMITTED, Unit::One),
    ("counters/port_xmit_data", &PORT_DATA_TRANSMITTED_BYTES, Unit::FourOctets),
    ("counters/port_xmit_discards", &PORT_DISCARDS_TRANSMITTED, Unit::One),
    ("counters/port_xmit_packets", &PORT_PACKETS_TRANSMITTED, Unit::One),
    ("counters/port_xmit_wait", &PORT_TRANSMIT_WAIT, Unit::One),
    ("counters/symbol_error", &SYMBOL_ERROR, Unit::One),
    ("counters/unicast_rcv_packets", &UNICAST_PACKETS_RECEIVED, Unit::One),
    ("counters/unicast_xmit_packets", &UNICAST_PACKETS_TRANSMITTED, Unit::One),
    ("counters/VL15_dropped", &VL15_DROPPED, Unit::One),
    ("hw_counters/duplicate_request", &DUPLICATE_REQUESTS_PACKETS, Unit::One),
    ("hw_counters/implied_nak_seq_err", &IMPLIED_NAK_SEQ_ERRORS, Unit::One),
    ("hw_counters/local_ack_timeout_err", &LOCAL_ACK_TIMEOUT_ERRORS, Unit::One),
    ("hw_counters/np_cnp_sent", &NP_CNP_PACKETS_SENT, Unit::One),
    ("hw_counters/np_ecn_marked_roce_packets", &NP_ECN_MARKED_ROCE_PACKETS_RECEIVED, Unit::One),
    ("hw_counters/out_of_buffer", &OUT_OF_BUFFER_DROPS, Unit::One),
    ("hw_counters/out_of_sequence", &OUT_OF_SEQUENCE_PACKETS_RECEIVED, Unit::One),
    ("hw_counters/packet_seq_err", &PACKET_SEQUENCE_ERRORS, Unit::One),
    ("hw_counters/req_cqe_error", &REQ_CQES_ERRORS, Unit::One),
    ("hw_counters/req_cqe_flush_error", &REQ_CQES_FLUSH_ERRORS, Unit::One),
    ("hw_counters/req_remote_access_errors", &REQ_REMOTE_ACCESS_ERRORS, Unit::One),
    ("hw_counters/req_remote_invalid_request", &REQ_REMOTE_INVALID_REQUEST_ERRORS, Unit::One),
    ("hw_counters/resp_cqe_error", &RESP_CQES_ERRORS, Unit::One),
    ("hw_counters/resp_cqe_flush_error", &RESP_CQES_FLUSH_ERRORS, Unit::One),
    ("hw_counters/resp_local_length_error", &RESP_LOCAL_LENGTH_ERRORS, Unit::One),
    ("hw_counters/resp_remote_access_errors", &RESP_REMOTE_ACCESS_ERRORS, Unit::One),
    ("hw_counters/rnr_nak_retry_err", &RNR_NAK_RETRY_PACKETS_RECEIVED, Unit::One),
    ("hw_counters/roce_adp_retrans", &ROCE_ADP_RETRANSMITS, Unit::One),
    ("hw_counters/roce_adp_retrans_to", &ROCE_ADP_RETRANSMITS_TIMEOUT, Unit::One),
    ("hw_counters/roce_slow_restart", &ROCE_SLOW_RESTART_USED, Unit::One),
    ("hw_counters/roce_slow_restart_cnps", &ROCE_SLOW_RESTART_CNPS, Unit::One),
    ("hw_counters/roce_slow_restart_trans", &ROCE_SLOW_RESTART, Unit::One),
    ("hw_counters/rp_cnp_handled", &RP_CNP_PACKETS_HANDLED, Unit::One),
    ("hw_counters/rp_cnp_ignored", &RP_CNP_IGNORED_PACKETS_RECEIVED, Unit::One),
    ("hw_counters/rx_atomic_requests", &RX_ATOMIC_REQUESTS, Unit::One),
    ("hw_counters/rx_dct_connect", &RX_DCT_CONNECT_REQUESTS, Unit::One),
    ("hw_counters/rx_icrc_encapsulated", &RX_ICRC_ENCAPSULATED_ERRORS, Unit::One),
    ("hw_counters/rx_read_requests", &RX_READ_REQUESTS, Unit::One),
    ("hw_counters/rx_write_requests", &RX_WRITE_REQUESTS, Unit::One),
    ("hw_counters/lifespan", &LIFESPAN, Unit::Milli),
];
