"""The Noise pattern IKpsk2 with Curve25519, ChaCha20-Poly1305 and BLAKE2s, and nothing of WireGuard.

In: prologue, payloads, keys of both kinds and the preshared key; out: the two messages, the handshake hash
and the two transport keys. The rule kept: Noise Protocol Framework revision 34, sections 5 (processing) and
7.5 (``IK``), 9 (``psk2``), in the KDF1/2/3 notation of whitepaper 5.4.

    <- s
    ...
    -> e, es, s, ss, payload
    <- e, ee, se, psk, payload

In this pattern every AEAD follows a token that makes a new key, so each handshake key seals once, with
nonce 0, and lives only between those two steps. What lasts is the chaining key and the hash: a value,
never changed in place. A forged message therefore cannot spoil a handshake that is under way.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from pywg.protocol.constants import KEY_SIZE, TAG_SIZE
from pywg.protocol.failures import HandshakeError, HandshakeFailure, ZeroSharedSecret

PROTOCOL_NAME: Final = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"

_NONCE: Final = bytes(12)
_SEALED_KEY_SIZE: Final = KEY_SIZE + TAG_SIZE


def dh(private: X25519PrivateKey, public: bytes) -> bytes:
    """X25519 of our private and the other side's public key, 32 bytes.

    Raises ZeroSharedSecret if `public` is of low order, ValueError if it is not 32 bytes.
    """
    other = X25519PublicKey.from_public_bytes(public)
    try:
        return private.exchange(other)
    except ValueError:
        # The one thing OpenSSL refuses here is an all-zero result (RFC 7748, section 6.1).
        raise ZeroSharedSecret from None


def public_bytes(private: X25519PrivateKey) -> bytes:
    """The public key that belongs to a private one, 32 bytes."""
    return private.public_key().public_bytes_raw()


def _hash(data: bytes) -> bytes:
    return hashlib.blake2s(data).digest()


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.blake2s)


def kdf1(key: bytes, material: bytes) -> bytes:
    """HKDF over HMAC-BLAKE2s with one output of 32 bytes; `key` is the chaining key."""
    return _hmac(_hmac(key, material), b"\x01")


def kdf2(key: bytes, material: bytes) -> tuple[bytes, bytes]:
    """As `kdf1`, with two outputs."""
    secret = _hmac(key, material)
    first = _hmac(secret, b"\x01")
    return first, _hmac(secret, first + b"\x02")


def kdf3(key: bytes, material: bytes) -> tuple[bytes, bytes, bytes]:
    """As `kdf1`, with three outputs."""
    secret = _hmac(key, material)
    first = _hmac(secret, b"\x01")
    second = _hmac(secret, first + b"\x02")
    return first, second, _hmac(secret, second + b"\x03")


@dataclass(frozen=True, slots=True, eq=False)
class SymmetricState:
    """Chaining key and handshake hash (Noise 5.2). Each step returns the state after it."""

    chaining_key: bytes = field(repr=False)
    hash: bytes = field(repr=False)

    def mix_hash(self, data: bytes) -> "SymmetricState":
        """MixHash."""
        return SymmetricState(self.chaining_key, _hash(self.hash + data))

    def mix_chaining_key(self, material: bytes) -> "SymmetricState":
        """MixKey where the cipher key would be replaced before it is used."""
        return SymmetricState(kdf1(self.chaining_key, material), self.hash)

    def mix_key(self, material: bytes) -> tuple["SymmetricState", bytes]:
        """MixKey: the state and the key for the one AEAD that follows."""
        chaining_key, key = kdf2(self.chaining_key, material)
        return SymmetricState(chaining_key, self.hash), key

    def mix_key_and_hash(self, material: bytes) -> tuple["SymmetricState", bytes]:
        """MixKeyAndHash, for the preshared key."""
        chaining_key, tau, key = kdf3(self.chaining_key, material)
        return SymmetricState(chaining_key, _hash(self.hash + tau)), key

    def seal(self, key: bytes, plaintext: bytes) -> tuple["SymmetricState", bytes]:
        """EncryptAndHash."""
        ciphertext = ChaCha20Poly1305(key).encrypt(_NONCE, plaintext, self.hash)
        return self.mix_hash(ciphertext), ciphertext

    def open(self, key: bytes, ciphertext: bytes) -> tuple["SymmetricState", bytes]:
        """DecryptAndHash. Raises HandshakeError (AEAD)."""
        try:
            plaintext = ChaCha20Poly1305(key).decrypt(_NONCE, ciphertext, self.hash)
        except InvalidTag:
            raise HandshakeError(HandshakeFailure.AEAD) from None
        return self.mix_hash(ciphertext), plaintext


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A first message made by us, and the state to read the answer with."""

    message: bytes
    state: SymmetricState


