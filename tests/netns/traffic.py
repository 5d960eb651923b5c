"""Traffic through a tunnel: pings, TCP transfers with a hash at both ends, single UDP datagrams.

Comes in: namespaces and addresses. Goes out: counts and hashes, as small results. Rule: every wait ends.
"""

import ctypes
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.netns.namespace import NAMESPACES, CommandError, Namespace

_STREAM = str(Path(__file__).with_name("stream.py"))
_REPLIES = re.compile(r"(\d+) packets transmitted, (\d+) received")


@dataclass(frozen=True, slots=True)
class PingResult:
    """What ``ping`` counted, and its whole output."""

    sent: int
    received: int
    output: str

    @property
    def lost(self) -> int:
        """Echo requests without a reply."""
        return self.sent - self.received

    @classmethod
    def parse(cls, output: str) -> "PingResult":
        """Read the summary line."""
        found = _REPLIES.search(output)
        if found is None:
            raise CommandError(f"ping did not run: {output}")
        return cls(int(found[1]), int(found[2]), output)


def ping_command(
    address: str, *options: str, count: int, interval: float, wait: float = 2, size: int = 56
) -> list[str]:
    """The command line of iputils' ping; `wait` is the time in seconds given to the last reply."""
    numbers = ["-c", str(count), "-i", str(interval), "-W", str(wait), "-s", str(size)]
    return ["ping", "-n", *numbers, *options, address]


def ping(
    namespace: Namespace,
    address: str,
    *options: str,
    count: int = 3,
    interval: float = 0.05,
    wait: float = 2,
    size: int = 56,
) -> PingResult:
    """Send `count` echo requests with `size` bytes of payload."""
    command = ping_command(address, *options, count=count, interval=interval, wait=wait, size=size)
    done = namespace.run(*command, check=False, timeout=count * (interval + wait) + 10)
    return PingResult.parse(done.stdout + done.stderr)


def assert_pings(namespace: Namespace, address: str, *options: str, count: int = 3, size: int = 56) -> None:
    """Every one of `count` echo requests is answered, before a lost handshake would have been repeated."""
    result = ping(namespace, address, *options, count=count, size=size, wait=4)
    assert result.received == count, result.output


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """What one end of a transfer saw."""

    size: int
    sha256: str
    seconds: float

    @classmethod
    def parse(cls, line: str) -> "StreamEnd":
        """Read the last line of ``stream.py``."""
        size, sha256, seconds = line.split()
        return cls(int(size), sha256, float(seconds))


def _stream(namespace: Namespace, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        namespace.command(sys.executable, "-I", "-S", _STREAM, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _end(process: subprocess.Popen[str], timeout: float) -> StreamEnd:
    try:
        output, errors = process.communicate(timeout=timeout)
    finally:
        process.kill()
    if process.returncode != 0:
        raise CommandError(f"TCP {process.args!r}: {errors}")
    return StreamEnd.parse(output.splitlines()[-1])


class Receiver:
    """The listening end, in `namespace` at `address`; leaving the context kills it."""

    def __init__(self, namespace: Namespace, address: str, port: int) -> None:
        self.process = _stream(namespace, "receive", address, str(port))
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            raise CommandError(f"TCP receiver on {address}: {self.process.communicate()[1]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self, timeout: float) -> StreamEnd:
        """Wait for the end of the stream."""
        return _end(self.process, timeout)


class Sender:
    """The connecting end; leaving the context kills it.

    Where something is to happen during it, `size` is more than will be sent: it goes on until `enough`.
    """

    def __init__(
        self, namespace: Namespace, address: str, port: int, size: int, *, per_second: int = 0
    ) -> None:
        self.process = _stream(namespace, "send", address, str(port), str(size), str(per_second))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.communicate()

    def enough(self) -> None:
        """Tell it to end; fails if all was sent already."""
        assert self.process.poll() is None, "the transfer ended too early to show anything"
        self.process.terminate()

    def end(self, timeout: float) -> StreamEnd:
        """Wait until all is sent."""
        return _end(self.process, timeout)


def assert_transfers(
    source: Namespace, destination: Namespace, address: str, size: int, *, timeout: float = 60
) -> float:
    """Send `size` bytes over TCP from `source` to `address` in `destination`; returns Mbit/s.

    Fails unless the hashes of both ends are equal.
    """
    port = 5001
    with Receiver(destination, address, port) as receiver, Sender(source, address, port, size) as sender:
        sent, received = sender.end(timeout), receiver.end(timeout)
    assert received.size == size
    assert received.sha256 == sent.sha256
    rate = size * 8 / received.seconds / 1e6
    print(f"{size} bytes to {address}: {rate:.0f} Mbit/s")
    return rate


def udp_socket(namespace: Namespace, address: str, port: int = 0) -> socket.socket:
    """A UDP socket of this process, bound to `address` inside `namespace`, with a timeout of 1 s.

    A socket stays in the namespace it was made in: a thread goes there (setns(2) moves one thread), makes it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newnet = 0x40000000

    def make() -> socket.socket:
        with (NAMESPACES / namespace.name).open("rb") as there:
            if libc.setns(there.fileno(), clone_newnet) != 0:
                raise OSError(ctypes.get_errno(), f"setns to {namespace.name}")
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        made.settimeout(1)
        made.bind((address, port))
        return made

    with ThreadPoolExecutor(1) as one_thread:
        return one_thread.submit(make).result()


def arrives(listener: socket.socket, *, within: float = 1.0) -> bytes | None:
    """The next datagram, or None if there is none for `within` seconds."""
    listener.settimeout(within)
    try:
        return listener.recv(65535)
    except TimeoutError:
        return None
