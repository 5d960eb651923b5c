//! Known answers, the plainest model, and the size of the table.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const VECTORS: &str = include_str!("../../../vectors/allowed_ips.json");

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
}

fn lookup(table: &AllowedIps<u64>, address: &str) -> Option<u64> {
    table.lookup(address.parse().unwrap()).copied()
}

#[test]
fn known_answers() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    for known in vectors["tables"].as_array().unwrap() {
        let mut table = AllowedIps::new();
        let mut numbers = HashMap::new();
        for row in known["insert"].as_array().unwrap() {
            let owner = row["owner"].as_str().unwrap();
            let next = numbers.len() as u64;
            let id = *numbers.entry(owner).or_insert(next);
            table.insert(prefix(row["prefix"].as_str().unwrap()), id, owner);
        }
        for row in known["lookup"].as_array().unwrap() {
            let address = row["address"].as_str().unwrap().parse().unwrap();
            assert_eq!(table.lookup(address).copied(), row["owner"].as_str(), "{row}");
        }
    }
}

#[test]
fn prefixes_are_in_order_of_insertion_ipv4_first() {
    let mut table = AllowedIps::new();
    for text in ["fd00::/8", "10.1.0.0/16", "10.0.0.0/8", "::/0", "10.2.0.0/16"] {
        table.insert(prefix(text), 1, 1);
    }
    table.insert(prefix("10.1.2.3/16"), 1, 1); // The same again: to the end, and without its host bits.
    let expected = ["10.0.0.0/8", "10.2.0.0/16", "10.1.0.0/16", "fd00::/8", "::/0"].map(prefix);
    assert_eq!(table.prefixes(1), expected);
    assert_eq!(table.prefixes(2), []);
}

#[test]
fn a_moved_prefix_leaves_its_owner() {
    let mut table = AllowedIps::new();
    table.insert(prefix("10.0.0.0/8"), 1, 1);
    table.insert(prefix("10.0.0.0/8"), 2, 2);
    assert_eq!(lookup(&table, "10.1.1.1"), Some(2));
    assert_eq!((table.prefixes(1), table.prefixes(2)), (vec![], vec![prefix("10.0.0.0/8")]));
    assert!(!table.remove(prefix("10.0.0.0/8"), 1));
    assert!(!table.remove(prefix("10.0.0.0/9"), 2));
    assert!(table.remove(prefix("10.0.0.0/8"), 2));
    assert_eq!(lookup(&table, "10.1.1.1"), None);
}

#[test]
fn a_removed_owner_is_dropped() {
    let owner = Arc::new(());
    let mut table = AllowedIps::new();
    for length in 0..=32 {
        table.insert(Prefix { address: [10, 0, 0, 0].into(), length }, 7, owner.clone());
    }
    table.remove_owner(7);
    assert_eq!(Arc::strong_count(&owner), 1);
    assert!(table.lookup([10, 0, 0, 0].into()).is_none());
}

#[test]
fn a_length_beyond_the_address_is_its_width() {
    let mut table = AllowedIps::new();
    table.insert(Prefix { address: [10, 0, 0, 1].into(), length: 255 }, 1, 1);
    assert_eq!(table.prefixes(1), [prefix("10.0.0.1/32")]);
    assert!(table.remove(Prefix { address: [10, 0, 0, 1].into(), length: 33 }, 1));
}

/// 10,000 peers with one address each: 16,384 entries and twice as many places of five bytes in the tables.
#[test]
fn entries_are_small() {
    assert!(size_of::<Entry<u32, Arc<()>>>() <= 32);
    assert!(size_of::<Entry<u128, Arc<()>>>() <= 48);
}

/// The rule in its plainest form.
#[derive(Default)]
struct Model(Vec<(Prefix, u64)>);

impl Model {
    fn insert(&mut self, prefix: Prefix, id: u64) {
        self.0.retain(|&(other, _)| other != prefix);
        self.0.push((prefix, id));
    }

    fn remove(&mut self, prefix: Prefix, id: u64) -> bool {
        let before = self.0.len();
        self.0.retain(|&entry| entry != (prefix, id));
        self.0.len() < before
    }

    fn lookup(&self, address: IpAddr) -> Option<u64> {
        let matching =
            self.0.iter().filter(|(prefix, _)| masked(address, prefix.length) == Some(prefix.address));
        matching.max_by_key(|(prefix, _)| prefix.length).map(|&(_, id)| id)
    }

    fn prefixes(&self, id: u64) -> Vec<Prefix> {
        let own = self.0.iter().filter(|&&(_, other)| other == id).map(|&(prefix, _)| prefix);
        let (mut ipv4, ipv6): (Vec<_>, Vec<_>) = own.partition(|prefix| prefix.address.is_ipv4());
        ipv4.extend(ipv6);
        ipv4
    }
}

/// The first bits of an address, bit by bit. None: it has not so many.
fn masked(address: IpAddr, length: u8) -> Option<IpAddr> {
    fn clear(bytes: &mut [u8], length: usize) -> Option<()> {
        let bits = bytes.len() * 8;
        (length..bits).for_each(|bit| bytes[bit / 8] &= !(0x80 >> (bit % 8)));
        (length <= bits).then_some(())
    }
    match address {
        IpAddr::V4(address) => {
            let mut bytes = address.octets();
            clear(&mut bytes, length.into()).map(|()| bytes.into())
        }
        IpAddr::V6(address) => {
            let mut bytes = address.octets();
            clear(&mut bytes, length.into()).map(|()| bytes.into())
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Prefix, u64),
    Remove(Prefix, u64),
    RemoveOwner(u64),
}

/// Few different bits, so that prefixes meet and contain one another.
fn address() -> impl Strategy<Value = IpAddr> {
    let byte = || prop_oneof![Just(0_u8), Just(0x80), Just(1), Just(0xff)];
    prop_oneof![
        (byte(), byte(), byte()).prop_map(|(a, b, c)| [a, b, 0, c].into()),
        (byte(), byte(), byte())
            .prop_map(|(a, b, c)| [a, b, 0, 0, 0, 0, 0, a, b, 0, 0, 0, 0, 0, 0, c].into()),
    ]
}

fn prefixes() -> impl Strategy<Value = Prefix> {
    (address(), any::<u8>(), any::<bool>()).prop_map(|(address, number, short)| {
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = if short { number % 11 } else { number % (width + 1) };
        Prefix { address: masked(address, length).unwrap(), length }
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (prefixes(), 0..4_u64).prop_map(|(prefix, id)| Step::Insert(prefix, id)),
        3 => (prefixes(), 0..4_u64).prop_map(|(prefix, id)| Step::Remove(prefix, id)),
        1 => (0..4_u64).prop_map(Step::RemoveOwner),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_linear_search(
        steps in proptest::collection::vec(step(), 1..120),
        addresses in proptest::collection::vec(address(), 40),
    ) {
        let (mut table, mut model) = (AllowedIps::new(), Model::default());
        for step in steps {
            match step {
                Step::Insert(prefix, id) => {
                    table.insert(prefix, id, id);
                    model.insert(prefix, id);
                }
                Step::Remove(prefix, id) => prop_assert_eq!(table.remove(prefix, id), model.remove(prefix, id)),
                Step::RemoveOwner(id) => {
                    table.remove_owner(id);
                    model.0.retain(|&(_, other)| other != id);
                }
            }
        }
        for id in 0..4 {
            prop_assert_eq!(table.prefixes(id), model.prefixes(id));
        }
        for address in addresses {
            prop_assert_eq!(table.lookup(address).copied(), model.lookup(address), "{}", address);
        }
    }
}
