"""The contract between the control plane and a data plane: what is given, returned and asked.

With a native engine no Python code runs per packet, so nothing here is called per packet. One engine
serves one device. All times are CLOCK_BOOTTIME nanoseconds. Methods are called from the control plane's
thread only; an engine may run threads of its own behind them.

Who owns what: keypair slots, nonce counters, replay windows and endpoints live in the engine only. The
control plane allocates every local index and is the only creator of keys.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, Flag, auto
from typing import Final, Protocol

from pywg.endpoint import Endpoint, Source
from pywg.protocol.allowed_ips import Prefix
from pywg.protocol.peer_id import PeerId as PeerId  # noqa: PLC0414 (a word of the contract)
from pywg.protocol.timers import Fact, Traffic
from pywg.tun.port import TunPort
from pywg.udp.port import UdpPort

HANDSHAKE_TOS: Final = 0x88
"""TOS byte of outer packets with messages 1 and 2: DSCP AF41 (kernel messages.h, HANDSHAKE_DSCP)."""

UNREACHABLE_PER_SECOND: Final = 1000
UNREACHABLE_BURST: Final = 50
"""How many ICMP errors go into the TUN (the kernel's icmp_msgs_per_sec and icmp_msgs_burst)."""


class Slot(Enum):
    """Where a new keypair goes (whitepaper 6.3, kernel `struct noise_keypairs`)."""

    CURRENT = "current"
    """We are the initiator: the responder has proved it has the keys."""
    NEXT = "next"
    """We are the responder: nothing is sent under it until the initiator has used it."""


@dataclass(frozen=True, slots=True)
class TransportKeys:
    """A session as the handshake leaves it. Crosses the seam once, in `Engine.install`."""

    send_key: bytes = field(repr=False)
    receive_key: bytes = field(repr=False)
    local_index: int
    remote_index: int
    is_initiator: bool
    born: int
    """Time at which the session was derived."""
    counter: int = 0
    """First nonce to send with; other than 0 only in tests."""


class Drop(Enum):
    """Why a packet was not moved on. The value is the name shown by ``get_status``."""

    BAD_SIZE = "bad_size"
    """Datagram of a length or type no WireGuard message has."""
    BAD_MAC1 = "bad_mac1"
    """Made with another key than ours, or we have none."""
    UNKNOWN_INDEX = "unknown_index"
    """Names no keypair, or no handshake of ours that is pending."""
    STALE_KEY = "stale_key"
    """Keypair older than REJECT_AFTER_TIME, or its counter at REJECT_AFTER_MESSAGES."""
    AEAD_FAILURE = "aead_failure"
    REPLAY = "replay"
    SOURCE_NOT_ALLOWED = "source_not_allowed"
    """The inner source is not in the allowed IPs of the peer that sent."""
    MALFORMED_INNER = "malformed_inner"
    """No IP packet, or one whose length does not fit."""
    NO_ROUTE = "no_route"
    """No peer's allowed IPs contain the destination."""
    NO_ENDPOINT = "no_endpoint"
    ROUTING_LOOP = "routing_loop"
    """One of our own datagrams came back: the route to the peer's endpoint leads into the tunnel."""
    NO_KEY = "no_key"
    """Staged and given up on, or not to be staged because the device is down."""
    STAGED_OVERFLOW = "staged_overflow"
    """The oldest staged packet made room for the newest."""
    HANDSHAKE_QUEUE_FULL = "handshake_queue_full"
    SEND_ERROR = "send_error"
    TUN_WRITE_ERROR = "tun_write_error"


class Notice(Flag):
    """What happened to a peer since it was last asked about. Level-triggered: bits, not a queue."""

    KEYS_NEEDED = auto()
    """Packets are staged and no usable keypair exists. Once per `arm_keys_needed`."""
    REKEY_DUE = auto()
    """The current keypair should be replaced. Once per keypair."""
    NEXT_CONFIRMED = auto()
    """First authenticated packet on *next*; it is *current* now and staged packets were flushed."""
    ENDPOINT_MOVED = auto()
    """Authenticated transport data came from elsewhere."""
    STIRRED = auto()
    """A fact named in `arm_stirred` has become set."""


@dataclass(frozen=True, slots=True)
class PeerNotice:
    """One entry of the list of dirty peers."""

    peer: PeerId
    notice: Notice
    freed: tuple[int, ...] = ()
    """Local indices given back by a rotation (NEXT_CONFIRMED)."""
    confirmed_index: int | None = None
    """Local index of the keypair that was promoted (NEXT_CONFIRMED)."""


@dataclass(frozen=True, slots=True)
class HandshakeDatagram:
    """Message 1, 2 or 3 that passed size, type and, for 1 and 2, MAC1; 2 and 3 name a pending index."""

    data: bytes
    source: Source
    depth: int
    """How many datagrams were queued before it: >= 1/8 of the queue means under load."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The TUN or a socket died, and the device cannot go on with it; or something less, only to be told."""

    part: str
    """``tun``, ``udp4`` or ``udp6``. Or, and the engine goes on: ``engine``, a batch of packets was lost to a
    fault in its code; ``tun_segments``, ``udp4_segments`` or ``udp6_segments``, the kernel refuses those."""
    errno: int
    """What the system said; 0 if nothing."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Bytes are UDP payload with handshakes, without cookies; tx counts on a successful send."""

    tx_bytes: int = 0
    rx_bytes: int = 0


@dataclass(frozen=True, slots=True)
class AllowedIpChange:
    """One step in a change of the routing table. Add moves a prefix from whoever has it."""

    peer: PeerId
    prefix: Prefix | None
    """None with `remove`: every prefix of the peer."""
    remove: bool = False
    """Remove exactly this prefix, if this peer has it."""


@dataclass(frozen=True, slots=True)
class UdpSockets:
    """The pair of sockets on one port. One of them is None where the machine lacks that family."""

    v4: UdpPort | None
    v6: UdpPort | None
    port: int

    @property
    def by_family(self) -> dict[str, UdpPort]:
        """The sockets there are, as ``v4`` and ``v6``."""
        both = {"v4": self.v4, "v6": self.v6}
        return {family: port for family, port in both.items() if port is not None}

    def close(self) -> None:
        """Close both. May be called twice."""
        for port in self.by_family.values():
            port.close()


class Reactor(Protocol):
    """The part of an asyncio loop the Python engine needs; the simulator has its own."""

    def add_reader(self, fd: TunPort | UdpPort, callback: Callable[[], None], /) -> object:
        """Call back whenever this is readable."""

    def remove_reader(self, fd: TunPort | UdpPort, /) -> object:
        """No longer. Called before it is closed."""


class Engine(Protocol):
    """A data plane. See the module's head for the rules that hold for every method.

    A peer id that is unknown (removed already) raises KeyError: that is a bug of the caller.
    """

    name: str
    """``python`` or ``native``."""

    # The device.

    def fileno(self) -> int:
        """Descriptor that is readable while handshakes, notices or a failure wait."""

    def start(self) -> None:
        """Begin to read the TUN. Until sockets are given, packets from it are dropped."""

    def close(self) -> None:
        """Stop, forget all keys, close the sockets and the TUN. May be called twice."""

    def swap_sockets(self, sockets: UdpSockets | None) -> None:
        """Use these from now on and close the ones before. Peers and keys stay; cached sources go.

        None is "down": packets from the TUN are dropped (`Drop.NO_KEY`), nothing is received. Raises OSError
        if no descriptor is left; then these are closed and the ones before stay.
        """

    def set_mac1_key(self, key: bytes | None) -> None:
        """The key MAC1 of handshakes sent to us is made with. None: all handshakes are dropped.

        Handshakes queued under another key are dropped.
        """

    def set_pending(self, index: int, *, pending: bool) -> None:
        """Let messages 2 and 3 with this receiver index through, or no longer."""

    def set_fwmark(self, mark: int) -> None:
        """Mark outer packets (SO_MARK); clears cached sources. Raises OSError."""

    def set_mtu(self, mtu: int) -> None:
        """Padding never makes a packet longer than this."""

    def route_changed(self) -> None:
        """A route or the MTU of a link outside changed: what the sockets remember of them counts no more."""

    # Peers.

    def add_peer(self, peer: PeerId) -> None:
        """Without endpoint, keys and allowed IPs. Raises ValueError if the id is in use."""

    def remove_peer(self, peer: PeerId) -> tuple[int, ...]:
        """Forget peer, keys, staged packets and allowed IPs. Returns the local indices freed."""

    def set_endpoint(self, peer: PeerId, endpoint: Endpoint | None) -> None:
        """By configuration: the cached source is cleared."""

    def source(self, peer: PeerId) -> Source | None:
        """The peer's present endpoint and, where it is sticky, the local address and interface."""

    def change_allowed_ips(self, changes: Sequence[AllowedIpChange]) -> None:
        """All of one UAPI set, in order, as one swap. Raises ValueError for an addition without prefix."""

    def allowed_ips(self, peer: PeerId) -> Sequence[Prefix]:
        """IPv4 first, then IPv6, each in the order of insertion."""

    # Keys.

    def install(self, peer: PeerId, keys: TransportKeys, slot: Slot) -> tuple[int, ...]:
        """Returns after the receive path sees the key, with the local indices freed by the rotation.

        As CURRENT it flushes staged packets or, if there were none, sends a keepalive, as one step.
        """

    def drop_keypairs(self, peer: PeerId) -> tuple[int, ...]:
        """Forget all three. Returns the local indices freed."""

    def expire_sending(self, peer: PeerId) -> None:
        """Our private key changed: receive under the keypairs, send under none, promote none of them."""

    def arm_keys_needed(self, peer: PeerId) -> None:
        """Tell when the *next* packet is staged and no usable keypair exists. New peers are armed."""

    def arm_stirred(self, peer: PeerId, facts: Fact) -> None:
        """Tell when one of these facts is set; at once if one of them is. Replaces the last arming."""

    # Sending.

    def send_handshake(self, peer: PeerId, datagram: bytes) -> None:
        """To the peer's present endpoint. Counts as authenticated packet sent, and in tx_bytes."""

    def handshake_accepted(self, peer: PeerId, source: Source, size: int) -> None:
        """An authentic message 1 or 2: moves the endpoint, counts in rx_bytes and as received."""

    def send_reply(self, source: Source, datagram: bytes) -> None:
        """A cookie reply. Touches no peer."""

    def send_keepalive(self, peer: PeerId) -> None:
        """Flush staged packets if a usable key exists, else (nothing staged) send an empty packet.

        Without a usable key the empty packet is staged, if nothing else is, and keys are asked for.
        """

    def clear_source(self, peer: PeerId | None) -> None:
        """Forget the sticky source of a peer, or of all."""

    def drop_staged(self, peer: PeerId) -> None:
        """Counted as `Drop.NO_KEY`."""

    def clear_unanswered_sent(self, peer: PeerId, seen: int) -> None:
        """Compare and clear: the new-handshake timer fired on this fact."""

    # Asked by the control plane when `fileno` is readable.

    def take_handshakes(self, most: int) -> list[HandshakeDatagram]:
        """The oldest, up to `most`. The descriptor stays readable while more wait."""

    def take_notices(self, most: int) -> list[PeerNotice]:
        """One entry for each dirty peer, up to `most`; the bits told are cleared."""

    def take_failure(self) -> Failure | None:
        """The oldest not yet told."""

    # State.

    def traffic(self, peer: PeerId) -> Traffic:
        """The facts the timers follow from."""

    def counters(self, peer: PeerId) -> Counters:
        """Since the peer was added."""

    def drops(self, peer: PeerId | None) -> Mapping[Drop, int]:
        """Of one peer, or those that could be laid to none."""

    def icmp_errors(self, peer: PeerId) -> Mapping[int, int]:
        """errno -> how often the network refused a datagram to the peer's endpoint; diagnosis only."""

    def status(self) -> Mapping[str, str]:
        """Lines for ``get_status``: offloads in use, queue depths and the like."""
