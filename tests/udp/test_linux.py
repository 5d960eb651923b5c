"""Linux UDP sockets on loopback: one port for both families, sticky source, offloads, error queue."""

import errno
import select
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pywg.endpoint import Endpoint, Source
from pywg.engine.contract import UdpSockets
from pywg.udp import linux, linux_control
from pywg.udp.address import endpoint
from pywg.udp.linux import LinuxUdp, open_sockets
from pywg.udp.port import Datagram, SendError
from tests.needs import need_root

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: sockets of Linux")

LOOPBACK = {4: "127.0.0.1", 6: "::1"}


@pytest.fixture
def pair() -> Iterator[tuple[UdpSockets, UdpSockets]]:
    ours, theirs = open_sockets(0, 0), open_sockets(0, 0)
    yield ours, theirs
    ours.close()
    theirs.close()


def of_family(sockets: UdpSockets, family: int) -> LinuxUdp:
    udp = sockets.v4 if family == 4 else sockets.v6
    assert isinstance(udp, LinuxUdp), f"this machine has no IPv{family}"
    return udp


def at(sockets: UdpSockets, family: int) -> Source:
    return Source(Endpoint(LOOPBACK[family], sockets.port))


def receive_all(udp: LinuxUdp, count: int) -> list[Datagram]:
    """Exactly `count` datagrams, with their data copied."""
    received: list[Datagram] = []
    while len(received) < count:
        assert select.select([udp], [], [], 2)[0], f"{len(received)} of {count} came"
        received += [datagram._replace(data=bytes(datagram.data)) for datagram in udp.receive(64)]
    assert len(received) == count
    assert not udp.receive(64)
    return received


class Kernel:
    """Stands between a LinuxUdp and its socket: notes every send, refuses those it is told to."""

    def __init__(self, udp: LinuxUdp) -> None:
        self.sock = udp._socket
        self.sends: list[tuple[int, bool]] = []
        self.refuse_segmented = 0
        self.refuse_plain: list[int] = []
        udp._socket = self  # type: ignore[assignment]  # the part of a socket that send needs

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)

    def sendmsg(self, datagrams: Sequence[bytes], messages: Any, flags: int, address: Any) -> int:
        segmented = any(level == linux_control.SOL_UDP for level, _, _ in messages)
        self.sends.append((len(datagrams), segmented))
        code = self.refuse_segmented if segmented else self.refuse_plain.pop(0) if self.refuse_plain else 0
        if code:
            raise OSError(code, "refused by the test")
        return self.sock.sendmsg(datagrams, messages, flags, address)


def test_both_families_share_one_port(pair: tuple[UdpSockets, UdpSockets]) -> None:
    ours, _ = pair
    for family in (4, 6):
        assert of_family(ours, family)._socket.getsockname()[1] == ours.port > 0


def test_a_port_in_use_is_refused_and_nothing_stays_open(pair: tuple[UdpSockets, UdpSockets]) -> None:
    ours, theirs = pair
    of_family(ours, 4).close()
    # Free in IPv4 now, still taken in IPv6.
    with pytest.raises(OSError, match="in use") as raised:
        open_sockets(ours.port, 0)
    assert raised.value.errno == errno.EADDRINUSE
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("0.0.0.0", ours.port))  # noqa: S104  # what open_sockets would bind
    with pytest.raises(OSError, match="in use"):
        open_sockets(theirs.port, 0)


def test_options(pair: tuple[UdpSockets, UdpSockets]) -> None:
    v4, v6 = of_family(pair[0], 4)._socket, of_family(pair[0], 6)._socket
    assert v4.getsockopt(linux_control.SOL_IP, linux_control.IP_MTU_DISCOVER) == 0
    assert v6.getsockopt(linux_control.SOL_IPV6, linux_control.IPV6_MTU_DISCOVER) == 0
    assert v6.getsockopt(linux_control.SOL_IPV6, linux_control.IPV6_V6ONLY) == 1
    for sock in (v4, v6):
        assert not sock.get_inheritable()
        assert not sock.getblocking()


def test_buffers_are_7_mib_and_the_mark_is_set() -> None:
    need_root()
    sockets = open_sockets(0, 0x1234)
    try:
        for family in (4, 6):
            udp = of_family(sockets, family)
            status = udp.status()
            # The kernel tells twice what was asked for.
            assert status["receive_buffer"] == status["send_buffer"] == str(2 * (7 << 20))
            assert udp._socket.getsockopt(socket.SOL_SOCKET, linux_control.SO_MARK) == 0x1234
            udp.set_mark(0xFFFFFFFF)
            assert udp._socket.getsockopt(socket.SOL_SOCKET, linux_control.SO_MARK) == -1  # Read as an int.
            udp.set_mark(0)
            assert udp._socket.getsockopt(socket.SOL_SOCKET, linux_control.SO_MARK) == 0
    finally:
        sockets.close()


