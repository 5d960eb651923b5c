"""``pywg IFACE``: ready when it returns, silent, detached; and every way in which it cannot start."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.daemon.conftest import Place
from tests.netns.namespace import UAPI_SOCKETS, run, socket_answers
from tests.netns.wait import until


def _one_error(done: subprocess.CompletedProcess[str]) -> str:
    """The line of a start that failed as it should."""
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert done.stderr.startswith("pywg: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_everything_is_ready_when_it_returns(place: Place) -> None:
    done = place.pywg()
    answers = socket_answers(place.socket)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert answers
    assert f"interface: {place.interface}" in run("wg", "show", place.interface).stdout
    link = place.namespace.ip("-d", "link", "show", "dev", place.interface)
    assert "mtu 1420" in link
    assert "state DOWN" in link  # the process never sets it up
    assert "addrgenmode none" in link


def test_the_daemon_is_detached(place: Place) -> None:
    place.pywg()
    pid = place.daemon_pid()
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    streams = {str(Path(f"/proc/{pid}/fd/{stream}").readlink()) for stream in range(3)}
    assert streams == {"/dev/null"}


@pytest.mark.parametrize(
    ("level", "kept"), [("verbose", True), ("debug", True), ("error", True), ("silent", False), ("", False)]
)
def test_output_is_kept_only_for_a_log_level(place: Place, tmp_path: Path, level: str, *, kept: bool) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        subprocess.run(
            place.command(),
            env=place.environment(LOG_LEVEL=level),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            timeout=20,
            check=True,
        )
    pid = place.daemon_pid()
    streams = {str(Path(f"/proc/{pid}/fd/{stream}").readlink()) for stream in (1, 2)}
    assert streams == {str(log) if kept else "/dev/null"}
    assert str(Path(f"/proc/{pid}/fd/0").readlink()) == "/dev/null"
    first = log.read_text().partition("\n")[0]
    assert ("engine: " in first) == (level in {"verbose", "debug"})


def test_command_substitution_does_not_hang(place: Place) -> None:
    """As wg-quick: output captured, and a further descriptor of the shell open that is not close-on-exec."""
    words = " ".join(place.command())
    begun = time.monotonic()
    done = subprocess.run(
        ["bash", "-c", f"exec 9>&1; x=$({words} 2>&1); echo status $? said [$x]"],
        env=place.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stdout == "status 0 said []\n"
    assert time.monotonic() - begun < 10
    assert socket_answers(place.socket)


def test_nothing_is_imported_from_the_working_directory(place: Place, tmp_path: Path) -> None:
    """A file beside the user must not become part of a root process, neither first nor second."""
    (tmp_path / "asyncio.py").write_text("raise SystemExit('imported from the working directory')\n")
    (tmp_path / "subprocess.py").write_text("raise SystemExit('imported from the working directory')\n")
    (tmp_path / "pywg").mkdir()
    (tmp_path / "pywg" / "__init__.py").write_text("raise SystemExit('another pywg')\n")
    done = subprocess.run(
        place.command(),
        env=place.environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_closed_standard_streams(place: Place) -> None:
    """The TUN must not become descriptor 0, which is then overwritten."""
    script = 'exec "$@" <&- >&- 2>&-'
    done = run("sh", "-c", script, "sh", *place.command(), env=place.environment(), check=False)
    assert done.returncode == 0
    assert socket_answers(place.socket)
    assert place.answers()


def test_nobody_waits_for_the_child(place: Place) -> None:
    """Whoever started it was killed meanwhile: an interface nobody knows of must not stay."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        place.command("-f", place.interface),
        env=place.environment(PYWG_READY_FD=str(write_end)),
        pass_fds=(write_end,),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    os.close(write_end)
    assert "the process that started this one has ended" in _one_error(done)
    place.assert_gone()


