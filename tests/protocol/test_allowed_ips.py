"""The crypto-routing table against known answers and against a model that tries every prefix."""

import random
import time
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywg.protocol.allowed_ips import CACHED_ADDRESSES, AllowedIps, Prefix
from tests import vectors


def packed(address: str) -> bytes:
    return ip_address(address).packed


def table(**prefixes: list[str]) -> AllowedIps[str]:
    allowed = AllowedIps[str]()
    for owner, texts in prefixes.items():
        for text in texts:
            allowed.insert(ip_network(text), owner)
    return allowed


@pytest.mark.parametrize("known", vectors.load("allowed_ips")["tables"], ids=["published", "ipv6"])
def test_known_answers(known: dict[str, list[dict[str, str]]]) -> None:
    allowed = AllowedIps[str]()
    for row in known["insert"]:
        allowed.insert(ip_network(row["prefix"], strict=False), row["owner"])
    answers = {row["address"]: allowed.lookup(packed(row["address"])) for row in known["lookup"]}
    assert answers == {row["address"]: row["owner"] for row in known["lookup"]}


def test_prefix_moves_to_the_last_who_inserted_it() -> None:
    allowed = table(a=["10.0.0.0/24", "10.0.1.0/24"], b=["10.0.0.0/24"])
    assert allowed.lookup(packed("10.0.0.9")) == "b"
    assert allowed.prefixes("a") == [IPv4Network("10.0.1.0/24")]
    assert allowed.prefixes("b") == [IPv4Network("10.0.0.0/24")]
    assert len(allowed) == 2


def test_inserting_again_for_the_same_owner_lists_it_once_and_last() -> None:
    allowed = table(a=["10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/24"])
    assert allowed.prefixes("a") == [IPv4Network("10.0.1.0/24"), IPv4Network("10.0.0.0/24")]
    assert len(allowed) == 2


def test_remove_is_exact() -> None:
    allowed = table(a=["10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24"])
    assert allowed.remove(IPv4Network("10.0.0.0/16"), "a")
    assert allowed.prefixes("a") == [IPv4Network("10.0.0.0/8"), IPv4Network("10.0.0.0/24")]
    assert not allowed.remove(IPv4Network("10.0.0.0/16"), "a")
    assert not allowed.remove(IPv4Network("10.0.0.0/12"), "a")


def test_remove_leaves_what_another_owns() -> None:
    allowed = table(a=["10.0.0.0/8"])
    assert not allowed.remove(IPv4Network("10.0.0.0/8"), "b")
    assert allowed.lookup(packed("10.1.2.3")) == "a"


def test_remove_owner_uncovers_the_shorter_prefix() -> None:
    allowed = table(a=["10.0.0.0/8", "fd00::/8"], b=["10.0.0.0/16", "fd00:1::/32"])
    allowed.remove_owner("b")
    allowed.remove_owner("nobody")
    assert allowed.lookup(packed("10.0.0.1")) == "a"
    assert allowed.lookup(packed("fd00:1::1")) == "a"
    assert allowed.prefixes("b") == []
    assert len(allowed) == 2


def test_families_are_apart() -> None:
    allowed = table(a=["0.0.0.0/0"], b=["::/0"])
    assert allowed.lookup(bytes(4)) == "a"
    assert allowed.lookup(bytes(16)) == "b"
    # ::ffff:10.0.0.1 is an IPv6 address and nothing else.
    assert allowed.lookup(packed("::ffff:10.0.0.1")) == "b"
    assert table(a=["0.0.0.0/0"]).lookup(bytes(16)) is None


def test_listing_has_ipv4_first() -> None:
    allowed = table(a=["fd00::/8", "10.0.0.0/8", "fe80::/10", "1.0.0.0/8"])
    assert list(map(str, allowed.prefixes("a"))) == ["10.0.0.0/8", "1.0.0.0/8", "fd00::/8", "fe80::/10"]


@pytest.mark.parametrize("length", [0, 3, 5, 15, 17])
def test_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match="4 or 16 bytes"):
        table(a=["0.0.0.0/0"]).lookup(bytes(length))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.insert(IPv4Network("10.0.0.1/32"), "b"), "b"),
        (lambda t: t.insert(IPv4Network("10.0.0.0/8"), "b"), "b"),
        (lambda t: t.remove(IPv4Network("10.0.0.0/8"), "a"), None),
        (lambda t: t.remove_owner("a"), None),
    ],
    ids=["more specific", "moved", "removed", "owner removed"],
)
def test_remembered_answers_do_not_outlive_a_change(
    change: Callable[[AllowedIps[str]], object], expected: str | None
) -> None:
    allowed = table(a=["10.0.0.0/8"])
    assert allowed.lookup(packed("10.0.0.1")) == "a"
    change(allowed)
    assert allowed.lookup(packed("10.0.0.1")) == expected


