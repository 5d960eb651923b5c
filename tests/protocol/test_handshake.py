"""WireGuard's messages 1 and 2: transcripts, an independent library, forged messages."""

import hashlib
import random
import struct
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pywg.protocol import noise
from pywg.protocol.constants import Limits
from pywg.protocol.cookie import CookieSender, check_mac1, mac1_key
from pywg.protocol.handshake import (
    PROLOGUE,
    CreatedInitiation,
    CreatedResponse,
    HandshakeError,
    HandshakeFailure,
    Identity,
    ReceivedInitiation,
    RemoteStatic,
    SessionKeys,
    ZeroSharedSecret,
    create_initiation,
    create_response,
    open_initiation,
    read_initiation,
    read_response,
)
from pywg.protocol.messages import Initiation, MalformedMessage, Response
from tests.protocol import independent, make_transcripts
from tests.vectors import load

KEYS = st.binary(min_size=32, max_size=32)
INDICES = st.integers(0, 2**32 - 1)
LOW_ORDER = [bytes.fromhex(point) for point in load("low_order_points")["points"]]
NO_MACS = bytes(32)
TIMESTAMP = bytes.fromhex("400000006553f10a01000000")


@dataclass(frozen=True)
class Pair:
    """Two sides that know each other, with one handshake between them."""

    initiator: Identity
    responder: Identity
    of_initiator: RemoteStatic
    """The initiator as the responder knows it."""
    of_responder: RemoteStatic
    preshared_key: bytes
    initiation: CreatedInitiation
    received: ReceivedInitiation
    response: CreatedResponse

    def read_response(self, datagram: bytes, preshared_key: bytes | None = None) -> SessionKeys:
        return read_response(
            self.initiator,
            self.of_responder,
            self.initiation.pending,
            datagram,
            preshared_key=self.preshared_key if preshared_key is None else preshared_key,
        )


def seal(remote: RemoteStatic, message: bytes) -> bytes:
    return CookieSender(remote, Limits()).seal(message, 0)


def pair(
    keys: tuple[bytes, bytes, bytes, bytes] = (b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32),
    *,
    indices: tuple[int, int] = (0x01020304, 0xF1F2F3F4),
    preshared_key: bytes = bytes(32),
    timestamp: bytes = TIMESTAMP,
) -> Pair:
    """Keys: initiator's static and ephemeral, responder's static and ephemeral."""
    initiator, responder = Identity(keys[0]), Identity(keys[2])
    of_initiator = RemoteStatic(responder, initiator.public_key)
    of_responder = RemoteStatic(initiator, responder.public_key)
    initiation = create_initiation(
        initiator, of_responder, ephemeral_private=keys[1], local_index=indices[0], timestamp=timestamp
    )
    opened = open_initiation(responder, seal(of_responder, initiation.message))
    assert opened.public_key == initiator.public_key
    received = read_initiation(opened, of_initiator)
    response = create_response(
        received,
        of_initiator,
        preshared_key=preshared_key,
        ephemeral_private=keys[3],
        local_index=indices[1],
    )
    return Pair(
        initiator, responder, of_initiator, of_responder, preshared_key, initiation, received, response
    )


def keys_of(known: dict[str, Any]) -> tuple[bytes, bytes, bytes, bytes]:
    names = ("static_private", "ephemeral_private")
    values = [bytes.fromhex(known[side][name]) for side in ("initiator", "responder") for name in names]
    return values[0], values[1], values[2], values[3]


def test_transcripts_file_is_what_its_script_makes() -> None:
    assert load("wireguard_transcripts") == make_transcripts.document()


@pytest.mark.parametrize("known", load("wireguard_transcripts")["cases"])
def test_transcripts(known: dict[str, Any]) -> None:
    made = pair(
        keys_of(known),
        indices=(known["initiator"]["index"], known["responder"]["index"]),
        preshared_key=bytes.fromhex(known["preshared_key"]),
        timestamp=bytes.fromhex(known["timestamp"]),
    )
    response = seal(made.of_initiator, made.response.message)
    assert seal(made.of_responder, made.initiation.message).hex() == known["initiation"]
    assert response.hex() == known["response"]
    assert made.received.timestamp.hex() == known["timestamp"]
    ours, theirs = made.read_response(response), made.response.session
    assert ours.send_key.hex() == theirs.receive_key.hex() == known["initiator_key"]
    assert ours.receive_key.hex() == theirs.send_key.hex() == known["responder_key"]
    assert ours.local_index == theirs.remote_index == known["initiator"]["index"]
    assert ours.remote_index == theirs.local_index == known["responder"]["index"]
    assert (ours.is_initiator, theirs.is_initiator) == (True, False)


