//! One frame made of a group of packets.
//!
//! Comes in: packets whose headers continue each other. Goes out: a `virtio_net_hdr`, the headers of the whole,
//! and the payloads, or nothing if a checksum or an ID is not what it has to be. Rule kept: every checksum is
//! verified, because the kernel believes them from here on; the field is left with the sum of the pseudo-header.

use super::headers::{IPV4_HEADER, IPV6_HEADER, TCP, UDP};
use super::{Coalescer, Group, NONE, Record};
use crate::offload::Span;
use crate::offload::checksum::{complement, is_zero, words};
use crate::offload::virtio::{GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, VirtioNetHdr};

const MODULUS: u64 = 0xFFFF;
const DONT_FRAGMENT: u8 = 0x40;
const CHECKSUM_IN_TCP: usize = 16;
const CHECKSUM_IN_UDP: usize = 6;
const FLAGS_IN_TCP: usize = 13;

impl Coalescer {
    /// Whether the group has become one frame. If not, nothing has changed.
    pub(super) fn merge(&mut self, buffer: &[u8], packets: &[Span], group: &Group) -> bool {
        let (head, part) = (self.heads.len(), self.parts.len());
        if self
            .add_parts(buffer, packets, group)
            .and_then(|size| self.add_head(buffer, packets, group, size))
            .is_none()
        {
            self.heads.truncate(head);
            self.parts.truncate(part);
            return false;
        }
        self.records.push(Record { head, head_end: self.heads.len(), part, part_end: self.parts.len() });
        true
    }

    /// All payloads as parts. Returns the size of the whole packet, or `None` if a packet is not sound.
    fn add_parts(&mut self, buffer: &[u8], packets: &[Span], group: &Group) -> Option<usize> {
        let header = u32::try_from(group.of.header).ok()?;
        let mut size = group.of.header;
        let mut ident = None;
        let mut number = group.first;
        while number != NONE {
            let span = *packets.get(number as usize)?;
            let packet = buffer.get(span.range())?;
            if !is_sound(packet, group) {
                return None;
            }
            if group.of.is_v4 && packet.get(6)? & DONT_FRAGMENT == 0 {
                let here = u16::from_be_bytes(*packet.get(4..)?.first_chunk()?);
                if ident.is_some_and(|expected| expected != here) {
                    return None;
                }
                ident = Some(here.wrapping_add(1));
            }
            let part = Span { start: span.start + header, len: span.len - header };
            size += part.len as usize;
            self.parts.push(part);
            number = *self.following.get(number as usize)?;
        }
        Some(size)
    }

    /// The `virtio_net_hdr` and the headers of the whole, which has `size` bytes.
    fn add_head(&mut self, buffer: &[u8], packets: &[Span], group: &Group, size: usize) -> Option<()> {
        let of = &group.of;
        let first = buffer.get(packets.get(group.first as usize)?.range())?;
        let last = buffer.get(packets.get(group.last as usize)?.range())?;
        let ip = of.ip();
        let (gso_type, csum_offset, protocol) = match (of.is_tcp, of.is_v4) {
            (true, true) => (GSO_TCPV4, CHECKSUM_IN_TCP, TCP),
            (true, false) => (GSO_TCPV6, CHECKSUM_IN_TCP, TCP),
            (false, _) => (GSO_UDP_L4, CHECKSUM_IN_UDP, UDP),
        };
        let virtio = VirtioNetHdr {
            flags: NEEDS_CSUM,
            gso_type,
            hdr_len: u16::try_from(of.header).ok()?,
            gso_size: u16::try_from(of.payload).ok()?,
            csum_start: u16::try_from(ip).ok()?,
            csum_offset: u16::try_from(csum_offset).ok()?,
        };
        self.heads.extend(virtio.to_bytes());
        let start = self.heads.len();
        self.heads.extend(first.get(..of.header)?);
        let head = self.heads.get_mut(start..)?;
        let length = u16::try_from(if of.is_v4 { size } else { size - IPV6_HEADER }).ok()?;
        put(head, if of.is_v4 { 2 } else { 4 }, length)?;
        if of.is_v4 {
            put(head, 10, 0)?;
            let checksum = complement(words(head.get(..IPV4_HEADER)?).into());
            put(head, 10, checksum)?;
        }
        let length = u16::try_from(size - ip).ok()?;
        let addresses = first.get(if of.is_v4 { 12..20 } else { 8..40 })?;
        let pseudo = (u64::from(words(addresses)) + u64::from(protocol) + u64::from(length)) % MODULUS;
        let head = head.get_mut(ip..)?;
        put(head, csum_offset, u16::try_from(pseudo).ok()?)?;
        if of.is_tcp {
            // PSH is seen on the last segment when the frame is cut.
            *head.get_mut(FLAGS_IN_TCP)? = *last.get(ip + FLAGS_IN_TCP)?;
        } else {
            put(head, 4, length)?;
        }
        Some(())
    }
}

/// Whether the checksums of IPv4 and of TCP or UDP are right.
fn is_sound(packet: &[u8], group: &Group) -> bool {
    let of = &group.of;
    if of.is_v4 && !packet.get(..IPV4_HEADER).is_some_and(|header| is_zero(words(header).into())) {
        return false;
    }
    let protocol = if of.is_tcp { TCP } else { UDP };
    // From the addresses on everything counts; what the pseudo-header has besides is protocol and length.
    let from = if of.is_v4 { 12 } else { 8 };
    let Some(counted) = packet.get(from..) else { return false };
    let length = packet.len().saturating_sub(of.ip());
    is_zero(u64::from(words(counted)) + u64::from(protocol) + length as u64)
}

fn put(bytes: &mut [u8], at: usize, word: u16) -> Option<()> {
    *bytes.get_mut(at..)?.first_chunk_mut()? = word.to_be_bytes();
    Some(())
}
