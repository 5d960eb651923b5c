"""The little of netlink that is needed where importing pyroute2 would rule the start-up time.

Comes in: bytes of a netlink socket, or what to ask. Goes out: messages and attributes, or bytes to send.
Nothing is read or sent here. Sources: netlink(7), rtnetlink(7), linux/netlink.h, rtnetlink.h, if_link.h,
net_namespace.h. An nsid is the number one network namespace has for another; having one keeps nobody alive.
"""

import errno
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
NLM_F_REQUEST: Final = 1
NLM_F_ACK: Final = 4
NLM_F_DUMP: Final = 0x300
NLM_F_DUMP_INTR: Final = 0x10
"""On an answer: what is being listed has changed meanwhile."""
NLA_F_NESTED: Final = 0x8000

RTM_NEWLINK: Final = 16
RTM_DELLINK: Final = 17
RTM_GETLINK: Final = 18
RTM_SETLINK: Final = 19
RTM_NEWADDR: Final = 20
RTM_DELADDR: Final = 21
RTM_GETADDR: Final = 22
RTM_NEWROUTE: Final = 24
RTM_DELROUTE: Final = 25
RTM_GETROUTE: Final = 26
RTM_NEWRULE: Final = 32
RTM_DELRULE: Final = 33
RTM_NEWNSID: Final = 88
RTM_DELNSID: Final = 89
RTM_GETNSID: Final = 90

# Multicast groups, as the bits of sockaddr_nl.
RTMGRP_LINK: Final = 1 << 0
RTMGRP_IPV4_IFADDR: Final = 1 << 4
RTMGRP_IPV4_ROUTE: Final = 1 << 6
RTMGRP_IPV4_RULE: Final = 1 << 7
RTMGRP_IPV6_IFADDR: Final = 1 << 8
RTMGRP_IPV6_ROUTE: Final = 1 << 10
RTMGRP_IPV6_RULE: Final = 1 << 18
RTMGRP_NSID: Final = 1 << 27

SOL_NETLINK: Final = 270
NETLINK_LISTEN_ALL_NSID: Final = 8

IFLA_IFNAME: Final = 3
IFLA_MTU: Final = 4
IFLA_LINKINFO: Final = 18
IFLA_INFO_KIND: Final = 1
IFLA_AF_SPEC: Final = 26
IFLA_TARGET_NETNSID: Final = 46
IFLA_INET_CONF: Final = 1
IFLA_INET6_ADDR_GEN_MODE: Final = 8
IN6_ADDR_GEN_MODE_NONE: Final = 1
IPV4_DEVCONF_SEND_REDIRECTS: Final = 6
IFF_UP: Final = 1

IFA_ADDRESS: Final = 1
IFA_LOCAL: Final = 2

NETNSA_NSID: Final = 1
NETNSA_PID: Final = 2
NETNSA_FD: Final = 3
NSID_NOT_ASSIGNED: Final = -1

RTA_DST: Final = 1
RTA_OIF: Final = 4
RTA_METRICS: Final = 8
RTA_MARK: Final = 16
RTAX_MTU: Final = 2
RTN_LOCAL: Final = 2
RTM_F_CLONED: Final = 0x200

AF_INET: Final = 2
AF_INET6: Final = 10
"""Linux's numbers: macOS has another for AF_INET6."""

_HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE: Final = struct.Struct("=HH")  # length, type
_LINK: Final = struct.Struct("=BxHiII")  # family, device type, index, flags, change mask
_ADDRESS: Final = struct.Struct("=BBBBI")  # family, length, flags, scope, interface index
_ROUTE: Final = struct.Struct("=BBBBBBBBI")  # family, dst and src length, tos, table, ..., type, flags
_UINT32: Final = struct.Struct("=I")
_INT32: Final = struct.Struct("=i")
_NSID: Final = struct.Struct("=B3x")  # family
_TYPE_MASK: Final = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER


@dataclass(frozen=True, slots=True)
class Message:
    """One netlink message."""

    kind: int
    sequence: int
    port: int
    """Whose question it answers, or whose doing it tells of."""
    payload: bytes = field(repr=False)
    """May hold keys."""
    flags: int = 0

    @property
    def error(self) -> int:
        """errno of an NLMSG_ERROR; 0 is an acknowledgement."""
        return -int(_INT32.unpack_from(self.payload)[0]) if len(self.payload) >= 4 else errno.EPROTO


