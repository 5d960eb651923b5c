"""An engine with a socketpair for TUN, real UDP sockets on the loopback interface, and peers played by hand.

Everything goes through `pywg.engine.contract`, so that any engine can be put into it. The peers seal and open
with the cryptography library directly and share no code with the engine.

An engine may run in the reactor, on this thread, or have threads of its own. What it does with a packet is
done only once it is at rest: so facts, counts and notices are read through the rig, which waits for that.
A packet that was received says nothing of what is counted for it: a thread counts after it has sent.
"""

import selectors
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from typing import Protocol, TypeVar, runtime_checkable

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from pywg.endpoint import Endpoint, Source
from pywg.engine.choose import create_engine
from pywg.engine.contract import (
    AllowedIpChange,
    Counters,
    Drop,
    Notice,
    PeerId,
    PeerNotice,
    Slot,
    TransportKeys,
    UdpSockets,
)
from pywg.protocol.constants import SECOND, Limits
from pywg.protocol.timers import Traffic
from pywg.tun.descriptor import DescriptorTun
from pywg.tun.port import TunPort
from pywg.udp.linux import open_sockets
from pywg.udp.port import UdpPort

PATIENCE = 20.0
"""Seconds until something that must happen has failed to."""
QUIET = 0.03
"""Seconds without anything to do after which an engine on the reactor is taken to be idle."""
UNDER_WAY = 0.001
"""Seconds a datagram may take from one socket of this machine to another, should the kernel put it off."""

MTU = 1420
START = 1_000 * SECOND

T = TypeVar("T")


class ManualClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def boottime(self) -> int:
        return self.now

    def monotonic(self) -> int:
        return self.now

    def wall(self) -> int:
        return self.now


@runtime_checkable
class Threaded(Protocol):
    """What an engine with threads of its own offers to tests, beyond the contract."""

    def set_time(self, boottime_ns: int, /) -> None:
        """The clock it was made with has moved."""

    def settle(self, seconds: float, /) -> bool:
        """Whether every thread has found nothing to do since this was called, within the time."""


class Fallible(Protocol):
    """What the native engine offers to tests of its own faults."""

    def fault(self, *, of_first: bool) -> None:
        """Let the next batch of a thread meet a fault."""

    def fault_here(self) -> None:
        """Meet one in this call."""


class SelectorReactor:
    """Just enough of an event loop for an engine that runs on one."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def add_reader(self, port: TunPort | UdpPort, callback: Callable[[], None], /) -> None:
        self._selector.register(port, selectors.EVENT_READ, callback)

    def remove_reader(self, port: TunPort | UdpPort, /) -> None:
        self._selector.unregister(port)

    def turn(self, timeout: float) -> bool:
        """Call what is ready. Returns whether anything was."""
        ready = self._selector.select(timeout)
        for key, _ in ready:
            key.data()
        return bool(ready)

    def close(self) -> None:
        self._selector.close()


@dataclass(frozen=True)
class Opened:
    """A transport data message as a peer received it."""

    receiver: int
    counter: int
    payload: bytes
    tos: int
    source: tuple[str, int]
    size: int


class Session:
    """Both sides' view of one keypair. `ours` is the engine's local index, `theirs` the peer's."""

    def __init__(self, ours: int, *, is_initiator: bool, counter: int = 0, born: int = START) -> None:
        self.ours = ours
        self.theirs = ours ^ 0x0F0F0F0F
        self.keys = TransportKeys(
            send_key=struct.pack("<IB", ours, 1).ljust(32, b"s"),
            receive_key=struct.pack("<IB", ours, 2).ljust(32, b"r"),
            local_index=ours,
            remote_index=self.theirs,
            is_initiator=is_initiator,
            born=born,
            counter=counter,
        )
        self._seal = ChaCha20Poly1305(self.keys.receive_key)
        self._open = ChaCha20Poly1305(self.keys.send_key)
        self.counter = 0

    def seal(self, payload: bytes, counter: int | None = None) -> bytes:
        """Message 4 to the engine. Padding is the caller's."""
        if counter is None:
            counter, self.counter = self.counter, self.counter + 1
        sealed = self._seal.encrypt(struct.pack("<4xQ", counter), payload, None)
        return struct.pack("<IIQ", 4, self.ours, counter) + sealed

    def open(self, datagram: bytes) -> bytes:
        """Raises InvalidTag if the engine did not seal it under this session."""
        _, _, counter = struct.unpack_from("<IIQ", datagram)
        return self._open.decrypt(struct.pack("<4xQ", counter), datagram[16:], None)


