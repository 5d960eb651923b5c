//! The header that precedes each packet on a TUN opened with `IFF_VNET_HDR` (`linux/virtio_net.h`).
//!
//! Comes in and goes out: its ten bytes, in the machine's own byte order, because nobody but the kernel beneath
//! sees them. Nothing is judged here; `split` does that.

/// Size of the header: that without `num_buffers`, `TUNSETVNETHDRSZ` 10.
pub const VNET_HDR: usize = 10;

/// `flags`: the checksum field holds the sum of the pseudo-header only.
pub const NEEDS_CSUM: u8 = 1;

/// `gso_type`: one packet that is not to be cut.
pub const GSO_NONE: u8 = 0;
/// `gso_type`: TCP over IPv4.
pub const GSO_TCPV4: u8 = 1;
/// `gso_type`: TCP over IPv6.
pub const GSO_TCPV6: u8 = 4;
/// `gso_type`: UDP over either, cut to datagrams (not to fragments).
pub const GSO_UDP_L4: u8 = 5;
/// Bit of `gso_type` beside a TCP type: CWR is set, and belongs to the first segment.
pub const GSO_ECN: u8 = 0x80;

/// `struct virtio_net_hdr`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct VirtioNetHdr {
    /// `NEEDS_CSUM` and others that mean nothing here.
    pub flags: u8,
    /// What is to be cut.
    pub gso_type: u8,
    /// A hint; the kernel gives the size of its linear part, which may hold payload.
    pub hdr_len: u16,
    /// Bytes of payload in each packet but the last.
    pub gso_size: u16,
    /// Where the checksum starts to count.
    pub csum_start: u16,
    /// Where it is written, from there.
    pub csum_offset: u16,
}

impl VirtioNetHdr {
    /// The header at the beginning of `bytes`, or `None` if they are too few.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1] = bytes.first_chunk::<VNET_HDR>()?;
        Some(Self {
            flags,
            gso_type,
            hdr_len: u16::from_ne_bytes([h0, h1]),
            gso_size: u16::from_ne_bytes([g0, g1]),
            csum_start: u16::from_ne_bytes([s0, s1]),
            csum_offset: u16::from_ne_bytes([o0, o1]),
        })
    }

    /// As it is written.
    #[must_use]
    pub fn to_bytes(self) -> [u8; VNET_HDR] {
        let [h0, h1] = self.hdr_len.to_ne_bytes();
        let [g0, g1] = self.gso_size.to_ne_bytes();
        let [s0, s1] = self.csum_start.to_ne_bytes();
        let [o0, o1] = self.csum_offset.to_ne_bytes();
        [self.flags, self.gso_type, h0, h1, g0, g1, s0, s1, o0, o1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let header = VirtioNetHdr {
            flags: 1,
            gso_type: 0x81,
            hdr_len: 0x0102,
            gso_size: 0x0304,
            csum_start: 0x0506,
            csum_offset: 0x0708,
        };
        assert_eq!(VirtioNetHdr::parse(&header.to_bytes()), Some(header));
        assert_eq!(header.to_bytes()[2..4], 0x0102_u16.to_ne_bytes());
        assert_eq!(VirtioNetHdr::parse(&[0; 9]), None);
        assert_eq!(VirtioNetHdr::default().to_bytes(), [0; VNET_HDR]);
    }
}
