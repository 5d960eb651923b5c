"""What arrives at the side that is begun with, from peers made by hand; doctor names what is wrong."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pywg.base64_key import key_to_base64
from pywg.doctor.findings import Code
from pywg.uapi.client import UapiClient
from tests.doctor.practice import HandMade, doctor
from tests.netns.daemon import Daemon, KeyPair, Program
from tests.netns.lab import Lab
from tests.netns.namespace import Namespace
from tests.netns.wait import until

US4, THEM4 = "192.0.2.1", "192.0.2.2"
pytestmark = pytest.mark.usefixtures("doctors_tools")


@dataclass(frozen=True)
class Responder:
    """A daemon that only listens, whose peers are hand-made."""

    daemon: Daemon
    public_key: str
    here: Namespace

    def hand_made(self, *, made_for: str = "", known: bool = True) -> HandMade:
        one = HandMade(self.here, THEM4, (US4, 51820), made_for or self.public_key)
        if known:
            self.daemon.set("peer", key_to_base64(one.identity.public_key), "allowed-ips", "10.77.0.2/32")
        return one

    def refuses(self, one: HandMade, at: int) -> bool:
        """Whether it counts a refusal, and does not answer."""
        before = self._refusals()
        one.send(at)
        until(lambda: self._refusals() > before, "it has refused", seconds=10)
        return one.answer(within=0) is None

    def _refusals(self) -> int:
        status = UapiClient(self.daemon.interface).status()
        assert status is not None
        counts = [
            status.drops,
            status.handshake_failures,
            *(peer.handshake_failures for peer in status.peers),
        ]
        return sum(sum(each.values()) for each in counts)

    def forget(self, one: HandMade) -> None:
        self.daemon.set("peer", key_to_base64(one.identity.public_key), "remove")


@pytest.fixture(scope="module")
def responder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Responder]:
    with Lab(tmp_path_factory.mktemp("responder")) as lab:
        here, there = lab.namespace("a"), lab.namespace("b")
        lab.join(here, there)
        here.ip("address", "add", f"{US4}/24", "dev", "eth0")
        there.ip("address", "add", f"{THEM4}/24", "dev", "eth0")
        daemon = lab.start(Program.PYWG, here)
        key = KeyPair.generate()
        daemon.configure(f"[Interface]\nPrivateKey = {key.private}\nListenPort = 51820\n")
        here.ip("address", "add", "10.77.0.1/24", "dev", daemon.interface)
        here.ip("link", "set", daemon.interface, "up")
        daemon.until_link_is("up")
        yield Responder(daemon, key.public, there)


def test_made_for_another_key(responder: Responder) -> None:
    one = responder.hand_made(made_for=KeyPair.generate().public)
    assert responder.refuses(one, 1_700_000_000)
    visit = doctor(responder.daemon.namespace, responder.daemon.interface)
    (found,) = visit.ill
    assert found.code is Code.MADE_FOR_ANOTHER_KEY
    assert "made for another public key than ours" in found.sentence
    assert responder.public_key in (found.advice or "")
    responder.forget(one)


def test_a_peers_clock_is_behind(responder: Responder) -> None:
    one = responder.hand_made()
    one.send(1_700_000_000)
    assert one.answer() is not None
    assert responder.refuses(one, 1_600_000_000)
    visit = doctor(responder.daemon.namespace, responder.daemon.interface)
    (found,) = visit.ill_of(key_to_base64(one.identity.public_key))
    assert found.code is Code.STALE_TIMESTAMP
    assert "initiations (1) carry a time before that of an earlier one" in found.sentence
    responder.forget(one)


def test_answers_are_never_used(responder: Responder) -> None:
    one = responder.hand_made()
    for second in range(3):
        one.send(1_700_000_000 + second)
        assert one.answer() is not None
    visit = doctor(responder.daemon.namespace, responder.daemon.interface)
    (found,) = visit.ill_of(key_to_base64(one.identity.public_key))
    assert found.code is Code.NEVER_CONFIRMED
    assert "were answered 3 times" in found.sentence
    responder.forget(one)


def test_a_handshake_just_begun(responder: Responder) -> None:
    """No verdict yet. It must be asked for within 2 s, so that a busy machine gets another try."""
    daemon = responder.daemon
    for number in range(1, 9):
        peer = KeyPair.generate().public
        nobody = ("endpoint", f"192.0.2.{90 + number}:9", "persistent-keepalive", "25")
        daemon.set("peer", peer, "allowed-ips", "10.77.0.3/32", *nobody)
        (found,) = doctor(daemon.namespace, daemon.interface).of(peer)
        daemon.set("peer", peer, "remove")
        if found.code is not Code.NOTHING_CAME_BACK:
            break
    assert found.code is Code.HANDSHAKE_PENDING
    assert found.severity == "warning"


def test_an_unknown_key_under_load_and_at_a_rate(responder: Responder) -> None:
    """The last, for what it shows is remembered for minutes."""
    stranger = responder.hand_made(known=False)
    assert responder.refuses(stranger, 1_700_000_000)
    key = key_to_base64(stranger.identity.public_key)
    found = doctor(responder.daemon.namespace, responder.daemon.interface).the(Code.UNKNOWN_KEY)
    assert (
        f"from {THEM4}:{stranger.socket.getsockname()[1]} with a public key that no peer here has: {key}"
        in (found.sentence)
    )
    one = responder.hand_made()

    def is_asked_who_it_is() -> bool:
        """While the other is under load: its queue may be full, and the load over before it is our turn."""
        stranger.flood(3000)
        one.send(1_700_000_000)
        reply = one.answer(within=2)
        return reply is not None and one.cookies.consume_reply(reply, 0)

    until(is_asked_who_it_is, "under load, it wants to know who is there", seconds=20)

    def insist() -> bool:
        """Faster than 20 a second, with a cookie, while it is under load."""
        stranger.flood(2000)
        for _ in range(50):
            one.socket.sendto(one.make(1_700_000_000), one.victim)
            time.sleep(0.01)
        return "rate_limit" in str(UapiClient(responder.daemon.interface).status())

    until(insist, "it is rate limited", seconds=10)
    visit = doctor(responder.daemon.namespace, responder.daemon.interface)
    assert "so many handshakes arrive" in visit.the(Code.UNDER_LOAD).sentence
    assert "one source sends too many" in visit.the(Code.RATE_LIMITED).sentence
