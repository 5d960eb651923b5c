"""Keys stay inside: not in logs, arguments, environment, tracebacks; memory is shut."""

import asyncio
import base64
import secrets
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pywg.cli import daemon
from pywg.daemon import launch
from pywg.daemon.notify import Notifier
from pywg.daemon.opening import Opened
from pywg.daemon.service import _Service
from tests.daemon.conftest import Place
from tests.netns.namespace import run
from tests.netns.wait import until

O_CLOEXEC = 0o2000000


def _spellings(key: bytes) -> set[bytes]:
    """How a key could show up. Pieces, so that a shortened one is found too."""
    hexadecimal, text = key.hex().encode(), base64.b64encode(key)
    shown = repr(key[8:16])[2:-1].encode()
    return {key[8:16], hexadecimal[16:32], hexadecimal[16:32].upper(), text[8:20], shown}


def _is_in(key: bytes, text: bytes) -> bool:
    return any(spelling in text for spelling in _spellings(key))


def _base64(key: bytes) -> str:
    return base64.b64encode(key).decode() + "\n"


def test_canary_spellings_are_found() -> None:
    """The tests below rest on this."""
    key = secrets.token_bytes(32)
    for text in (key, key.hex().encode(), base64.b64encode(key), repr(key).encode(), key.hex()[:40].encode()):
        assert _is_in(key, b"before " + text + b" after")
    assert not _is_in(key, secrets.token_bytes(1 << 16))


def test_keys_are_in_no_log_argument_or_environment(place: Place, tmp_path: Path) -> None:
    private, preshared, wrong = (secrets.token_bytes(32) for _ in range(3))
    key_file, psk_file = tmp_path / "key", tmp_path / "psk"
    key_file.write_text(_base64(private))
    psk_file.write_text(_base64(preshared))
    public = run("wg", "pubkey", text=_base64(secrets.token_bytes(32))).stdout.strip()
    log = tmp_path / "log"
    with place.foreground(log, LOG_LEVEL="verbose") as process:
        run(
            *("wg", "set", place.interface, "private-key", str(key_file), "peer", public),
            *("preshared-key", str(psk_file), "endpoint", "127.0.0.1:9", "persistent-keepalive", "1"),
        )
        place.namespace.ip("link", "set", place.interface, "up")
        until(lambda: b"initiation" in log.read_bytes(), "an initiation is sent", seconds=15)
        for line in (f"private_key={wrong.hex()}00", f"preshared_key={wrong.hex()}", f"{wrong.hex()}"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(str(place.socket))
                client.sendall(f"set=1\n{line}\n\n".encode())
                assert b"errno=-" in client.recv(4096)
        proc = Path(f"/proc/{process.pid}")
        seen = {name: (proc / name).read_bytes() for name in ("cmdline", "environ")}
        process.terminate()
        assert process.wait(15) == 0
    seen["log"] = log.read_bytes()
    assert seen["log"].count(b"error: ") == 3, seen["log"]
    assert f"peer({public[:4]}...{public[39:43]})".encode() in seen["log"]
    for name, text in seen.items():
        for key in (private, preshared, wrong):
            assert not _is_in(key, text), name


def test_a_failure_is_told_without_its_values(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither at start nor in the loop may a traceback show what an exception says."""
    key = secrets.token_bytes(32)

    def fail(*_: object) -> None:
        raise ValueError(key.hex(), key)

    monkeypatch.setattr(launch, "open_descriptors", fail)
    assert daemon.main(["wg0"]) == 1
    error = capfd.readouterr().err
    assert "pywg: unforeseen: ValueError in" in error
    assert not _is_in(key, error.encode())

    told: list[str] = []
    log = SimpleNamespace(error=told.append, verbose=told.append)

    async def run_loop() -> None:
        loop = asyncio.get_running_loop()
        service = _Service(cast(Opened, None), log, Notifier(None))
        loop.set_exception_handler(service._loop_failed)
        loop.call_soon(fail, key)
        task = loop.create_task(_fail_later(key))
        await asyncio.sleep(0.01)
        del task

    asyncio.run(run_loop())
    assert len(told) == 2
    assert all(line.startswith("unforeseen: ValueError in") for line in told)
    assert not _is_in(key, "".join(told).encode())
    assert capfd.readouterr() == ("", "")


async def _fail_later(key: bytes) -> None:
    raise ValueError(key)


def test_memory_is_shut(place: Place) -> None:
    """Not even root, with the same capabilities, may open the memory of a process that is not dumpable.

    CAP_SYS_PTRACE would allow it; so all three processes here do without.
    """
    weaker = ["setpriv", "--bounding-set=-sys_ptrace", "--"]
    run(*weaker, *place.command(), env=place.environment())
    look = [*weaker, "sh", "-c", ': < "/proc/$0/mem"']
    control = subprocess.Popen([*weaker, "sleep", "30"])
    try:
        until(lambda: _program(control.pid) == "sleep", "setpriv has become sleep", seconds=15)
        assert run(*look, str(control.pid), check=False).returncode == 0
        refused = run(*look, str(place.daemon_pid()), check=False)
    finally:
        control.kill()
        control.wait()
    assert refused.returncode != 0
    assert "Permission denied" in refused.stderr


def _program(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_no_core_is_written(place: Place) -> None:
    assert place.pywg().returncode == 0
    limits = Path(f"/proc/{place.daemon_pid()}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"]


@pytest.mark.parametrize("words", [(), ("-f",)], ids=["background", "foreground"])
def test_every_descriptor_is_close_on_exec(place: Place, tmp_path: Path, words: tuple[str, ...]) -> None:
    def check() -> None:
        proc = Path(f"/proc/{place.daemon_pid()}")
        place.namespace.ip("link", "set", place.interface, "up")
        until(lambda: "port" in run("wg", "show", place.interface).stdout, "it listens", seconds=15)
        flags = {int(entry.name): _flags(proc, entry.name) for entry in (proc / "fd").iterdir()}
        assert len(flags) > 8
        assert [number for number, flag in flags.items() if number > 2 and not flag & O_CLOEXEC] == []

    if words:
        with place.foreground(tmp_path / "log"):
            check()
    else:
        assert place.pywg().returncode == 0
        check()


def _flags(proc: Path, descriptor: str) -> int:
    """As in open(2); one that was closed meanwhile (the connection of `wg`) counts as right."""
    try:
        info = (proc / "fdinfo" / descriptor).read_text()
    except FileNotFoundError:
        return O_CLOEXEC
    return int(info.split("flags:")[1].split()[0], 8)


def test_new_files_are_private(place: Place) -> None:
    assert place.pywg().returncode == 0
    status = Path(f"/proc/{place.daemon_pid()}/status").read_text()
    assert "Umask:\t0077" in status
    assert place.socket.stat().st_mode & 0o777 == 0o700


def test_arguments_say_no_more_than_the_name(place: Place) -> None:
    assert place.pywg().returncode == 0
    words = Path(f"/proc/{place.daemon_pid()}/cmdline").read_bytes().split(b"\0")[:-1]
    assert words == [sys.executable.encode(), b"-P", b"-m", b"pywg", b"-f", place.interface.encode()]
