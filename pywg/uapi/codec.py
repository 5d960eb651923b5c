"""Set and get as text: requests and states of `model` to lines and back.

In and out: lines without their newline, or whole texts. Rules kept: a set is not transactional, so a
parsed set is everything before its first wrong line, together with what was wrong there; no error text
repeats a key; nothing here does I/O or grows beyond MAX_SET_LINES lines of MAX_LINE characters.
Source: https://www.wireguard.com/xplatform/ and wireguard-go's device/uapi.go for the order of a get.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from errno import E2BIG, EINVAL, EMSGSIZE, EPROTO
from typing import Any, Final

from pywg.endpoint import Endpoint, EndpointError
from pywg.protocol.constants import SECOND
from pywg.uapi import values
from pywg.uapi.model import DeviceChange, DeviceState, PeerChange, PeerState, PrefixChange

MAX_LINE: Final = 4096
"""Characters of one line. The longest that means anything has under 100."""
MAX_SET_LINES: Final = 2**20
"""Lines of one set: 65,536 peers with five lines each and half a million allowed IPs."""

_KEY_NAME: Final = re.compile(r"[a-z_]{1,40}")
_SECRETIVE: Final = frozenset({"private_key", "preshared_key", "public_key"})
"""Values never shown. The public key is among them because people paste the wrong one."""

_DEVICE_KEYS: Final[Mapping[str, Callable[[str], object]]] = {
    "private_key": values.key,
    "listen_port": values.number(values.U16),
    "fwmark": values.number(values.U32),
    "replace_peers": values.true,
}
_PEER_KEYS: Final[Mapping[str, Callable[[str], object]]] = {
    "update_only": values.true,
    "remove": values.true,
    "preshared_key": values.key,
    "endpoint": values.endpoint,
    "persistent_keepalive_interval": values.number(values.U16),
    "replace_allowed_ips": values.true,
    "allowed_ip": values.prefix_change,
    "protocol_version": values.protocol_version,
}


class SetError(Exception):
    """A line of a set that cannot be followed. Its text names the line and what was expected."""

    def __init__(self, errno: int, line_number: int, line: str, reason: str) -> None:
        """`errno`: positive. `line_number`: from 1, the line after ``set=1``. `line`: redacted here."""
        self.errno = errno
        self.line_number = line_number
        self.line = redact(line)
        self.reason = reason
        super().__init__(f"line {line_number} '{self.line}': {reason}")


@dataclass(frozen=True, slots=True)
class ParsedSet:
    """What a set asks for, up to its first wrong line."""

    change: DeviceChange
    error: SetError | None


class SetParser:
    """Takes the lines of a set one by one, so that a long set need not be handled in one go."""

    def __init__(self) -> None:
        self._line_number = 0
        self._device: dict[str, Any] = {}
        self._peers: list[PeerChange] = []
        # Of the peer block being read; the names of fields are those of the UAPI.
        self._peer: dict[str, Any] | None = None
        self._allowed_ips: list[PrefixChange] = []
        self._error: SetError | None = None

    def feed(self, line: str) -> None:
        """Take the next line. After a wrong one the rest is ignored."""
        if self._error is not None:
            return
        self._line_number += 1
        try:
            self._take(line)
        except SetError as error:
            self._error = error

    def finish(self) -> ParsedSet:
        """The set has ended, by an empty line or by the end of the connection."""
        self._end_peer()
        return ParsedSet(DeviceChange(**self._device, peers=tuple(self._peers)), self._error)

    def _take(self, line: str) -> None:
        if self._line_number > MAX_SET_LINES:
            raise self._wrong(line, f"a set has at most {MAX_SET_LINES} lines; send it in parts", E2BIG)
        if len(line) > MAX_LINE:
            raise self._wrong(line, f"a line has at most {MAX_LINE} characters", EMSGSIZE)
        key, separator, value = line.partition("=")
        if not separator:
            raise self._wrong(line, "expected KEY=VALUE", EPROTO)
        if key == "public_key":
            self._end_peer()
            self._peer = {key: self._value(values.key, value, line)}
        elif self._peer is None:
            parse = self._parser(_DEVICE_KEYS, key, line)
            self._device[key] = self._value(parse, value, line)
        else:
            parse = self._parser(_PEER_KEYS, key, line)
            self._take_peer_line(self._peer, key, self._value(parse, value, line))

    def _take_peer_line(self, peer: dict[str, Any], key: str, value: Any) -> None:
        match key:
            case "allowed_ip":
                self._allowed_ips.append(value)
            case "protocol_version":
                pass
            case "replace_allowed_ips":
                # It also takes away what earlier lines of this block have added.
                self._allowed_ips.clear()
                peer[key] = True
            case _:
                peer[key] = value

    def _end_peer(self) -> None:
        if self._peer is not None:
            self._peers.append(PeerChange(**self._peer, allowed_ips=tuple(self._allowed_ips)))
        self._peer = None
        self._allowed_ips.clear()

    def _parser(
        self, keys: Mapping[str, Callable[[str], object]], key: str, line: str
    ) -> Callable[[str], object]:
        if parse := keys.get(key):
            return parse
        if key in _DEVICE_KEYS:
            reason = "a key of the device must come before the first public_key"
        elif key in _PEER_KEYS:
            reason = "a key of a peer must come after its public_key"
        else:
            reason = "unknown key; expected one of " + ", ".join(("public_key", *keys))
        raise self._wrong(line, reason)

    def _value(self, parse: Callable[[str], object], value: str, line: str) -> object:
        try:
            return parse(value)
        except ValueError as error:
            raise self._wrong(line, str(error)) from None

    def _wrong(self, line: str, reason: str, errno: int = EINVAL) -> SetError:
        return SetError(errno, self._line_number, line, reason)


def parse_set(lines: Iterable[str]) -> ParsedSet:
    """Read the lines between ``set=1`` and the empty one (neither included)."""
    parser = SetParser()
    for line in lines:
        parser.feed(line)
    return parser.finish()


def redact(line: str) -> str:
    """A line as it may stand in a log: short, printable, and without anything that may be a key."""
    key, separator, value = line.partition("=")
    if not separator or not _KEY_NAME.fullmatch(key):
        return "(hidden)"
    if key in _SECRETIVE or (key not in _DEVICE_KEYS and key not in _PEER_KEYS):
        return f"{key}=(hidden)"
    shown = value if len(value) <= 60 else value[:57] + "..."
    return f"{key}={ascii(shown)[1:-1]}"


def change_lines(change: DeviceChange) -> Iterator[str]:
    """The lines of a set, without ``set=1`` and the empty one. Order as `wg` sends them."""
    if change.private_key is not None:
        yield f"private_key={change.private_key.hex()}"
    if change.listen_port is not None:
        yield f"listen_port={change.listen_port}"
    if change.fwmark is not None:
        yield f"fwmark={change.fwmark}"
    if change.replace_peers:
        yield "replace_peers=true"
    for peer in change.peers:
        yield from _peer_change_lines(peer)


def _peer_change_lines(peer: PeerChange) -> Iterator[str]:
    yield f"public_key={peer.public_key.hex()}"
    if peer.remove:
        yield "remove=true"
    if peer.update_only:
        yield "update_only=true"
    if peer.preshared_key is not None:
        yield f"preshared_key={peer.preshared_key.hex()}"
    if peer.endpoint is not None:
        yield f"endpoint={peer.endpoint}"
    if peer.persistent_keepalive_interval is not None:
        yield f"persistent_keepalive_interval={peer.persistent_keepalive_interval}"
    if peer.replace_allowed_ips:
        yield "replace_allowed_ips=true"
    for step in peer.allowed_ips:
        yield f"allowed_ip={'-' if step.remove else ''}{step.prefix}"


def format_change(change: DeviceChange) -> str:
    """`change_lines` as one text, each line with its newline."""
    return "".join(f"{line}\n" for line in change_lines(change))


def state_lines(state: DeviceState) -> Iterator[str]:
    """The lines of a reply to get, without errno. Device values only where they are not zero."""
    if any(state.private_key):
        yield f"private_key={state.private_key.hex()}"
    if state.listen_port:
        yield f"listen_port={state.listen_port}"
    if state.fwmark:
        yield f"fwmark={state.fwmark}"
    for peer in state.peers:
        yield f"public_key={peer.public_key.hex()}"
        yield f"preshared_key={peer.preshared_key.hex()}"
        yield "protocol_version=1"
        if peer.endpoint is not None:
            yield f"endpoint={peer.endpoint}"
        seconds, nanoseconds = divmod(peer.last_handshake_ns, SECOND)
        yield f"last_handshake_time_sec={seconds}"
        yield f"last_handshake_time_nsec={nanoseconds}"
        yield f"tx_bytes={peer.tx_bytes}"
        yield f"rx_bytes={peer.rx_bytes}"
        yield f"persistent_keepalive_interval={peer.persistent_keepalive_interval}"
        for prefix in peer.allowed_ips:
            yield f"allowed_ip={prefix}"


def format_state(state: DeviceState) -> str:
    """`state_lines` as one text, each line with its newline."""
    return "".join(f"{line}\n" for line in state_lines(state))


class MalformedReplyError(ValueError):
    """The other side answered with something that is not a reply; the text hides keys."""


def parse_lines(text: str) -> Iterator[tuple[str, str]]:
    """Key and value of each line of a reply. Raises MalformedReplyError."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line:
            key, separator, value = line.partition("=")
            if not separator:
                raise MalformedReplyError(f"line {number} of the reply is not KEY=VALUE")
            yield key, value


