"""A change and a state as the kernel's WireGuard has them in its netlink messages.

In and out: `DeviceChange`, `DeviceState`, and attributes as bytes; nothing is sent or read here. Rules kept:
a long change is several messages, each of which continues the one before; peers and allowed IPs that the
kernel divides over messages are put together again. Source: linux/wireguard.h.
"""

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from pywg.endpoint import Endpoint
from pywg.net.netlink import NLA_F_NESTED, attributes, build_attribute, each_attribute
from pywg.protocol.allowed_ips import Prefix
from pywg.protocol.constants import KEY_SIZE, SECOND
from pywg.uapi.model import UNSET_KEY, DeviceChange, DeviceState, PeerChange, PeerState, PrefixChange

FAMILY: Final = "wireguard"
GET_DEVICE: Final = 0
SET_DEVICE: Final = 1

MAX_BODY: Final = 1 << 15
"""Bytes of one message of a change. A nested attribute has 65,531 at most, and a socket's send buffer must
hold the message: 208 KiB unless an administrator made it less."""
_PREFIXES_PER_FRAGMENT: Final = 256
"""Allowed IPs of a peer that go into one nested attribute: 12 KiB at most."""

# Of the device.
_IFNAME: Final = 2
_PRIVATE_KEY: Final = 3
_DEVICE_FLAGS: Final = 5
_LISTEN_PORT: Final = 6
_FWMARK: Final = 7
_PEERS: Final = 8
_F_REPLACE_PEERS: Final = 1

# Of a peer.
_PUBLIC_KEY: Final = 1
_PRESHARED_KEY: Final = 2
_PEER_FLAGS: Final = 3
_ENDPOINT: Final = 4
_PERSISTENT_KEEPALIVE_INTERVAL: Final = 5
_LAST_HANDSHAKE_TIME: Final = 6
_RX_BYTES: Final = 7
_TX_BYTES: Final = 8
_ALLOWED_IPS: Final = 9
_F_REMOVE_PEER: Final = 1
_F_REPLACE_ALLOWED_IPS: Final = 2
_F_UPDATE_ONLY: Final = 4

# Of an allowed IP.
_FAMILY: Final = 1
_ADDRESS: Final = 2
_PREFIX_LENGTH: Final = 3
_ALLOWED_IP_FLAGS: Final = 4
_F_REMOVE_ALLOWED_IP: Final = 1
"""Since Linux 6.16."""

_ELEMENT: Final = 0  # the type of each attribute in a list
_UINT8: Final = struct.Struct("=B")
_UINT16: Final = struct.Struct("=H")
_UINT32: Final = struct.Struct("=I")
_UINT64: Final = struct.Struct("=Q")
_TIMESPEC: Final = struct.Struct("=qq")  # seconds, nanoseconds, both of 64 bits on every machine
# struct sockaddr_in and sockaddr_in6: family and scope are in the machine's byte order, the rest is not.
_SOCKADDR_FAMILY: Final = struct.Struct("=H")
_PORT: Final = struct.Struct(">H")
_SOCKADDR_IN_END: Final = bytes(8)
_SOCKADDR_IN: Final = 16
_SOCKADDR_IN6: Final = 28


class MalformedStateError(ValueError):
    """The kernel's answer does not have the form of linux/wireguard.h. The text holds no values."""


def get_body(name: str) -> bytes:
    """Attributes of the question for the state of the interface called `name`."""
    return build_attribute(_IFNAME, os.fsencode(name) + b"\0")


def change_bodies(name: str, change: DeviceChange, *, limit: int = MAX_BODY) -> Iterator[bytes]:
    """Attributes of each message that `change` takes, in the order they must be sent.

    `limit`: bytes. A message is larger only if a single fragment of a peer is.
    """
    body = get_body(name) + _device(change)
    fragments: list[bytes] = []
    size = len(body)
    for fragment in (each for peer in change.peers for each in _peer_fragments(peer)):
        if fragments and size + len(fragment) > limit:
            yield body + _nested(_PEERS, b"".join(fragments))
            body, fragments = get_body(name), []
            size = len(body)
        fragments.append(fragment)
        size += len(fragment)
    yield body + (_nested(_PEERS, b"".join(fragments)) if fragments else b"")


