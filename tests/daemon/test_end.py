"""How a daemon ends: exit status 0, and neither process nor interface nor socket file is left."""

import fcntl
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.daemon.conftest import PROJECT, Place
from tests.netns.namespace import run, socket_answers
from tests.netns.wait import until

End = Callable[[Place, int], None]


def _signal(number: signal.Signals) -> End:
    return lambda _place, pid: os.kill(pid, number)


def _delete_socket(place: Place, _pid: int) -> None:
    place.socket.unlink()


def _delete_link(place: Place, _pid: int) -> None:
    place.namespace.ip("link", "delete", place.interface)


ENDS = pytest.mark.parametrize(
    "end",
    [_signal(signal.SIGTERM), _signal(signal.SIGINT), _signal(signal.SIGHUP), _delete_socket, _delete_link],
    ids=["SIGTERM", "SIGINT", "SIGHUP", "socket deleted", "link deleted"],
)


@ENDS
@pytest.mark.parametrize("up", [False, True], ids=["down", "up"])
def test_foreground(place: Place, tmp_path: Path, end: End, *, up: bool) -> None:
    log = tmp_path / "log"
    with place.foreground(log, LOG_LEVEL="error") as process:
        if up:
            place.namespace.ip("link", "set", place.interface, "up")
            until(
                lambda: "listening port" in run("wg", "show", place.interface).stdout, "it is up", seconds=5
            )
        end(place, process.pid)
        assert process.wait(15) == 0
    assert log.read_text() == ""
    place.assert_gone()


@ENDS
def test_background(place: Place, end: End) -> None:
    assert place.pywg().returncode == 0
    end(place, place.daemon_pid())
    place.assert_gone()


def test_end_with_a_peer_and_a_client(place: Place, tmp_path: Path) -> None:
    """Nothing that is under way holds it up."""
    import socket  # noqa: PLC0415

    with place.foreground(tmp_path / "log") as process:
        key = run("wg", "genkey").stdout
        public = run("wg", "pubkey", text=key).stdout.strip()
        run(
            "wg", "set", place.interface, "private-key", "/dev/stdin", "peer", public[::-1][1:] + "=",
            "endpoint", "192.0.2.1:1", "persistent-keepalive", "1", text=key, check=False,
        )  # fmt: skip
        place.namespace.ip("link", "set", place.interface, "up")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(place.socket))
            client.sendall(b"set=1\n")
            process.terminate()
            assert process.wait(15) == 0
    place.assert_gone()


def test_a_new_socket_in_its_place_is_left_alone(place: Place, tmp_path: Path) -> None:
    """Whoever deleted our socket may have bound another there."""
    import socket  # noqa: PLC0415

    with place.foreground(tmp_path / "log") as process, socket.socket(socket.AF_UNIX) as other:
        # In one step, as a rename does it, so that the daemon never sees the path empty.
        ours = place.socket.with_suffix(".new")
        other.bind(str(ours))
        other.listen()
        ours.rename(place.socket)
        assert process.wait(15) == 0
        assert socket_answers(place.socket)


# Started with descriptors of somebody else.

_OPEN_AND_EXEC = """
import fcntl, os, socket, struct, sys
name, path = sys.argv[1:3]
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1001))
uapi = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
uapi.bind(path)
uapi.listen()
os.set_inheritable(tun, True)
uapi.set_inheritable(True)
os.environ["WG_TUN_FD"], os.environ["WG_UAPI_FD"] = str(tun), str(uapi.fileno())
os.execv(sys.executable, [sys.executable, "-P", "-m", "pywg", *sys.argv[3:]])
"""


@pytest.mark.parametrize("words", [("-f",), ()], ids=["foreground", "background"])
def test_inherited_descriptors(place: Place, words: tuple[str, ...]) -> None:
    command = [
        sys.executable,
        "-c",
        _OPEN_AND_EXEC,
        place.interface,
        str(place.socket),
        *words,
        place.interface,
    ]
    process = subprocess.Popen(place.namespace.command(*command), env=place.environment(), cwd=PROJECT)
    until(
        lambda: (
            place.socket.exists()
            and f"interface: {place.interface}" in run("wg", "show", place.interface, check=False).stdout
        ),
        "the daemon answers",
        seconds=10,
    )
    # The MTU is the business of whoever made the device.
    assert "mtu 1500" in place.namespace.ip("link", "show", "dev", place.interface)
    if not words:
        assert process.wait(15) == 0
    os.kill(place.daemon_pid(), signal.SIGTERM)
    assert process.wait(15) == 0
    place.assert_gone()


def test_a_tap_is_refused(place: Place) -> None:
    """Whoever opened it wants Ethernet frames, which nobody here reads."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", place.interface.encode(), 0x1002))
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pywg", "-f", place.interface],
            env=place.environment(WG_TUN_FD=str(tap)),
            pass_fds=(tap,),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    finally:
        os.close(tap)
    assert done.returncode == 1
    assert "expected IFF_TUN | IFF_NO_PI" in done.stderr
