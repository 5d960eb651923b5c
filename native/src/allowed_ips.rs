//! Crypto-routing table: which peer an inner address belongs to (whitepaper section 2).
//!
//! Comes in: prefixes with their owners, and addresses. Goes out: the owner of the longest prefix that contains
//! the address. Rule kept: a prefix has one owner at most; inserting it for another moves it, as in the kernel's
//! allowedips.c.
//!
//! One hash table per family, asked once for each prefix length in use, from the longest: tables use few lengths.
//! The prefix-trie crate, measured beside it, takes 4 to 23 times as long for host prefixes and is ahead only
//! where some twenty lengths are in use. The table holds indexes; prefixes and owners are in one vector.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hashbrown::HashTable;

/// An address and how many of its leading bits count. Further bits and a length beyond the address are ignored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Prefix {
    /// The network's address.
    pub address: IpAddr,
    /// 0 to 32, or 0 to 128.
    pub length: u8,
}

/// Longest-prefix match over both families. An owner has a number, by which it is recognised.
#[derive(Debug)]
pub struct AllowedIps<T> {
    ipv4: Family<u32, T>,
    ipv6: Family<u128, T>,
}

impl<T: Clone> AllowedIps<T> {
    /// A table in which every address is nobody's.
    #[must_use]
    pub fn new() -> Self {
        Self { ipv4: Family::new(), ipv6: Family::new() }
    }

    /// Gives `prefix` to `owner`, whose number is `id`, taking it from whoever has it.
    pub fn insert(&mut self, prefix: Prefix, id: u64, owner: T) {
        match prefix.address {
            IpAddr::V4(address) => self.ipv4.insert(address.to_bits(), prefix.length, id, owner),
            IpAddr::V6(address) => self.ipv6.insert(address.to_bits(), prefix.length, id, owner),
        }
    }

    /// Removes exactly `prefix`, not what is inside or around it, if `id` has it; tells whether so.
    pub fn remove(&mut self, prefix: Prefix, id: u64) -> bool {
        match prefix.address {
            IpAddr::V4(address) => self.ipv4.remove(address.to_bits(), prefix.length, id),
            IpAddr::V6(address) => self.ipv6.remove(address.to_bits(), prefix.length, id),
        }
    }

    /// Removes every prefix of `id`.
    pub fn remove_owner(&mut self, id: u64) {
        self.ipv4.remove_owner(id);
        self.ipv6.remove_owner(id);
    }

    /// Owner of the longest prefix that contains `address`.
    #[inline]
    #[must_use]
    pub fn lookup(&self, address: IpAddr) -> Option<&T> {
        match address {
            IpAddr::V4(address) => self.ipv4.lookup(address.to_bits()),
            IpAddr::V6(address) => self.ipv6.lookup(address.to_bits()),
        }
    }

    /// What `id` has: IPv4 first, then IPv6, each in the order of insertion.
    #[must_use]
    pub fn prefixes(&self, id: u64) -> Vec<Prefix> {
        self.ipv4.prefixes(id).chain(self.ipv6.prefixes(id)).collect()
    }
}

impl<T: Clone> Default for AllowedIps<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// An address as a number, its first bit the greatest.
trait Bits: Copy + Eq {
    const WIDTH: u8;

    fn first(self, length: u8) -> Self;
    fn halves(self) -> (u64, u64);
    fn address(self) -> IpAddr;
}

impl Bits for u32 {
    const WIDTH: u8 = 32;

    #[inline]
    fn first(self, length: u8) -> Self {
        self & Self::MAX.checked_shl(u32::from(Self::WIDTH - length)).unwrap_or(0)
    }

    #[inline]
    fn halves(self) -> (u64, u64) {
        (0, self.into())
    }

    fn address(self) -> IpAddr {
        Ipv4Addr::from_bits(self).into()
    }
}

impl Bits for u128 {
    const WIDTH: u8 = 128;

    #[inline]
    fn first(self, length: u8) -> Self {
        self & Self::MAX.checked_shl(u32::from(Self::WIDTH - length)).unwrap_or(0)
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // That is what halves are.
    fn halves(self) -> (u64, u64) {
        ((self >> 64) as u64, self as u64)
    }

    fn address(self) -> IpAddr {
        Ipv6Addr::from_bits(self).into()
    }
}

/// Prefixes of one address family.
#[derive(Debug)]
struct Family<B, T> {
    /// Indexes of entries, by prefix.
    table: HashTable<u32>,
    /// Index of the first entry of every owner, by its number.
    firsts: HashTable<u32>,
    entries: Vec<Entry<B, T>>,
    /// The first of the entries that are not in use, chained by `next`.
    free: Option<u32>,
    /// Lengths in use with the number of their prefixes, from the longest.
    lengths: Vec<(u8, u32)>,
}

#[derive(Debug)]
struct Entry<B, T> {
    bits: B,
    id: u64,
    /// None: not in use.
    owner: Option<T>,
    /// The ring of all entries of one owner, in the order of insertion; from the last it goes on to the first.
    next: u32,
    previous: u32,
    length: u8,
}

impl<B: Bits, T> Family<B, T> {
    fn new() -> Self {
        let table = HashTable::new;
        Self { table: table(), firsts: table(), entries: Vec::new(), free: None, lengths: Vec::new() }
    }

    #[inline]
    fn lookup(&self, address: B) -> Option<&T> {
        self.lengths
            .iter()
            .find_map(|&(length, _)| self.find(address.first(length), length))
            .and_then(|index| self.entry(index).owner.as_ref())
    }

