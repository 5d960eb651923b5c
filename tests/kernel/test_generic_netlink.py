"""A conversation in generic netlink: with a family every Linux has, and with a kernel played by the test.

Comes in: requests. Goes out: answers or errors. Rules shown: every wait ends, only the kernel is heard, an
overtaken listing is asked for again, no descriptor stays open.
"""

import errno
import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pywg.kernel.generic_netlink import GenericNetlink, NoFamilyError
from pywg.net.netlink import NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, attributes, messages

GET_FAMILY = 3
SECRET = b"\xa7" * 32


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """The test leaves no descriptor open."""
    before = sorted(Path("/proc/self/fd").iterdir())
    yield
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_a_listing_of_this_kernel() -> None:
    """The families, of which the one that lists them is one."""
    with GenericNetlink("nlctrl", 5) as kernel:
        found = [attributes(body) for body in kernel.dump(GET_FAMILY, b"")]
    assert b"nlctrl\0" in [family[2] for family in found]


def test_a_family_that_is_missing() -> None:
    with pytest.raises(NoFamilyError):
        GenericNetlink("pywg-none", 5)


def test_an_error_of_this_kernel() -> None:
    """A family asked for by a number that none has, and a command that does not exist."""
    with GenericNetlink("nlctrl", 5) as kernel:
        with pytest.raises(FileNotFoundError):
            kernel.change(GET_FAMILY, struct.pack("=HHHxx", 6, 1, 0xFFFF))
        with pytest.raises(OSError, match=os.strerror(errno.EOPNOTSUPP)):
            kernel.change(99, b"")


def message(kind: int, sequence: int, payload: bytes, flags: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 1) + payload


class PlayedKernel:
    """Stands in for the socket. Its answers are bytes, or an error; `{}` of the request's sequence number."""

    FAMILY = struct.pack("=BBxxHHHxx", 1, 1, 6, 1, 77)

    def __init__(self, *answers: Any) -> None:
        """`answers`: for each read after the family was asked for, a function of the sequence number."""
        found = [lambda n: message(16, n, self.FAMILY) + message(NLMSG_ERROR, n, struct.pack("=i", 0))]
        self.answers = [*found, *answers]
        self.sent: list[bytes] = []
        self.options: list[tuple[int, int, int]] = []
        self.closed = False

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def bind(self, address: tuple[int, int]) -> None:
        assert address == (0, 0)

    def setsockopt(self, *option: int) -> None:
        self.options.append(option)  # type: ignore[arg-type]  # three numbers

    def sendto(self, data: bytes, address: tuple[int, int]) -> None:
        assert address == (0, 0)
        self.sent.append(data)

    def recvmsg(self, size: int) -> tuple[bytes, list[Any], int, tuple[int, int]]:
        (asked,) = messages(self.sent[-1])
        answer = self.answers.pop(0)(asked.sequence)
        if isinstance(answer, tuple):
            data, flags, port = answer
            return data, [], flags, (port, 0)
        return answer, [], 0, (0, 0)

    def close(self) -> None:
        self.closed = True


def played(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> PlayedKernel:
    kernel = PlayedKernel(*answers)
    monkeypatch.setattr(socket, "socket", lambda *_: kernel)
    return kernel


def item(sequence: int, content: bytes, flags: int = 0) -> bytes:
    return message(77, sequence, b"\0\1\0\0" + content, flags)


def done(sequence: int, code: int = 0) -> bytes:
    return message(NLMSG_DONE, sequence, struct.pack("=i", -code))


def test_an_overtaken_listing_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = played(
        monkeypatch,
        lambda n: item(n, b"old1") + item(n, b"old2", NLM_F_DUMP_INTR),
        done,
        lambda n: item(n, b"new1"),
        lambda n: item(n, b"new2") + done(n),
    )
    with GenericNetlink("wireguard", 5) as conversation:
        assert conversation.dump(0, b"ask!") == [b"new1", b"new2"]
    assert kernel.closed
    (family, first, second) = (next(iter(messages(data))) for data in kernel.sent)
    assert (family.kind, first.kind, second.kind) == (16, 77, 77)
    assert first.sequence != second.sequence
    assert first.payload == second.payload == b"\0\1\0\0ask!"


def test_a_listing_that_is_always_overtaken_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, *[lambda n: item(n, b"", NLM_F_DUMP_INTR) + done(n)] * 3)
    clock = iter([0.0, 1.0, 4.9, 5.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with GenericNetlink("wireguard", 5) as conversation, pytest.raises(TimeoutError):
        conversation.dump(0, b"")


def test_only_the_kernel_is_heard_and_only_on_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    played(
        monkeypatch,
        lambda n: (item(n, b"fake") + done(n), 0, 4711),
        lambda n: item(n - 1, b"late") + done(n - 1),
        lambda n: item(n, b"true") + done(n),
    )
    with GenericNetlink("wireguard", 5) as conversation:
        assert conversation.dump(0, b"") == [b"true"]


def test_a_listing_may_end_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, lambda n: item(n, b"") + done(n, errno.EMSGSIZE))
    with GenericNetlink("wireguard", 5) as conversation, pytest.raises(OSError, match="Message too long"):
        conversation.dump(0, b"")


def test_half_a_message_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    truncated = socket.MSG_TRUNC
    played(monkeypatch, lambda n: (item(n, b"") + done(n), truncated, 0))
    with GenericNetlink("wireguard", 5) as conversation, pytest.raises(OSError, match="Message too long"):
        conversation.dump(0, b"")


def test_no_request_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is asked (SOL_NETLINK, NETLINK_CAP_ACK) to leave it out of errors; it holds keys."""
    kernel = played(monkeypatch, lambda n: message(NLMSG_ERROR, n, struct.pack("=i", -errno.EPERM)))
    with GenericNetlink("wireguard", 5) as conversation, pytest.raises(PermissionError) as caught:
        conversation.change(1, SECRET)
    assert kernel.options == [(270, 10, 1)]
    assert "a7a7" not in repr(caught.value)
    assert "\\xa7" not in repr(caught.value)


def test_the_socket_is_closed_when_the_family_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = played(monkeypatch)
    kernel.answers = [lambda n: message(NLMSG_ERROR, n, struct.pack("=i", -errno.ENOENT))]
    with pytest.raises(NoFamilyError):
        GenericNetlink("wireguard", 5)
    assert kernel.closed
