"""The Noise pattern against the public vector, the KDF's known answers and an independent library."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from pywg.protocol import noise
from pywg.protocol.failures import HandshakeError, HandshakeFailure, ZeroSharedSecret
from tests.protocol import independent
from tests.vectors import load

KEYS = st.binary(min_size=32, max_size=32)
LOW_ORDER = [bytes.fromhex(point) for point in load("low_order_points")["points"]]
STATE = noise.begin(b"", bytes(32))


def private(key: bytes) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(key)


def public(key: bytes) -> bytes:
    return noise.public_bytes(private(key))


def run(
    initiator: independent.Side,
    responder: independent.Side,
    *,
    prologue: bytes,
    preshared_key: bytes,
    first_payload: bytes,
    second_payload: bytes,
) -> tuple[noise.Written, noise.Finished, noise.Finished]:
    """Both sides of the production code: message 1, the responder's end, the initiator's end."""
    begun = noise.begin(prologue, public(responder.static))
    first = noise.write_first(
        begun,
        ephemeral=private(initiator.ephemeral),
        static_public=public(initiator.static),
        remote_static=public(responder.static),
        static_static=noise.dh(private(initiator.static), public(responder.static)),
        payload=first_payload,
    )
    claimed = noise.open_first(begun, static=private(responder.static), message=first.message)
    assert claimed.remote_static == public(initiator.static)
    read = noise.read_first(claimed, static_static=noise.dh(private(responder.static), claimed.remote_static))
    assert read.payload == first_payload
    responded = noise.write_second(
        read.state,
        ephemeral=private(responder.ephemeral),
        remote_ephemeral=read.remote_ephemeral,
        remote_static=claimed.remote_static,
        preshared_key=preshared_key,
        payload=second_payload,
    )
    answered = noise.read_second(
        first.state,
        ephemeral=private(initiator.ephemeral),
        static=private(initiator.static),
        preshared_key=preshared_key,
        message=responded.message,
    )
    assert answered.payload == second_payload
    return first, responded, answered


def side(known: dict[str, str]) -> independent.Side:
    return independent.Side(bytes.fromhex(known["static_private"]), bytes.fromhex(known["ephemeral_private"]))


def test_public_ikpsk2_vector() -> None:
    known = load("noise_ikpsk2")
    assert known["protocol"].encode() == noise.PROTOCOL_NAME
    responder = side(known["responder"])
    assert public(responder.static).hex() == known["responder"]["static_public"]
    payloads = [bytes.fromhex(step["payload"]) for step in known["handshake"]]
    first, responded, answered = run(
        side(known["initiator"]),
        responder,
        prologue=bytes.fromhex(known["prologue"]),
        preshared_key=bytes.fromhex(known["preshared_key"]),
        first_payload=payloads[0],
        second_payload=payloads[1],
    )
    assert [first.message.hex(), responded.message.hex()] == [step["message"] for step in known["handshake"]]
    for end in (responded, answered):
        assert end.handshake_hash.hex() == known["handshake_hash"]
        ciphers = ChaCha20Poly1305(end.initiator_key), ChaCha20Poly1305(end.responder_key)
        for turn, step in enumerate(known["transport"]):
            nonce = bytes(4) + (turn // 2).to_bytes(8, "little")
            sealed = ciphers[turn % 2].encrypt(nonce, bytes.fromhex(step["payload"]), b"")
            assert sealed.hex() == step["message"]


@pytest.mark.parametrize("known", load("kdf")["cases"])
def test_kdf(known: dict[str, Any]) -> None:
    key, material = bytes.fromhex(known["key"]), bytes.fromhex(known["material"])
    outputs = tuple(bytes.fromhex(output) for output in known["outputs"])
    assert noise.kdf1(key, material) == outputs[0]
    assert noise.kdf2(key, material) == outputs[:2]
    assert noise.kdf3(key, material) == outputs


@settings(max_examples=40)
@given(
    keys=st.tuples(KEYS, KEYS, KEYS, KEYS),
    preshared_key=KEYS | st.just(bytes(32)),
    prologue=st.binary(max_size=80),
    payloads=st.tuples(st.binary(max_size=80), st.binary(max_size=80)),
)
def test_equals_an_independent_library(
    keys: tuple[bytes, bytes, bytes, bytes],
    preshared_key: bytes,
    prologue: bytes,
    payloads: tuple[bytes, bytes],
) -> None:
    initiator, responder = independent.Side(*keys[:2]), independent.Side(*keys[2:])
    expected = independent.exchange(
        initiator,
        responder,
        responder_public=public(responder.static),
        prologue=prologue,
        preshared_key=preshared_key,
        first_payload=payloads[0],
        second_payload=payloads[1],
    )
    first, responded, answered = run(
        initiator,
        responder,
        prologue=prologue,
        preshared_key=preshared_key,
        first_payload=payloads[0],
        second_payload=payloads[1],
    )
    assert (first.message, responded.message) == (expected.first, expected.second)
    for end in (responded, answered):
        assert end.handshake_hash == expected.handshake_hash
        assert (end.initiator_key, end.responder_key) == (expected.initiator_key, expected.responder_key)


@pytest.mark.parametrize("high_bit", [0, 0x80], ids=["", "high-bit"])
@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:8])
class TestLowOrder:
    """Each of the four exchanges refuses each of the seven points, on both sides where both can meet it.

    X25519 ignores the highest bit of a public key, so a point with it set is the same point.
    """

    @staticmethod
    def spelled(point: bytes, high_bit: int) -> bytes:
        return point[:31] + bytes([point[31] | high_bit])

    def test_es_of_initiator(self, point: bytes, high_bit: int) -> None:
        with pytest.raises(ZeroSharedSecret):
            noise.write_first(
                STATE,
                ephemeral=private(bytes([7] * 32)),
                static_public=public(bytes([8] * 32)),
                remote_static=self.spelled(point, high_bit),
                static_static=bytes([9] * 32),
                payload=b"",
            )

    def test_es_of_responder(self, point: bytes, high_bit: int) -> None:
        message = self.spelled(point, high_bit) + bytes(64)
        with pytest.raises(ZeroSharedSecret):
            noise.open_first(STATE, static=private(bytes([7] * 32)), message=message)

    def test_ss(self, point: bytes, high_bit: int) -> None:
        with pytest.raises(ZeroSharedSecret) as caught:
            noise.dh(private(bytes([7] * 32)), self.spelled(point, high_bit))
        assert caught.value.cause is HandshakeFailure.ZERO_SECRET

    @pytest.mark.parametrize("exchange", ["ee", "se"])
    def test_ee_and_se_of_responder(self, point: bytes, high_bit: int, exchange: str) -> None:
        good, bad = public(bytes([8] * 32)), self.spelled(point, high_bit)
        with pytest.raises(ZeroSharedSecret):
            noise.write_second(
                STATE,
                ephemeral=private(bytes([7] * 32)),
                remote_ephemeral=bad if exchange == "ee" else good,
                remote_static=bad if exchange == "se" else good,
                preshared_key=bytes(32),
                payload=b"",
            )

    def test_ee_and_se_of_initiator(self, point: bytes, high_bit: int) -> None:
        """The responder's ephemeral is in both: `ee` meets it first."""
        with pytest.raises(ZeroSharedSecret):
            noise.read_second(
                STATE,
                ephemeral=private(bytes([7] * 32)),
                static=private(bytes([8] * 32)),
                preshared_key=bytes(32),
                message=self.spelled(point, high_bit) + bytes(16),
            )


def test_short_public_key_is_no_zero_secret() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        noise.dh(private(bytes([7] * 32)), bytes(31))


def test_state_is_a_value() -> None:
    """A step that fails, or succeeds, leaves the state it began from usable."""
    before = (STATE.chaining_key, STATE.hash)
    after, sealed = STATE.seal(bytes(32), b"payload")
    with pytest.raises(HandshakeError) as caught:
        STATE.open(bytes(32), sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert caught.value.cause is HandshakeFailure.AEAD
    opened, plaintext = STATE.open(bytes(32), sealed)
    assert plaintext == b"payload"
    assert opened.hash == after.hash != before[1]
    assert (STATE.chaining_key, STATE.hash) == before