    fn insert(&mut self, bits: B, length: u8, id: u64, owner: T) {
        let length = length.min(B::WIDTH);
        let bits = bits.first(length);
        let index = if let Some(index) = self.find(bits, length) {
            self.disown(index);
            index
        } else {
            self.add(bits, length)
        };
        let entry = self.entry_mut(index);
        entry.id = id;
        entry.owner = Some(owner);
        self.own(index);
    }

    fn remove(&mut self, bits: B, length: u8, id: u64) -> bool {
        let length = length.min(B::WIDTH);
        let Some(index) = self.find(bits.first(length), length) else {
            return false;
        };
        let owned = self.entry(index).id == id;
        if owned {
            self.take_out(index);
        }
        owned
    }

    fn remove_owner(&mut self, id: u64) {
        while let Some(first) = self.first_of(id) {
            self.take_out(first);
        }
    }

    fn prefixes(&self, id: u64) -> impl Iterator<Item = Prefix> {
        let first = self.first_of(id);
        core::iter::successors(first, move |&index| {
            Some(self.entry(index).next).filter(|&next| Some(next) != first)
        })
        .map(|index| self.entry(index))
        .map(|entry| Prefix { address: entry.bits.address(), length: entry.length })
    }

    #[inline]
    fn find(&self, bits: B, length: u8) -> Option<u32> {
        let is_it = |&index: &u32| {
            let entry = self.entry(index);
            entry.bits == bits && entry.length == length
        };
        self.table.find(hash_prefix(bits, length), is_it).copied()
    }

    /// An entry for a prefix that has none, still without owner.
    fn add(&mut self, bits: B, length: u8) -> u32 {
        // The links are set when it gets its owner.
        let entry = Entry { bits, id: 0, owner: None, next: 0, previous: 0, length };
        let index = if let Some(index) = self.free {
            self.free = Some(self.entry(index).next).filter(|&next| next != index);
            *self.entry_mut(index) = entry;
            index
        } else {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).expect("memory ends before 2^32 prefixes")
        };
        let hash = |&index: &u32| {
            let entry = &self.entries[index as usize];
            hash_prefix(entry.bits, entry.length)
        };
        self.table.insert_unique(hash_prefix(bits, length), index, hash);
        match self.lengths.binary_search_by(|&(other, _)| length.cmp(&other)) {
            Ok(place) => self.lengths[place].1 += 1,
            Err(place) => self.lengths.insert(place, (length, 1)),
        }
        index
    }

    /// The end of an entry and of its prefix.
    fn take_out(&mut self, index: u32) {
        self.disown(index);
        let Entry { bits, length, .. } = *self.entry(index);
        if let Ok(found) = self.table.find_entry(hash_prefix(bits, length), |&other| other == index) {
            found.remove();
        }
        if let Ok(place) = self.lengths.binary_search_by(|&(other, _)| length.cmp(&other)) {
            self.lengths[place].1 -= 1;
            if self.lengths[place].1 == 0 {
                self.lengths.remove(place);
            }
        }
        // The last of the chain points to itself.
        let next = self.free.unwrap_or(index);
        let entry = self.entry_mut(index);
        entry.owner = None;
        entry.next = next;
        self.free = Some(index);
    }

    /// Puts an entry at the end of its owner's ring.
    fn own(&mut self, index: u32) {
        let id = self.entry(index).id;
        let (first, last) = if let Some(first) = self.first_of(id) {
            (first, self.entry(first).previous)
        } else {
            self.firsts.insert_unique(hash_id(id), index, |&first| hash_id(self.entries[first as usize].id));
            (index, index)
        };
        self.link(last, index);
        self.link(index, first);
    }

    /// Takes an entry out of its owner's ring.
    fn disown(&mut self, index: u32) {
        let Entry { id, next, previous, .. } = *self.entry(index);
        if let Ok(mut first) = self.firsts.find_entry(hash_id(id), |&first| first == index) {
            if next == index {
                first.remove();
            } else {
                *first.get_mut() = next;
            }
        }
        self.link(previous, next);
    }

    fn link(&mut self, previous: u32, next: u32) {
        self.entry_mut(previous).next = next;
        self.entry_mut(next).previous = previous;
    }

    fn first_of(&self, id: u64) -> Option<u32> {
        self.firsts.find(hash_id(id), |&first| self.entry(first).id == id).copied()
    }

    // Every index comes from `add`, and entries are never taken out of the vector.
    #[inline]
    fn entry(&self, index: u32) -> &Entry<B, T> {
        &self.entries[index as usize]
    }

    fn entry_mut(&mut self, index: u32) -> &mut Entry<B, T> {
        &mut self.entries[index as usize]
    }
}

#[inline]
fn hash_prefix<B: Bits>(bits: B, length: u8) -> u64 {
    let (high, low) = bits.halves();
    hash(high ^ u64::from(length) << 56, low)
}

fn hash_id(id: u64) -> u64 {
    hash(0, id)
}

/// Cheap, not secret: what is in the table is from the configuration, a stranger's packets only look it up.
#[inline]
#[allow(clippy::cast_possible_truncation)] // The halves of the product.
fn hash(high: u64, low: u64) -> u64 {
    // Fractions of pi, so that neither factor is zero by habit.
    let product = u128::from(high ^ 0x243f_6a88_85a3_08d3) * u128::from(low ^ 0x1319_8a2e_0370_7344);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests;
