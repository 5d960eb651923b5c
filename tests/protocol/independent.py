"""WireGuard and Noise handshakes made by the independent library ``noiseprotocol``, for comparison.

In: fixed keys, payloads and a prologue; out: messages, handshake hash and transport keys. Nothing of
``pywg.protocol`` is used, so that a shared mistake is unlikely.
"""

import warnings
from dataclasses import dataclass
from typing import Any

from noise.connection import Keypair, NoiseConnection

NAME = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"


@dataclass(frozen=True, slots=True)
class Side:
    """Private keys of one side."""

    static: bytes
    ephemeral: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A finished handshake as both sides of the library saw it."""

    first: bytes
    second: bytes
    handshake_hash: bytes
    initiator_key: bytes
    responder_key: bytes


def connection(side: Side, *, prologue: bytes, preshared_key: bytes, responder_public: bytes | None) -> Any:
    """One side, about to begin. With `responder_public` it is the initiator."""
    made = NoiseConnection.from_name(NAME)
    made.set_prologue(prologue)
    made.set_psks(preshared_key)
    made.set_keypair_from_private_bytes(Keypair.STATIC, side.static)
    made.set_keypair_from_private_bytes(Keypair.EPHEMERAL, side.ephemeral)
    if responder_public is None:
        made.set_as_responder()
    else:
        made.set_as_initiator()
        made.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, responder_public)
    with warnings.catch_warnings():
        # It rightly warns of fixed ephemerals.
        warnings.simplefilter("ignore", UserWarning)
        made.start_handshake()
    return made


def transport_keys(finished: Any) -> tuple[bytes, bytes]:
    """The keys a side sends and receives with."""
    protocol = finished.noise_protocol
    return bytes(protocol.cipher_state_encrypt.k), bytes(protocol.cipher_state_decrypt.k)


def exchange(
    initiator: Side,
    responder: Side,
    *,
    responder_public: bytes,
    prologue: bytes,
    preshared_key: bytes,
    first_payload: bytes,
    second_payload: bytes = b"",
) -> Exchange:
    """Run the library against itself."""
    ours = connection(
        initiator, prologue=prologue, preshared_key=preshared_key, responder_public=responder_public
    )
    theirs = connection(responder, prologue=prologue, preshared_key=preshared_key, responder_public=None)
    first = bytes(ours.write_message(first_payload))
    if bytes(theirs.read_message(first)) != first_payload:
        raise AssertionError("noiseprotocol does not agree with itself")
    second = bytes(theirs.write_message(second_payload))
    ours.read_message(second)
    initiator_key, responder_key = transport_keys(ours)
    return Exchange(first, second, bytes(ours.get_handshake_hash()), initiator_key, responder_key)
