//! Echo requests and replies: ICMP (RFC 792) and ICMPv6 (RFC 4443).

/// Bytes before the payload.
pub const HEADER: usize = 8;
/// The least an IPv4 header has.
const IPV4_HEADER: usize = 20;

/// One echo: what ties a reply to its request.
#[derive(Clone, Debug)]
pub struct Echo {
    /// Whether it is ICMPv6.
    pub v6: bool,
    /// The asker's number. The kernel sets its own on ping sockets, and hands only its replies on.
    pub id: Option<u16>,
    /// The number of the request.
    pub sequence: u16,
    /// What comes back as it was sent.
    pub payload: Vec<u8>,
}

impl Echo {
    /// The request as it is handed to the kernel, which fills in what it knows better.
    pub fn request(&self) -> Vec<u8> {
        let mut packet = Vec::with_capacity(HEADER + self.payload.len());
        packet.extend([if self.v6 { 128 } else { 8 }, 0, 0, 0]);
        packet.extend(self.id.unwrap_or(0).to_be_bytes());
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(&self.payload);
        if !self.v6 {
            // The kernel sums up ICMPv6, whose sum covers the addresses too.
            let sum = checksum(&packet).to_be_bytes();
            packet[2..4].copy_from_slice(&sum);
        }
        packet
    }

    /// Whether `packet` is the reply to this request. Its sum was checked by the kernel.
    pub fn is_answered_by(&self, packet: &[u8]) -> bool {
        let Some((header, payload)) = packet.split_first_chunk::<HEADER>() else { return false };
        header[0] == if self.v6 { 129 } else { 0 }
            && header[1] == 0
            && self.id.is_none_or(|id| header[4..6] == id.to_be_bytes())
            && header[6..8] == self.sequence.to_be_bytes()
            && payload == self.payload
    }
}

/// The packet behind an IPv4 header, which raw sockets hand on too, and the header's TTL.
pub fn behind_ipv4(datagram: &[u8]) -> Option<(&[u8], u8)> {
    let first = *datagram.first()?;
    let header = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header < IPV4_HEADER {
        return None;
    }
    Some((datagram.get(header..)?, *datagram.get(8)?))
}

/// RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    // 64 KiB of words stay far below what a u32 holds.
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(v6: bool, id: Option<u16>) -> Echo {
        Echo { v6, id, sequence: 0x0102, payload: b"abc".to_vec() }
    }

    #[test]
    fn a_request_sums_up() {
        let packet = echo(false, Some(0x1234)).request();
        assert_eq!(packet[..2], [8, 0]);
        assert_eq!(packet[4..8], [0x12, 0x34, 1, 2]);
        // With its sum in it, the sum of a packet is 0.
        assert_eq!(checksum(&packet), 0);
        assert_eq!(echo(true, None).request()[..8], [128, 0, 0, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn only_its_own_reply_answers_a_request() {
        let asked = echo(false, Some(0x1234));
        let mut reply = asked.request();
        assert!(!asked.is_answered_by(&reply), "a request is no reply");
        reply[0] = 0;
        assert!(asked.is_answered_by(&reply));
        for at in [1, 4, 5, 6, 7, 8] {
            let mut other = reply.clone();
            other[at] ^= 1;
            assert!(!asked.is_answered_by(&other), "byte {at}");
        }
        assert!(!asked.is_answered_by(&reply[..10]));
        assert!(!asked.is_answered_by(&reply[..4]));
        // On a ping socket the kernel has set the number.
        reply[4] ^= 1;
        assert!(echo(false, None).is_answered_by(&reply));
    }

    #[test]
    fn an_ipv4_header_is_stripped() {
        let mut datagram = vec![0x46, 0, 0, 0, 0, 0, 0, 0, 61];
        datagram.resize(24, 0);
        datagram.extend(b"icmp");
        assert_eq!(behind_ipv4(&datagram), Some((&b"icmp"[..], 61)));
        assert_eq!(behind_ipv4(&datagram[..20]), None);
        assert_eq!(behind_ipv4(b"\x44\0\0\0\0\0\0\0\0"), None);
        assert_eq!(behind_ipv4(&[]), None);
    }
}
