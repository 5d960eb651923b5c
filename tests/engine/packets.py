"""IP packets as the tests need them: right by default, wrong where a test says so."""

import struct
from ipaddress import ip_address

EXPERIMENT = 253
"""A protocol number for experiments (RFC 3692): nothing looks into its payload."""


def checksum(data: bytes) -> int:
    """RFC 1071, word by word."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(
    source: str = "10.0.0.2",
    destination: str = "10.0.0.1",
    payload: bytes = b"",
    *,
    tos: int = 0,
    length: int | None = None,
    protocol: int = EXPERIMENT,
    fragment: int = 0,
) -> bytes:
    """`length` is what the header claims; `fragment` its flags and offset."""
    claimed = 20 + len(payload) if length is None else length
    addresses = ip_address(source).packed + ip_address(destination).packed
    header = struct.pack("!BBHHHBBH", 0x45, tos, claimed, 7, fragment, 64, protocol, 0) + addresses
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + payload


def ipv6(
    source: str = "fd00::2",
    destination: str = "fd00::1",
    payload: bytes = b"",
    *,
    traffic_class: int = 0,
    length: int | None = None,
    protocol: int = EXPERIMENT,
) -> bytes:
    """`length` is the payload length the header claims."""
    first = 6 << 28 | traffic_class << 20
    claimed = len(payload) if length is None else length
    header = struct.pack("!IHBB", first, claimed, protocol, 64)
    return header + ip_address(source).packed + ip_address(destination).packed + payload


def of_size(size: int, *, source: str = "10.0.0.1", destination: str = "10.0.0.2") -> bytes:
    """An IPv4 packet of `size` bytes in all."""
    return ipv4(source, destination, bytes(index % 251 for index in range(size - 20)))
