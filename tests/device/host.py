"""A device with either engine, on real sockets of the loopback interface and real time, without a daemon.

Comes in: configuration, and packets of an application. Goes out: packets. Rule: the simulation
(tests/simulation) has a clock and a network of its own and so can run the Python engine only; what a device
does together with its engine is tried here with both, in seconds instead of days.
"""

import os
import selectors
import socket
import time
from collections.abc import Callable
from ipaddress import ip_network
from typing import TypeVar

from pywg.clock import SystemClock
from pywg.device import Device
from pywg.endpoint import Endpoint
from pywg.engine.choose import create_engine
from pywg.protocol.constants import Limits
from pywg.protocol.handshake import Identity
from pywg.tun.descriptor import DescriptorTun
from pywg.uapi.model import DeviceChange, PeerChange, PeerStatus, PrefixChange
from pywg.udp.linux import open_sockets
from tests.engine.packets import ipv4
from tests.engine.rig import MTU, PATIENCE, SelectorReactor
from tests.simulation.world import Lines

T = TypeVar("T")


class Host:
    """One device, up, with a TUN whose other end is `application`."""

    def __init__(self, engine: str, number: int, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.inner = f"10.0.0.{number}"
        self.log = Lines()
        self.private_key = os.urandom(32)
        self.application, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.application.setblocking(False)
        self.reactor = SelectorReactor()
        clock = SystemClock()
        choice = create_engine(
            engine,
            limits=self.limits,
            clock=clock,
            mtu=MTU,
            tun=DescriptorTun(inside.detach()),
            reactor=self.reactor,
        )
        self.engine = choice.engine
        assert self.engine.name == engine
        self._clock = clock
        self._wake: int | None = None
        self._ready = selectors.DefaultSelector()
        self._ready.register(self.engine, selectors.EVENT_READ)
        self.device = Device(
            engine=self.engine,
            why="tested",
            clock=clock,
            scheduler=self,
            random_bytes=os.urandom,
            open_sockets=open_sockets,
            log=self.log,
            limits=self.limits,
        )
        self.engine.start()
        self.device.apply(DeviceChange(private_key=self.private_key, listen_port=0))
        self.device.link_up()

    def close(self) -> None:
        self._ready.close()
        self.device.close()
        self.reactor.close()
        self.application.close()

    @property
    def public_key(self) -> bytes:
        return Identity(self.private_key).public_key

    @property
    def port(self) -> int:
        return self.device.get_state().listen_port

    def wake_at(self, boottime_ns: int | None) -> None:
        """The device's alarm (Scheduler)."""
        self._wake = boottime_ns

    def turn(self) -> None:
        """What a loop does in one turn."""
        self.reactor.turn(0)
        if self._ready.select(0):
            self.device.on_engine_ready()
        if self._wake is not None and self._clock.boottime() >= self._wake:
            self._wake = None
            self.device.on_timer()

    def knows(self, other: "Host", *, endpoint: bool = True, keepalive: int | None = None) -> None:
        at = Endpoint("127.0.0.1", other.port) if endpoint else None
        self.configure(
            PeerChange(
                public_key=other.public_key,
                endpoint=at,
                persistent_keepalive_interval=keepalive,
                allowed_ips=(PrefixChange(ip_network(other.inner)),),
            )
        )

    def configure(self, *peers: PeerChange) -> None:
        self.device.apply(DeviceChange(peers=peers))

    def send(self, other: "Host", payload: bytes = b"hello") -> bytes:
        """From the application behind the TUN."""
        packet = ipv4(self.inner, other.inner, payload)
        self.application.send(packet)
        return packet

    def received(self) -> bytes | None:
        try:
            return self.application.recv(65_536)
        except BlockingIOError:
            return None

    def drain(self) -> list[bytes]:
        """Everything that is there."""
        return list(iter(self.received, None))

    def peer_status(self) -> PeerStatus:
        (peer,) = self.device.get_status().peers
        return peer


def wait(hosts: tuple[Host, ...], ask: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Let the hosts run until `ask` answers with something true."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {ask}"
        for host in hosts:
            host.turn()
        time.sleep(0.0005)
    return answer


def run(hosts: tuple[Host, ...], seconds: float) -> None:
    """Let the hosts run for a while."""
    until = time.monotonic() + seconds
    wait(hosts, lambda: time.monotonic() >= until, seconds + PATIENCE)


def passes(hosts: tuple[Host, Host], payload: bytes = b"hello") -> None:
    """A packet gets through, each way."""
    for sender, receiver in (hosts, hosts[::-1]):
        packet = sender.send(receiver, payload)
        assert wait(hosts, receiver.received) == packet
