"""Datagrams to fields and back, and what is no message at all."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywg.protocol.constants import MessageType
from pywg.protocol.messages import (
    CookieReply,
    Initiation,
    MalformedMessage,
    Response,
    TransportHeader,
    message_type,
)
from tests.vectors import load

SIZES = {1: 148, 2: 92, 3: 64}
PARSERS: dict[int, Any] = {1: Initiation, 2: Response, 3: CookieReply, 4: TransportHeader}


def counting(kind: int, size: int) -> bytes:
    """A datagram in which every byte after the type tells where it lies."""
    return struct.pack("<I", kind) + bytes(range(4, size))


def test_initiation_fields() -> None:
    data = counting(1, 148)
    message = Initiation.parse(data)
    assert message == Initiation(
        sender_index=0x07060504,
        ephemeral=data[8:40],
        encrypted_static=data[40:88],
        encrypted_timestamp=data[88:116],
        mac1=data[116:132],
        mac2=data[132:148],
    )
    assert message.to_bytes() == data


def test_response_fields() -> None:
    data = counting(2, 92)
    message = Response.parse(data)
    assert message == Response(
        sender_index=0x07060504,
        receiver_index=0x0B0A0908,
        ephemeral=data[12:44],
        encrypted_nothing=data[44:60],
        mac1=data[60:76],
        mac2=data[76:92],
    )
    assert message.to_bytes() == data


def test_cookie_reply_fields() -> None:
    data = counting(3, 64)
    message = CookieReply.parse(data)
    assert message == CookieReply(receiver_index=0x07060504, nonce=data[8:32], encrypted_cookie=data[32:64])
    assert message.to_bytes() == data


def test_transport_header_fields() -> None:
    data = counting(4, 200)
    header = TransportHeader.parse(data)
    assert header == TransportHeader(receiver_index=0x07060504, counter=0x0F0E0D0C0B0A0908)
    assert header.to_bytes() == data[:16]


def test_transcripts_are_read_as_they_were_written() -> None:
    for known in load("wireguard_transcripts")["cases"]:
        initiation = Initiation.parse(bytes.fromhex(known["initiation"]))
        response = Response.parse(bytes.fromhex(known["response"]))
        assert initiation.sender_index == response.receiver_index == known["initiator"]["index"]
        assert response.sender_index == known["responder"]["index"]
        for end, receiver in (("from_initiator", "responder"), ("from_responder", "initiator")):
            header = TransportHeader.parse(bytes.fromhex(known[end]["datagram"]))
            assert header.receiver_index == known[receiver]["index"]
            assert header.counter == known[end]["counter"]


@pytest.mark.parametrize("view", [bytes, bytearray, memoryview])
def test_any_buffer_is_read(view: Any) -> None:
    for kind, size in (*SIZES.items(), (4, 32)):
        assert message_type(view(counting(kind, size))) is MessageType(kind)
        assert PARSERS[kind].parse(view(counting(kind, size))) == PARSERS[kind].parse(counting(kind, size))


def test_sizes() -> None:
    """Every size up to 200 under every type from 0 to 5."""
    for kind in range(6):
        right = {SIZES[kind]} if kind in SIZES else set(range(32, 200)) if kind == 4 else set()
        found = {size for size in range(4, 200) if message_type(counting(kind, size)) is not None}
        assert found == right


@pytest.mark.parametrize("size", range(4))
def test_shorter_than_a_type(size: int) -> None:
    assert message_type(bytes([1, 0, 0, 0])[:size]) is None


@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_reserved_bytes_are_zero(kind: int, place: int) -> None:
    data = bytearray(counting(kind, SIZES.get(kind, 32)))
    assert message_type(data) is not None
    data[place] = 1
    assert message_type(data) is None
    with pytest.raises(MalformedMessage, match="drop"):
        PARSERS[kind].parse(data)


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_a_parser_refuses_the_other_types(kind: int) -> None:
    for other in {1, 2, 3, 4} - {kind}:
        with pytest.raises(MalformedMessage):
            PARSERS[kind].parse(counting(other, SIZES.get(other, 32)))


@given(st.binary(max_size=200))
def test_parsers_raise_one_error_only(data: bytes) -> None:
    for kind, parser in PARSERS.items():
        try:
            parser.parse(data)
        except MalformedMessage:
            assert message_type(data) is not MessageType(kind)
        else:
            assert message_type(data) is MessageType(kind)
