"""The values that wg-quick(8) adds to those of wg: text to typed value.

In: what stands after ``=``. Out: a value of `model`, or ValueError whose text says what was expected. Rule
kept: what wg-quick passes to ip(8) unread is read here as ip reads it (iproute2, lib/utils.c): numbers as in
C, short IPv4 addresses, dotted masks.
"""

import re
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from typing import Final

from pywg.config.model import Table
from pywg.config.route_tables import table_number
from pywg.config.values import quoted
from pywg.uapi.values import U32

MIN_MTU: Final = 68
"""Of a TUN device and of any that carries IPv4 (RFC 791)."""
MAX_MTU: Final = 65535

_ENTRY: Final = re.compile(r"[^ \t,]+")
_C_NUMBER: Final = re.compile(
    r"\+?(?:0[xX](?P<hex>[0-9a-fA-F]+)|0(?P<octal>[0-7]*)|(?P<decimal>[1-9][0-9]*))"
)
_IPV4_ALIKE: Final = re.compile(r"[0-9.]+")
_LONGEST_NUMBER: Final = 32

_EXPECTED_ADDRESS: Final = "expected ADDRESS or ADDRESS/LENGTH, such as 10.0.0.2/24 or fd00::2/64"


def entries(text: str) -> list[str]:
    """The parts of a list separated by commas, blanks or both."""
    return _ENTRY.findall(text)


def addresses(text: str) -> Iterator[IPv4Interface | IPv6Interface]:
    """Addresses of the interface; without a length they are of the interface alone (/32, /128)."""
    for entry in entries(text):
        yield _address(entry)


def is_name_server(entry: str) -> bool:
    """What is no server's address, in wg-quick's eyes, is a search domain."""
    return ":" in entry or _IPV4_ALIKE.fullmatch(entry) is not None


def mtu(text: str) -> int | None:
    """Bytes; None for an empty text, which is as good as none."""
    if not text:
        return None
    number = _c_number(text)
    if number is None or not MIN_MTU <= number <= MAX_MTU:
        raise ValueError(f"expected a number from {MIN_MTU} to {MAX_MTU}")
    return number


def table(text: str) -> Table | int:
    """Where routes go: a table's number, or its name on this machine."""
    if text in {"", Table.AUTO.value}:
        return Table.AUTO
    if text == Table.OFF.value:
        return Table.OFF
    number = table_number(text)
    if number is None:
        number = _c_number(text)
    if number is None or number > U32:
        raise ValueError("expected auto, off, a number up to 4294967295 or a name in /etc/iproute2/rt_tables")
    return number


def boolean(text: str) -> bool:
    """``true`` or ``false``, in any case."""
    match text.lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            raise ValueError("expected true or false")


def _address(entry: str) -> IPv4Interface | IPv6Interface:
    host, slash, mask = entry.partition("/")
    is_ipv6 = ":" in entry
    widest = 128 if is_ipv6 else 32
    length = _length(mask) if slash else widest
    if length is None or length > widest:
        raise ValueError(f"the length in {quoted(entry)} is wrong; expected /0 to /{widest}")
    if is_ipv6:
        try:
            return IPv6Interface((socket.inet_pton(socket.AF_INET6, host), length))
        except (OSError, ValueError):
            raise ValueError(f"{quoted(entry)} is no address; {_EXPECTED_ADDRESS}") from None
    address = _ipv4(host)
    if address is None:
        raise ValueError(f"{quoted(entry)} is no address; {_EXPECTED_ADDRESS}")
    return IPv4Interface((address.packed, length))


def _length(mask: str) -> int | None:
    """A number, or the bits of a mask such as 255.255.255.0."""
    if (number := _c_number(mask)) is not None:
        return number
    dotted = _ipv4(mask)
    if dotted is None:
        return None
    bits = f"{int(dotted):032b}"
    return bits.count("1") if "01" not in bits else None


def _ipv4(text: str) -> IPv4Address | None:
    """Up to four numbers; those that are missing at the end are 0, so that ``10.1`` is 10.1.0.0."""
    numbers = [_c_number(part) for part in text.split(".")]
    octets = [number for number in numbers if number is not None and number <= 255]
    if len(octets) != len(numbers) or len(octets) > 4:
        return None
    return IPv4Address(bytes(octets).ljust(4, b"\0"))


def _c_number(text: str) -> int | None:
    """As strtoul(3) with base 0 reads it: decimal, 0x hexadecimal, or octal after a 0."""
    found = _C_NUMBER.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    if found is None:
        return None
    if found["hex"]:
        return int(found["hex"], 16)
    return int(found["decimal"]) if found["decimal"] else int(found["octal"] or "0", 8)
