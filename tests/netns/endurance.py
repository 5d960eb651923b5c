"""Minutes of everything at once: ``python -m tests.netns.endurance --minutes 10``, as root, in the project.

Comes in: how long, and which engine at which end. Goes out: memory, descriptors and threads of both daemons
as it goes, and the verdict. Rule: TCP streams both ways, a flood of small UDP datagrams, pings, changes of
port, MTU and peers all run beside rekeys every few seconds; after it no byte of TCP is wrong and nothing has
leaked.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.netns.daemon import KeyPair, Program
from tests.netns.hasty_daemon import REKEY_AFTER_SECONDS
from tests.netns.lab import End, Lab, Tunnel
from tests.netns.traffic import PingResult, Receiver, Sender, ping_command, udp_socket

MEGABYTE = 1_000_000
SAMPLE_SECONDS = 2.0
WARM_UP, LEAST_WARM_UP_SECONDS = 0.2, 25.0
"""Of the whole time: what daemons allocate until then is not held against them."""
WINDOW = 8
"""Samples at either end of what is compared: a moment's need goes away again, a leak does not."""
RSS_MAY_GROW = 1 << 20
FLOOD_BURST, FLOOD_PAUSE = 50, 0.01
"""Datagrams, and seconds between such bursts."""
STALL_SECONDS = 40.0
MTUS = (1420, 1280, 1400, 1337)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a process holds."""

    rss: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> "Figures":
        proc = Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        descriptors = sum(1 for _ in (proc / "fd").iterdir())
        return cls(int(status["VmRSS"].split()[0]) * 1024, descriptors, int(status["Threads"]))

    def __str__(self) -> str:
        return f"{self.rss / 1024:.0f} KiB, {self.descriptors} descriptors, {self.threads} threads"


@dataclass(slots=True)
class Stream:
    """One TCP transfer, checked when it ends."""

    receiver: Receiver
    sender: Sender
    size: int

    @property
    def is_over(self) -> bool:
        return self.sender.process.poll() is not None

    def check(self) -> None:
        """Every byte has arrived as it was sent."""
        sent, received = self.sender.end(STALL_SECONDS), self.receiver.end(STALL_SECONDS)
        assert (received.size, received.sha256) == (self.size, sent.sha256)


@dataclass(slots=True)
class Load:
    """Everything that goes on in one tunnel."""

    tunnel: Tunnel
    stack: ExitStack
    streams: dict[str, Stream] = field(default_factory=dict)
    bytes_checked: int = 0
    handshakes: set[int] = field(default_factory=set)
    _ports: int = 20_000
    _changes: int = 0
    _strangers: list[str] = field(default_factory=list)

    @property
    def ends(self) -> tuple[End, End]:
        return self.tunnel.initiator, self.tunnel.responder

    # Traffic.

    def start_stream(self, name: str, per_second: int) -> None:
        """The next transfer of that name; it lasts some ten seconds."""
        source, target = self.ends if name.startswith("there") else self.ends[::-1]
        address = target.addresses.inner6 if name.endswith("6") else target.addresses.inner4
        self._ports += 1
        size = per_second * 10
        receiver = self.stack.enter_context(Receiver(target.namespace, address, self._ports))
        sender = self.stack.enter_context(
            Sender(source.namespace, address, self._ports, size, per_second=per_second)
        )
        self.streams[name] = Stream(receiver, sender, size)

    def renew_streams(self, per_second: int) -> None:
        """Check those that are over, and start others in their place."""
        for name, stream in list(self.streams.items()):
            if stream.is_over:
                stream.check()
                self.bytes_checked += stream.size
                self.start_stream(name, per_second)

    def finish_streams(self) -> None:
        for stream in self.streams.values():
            stream.check()
            self.bytes_checked += stream.size

    def flood(self, stopped: threading.Event) -> None:
        """Small datagrams both ways, to sockets that nobody reads."""
        sockets = []
        for source, target in (self.ends, self.ends[::-1]):
            listener = udp_socket(target.namespace, target.addresses.inner4, 9)
            sender = udp_socket(source.namespace, source.addresses.inner4)
            sockets.append((sender, target.addresses.inner4))
            for one in (listener, sender):
                self.stack.callback(one.close)
        while not stopped.wait(FLOOD_PAUSE):
            for sender, address in sockets:
                for number in range(FLOOD_BURST):
                    try:
                        sender.sendto(bytes(number % 64), (address, 9))
                    except OSError:  # The queue of the interface is full, or it has just changed.
                        break

    # Changes.

    def change(self) -> None:
        """One change of configuration, another each time."""
        self._changes += 1
        end = self.ends[self._changes // 8 % 2]
        match self._changes % 8:
            case 0:
                end.port = 51820 + self._changes % 97
                end.daemon.set("listen-port", str(end.port))
            case 4:
                mtu = MTUS[self._changes // 4 % len(MTUS)]
                end.namespace.ip("link", "set", end.daemon.interface, "mtu", str(mtu))
            case _:
                self._change_strangers(end)
        for one, other in (self.ends, self.ends[::-1]):
            self.handshakes.add(one.daemon.peer(other.keys.public).latest_handshake)

    def _change_strangers(self, end: End) -> None:
        """Peers who are never there come and go, and take a prefix along."""
        if not self._strangers:
            self._strangers = [KeyPair.generate().public for _ in range(8)]
        stranger = self._strangers[self._changes % 8]
        if self._changes % 3:
            endpoint = f"192.0.2.{200 + self._changes % 8}:9"
            end.daemon.set("peer", stranger, "allowed-ips", "10.99.0.0/16,fd99::/64", "endpoint", endpoint)
        else:
            end.daemon.set("peer", stranger, "remove")


def endure(
    lab: Lab, seconds: float, engines: tuple[str, str], *, tell: Callable[[str], object], rate: int
) -> None:
    """Raises AssertionError if a byte was wrong or something leaked. `rate`: of a stream, bytes a second."""
    tunnel = lab.tunnel(Program.HASTY, Program.HASTY, engines=engines)
    ends = (tunnel.initiator, tunnel.responder)
    pings = tunnel.initiator.namespace.popen(
        *ping_command(tunnel.responder.addresses.inner4, "-q", count=int(seconds * 5), interval=0.2)
    )
    lab.at_end(pings.kill)
    samples: list[tuple[Figures, Figures]] = []
    stopped = threading.Event()
    with ExitStack() as stack:
        load = Load(tunnel, stack)
        for name in ("there4", "there6", "back4", "back6"):
            load.start_stream(name, rate)
        flood = threading.Thread(target=load.flood, args=(stopped,))
        flood.start()
        stack.callback(flood.join)
        stack.callback(stopped.set)
        started = next_sample = time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            load.change()
            load.renew_streams(rate)
            if time.monotonic() >= next_sample:
                next_sample += SAMPLE_SECONDS
                samples.append(
                    (Figures.of(ends[0].daemon.process.pid), Figures.of(ends[1].daemon.process.pid))
                )
                done = f"{passed:5.0f} s, {load.bytes_checked // MEGABYTE} MB of TCP right"
                tell(f"{done}; {engines[0]}: {samples[-1][0]}; {engines[1]}: {samples[-1][1]}")
            time.sleep(0.25)
        stopped.set()
        load.finish_streams()
        pinged = PingResult.parse(pings.communicate(timeout=30)[0])
        samples.append((Figures.of(ends[0].daemon.process.pid), Figures.of(ends[1].daemon.process.pid)))
    tell(
        f"{load.bytes_checked // MEGABYTE} MB of TCP right, {len(load.handshakes)} handshakes seen, "
        f"{pinged.lost} of {pinged.sent} pings lost"
    )
    assert len(load.handshakes) >= seconds / (3 * REKEY_AFTER_SECONDS), "too few handshakes to show anything"
    assert load.bytes_checked >= seconds * rate
    assert pinged.received > pinged.sent * 0.8
    for which, engine in enumerate(engines):
        _assert_nothing_leaked(engine, [pair[which] for pair in samples], tell)


def _assert_nothing_leaked(engine: str, samples: list[Figures], tell: Callable[[str], object]) -> None:
    warm = samples[max(int(len(samples) * WARM_UP), int(LEAST_WARM_UP_SECONDS / SAMPLE_SECONDS)) :]
    window = min(WINDOW, len(warm) // 2)
    grown = min(one.rss for one in warm[-window:]) - min(one.rss for one in warm[:window])
    tell(f"{engine}: RSS grew by {grown / 1024:.0f} KiB after the warm-up")
    assert grown <= RSS_MAY_GROW, f"{engine}: RSS grew by {grown} bytes"
    # A client of the UAPI socket may be connected at the moment of a sample.
    assert warm[-1].descriptors <= min(one.descriptors for one in warm) + 1, f"{engine}: descriptors leak"
    assert warm[-1].threads <= min(one.threads for one in warm), f"{engine}: threads leak"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.netns.endurance")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=8.0, help="MB a second of each of the four streams")
    parser.add_argument("--engines", nargs=2, default=("native", "native"), metavar="ENGINE")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pywg-endurance-") as directory, Lab(Path(directory)) as lab:
        endure(
            lab,
            chosen.minutes * 60,
            tuple(chosen.engines),
            tell=lambda text: print(text, flush=True),
            rate=int(chosen.rate * MEGABYTE),
        )
    print(f"{chosen.minutes:g} minutes endured: nothing was lost and nothing leaked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
