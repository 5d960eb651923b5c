"""The four datagrams of WireGuard as bytes and as fields (whitepaper 5.4).

In: datagrams or fields; out: fields or datagrams. The rule kept: a message has one type byte, three zero
bytes and, handshakes and cookie replies, exactly one size; integers are little-endian. Nothing here knows
what the fields mean.
"""

import struct
from dataclasses import dataclass
from typing import Final, Self

from pywg.protocol.constants import (
    COOKIE_REPLY_SIZE,
    INITIATION_SIZE,
    KEEPALIVE_SIZE,
    MAC_SIZE,
    RESPONSE_SIZE,
    MessageType,
)

Datagram = bytes | bytearray | memoryview
"""Any form a received datagram comes in."""

MACS_SIZE: Final = 2 * MAC_SIZE
"""MAC1 and MAC2, the end of messages 1 and 2."""

NO_MAC: Final = bytes(MAC_SIZE)
"""MAC2 of a sender that has no cookie."""

_TYPE: Final = struct.Struct("<I")
_INITIATION: Final = struct.Struct("<II32s48s28s16s16s")
_RESPONSE: Final = struct.Struct("<III32s16s16s16s")
_COOKIE_REPLY: Final = struct.Struct("<II24s32s")

TRANSPORT_HEADER: Final = struct.Struct("<IIQ")
"""Type, receiver index, counter. The packet loops use it as it is, and pay for no object."""

_EXACT_SIZES: Final = {
    INITIATION_SIZE: MessageType.INITIATION,
    RESPONSE_SIZE: MessageType.RESPONSE,
    COOKIE_REPLY_SIZE: MessageType.COOKIE_REPLY,
}


class MalformedMessage(ValueError):  # noqa: N818 (names what came in)
    """The bytes are not a message of the type asked for."""


def message_type(data: Datagram) -> MessageType | None:
    """Type of a datagram by its first four bytes and its size, or None if no message looks like that.

    Messages 1 to 3 have exactly one size; transport data has at least 32 bytes (an empty payload).
    """
    size = len(data)
    if size < KEEPALIVE_SIZE:
        return None
    # Read as one little-endian word: the three reserved bytes must be zero.
    kind: int = _TYPE.unpack_from(data)[0]
    if kind == MessageType.TRANSPORT_DATA:
        return MessageType.TRANSPORT_DATA
    expected = _EXACT_SIZES.get(size)
    return expected if kind == expected else None


def _require(data: Datagram, kind: MessageType) -> None:
    if message_type(data) is not kind:
        name = kind.name.lower().replace("_", " ")
        raise MalformedMessage(f"{len(data)} bytes are no {name}; drop the datagram")


@dataclass(frozen=True, slots=True)
class Initiation:
    """Message 1, initiator to responder (whitepaper 5.4.2)."""

    sender_index: int
    ephemeral: bytes
    encrypted_static: bytes
    encrypted_timestamp: bytes
    mac1: bytes = NO_MAC
    mac2: bytes = NO_MAC

    @classmethod
    def parse(cls, data: Datagram) -> Self:
        """Raises MalformedMessage."""
        _require(data, MessageType.INITIATION)
        return cls(*_INITIATION.unpack(data)[1:])

    def to_bytes(self) -> bytes:
        """148 bytes."""
        return _INITIATION.pack(
            MessageType.INITIATION,
            self.sender_index,
            self.ephemeral,
            self.encrypted_static,
            self.encrypted_timestamp,
            self.mac1,
            self.mac2,
        )


@dataclass(frozen=True, slots=True)
class Response:
    """Message 2, responder to initiator (whitepaper 5.4.3)."""

    sender_index: int
    receiver_index: int
    ephemeral: bytes
    encrypted_nothing: bytes
    mac1: bytes = NO_MAC
    mac2: bytes = NO_MAC

    @classmethod
    def parse(cls, data: Datagram) -> Self:
        """Raises MalformedMessage."""
        _require(data, MessageType.RESPONSE)
        return cls(*_RESPONSE.unpack(data)[1:])

    def to_bytes(self) -> bytes:
        """92 bytes."""
        return _RESPONSE.pack(
            MessageType.RESPONSE,
            self.sender_index,
            self.receiver_index,
            self.ephemeral,
            self.encrypted_nothing,
            self.mac1,
            self.mac2,
        )


@dataclass(frozen=True, slots=True)
class CookieReply:
    """Message 3, from a loaded receiver of 1 or 2 to its sender (whitepaper 5.4.7)."""

    receiver_index: int
    nonce: bytes
    encrypted_cookie: bytes

    @classmethod
    def parse(cls, data: Datagram) -> Self:
        """Raises MalformedMessage."""
        _require(data, MessageType.COOKIE_REPLY)
        return cls(*_COOKIE_REPLY.unpack(data)[1:])

    def to_bytes(self) -> bytes:
        """64 bytes."""
        return _COOKIE_REPLY.pack(
            MessageType.COOKIE_REPLY, self.receiver_index, self.nonce, self.encrypted_cookie
        )


@dataclass(frozen=True, slots=True)
class TransportHeader:
    """The first 16 bytes of message 4; the sealed packet follows (whitepaper 5.4.6)."""

    receiver_index: int
    counter: int

    @classmethod
    def parse(cls, data: Datagram) -> Self:
        """Reads the head of a whole datagram of at least 32 bytes. Raises MalformedMessage."""
        _require(data, MessageType.TRANSPORT_DATA)
        _, receiver_index, counter = TRANSPORT_HEADER.unpack_from(data)
        return cls(receiver_index, counter)

    def to_bytes(self) -> bytes:
        """16 bytes."""
        return TRANSPORT_HEADER.pack(MessageType.TRANSPORT_DATA, self.receiver_index, self.counter)