class FarPeer:
    """A peer of the engine: its id, and a socket of its own."""

    def __init__(self, rig: "Rig", peer: PeerId, host: str) -> None:
        self.id = peer
        self._rig = rig
        self.host = host
        self.socket = self._bind()

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        if family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        sock.bind((self.host, 0))
        return sock

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.host, self.socket.getsockname()[1])

    def roam(self) -> None:
        """From now on on another port."""
        self.socket.close()
        self.socket = self._bind()

    def send(self, datagram: bytes, *, to: str | None = None, tos: int = 0) -> None:
        """To the engine's socket, at its address `to`."""
        if self.socket.family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        else:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
        self.socket.sendto(datagram, (to or self.host, self._rig.port))

    def receive(self) -> tuple[bytes, int, tuple[str, int]]:
        """The next datagram from the engine, its TOS byte and the address it came from."""
        return self._rig.wait(self._receive)

    def _receive(self) -> tuple[bytes, int, tuple[str, int]] | None:
        try:
            data, ancillary, _, address = self.socket.recvmsg(65536, 256)
        except BlockingIOError:
            return None
        return data, next((message[2][0] for message in ancillary), 0), address[:2]

    def open(self, session: Session) -> Opened:
        """The next datagram, which must be transport data of the session."""
        data, tos, source = self.receive()
        kind, receiver, counter = struct.unpack_from("<IIQ", data)
        assert kind == 4, data
        return Opened(receiver, counter, session.open(data), tos, source, len(data))

    def hears_nothing(self) -> bool:
        self._rig.settle()
        return self._receive() is None


