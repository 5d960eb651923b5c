"""pywg/daemon/notify.py: what a service manager hears, and that nothing it does can harm the daemon."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pywg.daemon import notify
from pywg.daemon.notify import VARIABLE, Notifier
from tests.daemon.conftest import Place
from tests.netns.namespace import new_interface_name


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(10)
        yield listener


def heard(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def fill(address: str) -> None:
    """Send until there is no more room, which raises BlockingIOError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.setblocking(False)
        for _ in range(100_000):
            filler.sendto(b"x", address)


def test_ready_and_stopping_to_a_path(manager: socket.socket) -> None:
    speaker = Notifier(manager.getsockname())
    speaker.ready("wg0 answers")
    assert heard(manager) == ["READY=1", "STATUS=wg0 answers"]
    speaker.stopping("received SIGTERM")
    assert heard(manager) == ["STOPPING=1", "STATUS=received SIGTERM"]


def test_abstract_address() -> None:
    name = f"pywg-{os.getpid()}-{new_interface_name()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        listener.settimeout(10)
        Notifier(f"@{name}").ready("here")
        assert heard(listener)[0] == "READY=1"


def test_variable_is_taken_from_the_environment(manager: socket.socket) -> None:
    environment = {VARIABLE: manager.getsockname(), "HOME": "/"}
    Notifier.from_environment(environment).ready("here")
    assert environment == {"HOME": "/"}
    assert heard(manager)[0] == "READY=1"


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "relative",
        "vsock:2:1234",
        "/nonexistent/socket",
        "/dev/null",
        "/" + "x" * 200,
        "/with\0zero",
        "@",
    ],
)
def test_manager_that_cannot_be_reached_is_nobody(address: str | None) -> None:
    Notifier(address).ready("here")


def test_manager_that_does_not_listen_is_not_waited_for_long(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "_SECONDS", 0.05)
    speaker = Notifier(manager.getsockname())
    began = time.monotonic()
    with pytest.raises(BlockingIOError):
        fill(manager.getsockname())
    speaker.ready("nobody reads this")
    assert time.monotonic() - began < 5


def test_foreground_daemon_tells_that_it_answers_and_that_it_ends(
    place: Place, tmp_path: Path, manager: socket.socket
) -> None:
    environment = {VARIABLE: manager.getsockname()}
    with place.foreground(tmp_path / "log", **environment) as process:
        ready, status = heard(manager)
        assert ready == "READY=1"
        assert status == f"STATUS={place.interface} answers; engine: {place.engine}"
        assert place.answers()
        process.send_signal(signal.SIGTERM)
        assert heard(manager) == ["STOPPING=1", "STATUS=received SIGTERM"]
        assert process.wait(15) == 0


def test_daemon_lives_on_without_its_manager(place: Place, tmp_path: Path) -> None:
    with place.foreground(tmp_path / "log", NOTIFY_SOCKET=str(tmp_path / "nobody")) as process:
        assert place.answers()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


def test_background_daemon_says_nothing(place: Place, manager: socket.socket) -> None:
    """Whoever started it was told by its exit status; a second word could be taken for another process's."""
    assert place.pywg(NOTIFY_SOCKET=manager.getsockname()).returncode == 0
    os.kill(place.daemon_pid(), signal.SIGTERM)
    place.assert_gone()
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)
