"""`pywg up` told to end, at the places where it takes its time: everything is undone, and quickly."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.netns.daemon import PROJECT
from tests.netns.wait import until
from tests.quick.cases import FILE, NAME, interface, peer
from tests.quick.room import Room

ADDRESS = "Address = 10.0.0.1/24, fd00::1/64"
EVERYTHING = peer("AllowedIPs = 0.0.0.0/0, ::/0", "Endpoint = 192.0.2.9:51820")
AT_THE_END = interface(ADDRESS, "DNS = 10.0.0.53", "PostUp = sleep 30") + EVERYTHING
AT_THE_BEGINNING = interface(ADDRESS, "PreUp = sleep 30") + EVERYTHING
AT_A_NAME = interface(ADDRESS) + peer("Endpoint = nowhere.invalid:51820")


class Started:
    """``pywg WORD`` while it runs, in a room."""

    def __init__(self, room: Room, text: str, *before: str, word: str = "up") -> None:
        room.write(FILE, text)
        self.process = subprocess.Popen(
            room.command(*before, sys.executable, "-P", "-m", "pywg", word, FILE),
            env=room.environment | {"WG_ENDPOINT_RESOLUTION_RETRIES": "infinity"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def until_said(self, words: bytes) -> None:
        """Wait for a line."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if words in line:
                return
        raise AssertionError(f"it ended without having said {words!r}")

    def end(self, number: int, seconds: float = 15) -> int:
        """Send a signal to it alone; returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def rest(self) -> str:
        """What else it said before it ended."""
        assert self.process.stderr is not None
        with self.process.stderr as stderr:
            return stderr.read().decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    ("text", "place"),
    [(AT_THE_BEGINNING, b"sleep"), (AT_A_NAME, b"trying again"), (AT_THE_END, b"sleep")],
    ids=["PreUp", "name", "PostUp"],
)
def test_all_is_undone(room: Room, text: str, place: bytes, number: signal.Signals) -> None:
    with room.nothing_left():
        started = Started(room, text)
        started.until_said(place)
        assert started.end(number) == 128 + number
    said = started.rest()
    assert f"[#] ip link delete dev {NAME}" in said
    assert "pywg: " not in said, "who ends it need not be told"


def test_a_second_signal_does_not_cut_the_undoing_short(room: Room) -> None:
    """The fake resolvconf is made slow, so that there is something to cut."""
    slow = room.directory / "bin" / "resolvconf"
    quick = slow.read_text()
    slow.write_text(quick.replace("-d) ", "-d) sleep 1; "))
    try:
        with room.nothing_left():
            started = Started(room, AT_THE_END)
            started.until_said(b"sleep 30")
            started.process.send_signal(signal.SIGINT)
            started.until_said(b"resolvconf -d")
            assert started.end(signal.SIGTERM) == 128 + signal.SIGINT
    finally:
        slow.write_text(quick)


_SLOW_TO_END = """\
import pathlib, sys, time

class Last:
    def __del__(self, path=pathlib.Path, sleep=time.sleep):
        path("ending").touch()
        while not path("end").exists():
            sleep(0.01)

if "up" in sys.orig_argv:
    last = Last()
"""
"""Goes when Python takes its modules down, which is after it has put its own signal handlers away."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_after_the_end(room: Room, number: signal.Signals) -> None:
    """Python needs a moment to end. What is up must not be told as interrupted, which means undone."""
    for file in ("ending", "end"):
        (room.directory / file).unlink(missing_ok=True)
    (room.directory / "sitecustomize.py").write_text(_SLOW_TO_END)
    started = Started(room, interface(ADDRESS), "env", f"PYTHONPATH={PROJECT}:{room.directory}")
    until((room.directory / "ending").exists, "it ends", seconds=5)
    started.process.send_signal(number)
    (room.directory / "end").touch()
    assert started.process.wait(4) == 0
    assert "Traceback" not in started.rest()
    assert room.pywg("down", FILE).status == 0
    room.until_tidy()


