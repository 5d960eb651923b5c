"""WireGuard's messages 1 and 2 as the four steps of a handshake (whitepaper 5.4.2, 5.4.3).

In: keys, indices, a timestamp and datagrams; out: messages without their MACs, and session keys. The rules
kept: WireGuard is Noise IKpsk2 with its own prologue and a TAI64N timestamp as the payload of message 1;
every error leaves the state of the caller as it was. MACs are the business of `cookie`, the order of
timestamps and the flood gate that of the device.

    initiator: create_initiation ----------------------------> read_response
    responder:          open_initiation, read_initiation, create_response
"""

from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from pywg.protocol import noise
from pywg.protocol.constants import KEY_SIZE, TAG_SIZE
from pywg.protocol.failures import HandshakeError, HandshakeFailure, ZeroSharedSecret
from pywg.protocol.identity import Identity, RemoteStatic
from pywg.protocol.messages import MACS_SIZE, Initiation, Response

__all__ = [
    "PROLOGUE",
    "CreatedInitiation",
    "CreatedResponse",
    "HandshakeError",
    "HandshakeFailure",
    "Identity",
    "OpenedInitiation",
    "PendingInitiation",
    "ReceivedInitiation",
    "RemoteStatic",
    "SessionKeys",
    "ZeroSharedSecret",
    "create_initiation",
    "create_response",
    "open_initiation",
    "read_initiation",
    "read_response",
]

PROLOGUE: Final = b"WireGuard v1 zx2c4 Jason@zx2c4.com"

# Where the Noise message lies in the datagram: after type and indices, before the MACs.
_INITIATION_NOISE: Final = slice(8, -MACS_SIZE)
_RESPONSE_NOISE: Final = slice(12, -MACS_SIZE)
# Within the first Noise message, behind `e` and the sealed `s`.
_SEALED_TIMESTAMP_AT: Final = KEY_SIZE + KEY_SIZE + TAG_SIZE


@dataclass(frozen=True, slots=True, eq=False)
class SessionKeys:
    """What a handshake leaves: two keys of 32 bytes and the names both sides gave the session."""

    send_key: bytes = field(repr=False)
    receive_key: bytes = field(repr=False)
    local_index: int
    remote_index: int
    is_initiator: bool


@dataclass(frozen=True, slots=True, eq=False)
class PendingInitiation:
    """An initiation of ours that waits for its response."""

    local_index: int
    ephemeral: X25519PrivateKey = field(repr=False)
    state: noise.SymmetricState = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class CreatedInitiation:
    """Message 1 before its MACs (116 bytes), and what to keep until the response."""

    message: bytes
    pending: PendingInitiation


@dataclass(frozen=True, slots=True, eq=False)
class OpenedInitiation:
    """An initiation whose sender claims `public_key` and has not proved it."""

    public_key: bytes
    remote_index: int
    claimed: noise.Claimed = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class ReceivedInitiation:
    """An authentic initiation. Whether it is new is told by `timestamp`, compared as bytes."""

    timestamp: bytes
    remote_index: int
    first: noise.Read = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class CreatedResponse:
    """Message 2 before its MACs (60 bytes), and the session it opens."""

    message: bytes
    session: SessionKeys


def create_initiation(
    identity: Identity,
    remote: RemoteStatic,
    *,
    ephemeral_private: bytes,
    local_index: int,
    timestamp: bytes,
) -> CreatedInitiation:
    """Make message 1 for a peer.

    `ephemeral_private` is 32 fresh random bytes, `timestamp` 12 bytes of TAI64N. Raises ZeroSharedSecret for
    a peer whose public key is of low order, HandshakeError (NO_PRIVATE_KEY) if `remote` knows no identity.
    """
    ephemeral = X25519PrivateKey.from_private_bytes(ephemeral_private)
    first = noise.write_first(
        noise.begin(PROLOGUE, remote.public_key),
        ephemeral=ephemeral,
        static_public=identity.public_key,
        remote_static=remote.public_key,
        static_static=remote.require_static_static(),
        payload=timestamp,
    )
    e, sealed_static = first.message[:KEY_SIZE], first.message[KEY_SIZE:_SEALED_TIMESTAMP_AT]
    sealed_timestamp = first.message[_SEALED_TIMESTAMP_AT:]
    message = Initiation(local_index, e, sealed_static, sealed_timestamp).to_bytes()[:-MACS_SIZE]
    return CreatedInitiation(message, PendingInitiation(local_index, ephemeral, first.state))


