"""Whether an interface is what its file says: the first difference, in words.

In: `WgConfig` and `DeviceState`. Out: a clause without its full stop; empty if there is nothing to tell.
Rules kept: what a tunnel changes by itself is no difference: the endpoint of a peer that was heard, a port or
mark the file does not name. Names are not resolved. No key but public ones is ever said. No I/O.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pywg.config.model import PeerConfig, WgConfig
from pywg.endpoint import Endpoint, EndpointError
from pywg.log import peer_name
from pywg.protocol.allowed_ips import Prefix
from pywg.protocol.static_key import public_key
from pywg.uapi.model import UNSET_KEY, DeviceState, PeerState


@dataclass(slots=True)
class _Wanted:
    """A peer as all its [Peer] sections together make it."""

    line: int
    has_preshared_key: bool = False
    endpoint: str = ""
    keepalive: int = 0
    allowed_ips: set[Prefix] = field(default_factory=set)


def first_difference(config: WgConfig, state: DeviceState) -> str:
    """What the file has otherwise than the interface."""
    return next(_differences(config, state), "")


def _differences(config: WgConfig, state: DeviceState) -> Iterator[str]:
    own = state.public_key
    if (
        own is not None
        and config.private_key not in {None, UNSET_KEY}
        and public_key(config.private_key) != own
    ):
        yield "the file has another PrivateKey"
    if config.listen_port and config.listen_port != state.listen_port:
        yield f"the file has ListenPort {config.listen_port}, the interface {state.listen_port}"
    if config.fwmark is not None and config.fwmark != state.fwmark:
        yield f"the file has FwMark {config.fwmark:#x}, the interface {state.fwmark:#x}"
    wanted = _wanted(config.peers)
    if own is not None:
        wanted.pop(own, None)  # No device takes itself for a peer.
    present = {peer.public_key: peer for peer in state.peers}
    for key, peer in wanted.items():
        if key not in present:
            yield f"the file has {peer_name(key)} in line {peer.line}, the interface has not"
    for key, peer_state in present.items():
        if key not in wanted:
            yield f"the interface has {peer_name(key)}, the file has not"
        else:
            yield from _of_peer(wanted[key], peer_state)


def _of_peer(wanted: _Wanted, state: PeerState) -> Iterator[str]:
    name, present = peer_name(state.public_key), set(state.allowed_ips)
    for prefix in sorted(wanted.allowed_ips - present, key=str):
        yield f"the file gives {name} the allowed IPs {prefix}, the interface does not"
    for prefix in sorted(present - wanted.allowed_ips, key=str):
        yield f"the interface gives {name} the allowed IPs {prefix}, the file does not"
    # Whoever was heard is where it was heard last.
    was_heard = state.last_handshake_ns or state.rx_bytes
    if wanted.endpoint and not was_heard and wanted.endpoint != str(state.endpoint or ""):
        yield (
            f"the file has Endpoint {wanted.endpoint} for {name}, the interface {state.endpoint or 'none'}"
        )
    keepalive = state.persistent_keepalive_interval
    if wanted.keepalive != keepalive:
        yield f"the file has PersistentKeepalive {wanted.keepalive} for {name}, the interface {keepalive}"
    has_preshared_key = state.preshared_key != UNSET_KEY
    if wanted.has_preshared_key != has_preshared_key:
        one, other = ("interface", "file") if has_preshared_key else ("file", "interface")
        yield f"the {one} has a PresharedKey for {name}, the {other} has none"


def _wanted(peers: tuple[PeerConfig, ...]) -> dict[bytes, _Wanted]:
    """By public key. As a device takes them: in their order; a prefix goes to the last that has it."""
    found: dict[bytes, _Wanted] = {}
    owners: dict[Prefix, _Wanted] = {}
    for peer in peers:
        one = found.setdefault(peer.public_key, _Wanted(peer.line))
        if peer.preshared_key is not None:
            one.has_preshared_key = peer.preshared_key != UNSET_KEY
        if peer.endpoint is not None:
            one.endpoint = _address(str(peer.endpoint))
        if peer.persistent_keepalive is not None:
            one.keepalive = peer.persistent_keepalive
        if peer.replace_allowed_ips:
            one.allowed_ips.clear()
        for change in peer.allowed_ips:
            if change.remove:
                one.allowed_ips.discard(change.prefix)
                continue
            loser = owners.get(change.prefix)
            if loser is not None:
                loser.allowed_ips.discard(change.prefix)
            owners[change.prefix] = one
            one.allowed_ips.add(change.prefix)
    return found


def _address(written: str) -> str:
    """As an interface would tell it; empty if it is a name, or a port's name."""
    try:
        return str(Endpoint.parse(written))
    except EndpointError:
        return ""