@settings(max_examples=40)
@given(
    keys=st.tuples(KEYS, KEYS, KEYS, KEYS),
    preshared_key=KEYS | st.just(bytes(32)),
    indices=st.tuples(INDICES, INDICES),
    timestamp=st.binary(min_size=12, max_size=12),
)
def test_each_role_with_an_independent_library(
    keys: tuple[bytes, bytes, bytes, bytes],
    preshared_key: bytes,
    indices: tuple[int, int],
    timestamp: bytes,
) -> None:
    """Our initiator with its responder, its initiator with our responder: the same bytes, the same keys."""
    made = pair(keys, indices=indices, preshared_key=preshared_key, timestamp=timestamp)
    initiator, responder = independent.Side(*keys[:2]), independent.Side(*keys[2:])

    # The library responds to our initiation.
    library = independent.connection(
        responder, prologue=PROLOGUE, preshared_key=preshared_key, responder_public=None
    )
    assert bytes(library.read_message(made.initiation.message[8:])) == timestamp
    header = struct.pack("<III", 2, indices[1], indices[0])
    second = bytes(library.write_message(b""))
    session = made.read_response(header + second + NO_MACS)
    assert (session.receive_key, session.send_key) == independent.transport_keys(library)

    # We respond to the library's initiation.
    library = independent.connection(
        initiator,
        prologue=PROLOGUE,
        preshared_key=preshared_key,
        responder_public=made.responder.public_key,
    )
    first = struct.pack("<II", 1, indices[0]) + bytes(library.write_message(timestamp))
    opened = open_initiation(made.responder, first + NO_MACS)
    received = read_initiation(opened, made.of_initiator)
    assert received.timestamp == timestamp
    response = create_response(
        received,
        made.of_initiator,
        preshared_key=preshared_key,
        ephemeral_private=keys[3],
        local_index=indices[1],
    )
    library.read_message(response.message[12:])
    assert (response.session.receive_key, response.session.send_key) == independent.transport_keys(library)

    assert first == made.initiation.message
    assert response.message == made.response.message == header + second


class TestForged:
    """What somebody without the keys can do to a message."""

    def test_each_byte_of_an_initiation(self) -> None:
        made = pair()
        good = seal(made.of_responder, made.initiation.message)
        for place in range(len(good)):
            bad = good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :]
            # MAC1 covers all before it; MAC2 is not its business.
            assert check_mac1(made.responder.mac1_key, bad) == (place >= 132)
            if place < 4:
                with pytest.raises(MalformedMessage):
                    open_initiation(made.responder, bad)
            elif 8 <= place < 116:
                with pytest.raises(HandshakeError) as caught:
                    read_initiation(open_initiation(made.responder, bad), made.of_initiator)
                assert caught.value.cause is HandshakeFailure.AEAD

    def test_each_byte_of_a_response(self) -> None:
        made = pair()
        good = seal(made.of_initiator, made.response.message)
        for place in range(len(good)):
            bad = good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :]
            assert check_mac1(made.initiator.mac1_key, bad) == (place >= 76)
            if place < 4:
                with pytest.raises(MalformedMessage):
                    made.read_response(bad)
            elif 8 <= place < 60:
                with pytest.raises(HandshakeError) as caught:
                    made.read_response(bad)
                index = place < 12
                assert caught.value.cause is (
                    HandshakeFailure.UNKNOWN_INDEX if index else HandshakeFailure.AEAD
                )
        # None of them did harm to the pending initiation.
        assert made.read_response(good).send_key == made.response.session.receive_key

    def test_another_preshared_key(self) -> None:
        made = pair(preshared_key=b"p" * 32)
        response = seal(made.of_initiator, made.response.message)
        with pytest.raises(HandshakeError) as caught:
            made.read_response(response, preshared_key=bytes(32))
        assert caught.value.cause is HandshakeFailure.AEAD

    def test_initiation_for_another_device(self) -> None:
        made = pair()
        with pytest.raises(HandshakeError) as caught:
            open_initiation(Identity(b"x" * 32), made.initiation.message + NO_MACS)
        assert caught.value.cause is HandshakeFailure.AEAD

    def test_claiming_the_key_of_somebody_else(self) -> None:
        """A sender that knows all public keys opens as the peer it names, and then fails the proof."""
        made = pair()
        victim = Identity(b"v" * 32)
        written = noise.write_first(
            noise.begin(PROLOGUE, made.responder.public_key),
            ephemeral=made.initiation.pending.ephemeral,
            static_public=victim.public_key,
            remote_static=made.responder.public_key,
            static_static=made.initiator.shared_secret(made.responder.public_key),
            payload=TIMESTAMP,
        )
        opened = open_initiation(made.responder, struct.pack("<II", 1, 7) + written.message + NO_MACS)
        assert opened.public_key == victim.public_key
        with pytest.raises(HandshakeError) as caught:
            read_initiation(opened, RemoteStatic(made.responder, victim.public_key))
        assert caught.value.cause is HandshakeFailure.AEAD

    @pytest.mark.parametrize("size", [0, 3, 91, 93, 116, 147, 149])
    def test_wrong_sizes(self, size: int) -> None:
        made = pair()
        with pytest.raises(MalformedMessage):
            open_initiation(made.responder, (made.initiation.message + bytes(64))[:size])
        with pytest.raises(MalformedMessage):
            made.read_response((made.response.message + bytes(100))[:size])


