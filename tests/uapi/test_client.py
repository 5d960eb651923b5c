"""The blocking client against our server and against daemons that behave badly."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from pywg.endpoint import Endpoint
from pywg.uapi import client as client_module
from pywg.uapi.client import (
    AccessDeniedError,
    NoAnswerError,
    NoSuchInterfaceError,
    NotRunningError,
    RefusedError,
    UapiClient,
    UapiError,
    interface_names,
)
from pywg.uapi.model import DeviceChange, DeviceState, PeerChange, PrefixChange
from pywg.uapi.path import bind_uapi_socket
from tests.needs import need_root
from tests.nobody import NOBODY
from tests.uapi import strategies
from tests.uapi.fake import Served

KEY = bytes(range(32))


def client(served: Served) -> UapiClient:
    return UapiClient(served.name, directory=served.directory)


def test_set_and_get(served: Served) -> None:
    peer = PeerChange(
        KEY,
        preshared_key=KEY,
        endpoint=Endpoint("192.0.2.1", 5),
        persistent_keepalive_interval=25,
        allowed_ips=(PrefixChange(IPv4Network("10.0.0.0/8")),),
    )
    client(served).set(DeviceChange(KEY, 51820, 16, peers=(peer,)))
    state = client(served).get()
    assert state == served.device.state
    assert state.peers[0].endpoint == Endpoint("192.0.2.1", 5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(strategies.device_changes, strategies.device_states)
def test_any_set_and_any_get(served: Served, change: DeviceChange, state: DeviceState) -> None:
    if change.listen_port != 7:
        client(served).set(change)
        assert served.device.changes[-1] == change
    served.device.state = state
    assert client(served).get() == state


def test_large_ones(served: Served) -> None:
    prefixes = tuple(PrefixChange(IPv4Network((number << 8, 24))) for number in range(30_000))
    client(served).set(DeviceChange(peers=(PeerChange(KEY, allowed_ips=prefixes),)))
    assert len(client(served).get().peers[0].allowed_ips) == 30_000


def test_status(served: Served) -> None:
    status = client(served).status()
    assert status is not None
    assert status == served.device.get_status()


def test_listing(served: Served) -> None:
    assert interface_names(served.directory) == ["wgt0"]
    assert client(served).get() == DeviceState()


def test_a_refused_set(served: Served) -> None:
    with pytest.raises(RefusedError, match="wgt0: refused: Address already in use") as caught:
        client(served).set(DeviceChange(listen_port=7))
    assert caught.value.errno == 98


def test_a_name_that_is_none() -> None:
    with pytest.raises(UapiError, match="is no interface name"):
        UapiClient("../etc")


def test_no_such_interface(directory: Path) -> None:
    with pytest.raises(NoSuchInterfaceError, match="wg9: no such interface"):
        UapiClient("wg9", directory=directory).get()


def test_not_running(directory: Path) -> None:
    bind_uapi_socket("wg9", directory).close()
    with pytest.raises(NotRunningError, match="wg9: not running"):
        UapiClient("wg9", directory=directory).get()


def test_permission_denied(served: Served) -> None:
    need_root()
    served.directory.chmod(0o755)
    os.seteuid(NOBODY)
    try:
        with pytest.raises(AccessDeniedError, match="permission denied; try again as root"):
            client(served).get()
    finally:
        os.seteuid(0)


def test_a_path_that_is_too_long(directory: Path) -> None:
    with pytest.raises(UapiError, match=r"cannot reach .*too long"):
        UapiClient("wg9", directory=directory / ("x" * 120)).get()


def test_nobody_takes_connections(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(str(directory / "wg9.sock"))
        listener.listen(0)
        waiting.connect(str(directory / "wg9.sock"))
        with pytest.raises(NoAnswerError, match="does not take connections"):
            UapiClient("wg9", directory=directory, timeout=0.1).get()


@contextmanager
def daemon(
    directory: Path, behave: Callable[[socket.socket], None], *, timeout: float = 10
) -> Iterator[UapiClient]:
    """Something on the other side that takes one connection and does as told."""
    listener = bind_uapi_socket("wg9", directory)
    listener.settimeout(10)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            behave(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield UapiClient("wg9", directory=directory, timeout=timeout)
    finally:
        thread.join(10)
        listener.close()


def replies(data: bytes) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(data)

    return behave


def hang_up(connection: socket.socket) -> None:
    connection.recv(4096)


def hang_up_unread(connection: socket.socket) -> None:
    """What was not read makes the close a reset."""
    connection.recv(1)


def stay_silent(connection: socket.socket) -> None:
    connection.recv(4096)
    assert connection.recv(4096) == b""


@pytest.mark.parametrize("behave", [hang_up, hang_up_unread])
def test_a_daemon_that_does_not_know_get_status(
    directory: Path, behave: Callable[[socket.socket], None]
) -> None:
    with daemon(directory, behave) as asking:
        assert asking.status() is None


@pytest.mark.parametrize("behave", [hang_up, hang_up_unread])
def test_a_daemon_that_hangs_up(directory: Path, behave: Callable[[socket.socket], None]) -> None:
    with (
        daemon(directory, behave) as asking,
        pytest.raises(NoAnswerError, match="wg9: the daemon closed the connection without a reply"),
    ):
        asking.get()


def test_a_daemon_that_stays_silent(directory: Path) -> None:
    with (
        daemon(directory, stay_silent, timeout=0.3) as asking,
        pytest.raises(NoAnswerError, match=r"wg9: no answer within 0\.3 s"),
    ):
        asking.get()


def test_a_daemon_that_does_not_read(directory: Path) -> None:
    prefixes = (PrefixChange(IPv4Network("10.0.0.0/8")),) * 30_000
    release = threading.Event()

    def behave(_: socket.socket) -> None:
        release.wait(10)

    with daemon(directory, behave, timeout=0.3) as asking:
        with pytest.raises(NoAnswerError, match="no answer"):
            asking.set(DeviceChange(peers=(PeerChange(KEY, allowed_ips=prefixes),)))
        release.set()


def test_a_daemon_that_refuses_early_and_hangs_up(directory: Path) -> None:
    """As wireguard-go does, which takes the lines after the wrong one for operations."""
    prefixes = (PrefixChange(IPv4Network("10.0.0.0/8")),) * 30_000

    def behave(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"errno=-22\n\n")

    with daemon(directory, behave) as asking, pytest.raises(RefusedError, match="Invalid argument"):
        asking.set(DeviceChange(peers=(PeerChange(KEY, allowed_ips=prefixes),)))


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (b"errno=5\n\n", "refused: Input/output error"),
        (b"errno=-5\n\n", "refused: Input/output error"),
        (b"listen_port=1\n\n", "does not end with errno; it may have died"),
        (b"listen_port=1", "does not end with errno"),
        (b"errno=\n\n", "does not end with errno"),
        (b"errno=99999999999\n\n", "does not end with errno"),
        (b"\n\n", "does not end with errno"),
        (b"listen_port\nerrno=0\n\n", "cannot be read: line 1 .* KEY=VALUE"),
        (b"private_key=c0ffee\nerrno=0\n\n", r"'private_key=\(hidden\)' in the reply"),
        (b"fwmark=\xff\nerrno=0\n\n", "cannot be read"),
    ],
)
def test_strange_replies(directory: Path, reply: bytes, complaint: str) -> None:
    with daemon(directory, replies(reply)) as asking, pytest.raises(UapiError, match=complaint):
        asking.get()


def test_a_strange_status(directory: Path) -> None:
    with (
        daemon(directory, replies(b"drop.x=y\nerrno=0\n\n")) as asking,
        pytest.raises(UapiError, match=r"'drop\.x' in the reply"),
    ):
        asking.status()


def test_a_reply_in_small_pieces(directory: Path) -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(4096)
        for byte in b"listen_port=5\nerrno=0\n\n":
            connection.send(bytes([byte]))

    with daemon(directory, behave) as asking:
        assert asking.get() == DeviceState(listen_port=5)


def test_an_endless_reply(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_MAX_REPLY", 100_000)

    def behave(connection: socket.socket) -> None:
        connection.recv(4096)
        try:
            while True:
                connection.sendall(b"fwmark=1\n" * 1000)
        except (BrokenPipeError, ConnectionResetError):
            pass

    with daemon(directory, behave) as asking, pytest.raises(UapiError, match=r"has no end"):
        asking.get()


def test_the_client_is_light() -> None:
    code = "import sys; import pywg.uapi.client; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20
    )
    heavy = {"asyncio", "logging", "cryptography", "nacl", "pyroute2", "ctypes"}
    assert heavy.isdisjoint(done.stdout.split())