def open_initiation(identity: Identity, datagram: bytes) -> OpenedInitiation:
    """Open a message 1 as far as the sender's static key. Its MAC1 must have been checked.

    Raises HandshakeError (AEAD), ZeroSharedSecret, MalformedMessage.
    """
    message = Initiation.parse(datagram)
    claimed = noise.open_first(
        noise.begin(PROLOGUE, identity.public_key),
        static=identity.private,
        message=datagram[_INITIATION_NOISE],
    )
    return OpenedInitiation(claimed.remote_static, message.sender_index, claimed)


def read_initiation(opened: OpenedInitiation, remote: RemoteStatic) -> ReceivedInitiation:
    """Prove that the sender is `remote`, the peer with the claimed public key, and read its timestamp.

    Raises HandshakeError (AEAD, or NO_PRIVATE_KEY as above), ZeroSharedSecret.
    """
    first = noise.read_first(opened.claimed, static_static=remote.require_static_static())
    return ReceivedInitiation(first.payload, opened.remote_index, first)


def create_response(
    received: ReceivedInitiation,
    remote: RemoteStatic,
    *,
    preshared_key: bytes,
    ephemeral_private: bytes,
    local_index: int,
) -> CreatedResponse:
    """Make message 2 and the session it opens, in which the initiator must speak first.

    `preshared_key` is 32 bytes, zeros when unset; `ephemeral_private` is 32 fresh random bytes.
    Raises ZeroSharedSecret.
    """
    second = noise.write_second(
        received.first.state,
        ephemeral=X25519PrivateKey.from_private_bytes(ephemeral_private),
        remote_ephemeral=received.first.remote_ephemeral,
        remote_static=remote.public_key,
        preshared_key=preshared_key,
        payload=b"",
    )
    e, sealed_nothing = second.message[:KEY_SIZE], second.message[KEY_SIZE:]
    message = Response(local_index, received.remote_index, e, sealed_nothing).to_bytes()[:-MACS_SIZE]
    session = SessionKeys(
        send_key=second.responder_key,
        receive_key=second.initiator_key,
        local_index=local_index,
        remote_index=received.remote_index,
        is_initiator=False,
    )
    return CreatedResponse(message, session)


def read_response(
    identity: Identity,
    remote: RemoteStatic,
    pending: PendingInitiation,
    datagram: bytes,
    *,
    preshared_key: bytes,
) -> SessionKeys:
    """Read message 2. Its MAC1 must have been checked. `pending` stays usable after any error.

    `preshared_key` is 32 bytes, zeros when unset. Raises HandshakeError (AEAD; UNKNOWN_INDEX if it answers
    another initiation; NO_PRIVATE_KEY as above), ZeroSharedSecret, MalformedMessage.
    """
    message = Response.parse(datagram)
    if message.receiver_index != pending.local_index:
        raise HandshakeError(HandshakeFailure.UNKNOWN_INDEX)
    # Our identity may have changed since message 1 was sent, and `remote` with it.
    remote.require_static_static()
    second = noise.read_second(
        pending.state,
        ephemeral=pending.ephemeral,
        static=identity.private,
        preshared_key=preshared_key,
        message=datagram[_RESPONSE_NOISE],
    )
    return SessionKeys(
        send_key=second.initiator_key,
        receive_key=second.responder_key,
        local_index=pending.local_index,
        remote_index=message.sender_index,
        is_initiator=True,
    )
