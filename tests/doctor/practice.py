"""Running doctor in a namespace, and hand-made peers that do what a healthy one never would.

Comes in: namespaces and interface names. Goes out: exit status and findings; datagrams. Rule: the patient is
always a real daemon, and doctor a real process.
"""

import contextlib
import json
import os
import socket
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from pywg.base64_key import key_to_base64
from pywg.doctor.findings import Code
from pywg.protocol.constants import INITIATION_SIZE, SECOND, Limits
from pywg.protocol.cookie import CookieChecker, CookieSender
from pywg.protocol.handshake import Identity, RemoteStatic, create_initiation
from pywg.protocol.macs import mac, mac1_key
from pywg.protocol.messages import MACS_SIZE
from pywg.protocol.tai64n import tai64n
from tests.netns.daemon import daemon_environment
from tests.netns.namespace import Namespace
from tests.netns.traffic import ping, udp_socket
from tests.netns.wait import until


@dataclass(frozen=True, slots=True)
class Told:
    """One finding, as the JSON has it."""

    code: Code
    severity: str
    interface: str | None
    peer: str | None
    sentence: str
    advice: str | None


@dataclass(frozen=True, slots=True)
class Visit:
    """What doctor said."""

    status: int
    findings: tuple[Told, ...]

    @property
    def ill(self) -> list[Told]:
        """Warnings and problems."""
        return [one for one in self.findings if one.severity != "ok"]

    def of(self, public_key: str) -> list[Told]:
        """What is said of one peer, base64."""
        return [one for one in self.findings if one.peer == public_key]

    def ill_of(self, public_key: str) -> list[Told]:
        """Warnings and problems of one peer."""
        return [one for one in self.ill if one.peer == public_key]

    def the(self, code: Code) -> Told:
        """The only finding of that code."""
        (found,) = [one for one in self.findings if one.code is code]
        return found


def doctor(namespace: Namespace, *words: str) -> Visit:
    """``pywg doctor WORDS --json`` in a namespace."""
    done = namespace.run(
        sys.executable, "-P", "-m", "pywg", "doctor", *words, "--json", env=daemon_environment(), check=False
    )
    assert done.stderr == "", done.stderr
    form = json.loads(done.stdout)
    assert form["status"] == done.returncode
    findings = [
        Told(
            Code(one["code"]), one["severity"], one["interface"], one["peer"], one["sentence"], one["advice"]
        )
        for one in form["findings"]
    ]
    for one in findings:
        print(f"{one.severity:8} {one.code.value}: {one.sentence} -> {one.advice}")
    return Visit(done.returncode, tuple(findings))


def reach(namespace: Namespace, address: str) -> None:
    """Ping until there is an answer: the first handshake is done then."""
    until(lambda: bool(ping(namespace, address, count=1).received), f"{address} answers", seconds=10)


def ping_all(namespace: Namespace, *addresses: str) -> None:
    """One echo request to each, all at once; answers are nobody's concern."""
    script = "".join(f"ping -n -c1 -W1 {address} >/dev/null & " for address in addresses)
    namespace.run("sh", "-c", f"{script} wait")


class HandMade:
    """An initiator that says what it likes, from a socket in a namespace."""

    def __init__(self, namespace: Namespace, own: str, victim: tuple[str, int], victim_key: str) -> None:
        """`own`: its address; `victim`: address and port; `victim_key`: the key its MACs are made for."""
        self.identity = Identity(os.urandom(32))
        self.remote = RemoteStatic(self.identity, b64decode(victim_key))
        self.cookies = CookieSender(self.remote, Limits())
        self.socket = udp_socket(namespace, own)
        self.victim = victim

    @property
    def public_key(self) -> str:
        """Its own, base64."""
        return key_to_base64(self.identity.public_key)

    def make(self, at: int) -> bytes:
        """Message 1 with the time `at`, Unix seconds."""
        created = create_initiation(
            self.identity,
            self.remote,
            ephemeral_private=os.urandom(32),
            local_index=int.from_bytes(os.urandom(4), "little"),
            timestamp=tai64n(at * SECOND),
        )
        return self.cookies.seal(created.message, 0)

    def send(self, at: int) -> None:
        """Send it, 20 ms after the last at the least (the flood gate of a peer)."""
        time.sleep(0.025)
        while self.answer(within=0) is not None:
            pass  # It answers an earlier one.
        self.socket.sendto(self.make(at), self.victim)

    def answer(self, *, within: float = 5) -> bytes | None:
        """What came back, or None if nothing does for so many seconds."""
        self.socket.settimeout(within)
        try:
            return self.socket.recv(2048)
        except (TimeoutError, BlockingIOError):
            return None

    def flood(self, count: int) -> None:
        """Initiations of random bytes with a right MAC1: work for the victim, and nothing else."""
        key = mac1_key(self.remote.public_key)
        body = b"\1\0\0\0" + os.urandom(INITIATION_SIZE - 4 - MACS_SIZE)
        rubbish = body + mac(key, body) + bytes(MACS_SIZE // 2)
        for _ in range(count):
            self.socket.sendto(rubbish, self.victim)


@contextlib.contextmanager
def under_load(namespace: Namespace, address: str, port: int, public_key: str) -> Iterator[None]:
    """A responder that answers every initiation with a cookie reply and with nothing else."""
    listener = udp_socket(namespace, address, port)
    listener.settimeout(0.1)
    checker = CookieChecker(b64decode(public_key), Limits(), os.urandom)
    ended = threading.Event()

    def answer() -> None:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                data, (host, source_port, *_) = listener.recvfrom(2048)
                source = ip_address(host).packed + source_port.to_bytes(2, "big")
                reply = checker.create_reply(data, source, 0, nonce=os.urandom(24))
                listener.sendto(reply, (host, source_port))

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        listener.close()


def occupied(namespace: Namespace, port: int) -> socket.socket:
    """A socket of this process on a UDP port, which somebody else then cannot have."""
    return udp_socket(namespace, "0.0.0.0", port)  # noqa: S104 (in a namespace of its own)
