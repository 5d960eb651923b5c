"""The server as its clients see it: operations, errors, and clients that behave badly."""

import asyncio
import errno
import logging
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from pywg.uapi import server as server_module
from pywg.uapi.codec import MAX_LINE
from pywg.uapi.model import UNSET_KEY, ApplyError, DeviceChange, DeviceState, PeerState
from pywg.uapi.path import bind_uapi_socket
from pywg.uapi.server import UapiServer
from tests.uapi.fake import FakeDevice, Served, eventually, read_all, read_reply

KEY = bytes(range(32))
PEER = f"public_key={KEY.hex()}\n"
EINVAL_SET = b"errno=-22\n\n"
OK = b"errno=0\n\n"


def test_many_operations_in_one_connection(served: Served) -> None:
    with served.connect() as connection:
        for port in (1, 2):
            connection.sendall(f"set=1\nlisten_port={port}\n\n".encode())
            assert read_reply(connection) == OK
            connection.sendall(b"get=1\n\n")
            assert read_reply(connection) == f"listen_port={port}\nerrno=0\n\n".encode()
    assert served.ask("set=1\n\nget=1\n\nset=1\nfwmark=5\n\n") == OK + b"listen_port=2\n" + OK + OK


def test_an_operation_may_come_byte_by_byte(served: Served) -> None:
    with served.connect() as connection:
        for byte in b"set=1\nfwmark=7\n\n":
            connection.send(bytes([byte]))
            time.sleep(0.001)
        assert read_reply(connection) == OK
    assert served.device.state.fwmark == 7


@pytest.mark.parametrize("request_", ["set=1\nfwmark=7\n", "set=1\nfwmark=7", "set=1\nfwmark=7\n\n"])
def test_the_end_of_the_connection_ends_a_set(served: Served, request_: str) -> None:
    assert served.ask(request_) == OK
    assert served.device.state.fwmark == 7


def test_half_a_line_and_gone(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"set=1\nfwmark=7\nlisten_po")
    assert eventually(lambda: served.device.changes == [DeviceChange(fwmark=7)])
    assert served.ask("get=1\n\n") == b"fwmark=7\nerrno=0\n\n"


@pytest.mark.parametrize(
    "request_",
    ["", "\n", "get=2\n\n", "set=1\r\n\n", "get\n\n", " get=1\n\n", "\0\n", "x" * 9000, "get=1", "get=1\n"],
)
def test_an_unknown_or_unfinished_operation_gets_no_reply(served: Served, request_: str) -> None:
    assert served.ask(request_) == b""
    assert served.device.changes == []


def test_an_unknown_operation_closes_the_connection(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"get_everything=1\n")
        assert connection.recv(1) == b""


@pytest.mark.parametrize("operation", ["get", "get_status"])
def test_a_get_ends_with_an_empty_line_and_nothing_before_it(served: Served, operation: str) -> None:
    reply = served.ask(f"{operation}=1\nlisten_port=1\n\nset=1\n\n")
    assert reply == b"errno=22\n\n" + OK


def test_status(served: Served) -> None:
    assert served.ask("get_status=1\n\n") == (
        b"engine=python\nengine_reason=no native build\nversion=\ndrop.bad_mac1=3\nerrno=0\n\n"
    )


def test_a_refused_line_keeps_what_came_before_and_the_connection(served: Served) -> None:
    bad = f"set=1\nfwmark=7\n{PEER}persistent_keepalive_interval=5\nremove=no\nallowed_ip=10.0.0.0/8\n\n"
    assert served.ask(bad + "get=1\n\n").startswith(EINVAL_SET + b"fwmark=7\n")
    assert served.device.state == DeviceState(
        fwmark=7, peers=(PeerState(KEY, persistent_keepalive_interval=5),)
    )


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("fwmark", b"errno=-71\n\n"),
        ("fwmark=x", EINVAL_SET),
        ("x=1", EINVAL_SET),
        (PEER + "fwmark=1", EINVAL_SET),
        ("fwmark=" + "1" * MAX_LINE, b"errno=-90\n\n"),
        ("fwmark=" + "1" * 3_000_000, b"errno=-90\n\n"),
        ("fwmark=\xff\xfe", EINVAL_SET),
        ("listen_port=7", b"errno=-98\n\n"),
        ("listen_port=7\nx=1", b"errno=-98\n\n"),
    ],
)
def test_errors_of_a_set(served: Served, line: str, reply: bytes) -> None:
    served.device.state = DeviceState(fwmark=3)
    assert served.ask(f"set=1\n{line}\n\nget=1\n\n").startswith(reply + b"fwmark=3\n")


