"""The socket's file: made, inherited, found, taken away."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pywg.uapi.path import (
    DIRECTORY,
    UapiSocketError,
    bind_uapi_socket,
    file_identity,
    has_live_socket,
    inherit_uapi_socket,
    interface_names,
    socket_path,
    unlink_if_ours,
)
from tests.needs import need_root
from tests.nobody import NOBODY


def test_the_path_is_the_one_wg_looks_at() -> None:
    assert str(socket_path("wg0")) == "/var/run/wireguard/wg0.sock"
    assert Path("/var/run/wireguard") == DIRECTORY


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "wg 0", "x" * 16, "wg\0", "wg\n", "wgé"])
def test_what_cannot_be_a_name(name: str) -> None:
    with pytest.raises(UapiSocketError, match="is no interface name"):
        socket_path(name)


@pytest.mark.parametrize("mask", [0o022, 0o000])
def test_directory_and_socket_have_the_right_modes(directory: Path, mask: int) -> None:
    former = os.umask(mask)
    try:
        bind_uapi_socket("wg0", directory / "made" / "wireguard").close()
        assert os.umask(mask) == mask
    finally:
        os.umask(former)
    assert stat.S_IMODE((directory / "made" / "wireguard").stat().st_mode) == 0o755
    assert stat.S_IMODE((directory / "made" / "wireguard" / "wg0.sock").stat().st_mode) == 0o700


def test_a_client_is_taken_before_anybody_accepts(directory: Path) -> None:
    with bind_uapi_socket("wg0", directory) as listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(directory / "wg0.sock"))
        assert listener.gettimeout() == 0
        assert not listener.get_inheritable()


def test_a_live_socket_is_left_alone(directory: Path) -> None:
    with bind_uapi_socket("wg0", directory) as listener:
        before = file_identity(directory / "wg0.sock")
        with pytest.raises(UapiSocketError, match="unix socket in use"):
            bind_uapi_socket("wg0", directory)
        assert file_identity(directory / "wg0.sock") == before
        listener.accept()[0].close()


def test_a_live_socket_with_a_full_backlog_is_left_alone(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(str(directory / "wg0.sock"))
        listener.listen(0)
        waiting.connect(str(directory / "wg0.sock"))
        with pytest.raises(UapiSocketError, match="unix socket in use"):
            bind_uapi_socket("wg0", directory)


def test_a_stale_socket_makes_way(directory: Path) -> None:
    bind_uapi_socket("wg0", directory).close()
    with bind_uapi_socket("wg0", directory), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(directory / "wg0.sock"))


def test_what_is_not_a_socket_is_left_alone(directory: Path) -> None:
    (directory / "wg0.sock").write_text("precious")
    with pytest.raises(UapiSocketError, match="not a socket; remove it"):
        bind_uapi_socket("wg0", directory)
    assert (directory / "wg0.sock").read_text() == "precious"


def test_who_is_faster_wins(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path is taken between the look and the bind."""
    with bind_uapi_socket("wg0", directory):
        monkeypatch.setattr("pywg.uapi.path._remove_stale", lambda _: None)
        with pytest.raises(UapiSocketError, match="unix socket in use"):
            bind_uapi_socket("wg0", directory)


def test_a_directory_that_cannot_be(directory: Path) -> None:
    (directory / "file").write_text("")
    with pytest.raises(UapiSocketError, match=r"cannot make the UAPI socket .*directory"):
        bind_uapi_socket("wg0", directory / "file")


def test_an_inherited_socket(directory: Path) -> None:
    listener = bind_uapi_socket("wg0", directory)
    os.set_inheritable(listener.fileno(), True)
    listener.setblocking(True)
    with inherit_uapi_socket(listener.detach()) as inherited:
        assert inherited.getsockname() == str(directory / "wg0.sock")
        assert inherited.gettimeout() == 0
        assert not inherited.get_inheritable()


@pytest.fixture(params=["closed", "file", "udp", "connected", "bound"])
def wrong_descriptor(request: pytest.FixtureRequest, directory: Path) -> Iterator[int]:
    made: list[socket.socket] = []
    match request.param:
        case "closed":
            yield 999_999
            return
        case "file":
            fd = os.open(directory, os.O_RDONLY)
            yield fd
            os.close(fd)
            return
        case "udp":
            made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
        case "connected":
            made = [*socket.socketpair()]
        case _:
            made = [socket.socket(socket.AF_UNIX)]
            made[0].bind(str(directory / "bound"))
    yield made[0].fileno()
    for sock in made:
        # Also says that a descriptor that is not ours was not closed.
        sock.getsockname()
        sock.close()


def test_what_cannot_be_inherited(wrong_descriptor: int) -> None:
    with pytest.raises(UapiSocketError, match=f"descriptor {wrong_descriptor} is not a"):
        inherit_uapi_socket(wrong_descriptor)