@dataclass(frozen=True, slots=True, eq=False)
class Claimed:
    """A first message opened up to the sender's static key, which it has yet to prove it holds."""

    remote_static: bytes
    remote_ephemeral: bytes
    sealed_payload: bytes
    state: SymmetricState


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A first message that is authentic, and the state to write the answer with."""

    payload: bytes
    remote_ephemeral: bytes
    state: SymmetricState


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """The end of a handshake. `message` is what we wrote, `payload` what we read, else empty."""

    message: bytes
    payload: bytes
    handshake_hash: bytes = field(repr=False)
    initiator_key: bytes = field(repr=False)
    """Key under which the initiator sends."""
    responder_key: bytes = field(repr=False)
    """Key under which the responder sends."""


def begin(prologue: bytes, responder_static: bytes) -> SymmetricState:
    """The state both sides start from: name, prologue and the responder's known public key."""
    start = _hash(PROTOCOL_NAME)
    return SymmetricState(start, start).mix_hash(prologue).mix_hash(responder_static)


def write_first(
    state: SymmetricState,
    *,
    ephemeral: X25519PrivateKey,
    static_public: bytes,
    remote_static: bytes,
    static_static: bytes,
    payload: bytes,
) -> Written:
    """Initiator: ``-> e, es, s, ss, payload``.

    `static_static` is `dh` of both static keys, which callers compute once per peer. Raises ZeroSharedSecret.
    """
    e = public_bytes(ephemeral)
    state = state.mix_hash(e).mix_chaining_key(e)
    state, key = state.mix_key(dh(ephemeral, remote_static))
    state, sealed_static = state.seal(key, static_public)
    state, key = state.mix_key(static_static)
    state, sealed_payload = state.seal(key, payload)
    return Written(e + sealed_static + sealed_payload, state)


def open_first(state: SymmetricState, *, static: X25519PrivateKey, message: bytes) -> Claimed:
    """Responder: ``e, es, s`` of the first message, enough to look the sender up.

    Raises HandshakeError (AEAD), ZeroSharedSecret; ValueError if not even `e` is there.
    """
    e, sealed_static = message[:KEY_SIZE], message[KEY_SIZE : KEY_SIZE + _SEALED_KEY_SIZE]
    state = state.mix_hash(e).mix_chaining_key(e)
    state, key = state.mix_key(dh(static, e))
    state, remote_static = state.open(key, sealed_static)
    return Claimed(remote_static, e, message[KEY_SIZE + _SEALED_KEY_SIZE :], state)


def read_first(claimed: Claimed, *, static_static: bytes) -> Read:
    """Responder: ``ss, payload``, which proves that the sender holds its static key.

    Raises HandshakeError (AEAD).
    """
    state, key = claimed.state.mix_key(static_static)
    state, payload = state.open(key, claimed.sealed_payload)
    return Read(payload, claimed.remote_ephemeral, state)


def write_second(
    state: SymmetricState,
    *,
    ephemeral: X25519PrivateKey,
    remote_ephemeral: bytes,
    remote_static: bytes,
    preshared_key: bytes,
    payload: bytes,
) -> Finished:
    """Responder: ``<- e, ee, se, psk, payload``. Raises ZeroSharedSecret."""
    e = public_bytes(ephemeral)
    state = state.mix_hash(e).mix_chaining_key(e)
    state = state.mix_chaining_key(dh(ephemeral, remote_ephemeral))
    state = state.mix_chaining_key(dh(ephemeral, remote_static))
    state, key = state.mix_key_and_hash(preshared_key)
    state, sealed_payload = state.seal(key, payload)
    return _finish(state, message=e + sealed_payload)


def read_second(
    state: SymmetricState,
    *,
    ephemeral: X25519PrivateKey,
    static: X25519PrivateKey,
    preshared_key: bytes,
    message: bytes,
) -> Finished:
    """Initiator: ``e, ee, se, psk, payload`` of the answer.

    Raises HandshakeError (AEAD), ZeroSharedSecret; ValueError if not even `e` is there.
    """
    e = message[:KEY_SIZE]
    state = state.mix_hash(e).mix_chaining_key(e)
    state = state.mix_chaining_key(dh(ephemeral, e))
    state = state.mix_chaining_key(dh(static, e))
    state, key = state.mix_key_and_hash(preshared_key)
    state, payload = state.open(key, message[KEY_SIZE:])
    return _finish(state, payload=payload)


def _finish(state: SymmetricState, *, message: bytes = b"", payload: bytes = b"") -> Finished:
    """Split (Noise 5.2): the chaining key becomes the two transport keys."""
    initiator_key, responder_key = kdf2(state.chaining_key, b"")
    return Finished(message, payload, state.hash, initiator_key, responder_key)