@dataclass(frozen=True, slots=True)
class Link:
    """What a NEWLINK or DELLINK says of an interface."""

    ifindex: int
    name: str
    up: bool
    mtu: int
    kind: str = ""
    """``wireguard``, ``tun``, ``veth``; empty if it has none or was not told."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a NEWADDR says."""

    ifindex: int
    scope: int
    """As in rtnetlink.h: 0 is universe, 253 link."""
    local: bytes = b""
    """4 or 16 bytes; of a point-to-point link our end."""
    prefixlen: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """What a NEWROUTE that answers `get_route` says."""

    ifindex: int
    """0: none."""
    mtu: int
    """The route's own, learned ones included; 0: that of the link."""
    is_local: bool
    """To an address of this machine."""


def messages(data: bytes) -> Iterator[Message]:
    """Split what one read returned; a truncated rest is dropped."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, sequence, port = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return
        yield Message(kind, sequence, port, data[offset + _HEADER.size : offset + length], flags)
        offset += _aligned(length)


def attributes(data: bytes) -> dict[int, bytes]:
    """Read attributes; of repeated ones the last counts, a truncated one is dropped."""
    return dict(each_attribute(data))


def each_attribute(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of attributes in their order, repeated ones too; a truncated one is dropped."""
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > len(data):
            return
        yield kind & _TYPE_MASK, data[offset + _ATTRIBUTE.size : offset + length]
        offset += _aligned(length)


def parse_link(payload: bytes) -> Link | None:
    """Read the payload of a NEWLINK or DELLINK; None if it is too short."""
    if len(payload) < _LINK.size:
        return None
    _, _, ifindex, flags, _ = _LINK.unpack_from(payload)
    found = attributes(payload[_LINK.size :])
    kind = attributes(found.get(IFLA_LINKINFO, b"")).get(IFLA_INFO_KIND, b"")
    mtu = _uint32(found.get(IFLA_MTU, b"")) or 0
    return Link(ifindex, _text(found.get(IFLA_IFNAME, b"")), bool(flags & IFF_UP), mtu, _text(kind))


def parse_route_interface(payload: bytes) -> int | None:
    """Interface index of the payload of a NEWROUTE; None if it has none."""
    if len(payload) < _ROUTE.size:
        return None
    return _uint32(attributes(payload[_ROUTE.size :]).get(RTA_OIF, b""))


def parse_route(payload: bytes) -> Route | None:
    """Read the payload of a NEWROUTE; None if it is too short."""
    if len(payload) < _ROUTE.size:
        return None
    found = attributes(payload[_ROUTE.size :])
    mtu = attributes(found.get(RTA_METRICS, b"")).get(RTAX_MTU, b"")
    kind = _ROUTE.unpack_from(payload)[7]
    return Route(_uint32(found.get(RTA_OIF, b"")) or 0, _uint32(mtu) or 0, kind == RTN_LOCAL)


def parse_address(payload: bytes) -> Address | None:
    """Read the payload of a NEWADDR; None if it is too short."""
    if len(payload) < _ADDRESS.size:
        return None
    _, prefixlen, _, scope, ifindex = _ADDRESS.unpack_from(payload)
    found = attributes(payload[_ADDRESS.size :])
    return Address(ifindex, scope, found.get(IFA_LOCAL, found.get(IFA_ADDRESS, b"")), prefixlen)


def is_cloned_route(payload: bytes) -> bool:
    """Whether a route message is about a cache entry and not about the routing table."""
    return len(payload) >= _ROUTE.size and bool(_ROUTE.unpack_from(payload)[-1] & RTM_F_CLONED)


def parse_nsid(payload: bytes) -> int | None:
    """Read the payload of a NEWNSID; None if no nsid is assigned."""
    value = attributes(payload[_NSID.size :]).get(NETNSA_NSID, b"")
    nsid = int(_INT32.unpack(value)[0]) if len(value) == 4 else NSID_NOT_ASSIGNED
    return None if nsid == NSID_NOT_ASSIGNED else nsid