def test_an_ignored_signal_stays_ignored(room: Room) -> None:
    """``nohup pywg up wg0``."""
    started = Started(room, AT_THE_END.replace("sleep 30", "sleep 1"), "nohup")
    started.until_said(b"sleep 1")
    assert started.end(signal.SIGHUP) == 0
    assert room.pywg("down", FILE).status == 0
    room.until_tidy()


def test_a_hook_that_does_not_want_to_end(room: Room) -> None:
    with room.nothing_left():
        started = Started(
            room, AT_THE_END.replace("sleep 30", "trap '' TERM; while true; do sleep 0.1; done")
        )
        started.until_said(b"trap")
        assert started.end(signal.SIGTERM) == 128 + signal.SIGTERM


def test_down_told_to_end_in_a_hook_leaves_the_interface_up(room: Room) -> None:
    text = interface(ADDRESS, "PreDown = sleep 30") + EVERYTHING
    room.write(FILE, text)
    assert room.pywg("up", FILE).status == 0
    with room.nothing_left():
        started = Started(room, text, word="down")
        started.until_said(b"sleep 30")
        assert started.end(signal.SIGTERM) == 128 + signal.SIGTERM
    room.write(FILE, text.replace("PreDown", "# PreDown"))
    assert room.pywg("down", FILE).status == 0
    room.until_tidy()


def test_the_daemon_inherits_nothing(room: Room) -> None:
    """No descriptor, directory, session or blocked signal of ours, nor what was meant for another daemon."""
    room.write(FILE, interface(ADDRESS))
    stray, other_end = os.pipe()
    os.set_inheritable(stray, True)
    done = subprocess.run(
        room.command(sys.executable, "-P", "-m", "pywg", "up", FILE),
        env=room.environment | {"WG_TUN_FD": "7", "WG_UAPI_FD": "8", "PYWG_READY_FD": "9"},
        stdin=subprocess.DEVNULL,
        pass_fds=(stray,),
        capture_output=True,
        timeout=20,
        check=False,
    )
    os.close(stray)
    os.close(other_end)
    assert done.returncode == 0, done.stderr
    (pid,) = (pid for pid in room.namespace.pids() if pid != room.holder.pid)
    process = Path(f"/proc/{pid}")
    open_files = {path.name: str(path.readlink()) for path in (process / "fd").iterdir()}
    assert not [file for file in open_files.values() if file.startswith("pipe:")]
    assert [open_files[stream] for stream in "012"] == ["/dev/null"] * 3
    assert (process / "cwd").readlink() == Path("/")
    assert os.getsid(pid) == pid
    status = dict(
        line.split(":\t") for line in (process / "status").read_text().splitlines() if ":\t" in line
    )
    assert int(status["SigBlk"], 16) == 0
    assert room.pywg("down", FILE).status == 0
    room.until_tidy()


def test_the_undo_waits_for_the_daemon(room: Room) -> None:
    """So that the next `up` finds the name free: `down` and `up` without a pause between them."""
    room.write(FILE, interface(ADDRESS) + EVERYTHING)
    script = f"{sys.executable} -P -m pywg up {FILE} && {sys.executable} -P -m pywg down {FILE}"
    done = room.run("sh", "-ec", f"{script}; {script}; {script}")
    assert done.status == 0, done.stderr
    until(lambda: room.look() == room.tidy, "all is as before", seconds=10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_name_servers_that_are_dead_do_not_keep_us(room: Room, number: signal.Signals) -> None:
    """The C library waits for each of them, twice for 5 s, and knows of no signals."""
    resolv_conf = room.directory / "resolv.conf"
    former = resolv_conf.read_text()
    resolv_conf.write_text("nameserver 192.0.2.77\nnameserver 192.0.2.78\n")
    try:
        started = Started(room, interface(ADDRESS) + peer("Endpoint = vpn.example:51820"))
        started.until_said(b"addconf")
        time.sleep(0.3)
        assert started.end(number, seconds=4) == 128 + number
        assert f"[#] ip link delete dev {NAME}" in started.rest()
    finally:
        resolv_conf.write_text(former)
    room.until_tidy()
