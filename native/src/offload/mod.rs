//! What the kernel leaves to the driver of a TUN with `IFF_VNET_HDR`: checksums, and cutting and merging packets.
//!
//! Comes in: frames as the TUN gives them (`split`), packets as peers sent them (`coalesce`). Goes out: packets to
//! seal, and frames to write.

pub mod checksum;
pub mod coalesce;
#[cfg(test)]
mod kernel_tests;
pub mod split;
#[cfg(test)]
pub mod testing;
pub mod virtio;

/// A range of bytes in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

impl Span {
    /// The same for indexing.
    #[must_use]
    pub fn range(self) -> std::ops::Range<usize> {
        let start = self.start as usize;
        start..start + self.len as usize
    }
}
