"""A device as `wg show` prints it.

In: the state a get told and the time. Out: text, word for word that of wg(8), colours included, so that
eyes and scripts that know the one know the other. No I/O and no clock. Rule kept: keys that are secret stay
hidden unless the caller asks for them.
"""

from collections.abc import Iterator
from typing import Final

from pywg.base64_key import key_to_base64
from pywg.protocol.constants import SECOND
from pywg.show.text import endpoint_text, prefix_text
from pywg.uapi.model import UNSET_KEY, DeviceState, PeerState

_RESET: Final = "\x1b[0m"
_BOLD: Final = "\x1b[1m"
_RED: Final = "\x1b[31m"
_GREEN: Final = "\x1b[32m"
_YELLOW: Final = "\x1b[33m"
_CYAN: Final = "\x1b[36m"

_UNITS: Final = (
    ("year", 365 * 24 * 3600),
    ("day", 24 * 3600),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)


class _Ink:
    """Puts colour where wg has it; without colour every method returns its text."""

    def __init__(self, *, color: bool) -> None:
        self._color = color

    def _paint(self, codes: str, text: str) -> str:
        return f"{codes}{text}{_RESET}" if self._color else text

    def interface(self, text: str) -> str:
        return self._paint(_GREEN, text)

    def peer(self, text: str) -> str:
        return self._paint(_YELLOW, text)

    def unit(self, text: str) -> str:
        return self._paint(_CYAN, text)

    def warning(self, text: str) -> str:
        return self._paint(_RED, text)

    def label(self, text: str, color: str = "") -> str:
        return self._paint(color + _BOLD, text)

    @property
    def reset(self) -> str:
        return _RESET if self._color else ""


def pretty(name: str, state: DeviceState, *, now: int, hide_keys: bool = True, color: bool = False) -> str:
    """The text of ``wg show NAME``, final newline included.

    `now`: Unix time in nanoseconds; only its whole seconds count, as in wg.
    """
    ink = _Ink(color=color)
    lines = list(_interface_lines(name, state, ink, hide_keys=hide_keys))
    # The newest handshake first, those that never had one last.
    peers = sorted(state.peers, key=lambda peer: -peer.last_handshake_ns)
    for peer in peers:
        lines.append("")
        lines.extend(_peer_lines(peer, now // SECOND, ink, hide_keys=hide_keys))
    return "\n".join(lines) + "\n"


def _interface_lines(name: str, state: DeviceState, ink: _Ink, *, hide_keys: bool) -> Iterator[str]:
    yield f"{ink.reset}{ink.label('interface', _GREEN)}: {ink.interface(name)}"
    public_key = state.public_key
    if public_key is not None:
        yield f"  {ink.label('public key')}: {key_to_base64(public_key)}"
        yield f"  {ink.label('private key')}: {_secret(state.private_key, hide=hide_keys)}"
    if state.listen_port:
        yield f"  {ink.label('listening port')}: {state.listen_port}"
    if state.fwmark:
        yield f"  {ink.label('fwmark')}: 0x{state.fwmark:x}"


def _peer_lines(peer: PeerState, now: int, ink: _Ink, *, hide_keys: bool) -> Iterator[str]:
    yield f"{ink.label('peer', _YELLOW)}: {ink.peer(key_to_base64(peer.public_key))}"
    if peer.preshared_key != UNSET_KEY:
        yield f"  {ink.label('preshared key')}: {_secret(peer.preshared_key, hide=hide_keys)}"
    if peer.endpoint is not None:
        yield f"  {ink.label('endpoint')}: {endpoint_text(peer.endpoint)}"
    prefixes = [prefix_text(prefix).replace("/", ink.unit("/")) for prefix in peer.allowed_ips]
    yield f"  {ink.label('allowed ips')}: {', '.join(prefixes) or '(none)'}"
    handshake = peer.last_handshake_ns // SECOND
    if handshake:
        yield f"  {ink.label('latest handshake')}: {_ago(now - handshake, ink)}"
    if peer.rx_bytes or peer.tx_bytes:
        received, sent = _bytes(peer.rx_bytes, ink), _bytes(peer.tx_bytes, ink)
        yield f"  {ink.label('transfer')}: {received} received, {sent} sent"
    if peer.persistent_keepalive_interval:
        yield f"  {ink.label('persistent keepalive')}: every {_span(peer.persistent_keepalive_interval, ink)}"


def _secret(key: bytes, *, hide: bool) -> str:
    return "(hidden)" if hide else key_to_base64(key)


def _ago(seconds: int, ink: _Ink) -> str:
    if seconds < 0:
        return f"({ink.warning('System clock wound backward; connection problems may ensue.')})"
    return f"{_span(seconds, ink)} ago" if seconds else "Now"


def _span(seconds: int, ink: _Ink) -> str:
    """``1 minute, 5 seconds``; units without a count are left out."""
    words = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            words.append(f"{count} {ink.unit(unit + 's' * (count != 1))}")
    return ", ".join(words)


def _bytes(count: int, ink: _Ink) -> str:
    """Binary units to two decimals, whole bytes below one KiB."""
    if count < 1 << 10:
        return f"{count} {ink.unit('B')}"
    for unit, shift in (("KiB", 10), ("MiB", 20), ("GiB", 30)):
        if count < 1 << (shift + 10):
            return f"{count / (1 << shift):.2f} {ink.unit(unit)}"
    return f"{count / (1 << 40):.2f} {ink.unit('TiB')}"
