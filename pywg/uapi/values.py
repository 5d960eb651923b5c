"""The values of UAPI lines: text to typed value, strictly.

In: what stands after ``=``. Out: a value of `model`, or ValueError whose text says what was expected and
never repeats a key. Rule kept: https://www.wireguard.com/xplatform/, at least as strict as wireguard-go.
"""

import re
import socket
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from pywg.endpoint import Endpoint
from pywg.protocol.allowed_ips import Prefix
from pywg.uapi.model import PrefixChange

U16: Final = 0xFFFF
U32: Final = 0xFFFF_FFFF
U64: Final = 0xFFFF_FFFF_FFFF_FFFF

_HEX_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_DIGITS: Final = re.compile(r"[0-9]+")
_MASK: Final = re.compile(r"0|[1-9][0-9]{0,2}")


def key(text: str) -> bytes:
    """A 32-byte key of exactly 64 hexadecimal digits."""
    if not _HEX_KEY.fullmatch(text):
        raise ValueError(f"expected exactly 64 hexadecimal digits, got {len(text)} characters")
    return bytes.fromhex(text)


def number(most: int) -> Callable[[str], int]:
    """A parser of decimal numbers from 0 to `most`."""

    def parse(text: str) -> int:
        # The length is looked at first: a number of thousands of digits is not worth converting.
        if not _DIGITS.fullmatch(text) or len(text) > 32 or (value := int(text)) > most:
            raise ValueError(f"expected a decimal number from 0 to {most}")
        return value

    return parse


def true(text: str) -> bool:
    """``true`` is the only value such a key may have."""
    if text != "true":
        raise ValueError("expected 'true'")
    return True


def protocol_version(text: str) -> int:
    """``1`` is the only one there is."""
    if text != "1":
        raise ValueError("expected protocol version 1")
    return 1


def endpoint(text: str) -> Endpoint:
    """A literal address and port; names are never resolved."""
    # A scope goes to the C library, which is to see no endless text and no zero byte.
    if len(text) > 100 or not text.isprintable():
        raise ValueError("expected ADDRESS:PORT or [ADDRESS6]:PORT")
    return Endpoint.parse(text)


def prefix(text: str) -> Prefix:
    """``address/length``; bits behind the length are cleared."""
    address, _, mask = text.partition("/")
    if not _MASK.fullmatch(mask):
        raise ValueError("expected ADDRESS/LENGTH")
    length = int(mask)
    is_ipv6 = ":" in address
    if length > (128 if is_ipv6 else 32):
        raise ValueError("a prefix of IPv4 is at most /32 long, one of IPv6 at most /128")
    try:
        # Not ipaddress alone: the C library reads an address in a third of the time, and there may be 10^5.
        if not is_ipv6:
            return IPv4Network((socket.inet_pton(socket.AF_INET, address), length), strict=False)
        if "%" not in address:
            return IPv6Network((socket.inet_pton(socket.AF_INET6, address), length), strict=False)
    except (OSError, ValueError):
        pass
    raise ValueError("expected ADDRESS/LENGTH with an IP address without a scope")


def prefix_change(text: str) -> PrefixChange:
    """A prefix to add, or after ``-`` one to remove."""
    if text.startswith("-"):
        return PrefixChange(prefix(text[1:]), remove=True)
    return PrefixChange(prefix(text))
