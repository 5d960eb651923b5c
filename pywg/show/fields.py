"""A device as `wg show NAME FIELD` prints it: for scripts, one line per fact, tabs between columns.

In: the state a get told. Out: text, byte for byte that of wg(8). No I/O. Secret keys are told in full, for
who asks for them by name wants them; a key that is not set is ``(none)``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from pywg.base64_key import key_to_base64
from pywg.protocol.constants import SECOND
from pywg.show.text import endpoint_text, prefix_text
from pywg.uapi.model import UNSET_KEY, DeviceState, PeerState

_NONE: Final = "(none)"
_OFF: Final = "off"

Row = tuple[str, ...]
"""The columns of one line."""


def field_text(field: str, state: DeviceState, *, name: str = "") -> str:
    """The lines of one of `FIELDS`, each with its newline; `name`, if any, is their first column.

    Raises KeyError for any other field.
    """
    start = f"{name}\t" if name else ""
    return "".join(start + "\t".join(row) + "\n" for row in FIELDS[field](state))


def _dump(state: DeviceState) -> Iterator[Row]:
    yield (_private_key(state), _public_key(state), str(state.listen_port), _fwmark(state))
    for peer in state.peers:
        yield (
            key_to_base64(peer.public_key),
            _maybe_key(peer.preshared_key),
            _endpoint(peer),
            _allowed_ips(peer, ","),
            _latest_handshake(peer),
            str(peer.rx_bytes),
            str(peer.tx_bytes),
            _persistent_keepalive(peer),
        )


def _maybe_key(key: bytes) -> str:
    return _NONE if key == UNSET_KEY else key_to_base64(key)


def _private_key(state: DeviceState) -> str:
    return _maybe_key(state.private_key)


def _public_key(state: DeviceState) -> str:
    key = state.public_key
    return _NONE if key is None else key_to_base64(key)


def _fwmark(state: DeviceState) -> str:
    return f"0x{state.fwmark:x}" if state.fwmark else _OFF


def _endpoint(peer: PeerState) -> str:
    return _NONE if peer.endpoint is None else endpoint_text(peer.endpoint)


def _allowed_ips(peer: PeerState, separator: str) -> str:
    return separator.join(map(prefix_text, peer.allowed_ips)) or _NONE


def _latest_handshake(peer: PeerState) -> str:
    return str(peer.last_handshake_ns // SECOND)


def _persistent_keepalive(peer: PeerState) -> str:
    return str(peer.persistent_keepalive_interval) if peer.persistent_keepalive_interval else _OFF


def _of_device(tell: Callable[[DeviceState], str]) -> Callable[[DeviceState], Iterable[Row]]:
    return lambda state: [(tell(state),)]


def _of_peers(*tell: Callable[[PeerState], str]) -> Callable[[DeviceState], Iterable[Row]]:
    """One line per peer: its public key and then what is asked."""
    return lambda state: (
        (key_to_base64(peer.public_key), *(column(peer) for column in tell)) for peer in state.peers
    )


FIELDS: Final[Mapping[str, Callable[[DeviceState], Iterable[Row]]]] = {
    "public-key": _of_device(_public_key),
    "private-key": _of_device(_private_key),
    "listen-port": _of_device(lambda state: str(state.listen_port)),
    "fwmark": _of_device(_fwmark),
    "peers": _of_peers(),
    "preshared-keys": _of_peers(lambda peer: _maybe_key(peer.preshared_key)),
    "endpoints": _of_peers(_endpoint),
    "allowed-ips": _of_peers(lambda peer: _allowed_ips(peer, " ")),
    "latest-handshakes": _of_peers(_latest_handshake),
    "transfer": _of_peers(lambda peer: str(peer.rx_bytes), lambda peer: str(peer.tx_bytes)),
    "persistent-keepalive": _of_peers(_persistent_keepalive),
    "dump": _dump,
}
"""What may be asked for, in the order of wg's manual, and what answers it."""
