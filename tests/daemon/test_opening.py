"""pywg/daemon/opening.py: the name file of macOS, and what is left when a start fails half-way. No root."""

import socket
import stat
from pathlib import Path

import pytest

from pywg.daemon import opening
from pywg.daemon.errors import StartError
from pywg.daemon.handover import NOTHING
from pywg.daemon.opening import name_file, open_descriptors, write_name_file
from pywg.tun.port import TunError
from pywg.uapi.path import UapiSocketError


class FakeTun:
    """A TUN that needs no root."""

    vnet_hdr = False
    name = "utun7"

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def tun(monkeypatch: pytest.MonkeyPatch) -> FakeTun:
    made = FakeTun()
    monkeypatch.setattr(opening, "open_tun", lambda _name, _mtu: made)
    return made


@pytest.mark.parametrize(
    ("name", "system", "given", "expected"),
    [
        ("utun", "darwin", "/x", "/x"),
        ("utun", "darwin", "", None),
        ("utun3", "darwin", "/x", None),
        ("utun", "linux", "/x", None),
    ],
)
def test_when_the_name_file_is_honoured(name: str, system: str, given: str, expected: str | None) -> None:
    assert name_file(name, {"WG_TUN_NAME_FILE": given}, system) == expected
    assert name_file(name, {}, system) is None


def test_name_file_is_name_and_newline_for_reading_only(tmp_path: Path) -> None:
    path = tmp_path / "wg0.name"
    path.write_text("something longer from an earlier run\n")
    path.unlink()
    write_name_file(str(path), "utun7")
    assert path.read_text() == "utun7\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o400


def test_name_file_follows_no_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        write_name_file(str(tmp_path / "link"), "utun7")
    assert not target.exists()


def test_real_name_names_the_socket(tun: FakeTun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bound: list[str] = []

    def bind(name: str) -> socket.socket:
        bound.append(name)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(tmp_path / f"{name}.sock"))
        return listening

    monkeypatch.setattr(opening, "bind_uapi_socket", bind)
    opened = open_descriptors("utun", NOTHING)
    opened.uapi.close()
    assert bound == ["utun7"]
    assert opened.name == "utun7"
    assert not tun.closed


def test_no_tun(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str, _mtu: int) -> FakeTun:
        raise TunError("no device for you")

    monkeypatch.setattr(opening, "open_tun", refuse)
    with pytest.raises(StartError, match="no device for you"):
        open_descriptors("wg0", NOTHING)


def test_no_socket_takes_the_tun_along(tun: FakeTun, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str) -> socket.socket:
        raise UapiSocketError("unix socket in use")

    monkeypatch.setattr(opening, "bind_uapi_socket", refuse)
    with pytest.raises(StartError, match="unix socket in use"):
        open_descriptors("wg0", NOTHING)
    assert tun.closed


def test_giving_up_leaves_another_daemons_socket_alone(
    tun: FakeTun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "utun7.sock"

    def bind(_name: str) -> socket.socket:
        bound = socket.socket(socket.AF_UNIX)
        bound.bind(str(path))
        return bound

    monkeypatch.setattr(opening, "bind_uapi_socket", bind)
    opened = open_descriptors("utun", NOTHING)
    path.rename(tmp_path / "moved away")
    successor = bind("utun7")
    opened.abandon()
    assert tun.closed
    assert path.exists()
    successor.close()


def test_no_name_file_takes_all_along(tun: FakeTun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def bind(name: str) -> socket.socket:
        bound = socket.socket(socket.AF_UNIX)
        bound.bind(str(tmp_path / f"{name}.sock"))
        return bound

    monkeypatch.setattr(opening, "bind_uapi_socket", bind)
    monkeypatch.setattr(opening, "name_file", lambda _name, _environment: str(tmp_path / "none" / "name"))
    with pytest.raises(StartError, match=r"cannot write WG_TUN_NAME_FILE=.*: No such file"):
        open_descriptors("utun", NOTHING)
    assert tun.closed
    assert list(tmp_path.iterdir()) == []