def _device(change: DeviceChange) -> bytes:
    body = b""
    if change.private_key is not None:
        body += build_attribute(_PRIVATE_KEY, change.private_key)
    if change.listen_port is not None:
        body += build_attribute(_LISTEN_PORT, _UINT16.pack(change.listen_port))
    if change.fwmark is not None:
        body += build_attribute(_FWMARK, _UINT32.pack(change.fwmark))
    if change.replace_peers:
        body += build_attribute(_DEVICE_FLAGS, _UINT32.pack(_F_REPLACE_PEERS))
    return body


def _peer_fragments(peer: PeerChange) -> Iterator[bytes]:
    """The peer with its first allowed IPs, and itself again with each further part of them."""
    key = build_attribute(_PUBLIC_KEY, peer.public_key)
    if peer.remove:
        yield _nested(_ELEMENT, key + build_attribute(_PEER_FLAGS, _UINT32.pack(_F_REMOVE_PEER)))
        return
    # A fragment without this flag would add the peer which the fragment before has left alone.
    lasting = _F_UPDATE_ONLY if peer.update_only else 0
    flags = lasting | (_F_REPLACE_ALLOWED_IPS if peer.replace_allowed_ips else 0)
    settings = _peer_settings(peer)
    for start in range(0, len(peer.allowed_ips) or 1, _PREFIXES_PER_FRAGMENT):
        part = b"".join(map(_allowed_ip, peer.allowed_ips[start : start + _PREFIXES_PER_FRAGMENT]))
        content = key + settings
        if flags:
            content += build_attribute(_PEER_FLAGS, _UINT32.pack(flags))
        if part:
            content += _nested(_ALLOWED_IPS, part)
        yield _nested(_ELEMENT, content)
        flags, settings = lasting, b""


def _peer_settings(peer: PeerChange) -> bytes:
    body = b""
    if peer.preshared_key is not None:
        body += build_attribute(_PRESHARED_KEY, peer.preshared_key)
    if peer.endpoint is not None:
        body += build_attribute(_ENDPOINT, _sockaddr(peer.endpoint))
    if peer.persistent_keepalive_interval is not None:
        interval = _UINT16.pack(peer.persistent_keepalive_interval)
        body += build_attribute(_PERSISTENT_KEEPALIVE_INTERVAL, interval)
    return body


def _allowed_ip(step: PrefixChange) -> bytes:
    prefix = step.prefix
    family = socket.AF_INET if prefix.version == 4 else socket.AF_INET6
    content = (
        build_attribute(_FAMILY, _UINT16.pack(family))
        + build_attribute(_ADDRESS, prefix.network_address.packed)
        + build_attribute(_PREFIX_LENGTH, _UINT8.pack(prefix.prefixlen))
    )
    if step.remove:
        content += build_attribute(_ALLOWED_IP_FLAGS, _UINT32.pack(_F_REMOVE_ALLOWED_IP))
    return _nested(_ELEMENT, content)


def _nested(kind: int, content: bytes) -> bytes:
    return build_attribute(NLA_F_NESTED | kind, content)


def _sockaddr(endpoint: Endpoint) -> bytes:
    port = _PORT.pack(endpoint.port)
    if not endpoint.is_ipv6:
        return _SOCKADDR_FAMILY.pack(socket.AF_INET) + port + endpoint.address + _SOCKADDR_IN_END
    flow = bytes(4)
    return (
        _SOCKADDR_FAMILY.pack(socket.AF_INET6)
        + port
        + flow
        + endpoint.address
        + _UINT32.pack(endpoint.scope_id)
    )


