"""Hooks as people write them: nothing of theirs is shown to others, or changed on the way to the shell."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.netns.wait import until
from tests.quick.cases import FILE, PEERS, interface
from tests.quick.room import Room

SECRET = PEERS[2]


def up_and_down(room: Room, *hooks: str, **environment: str) -> str:
    """What the hooks of an `up` printed."""
    room.write(FILE, interface(*hooks))
    done = room.pywg("up", FILE, **environment)
    assert done.status == 0, done.stderr[-500:]
    assert room.pywg("down", FILE).status == 0
    room.until_tidy()
    return done.stdout


def up_until_its_hook_runs(room: Room) -> "subprocess.Popen[bytes]":
    """An `up` in the middle of its hook, which touches the file `ready` before it sleeps for 30 s or more."""
    ready = room.directory / "ready"
    started = subprocess.Popen(
        room.command(sys.executable, "-P", "-m", "pywg", "up", FILE),
        env=room.environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(ready.exists, "the hook runs", seconds=20)
    ready.unlink()
    # What made the file may not have ended yet.
    until(lambda: "sleep 3" in room.look()["processes"], "it waits", seconds=20)
    return started


def test_nobody_reads_a_hooks_key_in_the_list_of_processes(room: Room) -> None:
    """``echo`` is the shell's own: under wg-quick such a key is in nobody's command line."""
    room.write(FILE, interface(f"PostUp = echo {SECRET} > key; touch ready; sleep 30; true"))
    started = up_until_its_hook_runs(room)
    shown = [
        Path(f"/proc/{pid}/{what}").read_bytes()
        for pid in room.namespace.pids()
        for what in ("cmdline", "environ")
    ]
    started.send_signal(signal.SIGTERM)
    assert started.wait(15) == 128 + signal.SIGTERM
    room.until_tidy()
    assert SECRET in room.read("key"), "the hook has run"
    assert not [text for text in shown if SECRET.encode() in text]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_a_hook_waits_for_ends_with_it(room: Room, number: signal.Signals) -> None:
    """A shell that is told to end leaves it alone, or waits for it first."""
    room.write(FILE, interface("PostUp = touch ready; (sleep 31; true); true"))
    started = up_until_its_hook_runs(room)
    started.send_signal(number)
    assert started.wait(15) == 128 + number
    room.until_tidy()


def test_what_a_hook_is_about_to_start_ends_with_it(room: Room) -> None:
    """Whoever is signalled while another is looked for may have started a third."""
    busy = "for i in {1..300}; do [[ $i != 100 ]] || : > ready; sleep 32 & done; sleep 33"
    room.write(FILE, interface(f"PostUp = {busy}"))
    started = up_until_its_hook_runs(room)
    started.send_signal(signal.SIGTERM)
    assert started.wait(4) == 128 + signal.SIGTERM
    room.until_tidy()


@pytest.mark.parametrize(
    "environment",
    [{}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["UTF-8", "another locale"],
)
def test_a_hook_reaches_the_shell_byte_for_byte(room: Room, environment: dict[str, str]) -> None:
    """Python would translate it into the encoding of the locale."""
    assert (
        up_and_down(room, "PostUp = printf '\u00fc\u20ac' | od -An -tx1", **environment)
        == " c3 bc e2 82 ac\n"
    )


def test_a_hook_that_begins_with_a_dash(room: Room) -> None:
    """It is a command, and no option of the shell's."""
    room.write("./-x", "#!/bin/sh\necho called\n", 0o755)
    assert up_and_down(room, "PostUp = -x", PATH=f"{room.directory}:{os.environ['PATH']}") == "called\n"


def test_a_hook_reads_our_standard_input(room: Room) -> None:
    room.write(FILE, interface('PostUp = read line && echo "$line"'))
    done = room.run(sys.executable, "-P", "-m", "pywg", "up", FILE, text="a line\n")
    assert done.stdout == "a line\n"
    assert room.pywg("down", FILE).status == 0
    room.until_tidy()


def test_a_long_hook(room: Room) -> None:
    """Longer than a pipe, and than a word of a command line may be (128 KiB)."""
    assert up_and_down(room, f"PostUp = echo {'x' * 200_000} | wc -c") == "200001\n"
