"""The same files and command lines through Debian's wg-quick and through pywg, in two equal rooms.

After every command both rooms must show the same: exit status, links, addresses, routes, rules, firewall,
what ``wg showconf`` prints, how resolvconf was called; and at the end what they showed at first. What is
known to differ is named in tests/quick/cases.py, case by case. wg-quick runs pywg as its userspace
implementation.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.needs import need
from tests.quick.cases import CASES, NAME, Case
from tests.quick.room import Done, Room

ALWAYS_DIFFERENT: Final = (
    "ip link add",  # wg-quick asks the kernel first.
    "our-daemon ",
    "pywg ",
    "wg ",
    "nft ",  # From where it reads.
    "sysctl ",  # wg-quick leaves src_valid_mark on; newer ones at least do not set it again.
)
"""Beginnings of echoed lines that are not compared."""

Seen = dict[str, str]


@pytest.fixture(scope="module")
def rooms(swept: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Rooms"]:
    need("wg-quick", "bash", "sysctl")
    both = Rooms(tmp_path_factory.mktemp("rooms"))
    yield both
    both.close()


class Rooms:
    """Two equal ones, made anew when a test has left them untidy."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made = 0
        self._pair: list[Room] = []

    def pair(self) -> list[Room]:
        if not self._pair or any(room.look() != room.tidy for room in self._pair):
            self.close()
            self._made += 1
            self._pair = [Room.create(self._directory / f"{who}{self._made}") for who in ("theirs", "ours")]
        return self._pair

    def close(self) -> None:
        while self._pair:
            self._pair.pop().close()


def seen(room: Room, case: Case, done: Done) -> Seen:
    """What can be compared after a command."""
    echoed = sorted(line for line in done.echoed if not line.startswith(ALWAYS_DIFFERENT))
    seen = room.look() | {
        "status": str(done.status),
        "output": done.stdout,
        "echo": "\n".join(echoed),
        "configuration": room.run("wg", "showconf", NAME).stdout,
        "file": room.read(case.path),
        "resolvconf": room.resolvconf_log,
    }
    seen["processes"] = str(len(seen["processes"].splitlines()))  # Their wrapper is not our command line.
    return seen


def follow(room: Room, case: Case, program: str) -> list[tuple[str, Seen]]:
    """What is seen after each command of the case."""
    (room.directory / "resolvconf.log").unlink(missing_ok=True)
    (room.directory / "gone").unlink(missing_ok=True)
    room.write(case.path, case.text, case.mode)
    all_seen = []
    for number, words in enumerate(case.commands):
        if case.between and number == len(case.commands) - 1:
            done = room.run(*case.between)
            assert done.status == 0, done.stderr
        done = room.pywg(*words) if program == "pywg" else room.wg_quick(*words)
        print(f"--- {program} {' '.join(words)}: {done.status}\n{done.stderr}")
        assert "Traceback" not in done.stderr
        if words[0] == "down" or done.status:
            _let_daemon_end(room)
        all_seen.append((" ".join(words), seen(room, case, done)))
    return all_seen


def _let_daemon_end(room: Room) -> None:
    """wg-quick does not wait for the daemon of a link it has deleted."""
    if NAME not in room.look()["links"]:
        room.until_tidy()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_same(rooms: Rooms, case: Case) -> None:
    theirs, ours = rooms.pair()
    with ThreadPoolExecutor(2) as both:
        their_run = both.submit(follow, theirs, case, "wg-quick")
        our_run = both.submit(follow, ours, case, "pywg")
        their_seen, our_seen = their_run.result(), our_run.result()
    differing = set()
    for (words, expected), (_, found) in zip(their_seen, our_seen, strict=True):
        known = case.differs.about if case.differs else ()
        for what, value in expected.items():
            if what in known and found[what] != value:
                differing.add(what)
            else:
                assert found[what] == value, f"{what} after {words}"
    if case.differs:
        assert differing == set(case.differs.about), "a difference that is listed is none"


def test_there_are_enough_cases() -> None:
    """The issue asks for 60 command lines through wg and wg-quick together; 20 at least are wg-quick's."""
    assert len({(case.text, case.commands) for case in CASES}) >= 50
    assert {words[0] for case in CASES for words in case.commands} == {"up", "down", "save", "strip"}
