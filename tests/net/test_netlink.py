"""The small netlink parser: what it reads, and that no bytes make it fail."""

import errno
import struct

from hypothesis import given
from hypothesis import strategies as st

from pywg.net import netlink


def link_message(kind: int, ifindex: int, flags: int, *attributes: bytes) -> bytes:
    body = struct.pack("=BxHiII", 0, 1, ifindex, flags, 0) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 7, 99) + body


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def test_a_link() -> None:
    name, mtu = attribute(3, b"wg0\0"), attribute(4, struct.pack("=I", 1420))
    data = link_message(16, 5, 0x1041, name, mtu) + link_message(17, 6, 0x40, name)
    first, second = netlink.messages(data)
    assert (first.kind, first.sequence, first.port) == (netlink.RTM_NEWLINK, 7, 99)
    assert netlink.parse_link(first.payload) == netlink.Link(5, "wg0", up=True, mtu=1420)
    assert second.kind == netlink.RTM_DELLINK
    assert netlink.parse_link(second.payload) == netlink.Link(6, "wg0", up=False, mtu=0)


def test_the_kind_of_a_link() -> None:
    kind = attribute(18, attribute(1, b"wireguard\0") + attribute(2, b"data"))
    (message,) = netlink.messages(link_message(16, 5, 0, attribute(3, b"wg0\0"), kind))
    assert netlink.parse_link(message.payload) == netlink.Link(5, "wg0", up=False, mtu=0, kind="wireguard")


def test_an_error_and_an_acknowledgement() -> None:
    for code in (errno.ENODEV, 0):
        (message,) = netlink.messages(struct.pack("=IHHIIi", 20, netlink.NLMSG_ERROR, 0, 1, 2, -code))
        assert message.error == code
    assert netlink.Message(netlink.NLMSG_ERROR, 1, 2, b"").error == errno.EPROTO


def test_truncated_messages_and_attributes_are_dropped() -> None:
    whole = link_message(16, 5, 1, attribute(4, struct.pack("=I", 1420)))
    assert len(list(netlink.messages(whole + whole[:-1]))) == 1
    assert list(netlink.messages(whole[:15])) == []
    assert netlink.attributes(attribute(4, b"abcd") + attribute(5, b"efgh")[:-1]) == {4: b"abcd"}


def test_nested_flags_are_not_part_of_the_type() -> None:
    assert netlink.attributes(attribute(0x8000 | 26, b"abcd")) == {26: b"abcd"}


def test_an_nsid() -> None:
    for nsid, expected in ((0, 0), (77, 77), (-1, None)):
        assert netlink.parse_nsid(bytes(4) + attribute(1, struct.pack("=i", nsid))) == expected
    assert netlink.parse_nsid(b"") is None
    assert netlink.parse_nsid(bytes(4) + attribute(1, b"ab")) is None


def test_whose_notice_it_is() -> None:
    nsid = (netlink.SOL_NETLINK, netlink.NETLINK_LISTEN_ALL_NSID, struct.pack("=i", 0))
    other = (netlink.SOL_NETLINK, 3, struct.pack("=i", 5))
    assert netlink.sender_nsid([other, nsid]) == 0
    assert netlink.sender_nsid([other]) is None
    assert netlink.sender_nsid([(*nsid[:2], struct.pack("=i", -1))]) is None
    assert netlink.sender_nsid([(*nsid[:2], b"")]) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    for message in netlink.messages(data):
        assert isinstance(message.error, int)
    netlink.attributes(data)
    netlink.parse_link(data)
    netlink.parse_route_interface(data)
    netlink.is_cloned_route(data)
    netlink.parse_nsid(data)


@given(st.lists(st.tuples(st.integers(16, 40), st.binary(max_size=30)), max_size=5))
def test_messages_are_split_where_they_end(parts: list[tuple[int, bytes]]) -> None:
    data = b"".join(
        struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body + bytes(-len(body) % 4)
        for kind, body in parts
    )
    assert [(message.kind, message.payload) for message in netlink.messages(data)] == parts


def test_repeated_attributes_are_told_in_their_order() -> None:
    data = attribute(0, b"first") + attribute(0x8000, b"") + attribute(0, b"last")
    assert list(netlink.each_attribute(data)) == [(0, b"first"), (0, b""), (0, b"last")]
    assert netlink.attributes(data) == {0: b"last"}


def test_what_is_built_is_read() -> None:
    body = netlink.build_attribute(3, b"12345") + netlink.build_attribute(netlink.NLA_F_NESTED | 4, b"")
    assert body == attribute(3, b"12345") + attribute(0x8004, b"")
    (message,) = netlink.messages(netlink.build_message(30, netlink.NLM_F_DUMP_INTR, 7, body))
    assert (message.kind, message.flags, message.sequence, message.payload) == (30, 0x10, 7, body)


def test_a_message_does_not_show_what_is_in_it() -> None:
    """It may hold keys."""
    assert "secret" not in repr(netlink.Message(1, 2, 3, b"secret"))