@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:8])
class TestLowOrder:
    """The whole messages an attacker could make with a public key of low order: it knows the zero secrets."""

    def test_peer_static_key(self, point: bytes) -> None:
        identity = Identity(b"a" * 32)
        remote = RemoteStatic(identity, point)
        assert remote.static_static is None
        with pytest.raises(ZeroSharedSecret):
            create_initiation(
                identity, remote, ephemeral_private=b"e" * 32, local_index=1, timestamp=TIMESTAMP
            )

    def test_initiation_from_such_a_static_key(self, point: bytes) -> None:
        made = pair()
        ephemeral = made.initiation.pending.ephemeral
        written = noise.write_first(
            noise.begin(PROLOGUE, made.responder.public_key),
            ephemeral=ephemeral,
            static_public=point,
            remote_static=made.responder.public_key,
            static_static=bytes(32),
            payload=TIMESTAMP,
        )
        opened = open_initiation(made.responder, struct.pack("<II", 1, 7) + written.message + NO_MACS)
        assert opened.public_key == point
        with pytest.raises(ZeroSharedSecret):
            read_initiation(opened, RemoteStatic(made.responder, point))

    def test_initiation_with_such_an_ephemeral(self, point: bytes) -> None:
        made = pair()
        state = noise.begin(PROLOGUE, made.responder.public_key).mix_hash(point).mix_chaining_key(point)
        state, key = state.mix_key(bytes(32))
        _, sealed_static = state.seal(key, made.initiator.public_key)
        datagram = Initiation(7, point, sealed_static, bytes(28)).to_bytes()
        with pytest.raises(ZeroSharedSecret):
            open_initiation(made.responder, datagram)

    def test_response_with_such_an_ephemeral(self, point: bytes) -> None:
        made = pair()
        state = made.received.first.state.mix_hash(point).mix_chaining_key(point)
        state, key = state.mix_chaining_key(bytes(32)).mix_chaining_key(bytes(32)).mix_key_and_hash(bytes(32))
        _, sealed_nothing = state.seal(key, b"")
        datagram = Response(7, made.initiation.pending.local_index, point, sealed_nothing).to_bytes()
        with pytest.raises(ZeroSharedSecret):
            made.read_response(datagram)

    def test_shared_secret(self, point: bytes) -> None:
        with pytest.raises(ZeroSharedSecret):
            Identity(b"a" * 32).shared_secret(point)


class TestIdentity:
    @pytest.mark.parametrize("size", [0, 31, 33])
    def test_wrong_lengths(self, size: int) -> None:
        with pytest.raises(ValueError, match=f"{size} bytes; expected 32"):
            Identity(bytes(size))
        with pytest.raises(ValueError, match=f"{size} bytes; expected 32"):
            RemoteStatic(None, bytes(size))

    def test_clamping(self) -> None:
        """RFC 7748, section 5: three low bits off, the highest off, the next on. Nothing else changes."""
        ones = Identity(b"\xff" * 32).private_bytes()
        zeros = Identity(bytes(32)).private_bytes()
        assert ones == b"\xf8" + b"\xff" * 30 + b"\x7f"
        assert zeros == bytes(31) + b"\x40"
        raw = random.Random(5).randbytes(32)
        identity = Identity(raw)
        assert Identity(identity.private_bytes()).public_key == identity.public_key
        assert identity.private_bytes()[1:31] == raw[1:31]

    def test_rfc_7748_keys(self) -> None:
        """RFC 7748, section 6.1: Alice and Bob."""
        alice, bob = (
            Identity(bytes.fromhex(private))
            for private in (
                "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
                "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
            )
        )
        assert alice.public_key.hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
        assert bob.public_key.hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
        shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
        assert alice.shared_secret(bob.public_key).hex() == shared
        assert RemoteStatic(bob, alice.public_key).require_static_static().hex() == shared


class TestNoIdentity:
    def test_remote_without_identity_refuses(self) -> None:
        made = pair()
        remote = RemoteStatic(None, made.responder.public_key)
        assert remote.static_static is None
        with pytest.raises(HandshakeError) as caught:
            create_initiation(
                made.initiator, remote, ephemeral_private=b"e" * 32, local_index=1, timestamp=TIMESTAMP
            )
        assert caught.value.cause is HandshakeFailure.NO_PRIVATE_KEY
        with pytest.raises(HandshakeError) as caught:
            read_response(
                made.initiator,
                remote,
                made.initiation.pending,
                made.response.message + NO_MACS,
                preshared_key=bytes(32),
            )
        assert caught.value.cause is HandshakeFailure.NO_PRIVATE_KEY

    def test_mac1_key_needs_none(self) -> None:
        made = pair()
        key = RemoteStatic(None, made.responder.public_key).mac1_key
        assert key == made.responder.mac1_key == mac1_key(made.responder.public_key)
        assert key == hashlib.blake2s(b"mac1----" + made.responder.public_key).digest()


def test_every_cause_has_a_sentence() -> None:
    for cause in HandshakeFailure:
        error = HandshakeError(cause)
        assert (error.cause, "\n" in str(error), ";" in str(error)) == (cause, False, True)