def test_a_system_that_does_not_tell_who_listens(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(socket.socket):
        def getsockopt(self, *_: int) -> int:  # type: ignore[override]  # only the failure matters
            raise OSError

    listener = bind_uapi_socket("wg0", directory)
    monkeypatch.setattr(socket, "socket", Silent)
    inherit_uapi_socket(listener.detach()).close()


def test_only_our_own_file_is_unlinked(directory: Path) -> None:
    path = directory / "wg0.sock"
    first = bind_uapi_socket("wg0", directory)
    ours = file_identity(path)
    # Moved away and not unlinked, so that the file system cannot use the inode again.
    path.rename(directory / "moved")
    with bind_uapi_socket("wg0", directory):
        unlink_if_ours(path, ours)
        assert path.exists()
        unlink_if_ours(path, None)
        assert path.exists()
        unlink_if_ours(path, file_identity(path))
        assert not path.exists()
        unlink_if_ours(path, file_identity(path))
    first.close()


def test_listing_finds_the_living_and_unlinks_the_dead(directory: Path) -> None:
    with bind_uapi_socket("wg1", directory), bind_uapi_socket("wg0", directory):
        bind_uapi_socket("dead", directory).close()
        (directory / "file.sock").write_text("")
        bind_uapi_socket("other", directory).close()
        (directory / "other.sock").rename(directory / "other.socket")
        assert interface_names(directory) == ["wg0", "wg1"]
    assert sorted(path.name for path in directory.iterdir()) == [
        "file.sock",
        "other.socket",
        "wg0.sock",
        "wg1.sock",
    ]


def test_whether_somebody_listens(directory: Path) -> None:
    assert not has_live_socket("wg0", directory)
    with bind_uapi_socket("wg0", directory):
        assert has_live_socket("wg0", directory)
    assert not has_live_socket("wg0", directory)
    assert list(directory.iterdir()) == []
    (directory / "wg0.sock").write_text("precious")
    assert not has_live_socket("wg0", directory)
    assert (directory / "wg0.sock").exists()
    with pytest.raises(UapiSocketError):
        has_live_socket("../wg0", directory)


def test_a_socket_of_another_kind(directory: Path) -> None:
    """It is there, as `wg show interfaces` tells; why it cannot be asked is told by who asks."""
    with bind_uapi_socket("wg1", directory), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as strange:
        strange.bind(str(directory / "wg0.sock"))
        assert interface_names(directory) == ["wg0", "wg1"]
        assert has_live_socket("wg0", directory)
        with pytest.raises(UapiSocketError, match=r"wg0.sock: Protocol wrong type for socket"):
            bind_uapi_socket("wg0", directory)
        assert (directory / "wg0.sock").exists()


def test_who_just_starts_to_listen_is_left_alone(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else who lists interfaces at that moment would end the daemon, for it ends with its socket."""
    with socket.socket(socket.AF_UNIX) as starting:
        starting.bind(str(directory / "wg0.sock"))
        monkeypatch.setattr("pywg.uapi.path.time.sleep", lambda _: starting.listen())
        assert interface_names(directory) == ["wg0"]
        assert (directory / "wg0.sock").exists()


def test_a_link_to_a_socket(directory: Path) -> None:
    """Such as that of a container's daemon. As wg, which follows it, and takes away one of nobody."""
    (directory / "wg0.sock").symlink_to("wg1.sock")
    with bind_uapi_socket("wg1", directory):
        assert interface_names(directory) == ["wg0", "wg1"]
        with pytest.raises(UapiSocketError, match=r"wg0\.sock exists and is not a socket; remove it$"):
            bind_uapi_socket("wg0", directory)
    assert interface_names(directory) == []


def test_listing_where_there_is_nothing(directory: Path) -> None:
    assert interface_names(directory / "none") == []


@pytest.fixture
def unprivileged() -> Iterator[None]:
    need_root()
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)


@pytest.fixture
def closed_to_others(directory: Path) -> Iterator[Path]:
    """A directory everybody may look at, with a live socket for root alone; and a hidden one."""
    directory.chmod(0o755)
    (directory / "hidden").mkdir(mode=0o700)
    with bind_uapi_socket("wg0", directory):
        yield directory


def test_without_permission(closed_to_others: Path, unprivileged: None) -> None:
    # It exists, which `wg show interfaces` tells everybody; what else is asked of it is refused.
    assert interface_names(closed_to_others) == ["wg0"]
    assert has_live_socket("wg0", closed_to_others)
    with pytest.raises(UapiSocketError, match="permission denied; try again as root"):
        interface_names(closed_to_others / "hidden")
    with pytest.raises(UapiSocketError, match=r"cannot tell whether .* permission denied"):
        bind_uapi_socket("wg0", closed_to_others)
    with pytest.raises(UapiSocketError, match=r"cannot make the UAPI socket .*: Permission denied"):
        bind_uapi_socket("wg1", closed_to_others)
    assert (closed_to_others / "wg0.sock").exists()
