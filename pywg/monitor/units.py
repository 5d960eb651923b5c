"""Numbers, ages, keys and foreign text as short columns of a terminal.

In: values. Out: printable ASCII (and one ellipsis) of a known width. Rule kept: no text of a device reaches
the terminal but through `clean`: no control characters, nothing that runs backwards or has another width.
"""

from typing import Final

from pywg.base64_key import key_to_base64
from pywg.endpoint import Endpoint
from pywg.protocol.allowed_ips import Prefix
from pywg.protocol.constants import SECOND, Limits

SIZE_WIDTH: Final = 8
COUNT_WIDTH: Final = 5
KEY_LETTERS: Final = 8

_SESSION_LIFETIME: Final = Limits().reject_after_time
_BINARY: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB")
_DECIMAL: Final = ("", "k", "M", "G", "T", "P", "E", "Z")


def clean(text: str, most: int = 200) -> str:
    """Printable ASCII: everything else becomes ``?``, and what is longer than `most` is cut."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text[:most])


def size(count: float) -> str:
    """Bytes in three digits: ``1.21 MiB``, ``532 B``. At most 8 characters."""
    return " ".join(_scaled(count, 1024, _BINARY))


def quantity(count: float) -> str:
    """A number of things: ``12``, ``1.21k``, ``35M``. At most 5 characters."""
    number, unit = _scaled(count, 1000, _DECIMAL)
    return f"{number}{unit}"


def per_second(rate: float) -> str:
    """``+0.3/s``; ``+12/s``."""
    return f"+{max(rate, 0.1):.1f}/s" if rate < 9.95 else f"+{quantity(rate)}/s"


def age(nanoseconds: int) -> str:
    """``7 s``, ``179 s``, ``3 min``, ``2 h``, ``5 d``. Seconds as long as they decide about a session."""
    seconds = nanoseconds // SECOND
    if nanoseconds < _SESSION_LIFETIME:
        return f"{seconds} s"
    if seconds < 2 * 3600:
        return f"{seconds // 60} min"
    if seconds < 2 * 86400:
        return f"{seconds // 3600} h"
    return f"{quantity(seconds // 86400)} d"


def short_key(public_key: bytes, ellipsis: str) -> str:
    """The beginning of the base64 that people know a peer by."""
    return key_to_base64(public_key)[:KEY_LETTERS] + ellipsis


def short_endpoint(endpoint: Endpoint | None, width: int, ellipsis: str) -> str:
    """Address and port; of what is too long the middle of the address is left out, never the port."""
    if endpoint is None:
        return "(none)"
    text = clean(str(endpoint))
    if len(text) <= width:
        return text
    port = text.rpartition(":")[2]
    tail = f"]:{port}" if endpoint.is_ipv6 else f":{port}"
    address, room = text.removesuffix(tail), max(0, width - len(tail) - len(ellipsis))
    return address[: room - room // 2] + ellipsis + address[len(address) - room // 2 :] + tail


def short_prefixes(prefixes: tuple[Prefix, ...], width: int, ellipsis: str) -> str:
    """As many prefixes as fit, and how many more there are: ``10.0.0.2/32 +3``."""
    if not prefixes:
        return "(none)"
    shown = ""
    for place, prefix in enumerate(prefixes, start=1):
        text = f"{shown}, {prefix}" if shown else str(prefix)
        more = f" +{len(prefixes) - place}" if place < len(prefixes) else ""
        if len(text + more) > width:
            if shown:
                return f"{shown} +{len(prefixes) - place + 1}"
            return crop(text, width - len(more), ellipsis) + more
        shown = text
    return shown


def crop(text: str, width: int, ellipsis: str) -> str:
    """`text`, or its beginning and an ellipsis."""
    if len(text) <= width:
        return text
    return text[: max(0, width - len(ellipsis))] + ellipsis


def _scaled(count: float, step: int, units: tuple[str, ...]) -> tuple[str, str]:
    """Three digits (of whole units up to four) and the unit."""
    if count <= 0:
        return "0", units[0]
    if count < 1:
        return "<1", units[0]
    value, place = float(count), 0
    # As it will be printed: 1023.7 is not to become "1024 B".
    while round(value) >= step and place < len(units) - 1:
        value, place = value / step, place + 1
    if place == 0 or value >= 99.95:
        return f"{value:.0f}", units[place]
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}", units[place]
