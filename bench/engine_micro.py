"""Packets a second through the Python engine alone: seal (TUN to UDP) and open (UDP to TUN).

Two engines with keys for each other, socketpairs for TUNs, real UDP sockets on the loopback interface; no
root. Only the engines' own calls are timed, one batch at a time, so what the two cost can be told apart.
Run: .venv/bin/python -m bench.engine_micro [PACKET_SIZE ...]
"""

import socket
import sys
import time
from collections.abc import Callable
from ipaddress import ip_network
from statistics import median

from pywg.clock import SystemClock
from pywg.endpoint import Endpoint
from pywg.engine.contract import AllowedIpChange, PeerId, Slot, TransportKeys, UdpSockets
from pywg.engine.python import PythonEngine
from pywg.protocol.constants import DEFAULT_MTU, Limits
from pywg.tun.descriptor import DescriptorTun
from pywg.tun.port import TunPort
from pywg.udp.linux import open_sockets
from pywg.udp.port import UdpPort

BATCH = 64
SECONDS = 2.0
PEER = PeerId(1)


class Callbacks:
    """A reactor that waits for nothing: the benchmark knows what is readable."""

    def __init__(self) -> None:
        self.of: dict[TunPort | UdpPort, Callable[[], None]] = {}

    def add_reader(self, port: TunPort | UdpPort, callback: Callable[[], None], /) -> None:
        self.of[port] = callback

    def remove_reader(self, port: TunPort | UdpPort, /) -> None:
        self.of.pop(port, None)


class End:
    """One engine with its TUN's far side."""

    def __init__(self, address: str, local_index: int, other: str, remote_index: int) -> None:
        self.application, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.application.setblocking(False)
        for end in (self.application, inside):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        self.reactor = Callbacks()
        self.tun = DescriptorTun(inside.detach())
        self.sockets: UdpSockets = open_sockets(0, 0)
        self.engine = PythonEngine(
            limits=Limits(), clock=SystemClock(), mtu=DEFAULT_MTU, tun=self.tun, reactor=self.reactor
        )
        self.engine.start()
        self.engine.swap_sockets(self.sockets)
        self.engine.add_peer(PEER)
        self.engine.change_allowed_ips([AllowedIpChange(PEER, ip_network(other))])
        self.address, self._local, self._remote = address, local_index, remote_index

    def connect(self, port: int, send_key: bytes, receive_key: bytes) -> None:
        self.engine.set_endpoint(PEER, Endpoint("127.0.0.1", port))
        keys = TransportKeys(
            send_key=send_key,
            receive_key=receive_key,
            local_index=self._local,
            remote_index=self._remote,
            is_initiator=True,
            born=SystemClock().boottime(),
        )
        self.engine.install(PEER, keys, Slot.CURRENT)


def packet(source: str, destination: str, size: int) -> bytes:
    header = bytearray(20)
    header[0] = 0x45
    header[2:4] = size.to_bytes(2, "big")
    header[8:10] = b"\x40\xfd"
    header[12:16], header[16:20] = socket.inet_aton(source), socket.inet_aton(destination)
    return bytes(header) + bytes(size - 20)


def measure(left: End, right: End, size: int) -> tuple[float, float]:
    """Packets a second, by the median batch: sealed by `left`, opened by `right`."""
    one = packet(left.address, right.address, size)
    udp = right.sockets.v4
    assert udp is not None
    seal, receive = left.reactor.of[left.tun], right.reactor.of[udp]
    sealing, opening = [], []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for _ in range(BATCH):
            left.application.send(one)
        before = time.perf_counter_ns()
        seal()
        between = time.perf_counter_ns()
        receive()
        after = time.perf_counter_ns()
        for _ in range(BATCH):
            right.application.recv(65536)  # Raises BlockingIOError if one is missing.
        sealing.append(between - before)
        opening.append(after - between)
    return BATCH / median(sealing) * 1e9, BATCH / median(opening) * 1e9


def main() -> None:
    sizes = [int(argument) for argument in sys.argv[1:]] or [64, 1420]
    left, right = End("10.0.0.1", 1, "10.0.0.2", 2), End("10.0.0.2", 2, "10.0.0.1", 1)
    left.connect(right.sockets.port, b"\1" * 32, b"\2" * 32)
    right.connect(left.sockets.port, b"\2" * 32, b"\1" * 32)
    for end in (left, right):
        assert end.sockets.v4 is not None
        end.reactor.of[end.sockets.v4]()
    for size in sizes:
        sealed, opened = measure(left, right, size)
        print(
            f"{size:5} bytes: seal {sealed:9,.0f} packets/s ({sealed * size * 8 / 1e9:.2f} Gbit/s)"
            f"   open {opened:9,.0f} packets/s ({opened * size * 8 / 1e9:.2f} Gbit/s)"
        )
    for end in (left, right):
        end.engine.close()


if __name__ == "__main__":
    main()