def parse_state(text: str) -> DeviceState:
    """Read the lines of a reply to get. Unknown keys, ``errno`` among them, are ignored, as `wg` does.

    Raises MalformedReplyError.
    """
    device: dict[str, Any] = {}
    peers: list[dict[str, Any]] = []
    for key, value in parse_lines(text):
        try:
            _take_state(device, peers, key, value)
        except ValueError as error:
            raise MalformedReplyError(f"'{redact(f'{key}={value}')}' in the reply: {error}") from None
    return DeviceState(**device, peers=tuple(_peer_state(fields) for fields in peers))


_U64: Final = values.number(values.U64)
_STATE_KEYS: Final[Mapping[str, Callable[[str], object]]] = {
    "private_key": values.key,
    "listen_port": values.number(values.U16),
    "fwmark": values.number(values.U32),
}


def _reported_endpoint(text: str) -> Endpoint:
    try:
        return values.endpoint(text)
    except EndpointError:
        # The daemon may live in another network namespace, whose interface names mean nothing here.
        unscoped = re.sub(r"%[^]]*", "", text)
        if unscoped == text:
            raise
        return values.endpoint(unscoped)


_PEER_STATE_KEYS: Final[Mapping[str, Callable[[str], object]]] = {
    "preshared_key": values.key,
    "endpoint": _reported_endpoint,
    "last_handshake_time_sec": _U64,
    "last_handshake_time_nsec": _U64,
    "tx_bytes": _U64,
    "rx_bytes": _U64,
    "persistent_keepalive_interval": values.number(values.U16),
}


def _take_state(device: dict[str, Any], peers: list[dict[str, Any]], key: str, value: str) -> None:
    if key == "public_key":
        peers.append({key: values.key(value), "allowed_ips": []})
    elif parse := _STATE_KEYS.get(key):
        device[key] = parse(value)
    elif not peers and (key == "allowed_ip" or key in _PEER_STATE_KEYS):
        raise ValueError("belongs to a peer, and no public_key came before it")
    elif key == "allowed_ip":
        peers[-1]["allowed_ips"].append(values.prefix(value))
    elif parse := _PEER_STATE_KEYS.get(key):
        peers[-1][key] = parse(value)


def _peer_state(fields: dict[str, Any]) -> PeerState:
    seconds = fields.pop("last_handshake_time_sec", 0)
    nanoseconds = fields.pop("last_handshake_time_nsec", 0)
    fields["allowed_ips"] = tuple(fields["allowed_ips"])
    return PeerState(**fields, last_handshake_ns=seconds * SECOND + nanoseconds)