def test_the_whole_change_is_one_call(served: Served) -> None:
    served.ask(f"set=1\nfwmark=1\n{PEER}{PEER}\n")
    assert len(served.device.changes) == 1


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (ApplyError(errno.EADDRINUSE), b"errno=-98\n\n"),
        (ApplyError(errno.EPERM, "may not"), b"errno=-1\n\n"),
        (KeyError("SECRET"), b"errno=-5\n\n"),
    ],
)
def test_a_device_that_fails(
    served: Served, error: Exception, reply: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    served.device.apply_error = error
    assert served.ask("set=1\n\n") == reply
    served.device.apply_error = None
    assert served.ask("set=1\n\n") == OK
    assert "SECRET" not in caplog.text
    (record,) = caplog.records
    expected = str(error) if isinstance(error, ApplyError) else "KeyError in "
    assert record.getMessage().startswith(f"UAPI: set failed: {expected}")


def test_a_device_that_cannot_tell_its_state(served: Served) -> None:
    served.device.get_error = RuntimeError("SECRET")
    assert served.ask("get=1\n\nset=1\n\n") == b"errno=5\n\n" + OK


def test_the_log_names_the_line_and_hides_the_key(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    served.ask(f"set=1\nfwmark=1\nprivate_key={'c0ffee' * 9}\n\n")
    assert "line 2 'private_key=(hidden)': expected exactly 64 hexadecimal digits" in caplog.text
    assert "c0ffee" not in caplog.text


def test_clients_that_stay_silent_hold_up_nobody(served: Served) -> None:
    with ExitStack() as stack:
        for request_ in (b"", b"set=1\n", b"get=1\n", b"set=1\nfwmark=", b"get_st"):
            stack.enter_context(served.connect()).sendall(request_)
        assert served.ask("get=1\n\n") == OK
    assert eventually(lambda: served.server.connections == 0)


def big_state(prefixes: int) -> DeviceState:
    allowed = tuple(IPv4Network((number << 8, 24)) for number in range(prefixes))
    return DeviceState(peers=(PeerState(KEY, UNSET_KEY, allowed_ips=allowed),))


def test_a_client_that_does_not_read_holds_up_nobody(served: Served) -> None:
    served.device.state = big_state(50_000)
    with served.connect() as lazy:
        lazy.sendall(b"get=1\n\n")
        lazy.recv(1)
        served.device.state = DeviceState(fwmark=9)
        assert served.ask("get=1\n\n") == b"fwmark=9\nerrno=0\n\n"
        # The reply begun shows one state from beginning to end.
        assert read_reply(lazy).count(b"\nallowed_ip=") == 50_000


def test_a_client_that_asks_much_and_goes(served: Served) -> None:
    served.device.state = big_state(50_000)
    with served.connect() as connection:
        connection.sendall(b"get=1\n\n" * 100)
    with served.connect() as connection:
        connection.sendall(b"get=1\n\n")
        connection.recv(1)
    assert eventually(lambda: served.server.connections == 0)
    assert served.ask("set=1\n\n") == OK


def test_a_set_and_a_get_of_130560_allowed_ips(served: Served) -> None:
    # netns.sh: the largest number of allowed IPs one netlink message can carry.
    state = big_state(130_560)
    lines = "".join(f"allowed_ip={prefix}\n" for prefix in state.peers[0].allowed_ips)
    answered: list[float] = []
    stop = threading.Event()

    def others() -> None:
        while not stop.is_set():
            begin = time.monotonic()
            assert served.ask("get_status=1\n\n").endswith(OK)
            answered.append(time.monotonic() - begin)

    thread = threading.Thread(target=others)
    thread.start()
    try:
        assert served.ask("set=1\n" + PEER + lines) == OK
        assert served.device.state == state
        reply = served.ask("get=1\n\n").decode()
    finally:
        stop.set()
        thread.join()
    assert reply.endswith(lines + OK.decode())
    # Others were answered during the 10 MB; how fast is up to the machine.
    assert len(answered) > 3


def test_the_one_that_was_quiet_longest_makes_room_for_the_65th(served: Served) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(served.connect()) for _ in range(64)]
        assert eventually(lambda: served.server.connections == 64)
        connections[0].sendall(b"set=1\n\n")
        assert read_reply(connections[0]) == OK
        connections[1].sendall(b"get=1\n\nset=1\nfwmark=1\n")
        assert read_reply(connections[1]) == OK
        assert served.ask("get=1\n\n") == OK
        # Number 2 had to go: 0 and 1 have spoken since.
        assert connections[2].recv(1) == b""
        connections[1].sendall(b"\n")
        assert read_reply(connections[1]) == OK
        for connection in (connections[0], *connections[3:]):
            connection.sendall(b"get=1\n\n")
            assert read_reply(connection) == b"fwmark=1\nerrno=0\n\n"


def test_a_flood_of_connections(served: Served) -> None:
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(served.connect())
        assert served.ask("get=1\n\n") == OK
        assert served.server.connections <= 64


def test_who_makes_room_in_the_middle_of_a_set_changes_nothing(directory: Path) -> None:
    with Served("wgt0", directory, max_connections=1) as served, served.connect() as first:
        first.sendall(b"set=1\nfwmark=1\n")
        time.sleep(0.05)
        assert served.ask("get=1\n\n") == OK
        assert first.recv(1) == b""
        assert served.device.changes == []


def test_memory_of_an_endless_line_is_bounded(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"set=1\n")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(200):
            connection.sendall(b"x" * 1_000_000)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 20_000, f"grew by {grown} KiB"
        connection.sendall(b"\n\n")
        assert read_reply(connection) == b"errno=-90\n\n"


def test_memory_of_an_endless_set_is_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pywg.uapi.codec.MAX_SET_LINES", 100)
    assert served.ask("set=1\n" + PEER + "allowed_ip=10.0.0.0/8\n" * 10_000 + "\n") == b"errno=-7\n\n"
    (change,) = served.device.changes
    assert len(change.peers[0].allowed_ips) == 99


def test_deletion_of_the_socket_file_is_told(served: Served) -> None:
    assert served.ask("get=1\n\n") == OK
    assert not served.deleted.is_set()
    served.server.path.unlink()
    assert served.deleted.wait(20)


def test_deletion_before_the_start_is_told(directory: Path) -> None:
    served = Served("wgt0", directory)
    served.server.path.unlink()
    with served:
        assert served.deleted.wait(20)


def test_deletion_before_an_inherited_socket_is_taken_over_is_told(directory: Path) -> None:
    async def run() -> bool:
        listener = bind_uapi_socket("wgt0", directory)
        (directory / "wgt0.sock").unlink()
        told = asyncio.Event()
        server = UapiServer(FakeDevice(), listener, on_deleted=told.set)
        server.start()
        await asyncio.wait_for(told.wait(), 5)
        await server.close()
        return told.is_set()

    assert asyncio.run(run())


def test_close_unlinks_ends_connections_and_may_be_called_twice(directory: Path) -> None:
    with Served("wgt0", directory) as served, served.connect() as idle, served.connect() as busy:
        busy.sendall(b"set=1\n")
        assert eventually(lambda: served.server.connections == 2)
        served.run(served.server.close())
        assert not served.server.path.exists()
        assert read_all(idle) == b""
        assert read_all(busy) == b""
        with pytest.raises(FileNotFoundError):
            served.connect()
        assert not served.deleted.is_set()
    assert served.unhandled == []


def test_close_before_start(directory: Path) -> None:
    async def run() -> None:
        await UapiServer(FakeDevice(), bind_uapi_socket("wgt0", directory)).close()

    asyncio.run(run())
    assert not (directory / "wgt0.sock").exists()


def test_close_leaves_a_successors_socket_alone(directory: Path) -> None:
    with Served("wgt0", directory) as served:
        served.server.path.rename(directory / "moved")
        assert served.deleted.wait(20)
        with bind_uapi_socket("wgt0", directory):
            served.run(served.server.close())
            assert served.server.path.exists()


class FailingListener:
    """A listener whose accept fails as told, and otherwise works."""

    def __init__(self, real: socket.socket) -> None:
        self._real = real
        self.failures: list[int] = []

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            number = self.failures.pop(0)
            raise OSError(number, os.strerror(number))
        return self._real.accept()

    def fileno(self) -> int:
        return self._real.fileno()

    def close(self) -> None:
        self._real.close()


@pytest.fixture
def failing(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    assert served.ask("get=1\n\n") == OK
    listener = FailingListener(served.server._listener)
    monkeypatch.setattr(served.server, "_listener", listener)
    monkeypatch.setattr(server_module, "_ACCEPT_PAUSE", 0.2)
    yield listener.failures.append
    assert listener.failures == []


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EMFILE, errno.ENFILE])
def test_an_accept_that_fails_for_now(served: Served, failing: Callable[[int], None], number: int) -> None:
    failing(number)
    assert served.ask("get=1\n\n") == OK
    assert not served.failed.is_set()


def test_without_descriptors_the_loop_does_not_spin(
    served: Served, failing: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    failing(errno.EMFILE)
    failing(errno.EMFILE)
    begin = time.monotonic()
    assert served.ask("get=1\n\n") == OK
    assert time.monotonic() - begin >= 0.4
    assert len(caplog.records) == 2


def test_a_pause_does_not_outlive_the_server(
    served: Served, failing: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    failing(errno.EMFILE)
    with served.connect():
        assert eventually(lambda: bool(caplog.records))
        served.run(served.server.close())
        time.sleep(0.3)
    assert served.unhandled == []


def test_a_listener_that_died_is_told(served: Served, failing: Callable[[int], None]) -> None:
    failing(errno.EBADF)
    with served.connect():
        assert served.failed.wait(20)


def test_a_fault_of_the_connection_itself_is_logged_without_its_text(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("SECRET")

    monkeypatch.setattr(server_module, "SetParser", broken)
    assert served.ask("set=1\n\n") == b""
    assert eventually(lambda: "a connection broke off: ZeroDivisionError in " in caplog.text)
    assert "SECRET" not in caplog.text


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
