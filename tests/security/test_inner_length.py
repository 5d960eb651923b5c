"""The length an inner header claims, against every number 16 bits can hold: it never wraps and never lies."""

import pytest

from pywg.engine import inner
from tests.engine.packets import ipv4, ipv6


def with_claim(packet: bytes, at: int, claimed: int) -> bytes:
    return packet[:at] + claimed.to_bytes(2, "big") + packet[at + 2 :]


@pytest.mark.parametrize("size", [20, 64, 1_420])
def test_every_ipv4_length(size: int) -> None:
    packet = ipv4(payload=bytes(size - 20))
    for claimed in range(65_536):
        expected = claimed if 20 <= claimed <= size else None
        got = inner.without_padding(with_claim(packet, 2, claimed))
        assert (None if got is None else len(got)) == expected, claimed


@pytest.mark.parametrize("size", [40, 64, 1_420])
def test_every_ipv6_length(size: int) -> None:
    packet = ipv6(payload=bytes(size - 40))
    for claimed in range(65_536):
        expected = 40 + claimed if 40 + claimed <= size else None
        got = inner.without_padding(with_claim(packet, 4, claimed))
        assert (None if got is None else len(got)) == expected, claimed


@pytest.mark.parametrize("claimed", [65_495, 65_496, 65_535])
def test_payloads_near_the_end_of_16_bits(claimed: int) -> None:
    """40 + 65,496 is 65,536: whoever adds in 16 bits gets 0."""
    whole = ipv6(payload=bytes(claimed))
    assert inner.without_padding(whole) == whole
    assert inner.without_padding(whole[:-1]) is None
    assert inner.without_padding(whole[:100]) is None


@pytest.mark.parametrize("version", range(16))
def test_versions(version: int) -> None:
    for packet in (ipv4(payload=bytes(44)), ipv6(payload=bytes(24))):
        changed = bytes([version << 4 | packet[0] & 15]) + packet[1:]
        is_sound = version in {4, 6} and version == packet[0] >> 4
        assert (inner.without_padding(changed) == packet) is is_sound
