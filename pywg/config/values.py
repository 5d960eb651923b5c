"""The values of wg(8), of a file's lines and of the words of ``set`` alike: text to typed value.

In: what stands after ``=`` or follows a word, without white space. Out: a value of `model`, or ValueError
whose text says what was expected. Rule kept: what wg takes is taken with the same meaning (config.c), but for
a port above 65535, which wg cuts to 16 bits in silence.
"""

import re
import socket
from dataclasses import dataclass
from typing import Final

from pywg.config.model import HostPort
from pywg.uapi import values as uapi_values
from pywg.uapi.model import PrefixChange
from pywg.uapi.values import U16, U32

BLANKS: Final = " \t\n\v\f\r"
"""White space to C programs in every locale."""
_WITHOUT_BLANKS: Final = str.maketrans("", "", BLANKS)
_KEYS: Final = frozenset({"privatekey", "publickey", "presharedkey", "private-key", "peer", "preshared-key"})
_LISTS: Final = frozenset({"allowedips", "allowed-ips", "address"})

_PORT: Final = re.compile(r"\+?[0-9]+")
_C_INTEGER: Final = re.compile(rf"[{BLANKS}]*([+-]?)0*([0-9]+)")
_FWMARK: Final = re.compile(r"0x[0-9a-fA-F]+|[0-9]+")
_DIGITS: Final = re.compile(r"[0-9]+")
_MOST_DIGITS: Final = 10
"""Of a number that means something."""
# Half a key or more, be it in the alphabet for URLs: capitals and small letters mixed, which no host name
# needs, or as long as a whole one.
_BASE64_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{20,}")
_LONG_RUN: Final = 40
_LONGEST_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class AllowedIpsValue:
    """One ``AllowedIPs`` line."""

    replace: bool
    """False if an entry has ``+`` or ``-``: then the line changes what the peer has."""
    changes: tuple[PrefixChange, ...]
    inexact: tuple[str, ...] = ()
    """Entries with bits set behind the prefix length, which do not count."""


def quoted(text: str) -> str:
    """`text` as it may stand in a message: short, printable, and nothing that could be a key."""
    if any(map(_may_be_key, _BASE64_RUN.findall(text))):
        return "(hidden)"
    if len(text) > _LONGEST_SHOWN:
        text = text[: _LONGEST_SHOWN - 3] + "..."
    return "'" + ascii(text)[1:-1].replace("\\'", "'") + "'"


def wrong_value(name: str, value: str, error: Exception) -> str:
    """What a message says of the wrong value of a setting or of a word of ``set``.

    `name`: as written. `error`: says what was expected. A value that should be a key is never repeated; of a
    list only the wrong entry is, by `error`.
    """
    what = name if name.lower() in _KEYS | _LISTS else f"{name} {quoted(value)}"
    return f"{what}: {error}"


def without_blanks(text: str) -> str:
    """`text` as wg sees it, to which white space means nothing anywhere."""
    return text.translate(_WITHOUT_BLANKS)


def _may_be_key(run: str) -> bool:
    is_mixed = run != run.lower() and run != run.upper()
    return is_mixed or any(len(word) >= _LONG_RUN for word in re.split("[_-]", run))


def c_integer(text: str) -> int | None:
    """What strtoul(3) reads to the end of `text`, cut short if it has no use; None if that is no number."""
    found = _C_INTEGER.fullmatch(text)
    return None if found is None else int(found[1] + found[2][: _MOST_DIGITS + 1])


def port(text: str) -> int:
    """A listening port: its number, or the name of a UDP service in /etc/services."""
    if (number := _number(text.removeprefix("+"))) is not None and _PORT.fullmatch(text) and number <= U16:
        return number
    if not _PORT.fullmatch(text) and text.isascii() and text.isprintable():
        try:
            return socket.getservbyname(text, "udp")
        except OSError:
            pass
    raise ValueError("expected a port from 0 to 65535 or the name of a UDP service")


def fwmark(text: str) -> int:
    """``off``, decimal, or hexadecimal after ``0x``."""
    if text.lower() == "off":
        return 0
    if _FWMARK.fullmatch(text):
        number = int(text, 16) if text.startswith("0x") and len(text) > 2 else _number(text)
        if number is not None and number <= U32:
            return number
    raise ValueError("expected off or a number from 0 to 4294967295 (0xffffffff)")


def persistent_keepalive(text: str) -> int:
    """Seconds, ``off`` is 0."""
    number = 0 if text.lower() == "off" else _number(text)
    if number is None or number > U16:
        raise ValueError("expected off or seconds from 0 to 65535")
    return number


def endpoint(text: str, line: int = 0) -> HostPort:
    """``HOST:PORT`` or ``[HOST]:PORT``, taken apart but not resolved. The last colon counts, as in wg."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        colon, port_text = rest[:1], rest[1:]
        if not bracket:
            raise ValueError("expected [ADDRESS]:PORT; the closing bracket is missing")
    else:
        host, colon, port_text = text.rpartition(":")
    if colon != ":" or not host or not port_text:
        raise ValueError("expected HOST:PORT or [ADDRESS6]:PORT")
    # getaddrinfo(3) cuts a number to 16 bits.
    number = c_integer(port_text)
    if number is not None and not 0 <= number <= U16:
        raise ValueError("expected a port from 0 to 65535 after the last colon")
    return HostPort(host, port_text, line)


def allowed_ips(text: str) -> AllowedIpsValue:
    """A list of prefixes, separated by commas; the empty text is the empty list."""
    changes: list[PrefixChange] = []
    inexact: list[str] = []
    replace = True
    for entry in text.split(",") if text else ():
        sign = entry[:1] if entry.startswith(("+", "-")) else ""
        if sign:
            replace = False
        change, exact = _prefix_change(entry[len(sign) :], remove=sign == "-")
        changes.append(change)
        if not exact:
            inexact.append(entry)
    return AllowedIpsValue(replace, tuple(changes), tuple(inexact))


def inexact_warning(entry: str) -> str:
    """What to tell of an entry in `AllowedIpsValue.inexact`."""
    return f"AllowedIPs {quoted(entry)}: bits behind the prefix length are set and do not count"


def _prefix_change(text: str, *, remove: bool) -> tuple[PrefixChange, bool]:
    """Also whether all bits behind the length are zero."""
    address, slash, mask = text.partition("/")
    widest = "128" if ":" in address else "32"
    # Leading zeros mean nothing to wg; the UAPI takes none.
    length = (mask.lstrip("0") or mask[:1]) if slash else widest
    try:
        prefix = uapi_values.prefix(f"{address}/{length}")
    except ValueError:
        raise ValueError(_wrong_prefix(text)) from None
    exact = length == widest or _pton(address) == prefix.network_address.packed
    return PrefixChange(prefix, remove), exact


def _pton(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _wrong_prefix(text: str) -> str:
    if not text:
        return "an entry of the list is empty; expected ADDRESS/LENGTH, ADDRESS/LENGTH ..."
    return (
        f"{quoted(text)} is no prefix; expected ADDRESS/LENGTH, such as 10.0.0.0/8 or fd00::/64, "
        "with a length up to 32 (IPv4) or 128 (IPv6)"
    )


def _number(text: str) -> int | None:
    """Decimal digits; None for anything else, numbers that are too large for all uses among them."""
    if not _DIGITS.fullmatch(text):
        return None
    significant = text.lstrip("0")
    return int(significant or "0") if len(significant) <= _MOST_DIGITS else None