def test_remembered_answers_are_bounded() -> None:
    allowed = table(a=["10.0.0.0/8"])
    for number in range(3 * CACHED_ADDRESSES):
        assert allowed.lookup((0x0A000000 + number).to_bytes(4, "big")) == "a"
        assert len(allowed._cache) <= CACHED_ADDRESSES


def test_huge_configuration_of_the_kernel_test() -> None:
    # netns.sh case 14: 130,560 allowed IPs. A trie in plain Python or a copy per insertion takes far longer.
    prefixes = [
        ip_network((0x0A000000 + number, 32)) if number % 2 else ip_network((number << 64, 64))
        for number in range(130_560)
    ]
    allowed = AllowedIps[int]()
    started = time.perf_counter()
    for number, prefix in enumerate(prefixes):
        allowed.insert(prefix, number % 255)
    assert time.perf_counter() - started < 10
    assert len(allowed) == 130_560
    for number in random.Random(1).sample(range(130_560), 1000):
        assert allowed.lookup(prefixes[number].network_address.packed) == number % 255
    for owner in range(255):
        allowed.remove_owner(owner)
    assert len(allowed) == 0
    assert allowed.lookup(prefixes[1].network_address.packed) is None


class Model:
    """Every prefix in a dictionary; a lookup tries them all."""

    def __init__(self) -> None:
        self.owners: dict[Prefix, str] = {}

    def lookup(self, address: bytes) -> str | None:
        parsed = ip_address(address)
        matching = [prefix for prefix in self.owners if parsed in prefix]
        return self.owners[max(matching, key=lambda prefix: prefix.prefixlen)] if matching else None


# Few distinct bits, so that prefixes nest, collide and move.
bits = st.integers(0, 15)
prefixes4 = st.builds(
    lambda high, low, length: IPv4Network((high << 28 | low, length), strict=False),
    bits,
    bits,
    st.integers(0, 32),
)
prefixes6 = st.builds(
    lambda high, low, length: IPv6Network((high << 124 | low, length), strict=False),
    bits,
    bits,
    st.integers(0, 128),
)
any_prefix = prefixes4 | prefixes6
owners = st.sampled_from("abc")
steps = st.lists(
    st.tuples(st.just("insert"), any_prefix, owners)
    | st.tuples(st.just("remove"), any_prefix, owners)
    | st.tuples(st.just("remove_owner"), any_prefix, owners)
    | st.tuples(st.just("remove_present"), any_prefix, owners),
    max_size=40,
)


@given(steps)
def test_same_as_the_model(script: list[tuple[str, Prefix, str]]) -> None:
    allowed, model = AllowedIps[str](), Model()
    addresses = [(high << 28 | low).to_bytes(4, "big") for high in (0, 1, 8, 15) for low in (0, 1, 15)]
    addresses += [(high << 124 | low).to_bytes(16, "big") for high in (0, 1, 8, 15) for low in (0, 1, 15)]
    for action, prefix, owner in script:
        if action == "insert":
            allowed.insert(prefix, owner)
            model.owners.pop(prefix, None)
            model.owners[prefix] = owner
        elif action == "remove_owner":
            allowed.remove_owner(owner)
            model.owners = {p: o for p, o in model.owners.items() if o != owner}
        else:
            wanted = next(iter(model.owners), prefix) if action == "remove_present" else prefix
            expected = model.owners.get(wanted) == owner
            assert allowed.remove(wanted, owner) == expected
            if expected:
                del model.owners[wanted]
        addresses_now = [*addresses, prefix.network_address.packed, prefix.broadcast_address.packed]
        assert [allowed.lookup(a) for a in addresses_now] == [model.lookup(a) for a in addresses_now]
    for owner in "abc":
        expected_list = [p for p, o in model.owners.items() if o == owner]
        assert allowed.prefixes(owner) == sorted(expected_list, key=lambda p: p.version)
    assert len(allowed) == len(model.owners)