@pytest.mark.parametrize("family", [4, 6])
def test_source_of_a_datagram(pair: tuple[UdpSockets, UdpSockets], family: int) -> None:
    ours, theirs = pair
    of_family(ours, family).send(at(theirs, family), [b"hello"], 0)
    (datagram,) = receive_all(of_family(theirs, family), 1)
    assert datagram.data == b"hello"
    assert datagram.source.endpoint == Endpoint(LOOPBACK[family], ours.port)
    assert datagram.source.local == datagram.source.endpoint.address
    assert datagram.source.ifindex == socket.if_nametoindex("lo")


def test_reply_comes_from_the_address_that_was_reached(pair: tuple[UdpSockets, UdpSockets]) -> None:
    ours, theirs = pair
    of_family(ours, 4).send(Source(Endpoint("127.0.0.77", theirs.port)), [b"question"], 0)
    (question,) = receive_all(of_family(theirs, 4), 1)
    of_family(theirs, 4).send(question.source, [b"answer"], 0)
    (answer,) = receive_all(of_family(ours, 4), 1)
    assert answer.source.endpoint == Endpoint("127.0.0.77", theirs.port)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("tos", [0, 1, 2, 3, 0x88, 0x8B])
def test_tos_goes_out_and_ecn_comes_in(pair: tuple[UdpSockets, UdpSockets], family: int, tos: int) -> None:
    ours, theirs = pair
    receiver = of_family(theirs, family)
    of_family(ours, family).send(at(theirs, family), [b"one", b"two", b"six"], tos)
    assert [datagram.ecn for datagram in receive_all(receiver, 3)] == [tos & 3] * 3
    of_family(ours, family).send(at(theirs, family), [b"one"], tos)
    _, messages, _, _ = receiver._socket.recvmsg(100, 200)
    (whole,) = [data[0] for level, kind, data in messages if kind in {1, 67} and level in {0, 41}]
    assert whole == tos


@pytest.mark.parametrize("family", [4, 6])
@settings(max_examples=40)
@given(
    sizes=st.lists(st.sampled_from([0, 1, 32, 100, 1452, 1452, 1452, 9000]), min_size=1, max_size=150),
    send_offload=st.booleans(),
    receive_offload=st.booleans(),
)
def test_datagrams_arrive_as_they_were_sent(
    family: int, sizes: list[int], send_offload: bool, receive_offload: bool
) -> None:
    ours, theirs = open_sockets(0, 0), open_sockets(0, 0)
    try:
        sender, receiver = of_family(ours, family), of_family(theirs, family)
        sender.send_offload = sender.send_offload and send_offload
        receiver._socket.setsockopt(linux_control.SOL_UDP, linux_control.UDP_GRO, receive_offload)
        sent = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
        sender.send(at(theirs, family), sent, 0)
        assert [datagram.data for datagram in receive_all(receiver, len(sent))] == sent
    finally:
        ours.close()
        theirs.close()