def sender_nsid(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    """Of the ancillary data of a read under NETLINK_LISTEN_ALL_NSID: whose notice it is; None: our own.

    Kernels before mid 2026 may say -1 of our own notices, if others listen (commit 70f8592ee905), or the nsid
    our namespace has for itself, if it has one (88b126b39f97).
    """
    for level, kind, value in ancillary:
        if (level, kind, len(value)) == (SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 4):
            nsid = int(_INT32.unpack(value)[0])
            return None if nsid == NSID_NOT_ASSIGNED else nsid
    return None


def get_link(name: str, nsid: int | None, sequence: int) -> bytes:
    """Ask for the interface called `name`, in the namespace with that nsid or, if None, in ours."""
    body = _LINK.pack(0, 0, 0, 0, 0) + build_attribute(IFLA_IFNAME, name.encode() + b"\0")
    if nsid is not None:
        body += build_attribute(IFLA_TARGET_NETNSID, _INT32.pack(nsid))
    return build_message(RTM_GETLINK, NLM_F_REQUEST, sequence, body)


def get_links(kind: str, sequence: int) -> bytes:
    """Ask for all interfaces of our namespace; a kernel that knows `kind` leaves those of other kinds out."""
    body = _LINK.pack(0, 0, 0, 0, 0)
    body += build_attribute(IFLA_LINKINFO, build_attribute(IFLA_INFO_KIND, kind.encode() + b"\0"))
    return build_message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence, body)


def get_addresses(sequence: int) -> bytes:
    """Ask for all addresses of all interfaces of our namespace."""
    return build_message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, sequence, _ADDRESS.pack(0, 0, 0, 0, 0))


def get_route(destination: bytes, mark: int, scope_id: int, sequence: int) -> bytes:
    """Ask which route a packet with `mark` to `destination` (4 or 16 bytes) takes."""
    family = AF_INET if len(destination) == 4 else AF_INET6
    body = _ROUTE.pack(family, len(destination) * 8, 0, 0, 0, 0, 0, 0, 0) + build_attribute(
        RTA_DST, destination
    )
    for kind, value in {RTA_MARK: mark, RTA_OIF: scope_id}.items():
        if value:
            body += build_attribute(kind, _UINT32.pack(value))
    return build_message(RTM_GETROUTE, NLM_F_REQUEST, sequence, body)


def new_nsid(namespace_fd: int, sequence: int) -> bytes:
    """Give a namespace an nsid in ours; EEXIST if it has one."""
    body = _NSID.pack(0) + build_attribute(NETNSA_NSID, _INT32.pack(NSID_NOT_ASSIGNED))  # any
    body += build_attribute(NETNSA_FD, _UINT32.pack(namespace_fd))
    return build_message(RTM_NEWNSID, NLM_F_REQUEST | NLM_F_ACK, sequence, body)


def get_nsid(namespace_fd: int, sequence: int) -> bytes:
    """Ask for the nsid of a namespace in ours."""
    return _get_nsid(NETNSA_FD, namespace_fd, sequence)


def get_nsid_of_process(pid: int, sequence: int) -> bytes:
    """Ask for the nsid, in ours, of the namespace a process or thread is in."""
    return _get_nsid(NETNSA_PID, pid, sequence)


def set_quiet(ifindex: int, sequence: int) -> list[bytes]:
    """Two changes: no IPv6 address of the interface's own making, no ICMP redirects through it.

    Two messages, so that where the machine lacks one family the other change is still made.
    """
    mode = build_attribute(IFLA_INET6_ADDR_GEN_MODE, bytes([IN6_ADDR_GEN_MODE_NONE]))
    conf = build_attribute(IFLA_INET_CONF, build_attribute(IPV4_DEVCONF_SEND_REDIRECTS, _UINT32.pack(0)))
    link = _LINK.pack(0, 0, ifindex, 0, 0)
    return [
        build_message(
            RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, sequence, link + build_attribute(IFLA_AF_SPEC, family)
        )
        for family in (build_attribute(AF_INET6, mode), build_attribute(AF_INET, conf))
    ]


def _get_nsid(kind: int, value: int, sequence: int) -> bytes:
    return build_message(
        RTM_GETNSID, NLM_F_REQUEST, sequence, _NSID.pack(0) + build_attribute(kind, _UINT32.pack(value))
    )


def build_message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """A message to the kernel."""
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body


def build_attribute(kind: int, value: bytes) -> bytes:
    """An attribute; those nested in it are its value. Raises struct.error above 65,531 bytes."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _uint32(value: bytes) -> int | None:
    return int(_UINT32.unpack(value)[0]) if len(value) == 4 else None


def _aligned(length: int) -> int:
    return (length + 3) & ~3
