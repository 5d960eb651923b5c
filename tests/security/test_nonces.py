"""No key ever meets a nonce twice; counters have 64 bits and end before REJECT_AFTER_MESSAGES."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from pywg.engine.contract import Notice, Slot
from pywg.protocol import keypair
from pywg.protocol.constants import SECOND
from tests.engine.packets import ipv4
from tests.engine.rig import FarPeer, Rig, Session
from tests.simulation.world import Weather, pair

OUT = ipv4("10.0.0.1", "10.0.0.2", bytes(12))


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> set[tuple[bytes, bytes]]:
    """Every key and nonce that transport data was sealed under. A second use fails the test."""
    used: set[tuple[bytes, bytes]] = set()

    class Shim:
        def __init__(self, key: bytes) -> None:
            self._key = key
            self._cipher = ChaCha20Poly1305(key)

        def encrypt(self, nonce: bytes, data: Any, associated: bytes | None) -> bytes:
            assert (self._key, nonce) not in used, "a key met a nonce twice"
            used.add((self._key, nonce))
            return self._cipher.encrypt(nonce, data, associated)

        def decrypt(self, nonce: bytes, data: Any, associated: bytes | None) -> bytes:
            return self._cipher.decrypt(nonce, data, associated)

    monkeypatch.setattr(keypair, "ChaCha20Poly1305", Shim)
    return used


def test_no_key_meets_a_nonce_twice(sealed: set[tuple[bytes, bytes]]) -> None:
    """Through loss, duplicates, rekeying, restarts, suspend, link and key changes."""
    world, a, b = pair(23)
    world.keep_sent = False
    world.weather = Weather(loss=0.1, duplicate=0.2, spread=SECOND)
    for number in range(1_500):
        a.send(b)
        if number % 3:
            b.send(a)
        if number % 400 == 399:
            a.stop()
            a.start()
            a.knows(b)
            a.up()
        if number % 300 == 150:
            b.suspend(100)
        if number % 500 == 250:
            b.device.link_down()
            b.up()
        world.run(0.5)
    assert len(sealed) > 1_500
    assert len({key for key, _ in sealed}) > 10


@pytest.mark.parametrize("start", [2**31 - 1, 2**32 - 1, 2**60 - 1])
def test_counters_do_not_wrap(rig: Rig, peer: FarPeer, start: int) -> None:
    session = rig.connect(peer, counter=start)
    rig.write(OUT, OUT)
    assert [peer.open(session).counter for _ in range(2)] == [start + 1, start + 2]
    peer.send(session.seal(ipv4("10.0.0.2", "10.0.0.1"), start))
    peer.send(session.seal(ipv4("10.0.0.2", "10.0.0.1"), start + 1))
    for _ in range(2):
        assert rig.read()
    asked = Notice.REKEY_DUE if start + 3 > rig.limits.rekey_after_messages else Notice(0)
    assert rig.notices(peer) == asked


@pytest.mark.parametrize(("left", "allowed"), [(0, 0), (1, 1), (2, 2)])
def test_the_last_counters(rig: Rig, peer: FarPeer, left: int, allowed: int) -> None:
    limit = rig.limits.reject_after_messages
    session = Session(1, is_initiator=True, counter=limit - left)
    rig.engine.install(peer.id, session.keys, Slot.CURRENT)
    rig.write(OUT, OUT)
    assert [peer.open(session).counter for _ in range(allowed)] == list(range(limit - left, limit))
    assert peer.hears_nothing()
    assert Notice.KEYS_NEEDED in rig.notices(peer)
