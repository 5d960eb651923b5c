"""Keys and configurations: of the two ends, and of a device with many peers.

In: the ends. Out: UAPI changes, or the same as a file for ``wg setconf``. The keys of the two ends stay the
same for a whole run, so that initiations to the second end can be made beforehand (see handshakes.py).
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from pywg.base64_key import key_to_base64
from pywg.demo.lab import LISTEN_PORT, End
from pywg.endpoint import Endpoint
from pywg.protocol.identity import Identity
from pywg.uapi.model import DeviceChange, PeerChange, PrefixChange

_MANY_PEERS_START = int(IPv4Address("10.64.0.0"))


@dataclass(frozen=True, slots=True)
class Keys:
    """Private keys of the two ends, drawn once."""

    first: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    second: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)


def changes(keys: Keys, ends: tuple[End, End]) -> tuple[DeviceChange, DeviceChange]:
    """Each the other's only peer; in the order of the ends."""
    first, second = ends
    return (
        _change(keys.first, Identity(keys.second).public_key, second),
        _change(keys.second, Identity(keys.first).public_key, first),
    )


def _change(own: bytes, others: bytes, other: End) -> DeviceChange:
    peer = PeerChange(
        public_key=others,
        endpoint=Endpoint(str(other.wire.ip), LISTEN_PORT),
        replace_allowed_ips=True,
        allowed_ips=(PrefixChange(IPv4Network(other.inner.ip)),),
    )
    return DeviceChange(private_key=own, listen_port=LISTEN_PORT, replace_peers=True, peers=(peer,))


def many_peers(private_key: bytes, count: int) -> DeviceChange:
    """A device whose `count` peers have one allowed IP each, no endpoint and random keys."""
    return DeviceChange(
        private_key=private_key,
        listen_port=LISTEN_PORT,
        replace_peers=True,
        peers=tuple(one_of_many(secrets.token_bytes(32), number) for number in range(count)),
    )


def one_of_many(public_key: bytes, number: int) -> PeerChange:
    """A peer with one allowed IP, which follows from its number."""
    prefix = IPv4Network(_MANY_PEERS_START + number)
    return PeerChange(public_key=public_key, replace_allowed_ips=True, allowed_ips=(PrefixChange(prefix),))


def as_wg_file(change: DeviceChange) -> str:
    """What ``wg setconf`` or, without a key and a port, ``wg addconf`` reads (wg(8))."""
    return "".join(f"{line}\n" for line in _wg_lines(change))


def _wg_lines(change: DeviceChange) -> Iterator[str]:
    yield "[Interface]"
    if change.private_key is not None:
        yield f"PrivateKey = {key_to_base64(change.private_key)}"
    if change.listen_port is not None:
        yield f"ListenPort = {change.listen_port}"
    for peer in change.peers:
        yield "[Peer]"
        yield f"PublicKey = {key_to_base64(peer.public_key)}"
        if peer.endpoint is not None:
            yield f"Endpoint = {peer.endpoint}"
        for allowed in peer.allowed_ips:
            yield f"AllowedIPs = {allowed.prefix}"
