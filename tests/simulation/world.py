"""The simulated world: a virtual clock, a queue of events, a lossy network, and machines that run pywg.

Everything random is drawn from one seeded generator and everything that happens is hashed, so the same seed
gives the same `World.trace`. Nothing here knows WireGuard but for what `Machine` puts together.

By its nature this is for the Python engine only: an engine with threads and system calls of its own cannot be
replayed. tests/engine and tests/device are for both engines, and hold the native one to what the Python one
does here.
"""

import hashlib
import heapq
import select
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_address, ip_network
from itertools import count
from random import Random
from typing import ClassVar

from pywg.device import Device
from pywg.endpoint import Endpoint
from pywg.engine.contract import UdpSockets
from pywg.engine.python import PythonEngine
from pywg.protocol.constants import SECOND, Limits
from pywg.protocol.handshake import Identity
from pywg.tun.memory import MemoryTun
from pywg.tun.port import TunPort
from pywg.uapi.model import DeviceChange, PeerChange, PrefixChange
from pywg.udp.memory import MemoryUdp
from pywg.udp.port import UdpPort

START = 1_000 * SECOND
WALL_START = 1_700_000_000 * SECOND


@dataclass
class Weather:
    """What the network does to datagrams. Probabilities and nanoseconds."""

    loss: float = 0.0
    duplicate: float = 0.0
    flip: float = 0.0
    delay: int = SECOND // 1000
    spread: int = 0
    """Up to so much is added to the delay of each datagram, which reorders them."""


@dataclass(frozen=True)
class Sent:
    """A datagram as it left a machine."""

    at: int
    source: Endpoint
    destination: Endpoint
    data: bytes
    tos: int