@pytest.mark.parametrize(("family", "limit"), [(4, 65507), (6, 65527)])
def test_runs_keep_within_the_bounds(pair: tuple[UdpSockets, UdpSockets], family: int, limit: int) -> None:
    sender = of_family(pair[0], family)
    for size in (1, 1000, 1452, 9000, 32753, 32763, 32764, limit):
        end = sender._run_end([bytes(size)] * 200, 0)
        assert end == max(1, min(64, limit // size))
    assert sender._run_end([b"xx", b"xx", b"x", b"x"], 0) == 3
    assert sender._run_end([b"xx", b"xxx"], 0) == 1
    assert sender._run_end([b"xx", b""], 0) == 1
    assert sender._run_end([b"", b""], 0) == 1
    of_family(pair[0], family).send(at(pair[1], family), [bytes(limit)], 0)
    assert len(receive_all(of_family(pair[1], family), 1)[0].data) == limit


def test_a_batch_is_one_send(pair: tuple[UdpSockets, UdpSockets]) -> None:
    ours, theirs = pair
    kernel = Kernel(of_family(ours, 4))
    assert isinstance(ours.v4, LinuxUdp)
    ours.v4.send(at(theirs, 4), [bytes(1452)] * 44 + [bytes(100)], 0)
    assert kernel.sends == [(45, True)]
    assert len(receive_all(of_family(theirs, 4), 45)) == 45


def test_no_segmentation_ever_again_after_eio(pair: tuple[UdpSockets, UdpSockets]) -> None:
    ours, theirs = pair
    sender = of_family(ours, 4)
    kernel = Kernel(sender)
    kernel.refuse_segmented = errno.EIO
    for _ in range(2):
        sender.send(at(theirs, 4), [b"a", b"b", b"c"], 0)
    sender.route_changed()
    sender.send(at(theirs, 4), [b"a", b"b", b"c"], 0)
    assert kernel.sends == [(3, True)] + [(1, False)] * 9
    assert [datagram.data for datagram in receive_all(of_family(theirs, 4), 9)] == [b"a", b"b", b"c"] * 3


@pytest.mark.parametrize("code", [errno.EMSGSIZE, errno.EINVAL])
def test_segments_refused_for_an_endpoint(
    pair: tuple[UdpSockets, UdpSockets], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    now = 1000.0
    monkeypatch.setattr("pywg.udp.linux.time.monotonic", lambda: now)
    sender, receiver = of_family(ours, 4), of_family(theirs, 4)
    kernel = Kernel(sender)

    def send() -> bool:
        """Whether segmentation was tried."""
        kernel.sends.clear()
        sender.send(at(theirs, 4), [b"a", b"b", b"c"], 0)
        assert [datagram.data for datagram in receive_all(receiver, 3)] == [b"a", b"b", b"c"]
        return any(segmented for _, segmented in kernel.sends)

    kernel.refuse_segmented = code
    assert send()
    assert not send()
    assert sender.status()["unsegmented_endpoints"] == "1"
    # Another endpoint on the same socket is not concerned.
    kernel.refuse_segmented = 0
    kernel.sends.clear()
    sender.send(Source(Endpoint("127.0.0.9", theirs.port)), [b"a", b"b"], 0)
    assert kernel.sends == [(2, True)]
    receive_all(receiver, 2)
    kernel.refuse_segmented = code
    sender.route_changed()
    assert send()
    assert not send()
    now += linux.SEGMENTING_REFUSED_FOR
    kernel.refuse_segmented = 0
    assert send()
    assert sender.status()["unsegmented_endpoints"] == "0"


def test_a_source_that_is_gone_is_not_blamed_on_segmentation(pair: tuple[UdpSockets, UdpSockets]) -> None:
    ours, theirs = pair
    sender = of_family(ours, 4)
    kernel = Kernel(sender)
    kernel.refuse_segmented = errno.EINVAL
    kernel.refuse_plain = [errno.EINVAL]
    with pytest.raises(OSError, match="refused") as raised:
        sender.send(at(theirs, 4), [b"a", b"b"], 0)
    assert raised.value.errno == errno.EINVAL
    assert not isinstance(raised.value, SendError)
    assert not sender._unsegmented
    assert sender.send_offload


def test_a_partial_send_tells_how_far_it_came(pair: tuple[UdpSockets, UdpSockets]) -> None:
    ours, theirs = pair
    sender = of_family(ours, 4)
    kernel = Kernel(sender)
    # Different sizes, so that each is a send of its own; the third fails for good.
    kernel.refuse_plain = [0, 0, *[errno.ENETUNREACH] * 3]
    with pytest.raises(SendError) as raised:
        sender.send(at(theirs, 4), [b"1", b"22", b"333", b"4444"], 0)
    assert (raised.value.errno, raised.value.sent) == (errno.ENETUNREACH, 2)
    assert [datagram.data for datagram in receive_all(of_family(theirs, 4), 2)] == [b"1", b"22"]


def test_a_drop_by_a_queueing_discipline_is_counted_and_no_error(pair: tuple[UdpSockets, UdpSockets]) -> None:
    sender = of_family(pair[0], 4)
    kernel = Kernel(sender)
    kernel.refuse_plain = [errno.ENOBUFS]
    sender.send(at(pair[1], 4), [b"a"], 0)
    assert sender.status()["queue_drops"] == "1"


def test_a_full_send_buffer_is_not_waited_for(pair: tuple[UdpSockets, UdpSockets]) -> None:
    sender = of_family(pair[0], 4)
    kernel = Kernel(sender)
    kernel.refuse_plain = [errno.EAGAIN]
    with pytest.raises(BlockingIOError):
        sender.send(at(pair[1], 4), [b"a"], 0)
    assert len(kernel.sends) == 1


def closed_port(family: int) -> Endpoint:
    sockets = open_sockets(0, 0)
    sockets.close()
    return Endpoint(LOOPBACK[family], sockets.port)


@pytest.mark.parametrize("family", [4, 6])
def test_icmp_errors_are_told_and_cost_no_datagram(pair: tuple[UdpSockets, UdpSockets], family: int) -> None:
    ours, theirs = pair
    sender = of_family(ours, family)
    nobody = closed_port(family)
    for number in range(5):
        sender.send(Source(nobody), [b"to nobody"], 0)
        # The kernel has an error pending now and reports it to this send, which must go out all the same.
        sender.send(at(theirs, family), [bytes([number])], 0)
    assert [d.data for d in receive_all(of_family(theirs, family), 5)] == [bytes([n]) for n in range(5)]
    assert list(sender.take_errors()) == [(nobody, errno.ECONNREFUSED, LOOPBACK[family])] * 5
    assert sender.take_errors() == []


@pytest.mark.parametrize("family", [4, 6])
def test_an_error_does_not_keep_the_socket_readable(pair: tuple[UdpSockets, UdpSockets], family: int) -> None:
    sender = of_family(pair[0], family)
    nobody = closed_port(family)
    for _ in range(3):
        sender.send(Source(nobody), [b"x"], 0)
    poll = select.poll()
    poll.register(sender, select.POLLIN)
    assert poll.poll(1000)
    for _ in range(2):
        assert sender.receive(64) == []
    assert poll.poll(0) == []
    assert {error.errno for error in sender.take_errors()} == {errno.ECONNREFUSED}


def test_pending_errors_are_bounded(pair: tuple[UdpSockets, UdpSockets]) -> None:
    sender = of_family(pair[0], 4)
    nobody = Source(closed_port(4))
    for _ in range(3 * linux.PENDING_ERRORS):
        sender.send(nobody, [b"x"], 0)
        sender.receive(1)
    assert len(sender.take_errors()) <= linux.PENDING_ERRORS


def test_equal_sources_are_the_same_object_and_the_cache_is_bounded(
    pair: tuple[UdpSockets, UdpSockets], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    monkeypatch.setattr(linux, "CACHED_PATHS", 8)
    receiver = of_family(theirs, 4)
    of_family(ours, 4).send(at(theirs, 4), [b"a", b"bb"], 0)
    first, second = receive_all(receiver, 2)
    assert first.source is second.source
    for number in range(1, 30):
        of_family(ours, 4).send(Source(Endpoint(f"127.0.0.{number}", theirs.port)), [b"a"], 0)
    assert len({datagram.source for datagram in receive_all(receiver, 29)}) == 29
    assert len(receiver._arrivals) <= 8
    assert len(of_family(ours, 4)._departures) <= 8


def test_most_bounds_a_receive(pair: tuple[UdpSockets, UdpSockets]) -> None:
    ours, theirs = pair
    receiver = of_family(theirs, 4)
    for number in range(10):
        of_family(ours, 4).send(at(theirs, 4), [bytes([number])], 0)
    assert [len(receiver.receive(4)) for _ in range(4)] == [4, 4, 2, 0]


def test_a_batch_of_the_longest_datagrams_fits(pair: tuple[UdpSockets, UdpSockets]) -> None:
    ours, theirs = pair
    sent = [bytes([number]) * 65507 for number in range(20)]
    for data in sent:
        of_family(ours, 4).send(at(theirs, 4), [data], 0)
    assert [datagram.data for datagram in receive_all(of_family(theirs, 4), 20)] == sent


@pytest.mark.parametrize("family", [4, 6])
def test_closed(pair: tuple[UdpSockets, UdpSockets], family: int) -> None:
    udp = of_family(pair[0], family)
    udp.close()
    udp.close()
    assert udp.fileno() == -1
    with pytest.raises(OSError, match="descriptor"):
        udp.receive(1)
    with pytest.raises(OSError, match="descriptor"):
        udp.send(at(pair[1], family), [b"a"], 0)
    assert udp.take_errors() == []


def test_an_error_of_our_own_making_is_no_icmp_error() -> None:
    local = struct.pack("=IBBBxII", errno.EMSGSIZE, 1, 0, 0, 1400, 0)
    assert linux_control.icmp_error(("127.0.0.1", 1), [(0, linux_control.IP_RECVERR, local)]) is None
    assert linux_control.icmp_error(("127.0.0.1", 1), []) is None


def test_a_canonical_address_whatever_inet_ntop_writes() -> None:
    assert endpoint(("::1.2.3.4", 7, 0, 0)) == Endpoint("::102:304", 7)