class Rig:
    """One engine under test, up, with sockets."""

    def __init__(
        self, engine: str, limits: Limits | None = None, *, vnet_hdr: bool = False, start: bool = True
    ) -> None:
        """`vnet_hdr`: what `application` reads and writes begins with a virtio_net_hdr."""
        self.limits = limits or Limits()
        self.clock = ManualClock()
        self.reactor = SelectorReactor()
        self.application, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.application.setblocking(False)
        for end in (self.application, inside):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        self.tun = DescriptorTun(inside.detach())
        self.tun.vnet_hdr = vnet_hdr
        self.engine = create_engine(
            engine, limits=self.limits, clock=self.clock, mtu=MTU, tun=self.tun, reactor=self.reactor
        ).engine
        assert self.engine.name == engine
        self._threaded = self.engine if isinstance(self.engine, Threaded) else None
        if start:
            self.engine.start()
        self.sockets: UdpSockets | None = None
        self.port = 0
        self._peers: list[FarPeer] = []
        self._notices: dict[PeerId, list[PeerNotice]] = {}
        self._ready = selectors.DefaultSelector()
        self._ready.register(self.engine.fileno(), selectors.EVENT_READ)
        self.up()

    def up(self) -> None:
        """Give the engine fresh sockets."""
        self.sockets = open_sockets(0, 0)
        self.port = self.sockets.port
        self.engine.swap_sockets(self.sockets)

    def close(self) -> None:
        self._ready.close()
        self.engine.close()
        self.reactor.close()
        self.application.close()
        for peer in self._peers:
            peer.socket.close()

    # Peers.

    def add(
        self, *prefixes: str, host: str = "127.0.0.1", endpoint: bool = True, number: int | None = None
    ) -> FarPeer:
        """A peer with these allowed IPs."""
        peer = FarPeer(self, PeerId(len(self._peers) + 1 if number is None else number), host)
        self._peers.append(peer)
        self.engine.add_peer(peer.id)
        if endpoint:
            self.engine.set_endpoint(peer.id, peer.endpoint)
        self.allow(peer.id, *prefixes)
        return peer

    def allow(self, peer: PeerId, *prefixes: str) -> None:
        """Add these allowed IPs."""
        self.engine.change_allowed_ips([AllowedIpChange(peer, ip_network(text)) for text in prefixes])

    def connect(
        self, peer: FarPeer, index: int = 0x100, *, counter: int = 0, is_initiator: bool = True
    ) -> Session:
        """Install a keypair as *current*, and take the keepalive that confirms it."""
        session = Session(index, is_initiator=is_initiator, counter=counter, born=self.clock.now)
        self.engine.install(peer.id, session.keys, Slot.CURRENT)
        assert peer.open(session).payload == b""
        return session

    # The application behind the TUN.

    def write(self, *packets: bytes) -> None:
        for packet in packets:
            self.wait(partial(self._try_write, packet))

    def _try_write(self, packet: bytes) -> bool:
        try:
            return bool(self.application.send(packet))
        except BlockingIOError:
            return False

    def read(self) -> bytes:
        """The next packet the engine delivers."""
        return self.wait(self.try_read)

    def try_read(self) -> bytes | None:
        try:
            return self.application.recv(65536)
        except BlockingIOError:
            return None

    def delivers_nothing(self) -> bool:
        self.settle()
        return self.try_read() is None

    # Time.

    @property
    def is_threaded(self) -> bool:
        """Whether the engine runs by itself."""
        return self._threaded is not None

    def advance(self, nanoseconds: int) -> None:
        self.clock.now += nanoseconds
        if self._threaded is not None:
            self._threaded.set_time(self.clock.now)

    def wait(self, ask: Callable[[], T | None]) -> T:
        """Let the engine run until `ask` answers with something true."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = ask()
            if answer:
                return answer
            assert time.monotonic() < deadline, f"waited {PATIENCE} s for {ask}"
            self.reactor.turn(0.002)

    def settle(self, quiet: float = QUIET) -> None:
        """Let the engine run until it is idle; one on the reactor, until it was so for `quiet` seconds."""
        if self._threaded is not None:
            if quiet:
                time.sleep(UNDER_WAY)
            assert self._threaded.settle(PATIENCE), "the engine never comes to rest"
            return
        quiet_since = time.monotonic()
        deadline = quiet_since + PATIENCE
        while True:
            now = time.monotonic()
            if self.reactor.turn(quiet / 3):
                quiet_since = now
            elif now - quiet_since >= quiet:
                return
            assert now < deadline, "the engine never comes to rest"

    # What the engine tells.

    @property
    def is_ready(self) -> bool:
        """Whether the engine's descriptor is readable."""
        return bool(self._ready.select(0))

    def notices(self, peer: FarPeer) -> Notice:
        """Everything told of the peer since the last call."""
        return _union(self.take_notices(peer))

    def take_notices(self, peer: FarPeer) -> list[PeerNotice]:
        self.settle()
        for notice in self.engine.take_notices(1000):
            self._notices.setdefault(notice.peer, []).append(notice)
        return self._notices.pop(peer.id, [])

    def traffic(self, peer: FarPeer) -> Traffic:
        self.settle()
        return self.engine.traffic(peer.id)

    def counters(self, peer: FarPeer) -> Counters:
        self.settle()
        return self.engine.counters(peer.id)

    def source(self, peer: FarPeer) -> Source | None:
        self.settle()
        return self.engine.source(peer.id)

    def drops(self, peer: FarPeer | None = None) -> dict[Drop, int]:
        self.settle()
        return dict(self.engine.drops(None if peer is None else peer.id))

    def wait_for_drop(self, cause: Drop, peer: FarPeer | None = None, count: int = 1) -> None:
        which = None if peer is None else peer.id
        self.wait(lambda: self.engine.drops(which).get(cause, 0) == count)


def _union(notices: list[PeerNotice]) -> Notice:
    told = Notice(0)
    for notice in notices:
        told |= notice.notice
    return told