class World:
    """Time, events and the network."""

    def __init__(self, seed: int = 1) -> None:
        self.random = Random(seed)
        self.now = START
        self.weather = Weather()
        self.sent: list[Sent] = []
        self.keep_sent = True
        self.on_sent: list[Callable[[Sent], None]] = []
        self.on_arrived: list[Callable[[Sent], None]] = []
        """Called before a datagram is put into a socket, with its bytes as they arrive."""
        self.fate: Callable[[Sent], list[int]] | None = None
        """If set, decides instead of the weather: the delay of each copy of a datagram."""
        self.offline = False
        self._order = count()
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._hash = hashlib.sha256()
        self._sockets: dict[tuple[str, int], MemoryUdp] = {}

    @property
    def trace(self) -> str:
        return self._hash.hexdigest()

    def record(self, *facts: object) -> None:
        self._hash.update(repr((self.now, *facts)).encode())

    def at(self, when: int, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(when, self.now), next(self._order), do))

    def after(self, delay: int, do: Callable[[], None]) -> None:
        self.at(self.now + delay, do)

    def run_until(self, when: int) -> None:
        while self._events and self._events[0][0] <= when:
            self.now, _, do = heapq.heappop(self._events)
            do()
        self.now = when

    def run(self, seconds: float) -> None:
        self.run_until(self.now + int(seconds * SECOND))

    # The network (pywg.udp.memory.MemoryNetwork).

    def attach(self, socket: MemoryUdp) -> None:
        self._sockets[socket.local.host, socket.local.port] = socket

    def detach(self, endpoint: Endpoint) -> None:
        self._sockets.pop((endpoint.host, endpoint.port), None)

    def deliver(self, source: Endpoint, destination: Endpoint, data: bytes, tos: int, /) -> None:
        sent = Sent(self.now, source, destination, data, tos)
        self.record("sent", source, destination, data)
        if self.keep_sent:
            self.sent.append(sent)
        for hook in self.on_sent:
            hook(sent)
        if self.offline:
            return
        if self.fate is not None:
            for delay in self.fate(sent):
                self.after(delay, partial(self._arrive, sent))
            return
        weather = self.weather
        copies = 1 + (self.random.random() < weather.duplicate)
        for _ in range(copies):
            if self.random.random() < weather.loss:
                continue
            arriving = sent
            if self.random.random() < weather.flip:
                bit = self.random.randrange(len(data) * 8)
                flipped = bytearray(data)
                flipped[bit // 8] ^= 1 << bit % 8
                arriving = replace(sent, data=bytes(flipped))
            delay = weather.delay + (self.random.randrange(weather.spread) if weather.spread else 0)
            self.after(delay, partial(self._arrive, arriving))

    def _arrive(self, sent: Sent) -> None:
        socket = self._sockets.get((sent.destination.host, sent.destination.port))
        if socket is None or socket.closed:
            return
        for hook in self.on_arrived:
            hook(sent)
        socket.arrive(sent.source, sent.data, tos=sent.tos)


class MachineClock:
    """A machine's clocks: the world's time, plus its own sleep and its own idea of the date."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.slept = 0
        self.wall_offset = 0

    def boottime(self) -> int:
        return self._world.now + self.slept

    def monotonic(self) -> int:
        return self._world.now

    def wall(self) -> int:
        return WALL_START + self._world.now + self.wall_offset


@dataclass
class Lines:
    """A Log that keeps what it is told."""

    verbose_lines: list[str] = field(default_factory=list)
    error_lines: list[str] = field(default_factory=list)

    def verbose(self, text: str) -> None:
        self.verbose_lines.append(text)

    def error(self, text: str) -> None:
        self.error_lines.append(text)


class Machine:
    """A machine of the world: a TUN, a socket, an engine and a device."""

    running: ClassVar[list["Machine"]] = []
    """All that were started and not stopped; a fixture stops them after each test."""

    def __init__(
        self, world: World, address: str, inner: str, *, limits: Limits | None = None, port: int = 51820
    ) -> None:
        self.world = world
        self.limits = limits or Limits()
        self.clock = MachineClock(world)
        self.address = address
        self.inner = inner
        self.port = port
        self.private_key = world.random.randbytes(32)
        self.public_key = Identity(self.private_key).public_key
        self.log = Lines()
        self.delivered: list[bytes] = []
        self._wake: int | None = None
        self._pumping = False
        self.start()

    def start(self) -> None:
        """Begin anew, as after a restart: same key, no memory of peers or sessions."""
        self.tun = MemoryTun(capacity=1 << 20)
        self.udp: MemoryUdp | None = None
        self.engine = PythonEngine(
            limits=self.limits, clock=self.clock, mtu=1420, tun=self.tun, reactor=_Reactor(self)
        )
        Machine.running.append(self)
        self._poll = select.poll()
        self._poll.register(self.engine.fileno(), select.POLLIN)
        self.device = Device(
            engine=self.engine,
            why="simulated",
            clock=self.clock,
            scheduler=self,
            random_bytes=self.world.random.randbytes,
            open_sockets=self._open_sockets,
            log=self.log,
            limits=self.limits,
        )
        self.engine.start()
        self.device.apply(DeviceChange(private_key=self.private_key, listen_port=self.port))

    def stop(self) -> None:
        Machine.running.remove(self)
        self.device.close()
        self._wake = None

    def _open_sockets(self, port: int, mark: int) -> UdpSockets:
        self.udp = MemoryUdp(self.world, Endpoint(self.address, port))
        self.world.attach(self.udp)
        return UdpSockets(v4=self.udp, v6=None, port=port)

    def roam(self, address: str) -> None:
        assert self.udp is not None
        self.world.detach(self.udp.local)
        self.address = address
        self.udp.local = Endpoint(address, self.port)
        self.world.attach(self.udp)

    def suspend(self, seconds: int) -> None:
        """The monotonic clock stands still, boottime goes on. As on resume, a due boottime timer fires."""
        self.clock.slept += seconds * SECOND
        self.clock.wall_offset += seconds * SECOND
        wake, self._wake = self._wake, None
        self.wake_at(wake)

    # Scheduler.

    def wake_at(self, boottime_ns: int | None) -> None:
        if boottime_ns == self._wake:
            return
        self._wake = boottime_ns
        if boottime_ns is None:
            return

        def fire() -> None:
            if self._wake == boottime_ns and boottime_ns <= self.clock.boottime():
                self._wake = None
                self.world.record(self.address, "timer")
                self.device.on_timer()
                self.pump()

        self.world.at(boottime_ns - self.clock.slept, fire)

    def pump(self) -> None:
        """Let the device have its turn of the loop, if the engine has something to say."""
        if not self._pumping and self._poll.poll(0):
            self._pumping = True
            self.world.after(0, self._turn)
        for packet in self.tun.take():
            self.world.record(self.address, "delivered", packet)
            self.delivered.append(packet)

    def _turn(self) -> None:
        self._pumping = False
        if self._poll.poll(0):
            self.device.on_engine_ready()
        self.pump()

    # Use.

    def up(self) -> None:
        self.device.link_up()
        self.pump()

    def configure(self, *peers: PeerChange) -> None:
        self.device.apply(DeviceChange(peers=peers))
        self.pump()

    def knows(
        self,
        other: "Machine",
        *,
        psk: bytes | None = None,
        keepalive: int | None = None,
        endpoint: bool = True,
        allowed: str | None = None,
    ) -> None:
        self.configure(
            PeerChange(
                public_key=other.public_key,
                preshared_key=psk,
                endpoint=Endpoint(other.address, other.port) if endpoint else None,
                persistent_keepalive_interval=keepalive,
                allowed_ips=(PrefixChange(ip_network(allowed or other.inner)),),
            )
        )

    def send(self, other: "Machine", payload: bytes = b"hello") -> bytes:
        packet = ipv4(self.inner, other.inner, payload)
        self.tun.inject(packet)
        return packet


class _Reactor:
    """Calls readers when their memory port becomes readable, as an event of the world."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def add_reader(self, fd: TunPort | UdpPort, callback: Callable[[], None], /) -> None:
        world, port = self._machine.world, _in_memory(fd)
        waiting = False

        def readable() -> None:
            nonlocal waiting
            if not waiting:
                waiting = True
                world.after(0, run)

        def run() -> None:
            nonlocal waiting
            waiting = False
            if port.closed or port.on_readable is None:
                return
            callback()
            self._machine.pump()
            if port.readable:
                readable()

        port.on_readable = readable
        if port.readable:
            readable()

    def remove_reader(self, fd: TunPort | UdpPort, /) -> None:
        port = _in_memory(fd)
        port.on_readable = None


def _in_memory(port: TunPort | UdpPort) -> MemoryTun | MemoryUdp:
    assert isinstance(port, MemoryTun | MemoryUdp)
    return port


def ipv4(source: str, destination: str, payload: bytes) -> bytes:
    """An IPv4 packet of protocol 253 (for experiments, RFC 3692) without a checksum."""
    header = bytearray(20)
    header[0] = 0x45
    header[2:4] = (20 + len(payload)).to_bytes(2, "big")
    header[8:10] = b"\x40\xfd"
    header[12:16] = ip_address(source).packed
    header[16:20] = ip_address(destination).packed
    return bytes(header) + payload


def pair(
    seed: int = 1, *, limits: Limits | None = None, psk: bytes | None = None, keepalive: int | None = None
) -> tuple[World, Machine, Machine]:
    """Two machines that know each other and are up."""
    world = World(seed)
    a = Machine(world, "192.0.2.1", "10.0.0.1", limits=limits)
    b = Machine(world, "192.0.2.2", "10.0.0.2", limits=limits)
    a.knows(b, psk=psk, keepalive=keepalive)
    b.knows(a, psk=psk)
    a.up()
    b.up()
    return world, a, b
