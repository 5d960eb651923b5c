"""What a configuration request asks for and what a device tells about itself, typed and without I/O.

In: nothing. Out: the frozen results that codec, server, client and device share. Rule kept: a key is
never part of a `repr`. Meaning of every field: https://www.wireguard.com/xplatform/.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from pywg.endpoint import Endpoint
from pywg.protocol import static_key
from pywg.protocol.allowed_ips import Prefix

UNSET_KEY: Final = bytes(32)
"""A private or preshared key of zeros stands for "none"."""


@dataclass(frozen=True, slots=True)
class PrefixChange:
    """One ``allowed_ip`` line. Host bits are masked already."""

    prefix: Prefix
    remove: bool = False
    """Take exactly this prefix away, if this peer has it (``allowed_ip=-...``)."""


@dataclass(frozen=True, slots=True)
class PeerChange:
    """One peer block of a set. None: not mentioned, leave as it is.

    Blocks are applied in order; one peer may have several. A block for the device's own public key is
    well-formed: it is the device that applies nothing of it.
    """

    public_key: bytes
    update_only: bool = False
    """Ignore the block if there is no such peer."""
    remove: bool = False
    """Remove the peer; the rest of the block means nothing then."""
    preshared_key: bytes | None = field(default=None, repr=False)
    """32 bytes, `UNSET_KEY` to clear. Takes effect at the next handshake."""
    endpoint: Endpoint | None = None
    persistent_keepalive_interval: int | None = None
    """Seconds, 0 to 65535; 0 is off."""
    replace_allowed_ips: bool = False
    """Take all prefixes away before `allowed_ips` is applied."""
    allowed_ips: tuple[PrefixChange, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """One set operation, to be applied in the order of the fields. None: leave as it is."""

    private_key: bytes | None = field(default=None, repr=False)
    """32 bytes, not clamped; `UNSET_KEY` to clear."""
    listen_port: int | None = None
    """0 to 65535; 0 picks a free one."""
    fwmark: int | None = None
    """32 bits; 0 is off."""
    replace_peers: bool = False
    """Remove all peers before `peers` is applied."""
    peers: tuple[PeerChange, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerState:
    """A peer as a get tells it."""

    public_key: bytes
    preshared_key: bytes = field(default=UNSET_KEY, repr=False)
    endpoint: Endpoint | None = None
    last_handshake_ns: int = 0
    """Unix time in nanoseconds of the last completed handshake; 0: never."""
    tx_bytes: int = 0
    rx_bytes: int = 0
    persistent_keepalive_interval: int = 0
    """Seconds; 0 is off."""
    allowed_ips: tuple[Prefix, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A device as a get tells it."""

    private_key: bytes = field(default=UNSET_KEY, repr=False)
    """32 bytes, clamped; `UNSET_KEY` if none."""
    listen_port: int = 0
    fwmark: int = 0
    peers: tuple[PeerState, ...] = ()

    @property
    def public_key(self) -> bytes | None:
        """That of the private key, computed anew each time; None if there is none."""
        return None if self.private_key == UNSET_KEY else static_key.public_key(self.private_key)


@dataclass(frozen=True, slots=True)
class RecentStatus:
    """Of a peer's counts those that tell of its present state; groups and names as in `PeerStatus`.

    Handshakes and their failures: since the last handshake was completed. Drops and ICMP errors: since the
    newest session was made. All of them at most since a setting of the peer was last changed.
    """

    handshakes: Mapping[str, int] = field(default_factory=dict)
    handshake_failures: Mapping[str, int] = field(default_factory=dict)
    drops: Mapping[str, int] = field(default_factory=dict)
    icmp_errors: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """What happened with a peer, counted by cause since the peer was added. Counts of 0 may be left out."""

    public_key: bytes
    drops: Mapping[str, int] = field(default_factory=dict)
    """Cause (`engine.contract.Drop` values) -> packets."""
    handshake_failures: Mapping[str, int] = field(default_factory=dict)
    """Cause (`protocol.failures.HandshakeFailure` values) -> messages."""
    icmp_errors: Mapping[int, int] = field(default_factory=dict)
    """errno -> how often the network refused a datagram to the peer's endpoint; diagnosis only."""
    handshakes: Mapping[str, int] = field(default_factory=dict)
    """Step (`protocol.history.HandshakeEvent` values) -> messages."""
    recent: RecentStatus = field(default_factory=RecentStatus)
    traffic: Mapping[str, int] = field(default_factory=dict)
    """Whole seconds since the last authenticated packet (``sent``, ``received``) and since the first data
    sent that nothing has answered (``unanswered``); ``staged`` is 1 while packets wait for keys."""


@dataclass(frozen=True, slots=True)
class StrangerStatus:
    """Who last sent an initiation with a static key that no peer has."""

    public_key: bytes
    """Claimed, not proved."""
    source: str
    """An endpoint as text: its scope is that of the daemon's network namespace."""
    seconds_ago: int


@dataclass(frozen=True, slots=True)
class Status:
    """The answer to ``get_status=1``: what other processes may know of a running daemon.

    Names (keys of the mappings) are of ``[a-z0-9_]``; texts are one line.
    """

    engine: str
    """``python`` or ``native``."""
    engine_reason: str
    """Why this engine and not the other."""
    version: str = ""
    sockets: Mapping[str, str] = field(default_factory=dict)
    """For example ``link`` -> ``up``, ``v4`` -> ``open``, ``v6`` -> ``unavailable``."""
    offloads: Mapping[str, str] = field(default_factory=dict)
    """Of each socket, for example ``v4_udp_segment`` -> ``on``, ``v6_receive_buffer`` -> ``14680064``."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Anything else the engine or device tells: queue depths and the like."""
    drops: Mapping[str, int] = field(default_factory=dict)
    """Packets that could be laid to no peer."""
    handshake_failures: Mapping[str, int] = field(default_factory=dict)
    """Handshake messages that could be laid to no peer."""
    handshake_failure_ages: Mapping[str, int] = field(default_factory=dict)
    """Of some of these: whole seconds since the last."""
    stranger: StrangerStatus | None = None
    peers: tuple[PeerStatus, ...] = ()


class ApplyError(Exception):
    """The device could not do what a well-formed set asked; what came before in the set stays applied."""

    def __init__(self, errno: int, message: str = "") -> None:
        """`errno`: positive, as in the `errno` module. `message`: one line for the log, no secrets."""
        super().__init__(message or os.strerror(errno))
        self.errno = errno


class UapiHandler(Protocol):
    """What the server needs of a device. Called on the loop; must not block."""

    def get_state(self) -> DeviceState:
        """What ``get=1`` tells."""

    def get_status(self) -> Status:
        """What ``get_status=1`` tells."""

    def apply(self, change: DeviceChange) -> None:
        """Do what a set asks, in its order. Raises ApplyError; what came before stays applied."""