def test_interrupted_start_leaves_nothing(place: Place) -> None:
    process = subprocess.Popen(
        place.command(), env=place.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: place.socket.exists() or process.poll() is not None, "the socket is bound", seconds=10)
    process.send_signal(signal.SIGINT)
    status = process.wait(10)
    # It may have been ready already: then the daemon runs and answers.
    if status == 0:
        assert socket_answers(place.socket)
    else:
        assert status in {130, -signal.SIGINT}  # the latter before our first line ran
        place.assert_gone()


# Every way in which it cannot start.


def test_no_privilege(place: Place) -> None:
    command = ["setpriv", "--bounding-set=-net_admin", *place.command()[3:]]
    done = run(*place.namespace.command(*command), env=place.environment(), check=False)
    assert "not permitted; run as root" in _one_error(done)
    assert place.is_gone()


def test_no_tun_device(place: Place) -> None:
    hidden = ["sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh"]
    done = run("unshare", "-m", *hidden, *place.command(), env=place.environment(), check=False)
    assert "/dev/net/tun is missing" in _one_error(done)
    assert place.is_gone()


def test_name_taken_by_another_kind(place: Place) -> None:
    place.namespace.ip("link", "add", place.interface, "type", "veth", "peer", "name", "other")
    assert "an interface of another kind has that name" in _one_error(place.pywg())
    assert not place.socket.exists()


def test_name_taken_by_another_daemon(place: Place) -> None:
    assert place.pywg().returncode == 0
    assert "the name is in use by another process" in _one_error(place.pywg())
    assert socket_answers(place.socket)


def test_socket_in_use(place: Place) -> None:
    """By a daemon of another namespace, for all of them share the directory."""
    UAPI_SOCKETS.mkdir(mode=0o755, exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(place.socket))
        other.listen()
        assert "unix socket in use" in _one_error(place.pywg())
        assert place.socket.exists()
        assert not place.namespace.has_link(place.interface)


def test_a_stale_socket_is_replaced(place: Place) -> None:
    UAPI_SOCKETS.mkdir(mode=0o755, exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(place.socket))
    assert place.pywg().returncode == 0
    assert socket_answers(place.socket)


def test_the_childs_failure_is_the_parents(place: Place) -> None:
    line = _one_error(place.pywg(PYWG_ENGINE="steam"))
    assert "there is no engine 'steam'" in line
    place.assert_gone()


def test_foreground_failure(place: Place) -> None:
    line = _one_error(place.pywg("-f", place.interface, PYWG_ENGINE="steam"))
    assert "there is no engine 'steam'" in line
    place.assert_gone()


@pytest.mark.parametrize("words", [(), ("-f",)])
def test_wrong_descriptors(place: Place, words: tuple[str, ...]) -> None:
    with_name = (*words, place.interface)
    assert "is no descriptor" in _one_error(place.pywg(*with_name, WG_TUN_FD="x"))
    assert "is not an open descriptor" in _one_error(place.pywg(*with_name, WG_UAPI_FD="77"))
    assert "is not an open TUN device" in _one_error(place.pywg(*with_name, WG_TUN_FD="0"))
    assert "is not a socket" in _one_error(place.pywg(*with_name, WG_UAPI_FD="0"))
    assert place.is_gone()


# The kernel's own.


@pytest.mark.parametrize(
    ("there", "quiet", "said"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_the_kernels_wireguard_is_pointed_at(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    *,
    there: bool,
    quiet: str,
    said: bool,
) -> None:
    from pywg.cli import daemon  # noqa: PLC0415 (the only test here that runs it in this process)
    from pywg.daemon import launch  # noqa: PLC0415
    from pywg.daemon.errors import StartError  # noqa: PLC0415

    def refuse(*_: object) -> None:
        raise StartError("not in this test")

    monkeypatch.setattr(daemon, "KERNEL_MODULE", str(tmp_path if there else tmp_path / "none"))
    monkeypatch.setattr(launch if not quiet else daemon, "open_descriptors", refuse)
    monkeypatch.setenv("WG_PROCESS_FOREGROUND", quiet)
    assert daemon.main(["wg0"]) == 1
    error = capsys.readouterr().err
    assert ("note: this kernel has WireGuard of its own" in error) == said
    assert error.endswith("pywg: not in this test\n")
