"""``pywg monitor`` as it is typed: words, without rich, once, and live under a terminal with real daemons."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pywg.cli.main import main
from pywg.cli.monitor import Request, parse
from pywg.cli.options import UsageError
from tests.monitor.screen import ENTER, Screen
from tests.needs import need, need_root
from tests.netns.daemon import PROJECT, Program
from tests.netns.lab import Lab, Tunnel
from tests.netns.wait import until

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def command(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "pywg", "monitor", *words]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONUTF8": "1", **more}


def monitor(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it without a terminal."""
    return subprocess.run(
        command(*words),
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        ([], Request((), 1.0, once=False)),
        (["wg0", "--once", "wg1"], Request(("wg0", "wg1"), 1.0, once=True)),
        (["--interval", "5"], Request((), 5.0, once=False)),
        (["--interval=0.5", "wg0"], Request(("wg0",), 0.5, once=False)),
    ],
)
def test_words(words: list[str], request_: Request) -> None:
    assert parse(words) == request_


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--twice"], "unknown option '--twice'; expected --once or --interval SECONDS"),
        (["--interval"], "--interval: its value is missing; expected --interval SECONDS"),
        (["--interval="], "--interval: its value is missing; expected --interval SECONDS"),
        (["--interval", "soon"], "--interval 'soon': expected seconds from 0.1 to 3600"),
        (["--interval", "nan"], "--interval 'nan': expected"),
        (["--interval=0"], "--interval '0': expected"),
        (["--interval=1e9"], "--interval '1e9': expected"),
    ],
)
def test_wrong_words(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError):
        parse(words)
    assert main(["monitor", *words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    first, usage = err.split("\n", 1)
    assert first.startswith(f"pywg: {message}")
    assert usage.startswith("usage: pywg monitor")


def test_without_rich_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError(\"No module named 'rich'\", name='rich')\n")
    done = monitor(PYTHONPATH=f"{tmp_path}:{PROJECT}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "pywg: monitor needs rich, which is not installed; pip install 'pywg-tunnel[monitor]'\n"
    )


def test_an_interface_that_is_not_there() -> None:
    done = monitor("--once", "--interval=0.1", "wtnone0")
    assert done.returncode == 1
    assert re.match(r"wtnone0 +no such ", done.stdout)
    # In full, and once.
    assert re.fullmatch(r"pywg: wtnone0: no such .*\n", done.stderr)


@pytest.fixture(scope="module")
def tunnel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tunnel]:
    """pywg, which has shaken hands with wireguard-go; also a packet that pywg dropped."""
    need_root()
    need("wireguard-go", "wg", "ip", "ping", "setsid")
    with Lab(tmp_path_factory.mktemp("monitor")) as lab:
        made = lab.tunnel(Program.PYWG, Program.WIREGUARD_GO)
        inner = made.responder.addresses.inner4
        made.initiator.namespace.run("ping", "-c", "3", "-i", "0.2", "-W", "5", inner)
        made.initiator.namespace.run("ping", "-c", "1", "-W", "1", "10.77.0.99", check=False)
        yield made


def names(tunnel: Tunnel) -> tuple[str, str]:
    return tunnel.initiator.daemon.interface, tunnel.responder.daemon.interface


def test_once_tells_what_each_device_tells(tunnel: Tunnel) -> None:
    done = monitor("--once", "--interval=0.2", *names(tunnel))
    assert (done.returncode, done.stderr) == (0, "")
    assert CONTROL.findall(done.stdout) == []
    ours, theirs = done.stdout.split("\n\n" + names(tunnel)[1])
    keys = tunnel.initiator.keys, tunnel.responder.keys
    assert re.match(rf"{names(tunnel)[0]} +up · port 51820 · 1 peer, 1 live +pywg .* engine: ", ours)
    assert "  drops       no_route 1\n" in ours
    assert "  handshakes  none failed\n" in ours
    row = rf"  {re.escape(keys[1].public[:8])}… +\d+ s  192\.0\.2\.2:51820 +10\.77\.0\.2/32 \+1 "
    assert re.search(row + r" +0 B +0 B +\d+ B +\d+ B$", ours)
    assert re.match(" +port 51820 · 1 peer, 1 live\n", theirs)
    assert "  drops       not told by this device\n" in theirs
    assert re.search(rf"  {re.escape(keys[0].public[:8])}… +\d+ s  192\.0\.2\.1:51820 ", theirs)
    for pair in keys:
        assert pair.private not in done.stdout


def test_wireguard_go_is_not_made_to_log_errors_again_and_again(tunnel: Tunnel) -> None:
    def complaints() -> int:
        return tunnel.responder.daemon.log().count("get_status")

    before = complaints()
    with Screen(command("--interval=0.1", names(tunnel)[1]), env=environment()) as screen:
        screen.expect("1 live")
        screen.expect(r"(?s)(1 live.*){5}")
        screen.press(b"q")
        screen.end()
    assert complaints() - before <= 1


@pytest.mark.parametrize(
    "key", [b"q", b"Q", b"\x03", b"\x04", b"\x1c"], ids=["q", "Q", "Ctrl-C", "Ctrl-D", "Ctrl-\\"]
)
def test_a_key_ends_it_and_the_terminal_is_restored(tunnel: Tunnel, key: bytes) -> None:
    with Screen(command(*names(tunnel)), env=environment()) as screen:
        screen.expect("q ends")
        assert not screen.is_restored
        screen.press(b"x")
        screen.press(key)
        assert screen.end() == 0
        assert screen.is_restored
        assert "Traceback" not in screen.written


def test_sigterm_restores_the_terminal_too(tunnel: Tunnel) -> None:
    with Screen(command(*names(tunnel)), env=environment()) as screen:
        screen.expect("q ends")
        screen.process.send_signal(signal.SIGTERM)
        assert screen.end() == 128 + signal.SIGTERM
        assert screen.is_restored


def test_another_size_is_drawn_at_once(tunnel: Tunnel) -> None:
    with Screen(
        command("--interval=60", *names(tunnel)), columns=60, env=environment(COLUMNS="33")
    ) as screen:
        assert "endpoint" in screen.expect("q ends.*(?s:.*)tx/s")
        assert "allowed ips" not in screen.written
        screen.resize(200, 50)
        screen.expect("(?s)allowed ips.*drops and failures")
        screen.resize(30, 3)
        screen.expect("q ends|pywg monitor")
        screen.press(b"q")
        assert screen.end() == 0
        assert screen.is_restored


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(tunnel: Tunnel) -> None:
    with Screen(command(*names(tunnel)), env=environment()) as screen:
        screen.expect("q ends")
        screen.press(b"\x1a")
        stat = Path(f"/proc/{screen.process.pid}/stat")
        until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T", "it is stopped", seconds=15)
        screen.drain()
        assert screen.is_restored
        screen.process.send_signal(signal.SIGCONT)
        screen.expect("q ends")
        assert screen.written.count(ENTER) == 2
        screen.press(b"q")
        assert screen.end() == 0
        assert screen.is_restored


def test_a_daemon_that_hangs_and_stops_while_it_runs(tmp_path: Path) -> None:
    need_root()
    need("ip", "setsid")
    with Lab(tmp_path) as lab:
        daemon = lab.start(Program.PYWG, lab.namespace())
        with Screen(command("--interval=0.2", daemon.interface), env=environment()) as screen:
            screen.expect("0 peers, 0 live")
            daemon.process.send_signal(signal.SIGSTOP)
            screen.expect("no answer for 2 s; its daemon may be stuck")
            daemon.process.send_signal(signal.SIGCONT)
            screen.expect("0 peers, 0 live")
            assert daemon.stop() == 0
            screen.expect("no such ")
            screen.press(b"q")
            assert screen.end() == 0
            assert screen.is_restored