def read_state(bodies: Iterable[bytes]) -> DeviceState:
    """Put a device together from the attributes of all messages of a listing.

    Raises MalformedStateError.
    """
    device: dict[int, bytes] = {}
    peers: list[_PeerUnderway] = []
    for body in bodies:
        found = attributes(body)
        peers_of_message = found.pop(_PEERS, b"")
        device |= found
        for _, content in each_attribute(peers_of_message):
            peer = _PeerUnderway(attributes(content))
            # One that did not fit into the last message: only its key and further allowed IPs.
            if peers and peers[-1].public_key == peer.public_key:
                peers[-1].allowed_ips += peer.allowed_ips
            else:
                peers.append(peer)
    return DeviceState(
        private_key=_key(device.get(_PRIVATE_KEY, UNSET_KEY)),
        listen_port=_number(_UINT16, device, _LISTEN_PORT),
        fwmark=_number(_UINT32, device, _FWMARK),
        peers=tuple(peer.state() for peer in peers),
    )


@dataclass(slots=True)
class _PeerUnderway:
    found: dict[int, bytes] = field(repr=False)
    public_key: bytes = field(init=False)
    allowed_ips: list[Prefix] = field(init=False)

    def __post_init__(self) -> None:
        self.public_key = _key(self.found.get(_PUBLIC_KEY, b""))
        prefixes = each_attribute(self.found.get(_ALLOWED_IPS, b""))
        self.allowed_ips = [_prefix(attributes(content)) for _, content in prefixes]

    def state(self) -> PeerState:
        found = self.found
        endpoint = found.get(_ENDPOINT)
        return PeerState(
            public_key=self.public_key,
            preshared_key=_key(found.get(_PRESHARED_KEY, UNSET_KEY)),
            endpoint=None if endpoint is None else _endpoint(endpoint),
            last_handshake_ns=_time(found.get(_LAST_HANDSHAKE_TIME, bytes(_TIMESPEC.size))),
            tx_bytes=_number(_UINT64, found, _TX_BYTES),
            rx_bytes=_number(_UINT64, found, _RX_BYTES),
            persistent_keepalive_interval=_number(_UINT16, found, _PERSISTENT_KEEPALIVE_INTERVAL),
            allowed_ips=tuple(self.allowed_ips),
        )


def _key(value: bytes) -> bytes:
    if len(value) != KEY_SIZE:
        raise MalformedStateError(f"a key of {len(value)} bytes")
    return value


def _number(form: struct.Struct, found: dict[int, bytes], kind: int) -> int:
    """0 if it is not there."""
    value = found.get(kind, bytes(form.size))
    if len(value) != form.size:
        raise MalformedStateError(f"a number of {len(value)} bytes; expected {form.size}")
    return int(form.unpack(value)[0])


def _time(value: bytes) -> int:
    """Unix time in nanoseconds."""
    if len(value) != _TIMESPEC.size:
        raise MalformedStateError(f"a time of {len(value)} bytes")
    seconds, nanoseconds = _TIMESPEC.unpack(value)
    return int(seconds) * SECOND + int(nanoseconds)


def _endpoint(value: bytes) -> Endpoint:
    family = _SOCKADDR_FAMILY.unpack_from(value)[0] if len(value) >= _SOCKADDR_IN else None
    if family == socket.AF_INET and len(value) == _SOCKADDR_IN:
        return Endpoint(str(IPv4Address(value[4:8])), *_PORT.unpack_from(value, 2))
    if family == socket.AF_INET6 and len(value) == _SOCKADDR_IN6:
        (port,), (scope_id,) = _PORT.unpack_from(value, 2), _UINT32.unpack_from(value, 24)
        return Endpoint(str(IPv6Address(value[8:24])), port, scope_id)
    raise MalformedStateError(f"an endpoint of {len(value)} bytes and address family {family}")


def _prefix(found: dict[int, bytes]) -> Prefix:
    family, length = _number(_UINT16, found, _FAMILY), _number(_UINT8, found, _PREFIX_LENGTH)
    address = found.get(_ADDRESS, b"")
    if family == socket.AF_INET and len(address) == 4 and length <= 32:
        return IPv4Network((address, length), strict=False)
    if family == socket.AF_INET6 and len(address) == 16 and length <= 128:
        return IPv6Network((address, length), strict=False)
    raise MalformedStateError(
        f"an allowed IP of address family {family}, {len(address)} bytes, prefix length {length}"
    )
