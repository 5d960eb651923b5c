"""The same command lines through Debian's `wg` and through `pywg`, on equal devices: the same in every way.

Compared are standard output byte for byte, the exit status, whether anything was said on standard error (what
is said there is our own affair), and what the interface is afterwards (``wg show IF dump``). A line of the
tables in wg_lines.py is a test: on a daemon of pywg, and some also on Debian's wireguard-go.

Debian's tools are of 2021. What those of 2026 do otherwise stands in NEWER, with what it comes to; what we do
otherwise on purpose stands in OTHERWISE, with the reason. ``PYWG_TEST_WG=/path/to/wg`` takes another `wg`.
"""

import ipaddress
import re
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

# Commands import these when they need them, but a fork that is nobody's could not read them.
import pywg.cli.configure
import pywg.cli.keys
import pywg.cli.manual
import pywg.cli.show
import pywg.config.write  # noqa: F401 (see above)
from pywg.endpoint import Endpoint
from pywg.protocol.constants import SECOND
from pywg.uapi.codec import format_state
from pywg.uapi.model import DeviceChange, DeviceState, PeerChange, PeerState, PrefixChange
from tests.cli.lines import NEW, OTHER, PEER, PRIVATE, PSK, STRAY_BITS, Line, write_files
from tests.cli.machine import Done, Machine
from tests.cli.wg_lines import (
    CONF,
    NEWER,
    ON_ANOTHER_DAEMON,
    OTHERWISE,
    PUBKEY,
    REFUSED,
    SET,
    SHOW,
    SHOW_ALL,
    Newer,
)
from tests.needs import need, need_root
from tests.nobody import NOBODY

DAEMONS: Final = ("pywg0", "go0")
TOLD: Final = "told0"
"""An interface that always tells the same of itself, with handshakes and transfers."""

Run = Callable[..., Done]
"""`Machine.wg` or `Machine.pywg`."""

STATE: Final = DeviceChange(
    private_key=b64decode(PRIVATE),
    listen_port=5182,
    fwmark=0xCA6C,
    replace_peers=True,
    peers=(
        PeerChange(
            b64decode(PEER),
            preshared_key=b64decode(PSK),
            endpoint=Endpoint("192.0.2.1", 1234),
            persistent_keepalive_interval=25,
            allowed_ips=tuple(
                PrefixChange(ipaddress.ip_network(prefix)) for prefix in ("10.0.0.0/24", "fd00::/64")
            ),
        ),
        PeerChange(b64decode(OTHER), allowed_ips=(PrefixChange(ipaddress.ip_network("10.1.0.0/16")),)),
    ),
)
"""What an interface is before each line."""


def told(now: int) -> DeviceState:
    """`now`: Unix time in nanoseconds."""

    def peer(number: int, **fields: object) -> PeerState:
        return PeerState(public_key=number.to_bytes(32, "big"), **fields)  # type: ignore[arg-type]  # see PeerState

    return DeviceState(
        b64decode(PRIVATE),
        listen_port=1,
        peers=(
            peer(1, last_handshake_ns=now - 200 * SECOND, rx_bytes=1023, tx_bytes=1024),
            peer(2, endpoint=Endpoint("fe80::1", 12, 1), persistent_keepalive_interval=61),
            peer(
                3, last_handshake_ns=now - 100 * SECOND, rx_bytes=1, endpoint=Endpoint("2001:db8::1", 65535)
            ),
            peer(4, last_handshake_ns=now - 100 * SECOND + 1, allowed_ips=(ipaddress.ip_network("::/0"),)),
            peer(5, last_handshake_ns=5, preshared_key=b64decode(PSK), tx_bytes=2**64 - 1),
            peer(6, last_handshake_ns=now + 1000 * SECOND, persistent_keepalive_interval=65535),
            peer(7, allowed_ips=tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "::ffff:10.0.0.0/104")))),
        ),
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files are that lines name."""
    made = tmp_path_factory.mktemp("files")
    write_files(made)
    return made


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With the interfaces DAEMONS."""
    need_root()
    need("wg", "wireguard-go", "unshare", "nsenter", "setpriv", "ip")
    with Machine(tmp_path_factory.mktemp("machine")) as made:
        made.pywg_daemon("pywg0")
        made.go_daemon("go0")
        for name in DAEMONS:
            made.client(name).set(STATE)
        yield made


@pytest.fixture(scope="module")
def empty_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Without any interface."""
    need_root()
    need("wg", "unshare", "nsenter", "setpriv")
    with Machine(tmp_path_factory.mktemp("machine")) as made:
        yield made


def by_id(line: Line) -> str:
    return line.id


def parts(text: str) -> list[str]:
    """Interfaces, peers or lines, sorted: wg lists interfaces as the directory does, where we sort them, and
    wireguard-go tells its peers in another order each time.
    """
    between = "\n\n" if "\n\n" in text else "\n" if "\n" in text[:-1] else " "
    return sorted(text.rstrip("\n").split(between))


def assert_same(theirs: Done, ours: Done, *, ordered: bool = True) -> None:
    if ordered or ours.out == theirs.out:
        assert ours.out == theirs.out
    else:
        assert parts(ours.out) == parts(theirs.out)
    assert ours.status == theirs.status, f"{theirs.error}{ours.error}"
    assert (ours.error == "") == (theirs.error == ""), f"{theirs.error}{ours.error}"
    assert_is_well_said(ours.error)


def assert_is_well_said(error: str) -> None:
    """Lines of ours: a sentence, or the usage. No key is ever repeated, nor what may be one."""
    for text in error.splitlines():
        assert text.startswith(("pywg: ", "usage: pywg ", "       pywg ")), error
    for key in (PRIVATE, PSK, PEER, OTHER, NEW, STRAY_BITS):
        assert key[5:30] not in error
    assert "Traceback" not in error


def both(machine: Machine, line: Line, words: list[str]) -> tuple[Done, Done]:
    return said(machine.wg, line, words), said(machine.pywg, line, words)


def said(run: Run, line: Line, words: list[str]) -> Done:
    return run(words, text=line.stdin, env=line.env, user=NOBODY if line.is_nobody else 0)


@pytest.mark.parametrize("interface", DAEMONS)
@pytest.mark.parametrize("line", SHOW, ids=by_id)
def test_show(machine: Machine, directory: Path, line: Line, interface: str) -> None:
    machine.client(interface).set(STATE)
    theirs, ours = both(machine, line, line.argv(interface, directory))
    assert theirs.out != ""
    assert_same(theirs, ours, ordered=interface == "pywg0")


@pytest.mark.parametrize("line", [*SHOW, *SHOW_ALL], ids=by_id)
def test_show_what_is_told(empty_machine: Machine, directory: Path, line: Line) -> None:
    for attempt in range(4):  # A second may turn between the two.
        reply = format_state(told(time.time_ns())).encode() + b"errno=0\n\n"
        with empty_machine.device_that_answers(TOLD, reply):
            theirs, ours = both(empty_machine, line, line.argv(TOLD, directory))
        if theirs.out == ours.out or attempt == 3:
            break
    assert theirs.out != ""
    assert_same(theirs, ours)


@pytest.mark.parametrize("line", SHOW_ALL, ids=by_id)
def test_show_several(machine: Machine, directory: Path, line: Line) -> None:
    for name in DAEMONS:
        machine.client(name).set(STATE)
    theirs, ours = both(machine, line, line.argv("", directory))
    assert all(name in ours.out for name in DAEMONS)
    assert_same(theirs, ours, ordered=False)


@pytest.mark.parametrize("line", [*SHOW_ALL, *REFUSED], ids=by_id)
def test_without_any_interface(empty_machine: Machine, directory: Path, line: Line) -> None:
    assert_same(*both(empty_machine, line, line.argv("absent1", directory)))


@pytest.mark.parametrize("reply", ["", "errno=5\n\n", "rubbish\n\n"])
@pytest.mark.parametrize("line", SHOW_ALL[:5], ids=by_id)
def test_who_does_not_answer_does_not_hold_up_the_others(
    machine: Machine, directory: Path, line: Line, reply: str
) -> None:
    with machine.device_that_answers("broken0", reply.encode()):
        theirs, ours = both(machine, line, line.argv("", directory))
    assert_same(theirs, ours, ordered=False)


@pytest.mark.parametrize("line", [*SHOW_ALL[:5], SHOW[0], Line.parse("showconf IF")], ids=by_id)
def test_there_is_only_one_and_it_does_not_answer(
    empty_machine: Machine, directory: Path, line: Line
) -> None:
    with empty_machine.device_that_answers("broken0", b""):
        assert_same(*both(empty_machine, line, line.argv("broken0", directory)))


@pytest.mark.parametrize("text", ["show", "show IF", "set IF listen-port 7"])
def test_a_stale_socket_is_unlinked(empty_machine: Machine, directory: Path, text: str) -> None:
    stale = empty_machine.sockets / "stale0.sock"
    results = []
    for run in (empty_machine.wg, empty_machine.pywg):
        with empty_machine.device_that_answers("moved0", b""):
            (empty_machine.sockets / "moved0.sock").rename(stale)
        results.append(run(Line.parse(text).argv("stale0", directory)))
        assert not stale.exists()
    assert_same(*results)


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of an interface."""

    said: Done
    dump: str


def change(machine: Machine, line: Line, interface: str, directory: Path) -> tuple[Changed, Changed]:
    """By wg and by us, each on an interface in STATE."""
    made = []
    for run in (machine.wg, machine.pywg):
        machine.client(interface).set(STATE)
        done = said(run, line, line.argv(interface, directory))
        made.append(Changed(done, machine.wg(["show", interface, "dump"]).out))
    return made[0], made[1]


@pytest.mark.parametrize("line", [*SET, *CONF, *REFUSED], ids=by_id)
def test_change(machine: Machine, directory: Path, line: Line) -> None:
    theirs, ours = change(machine, line, "pywg0", directory)
    assert ours.dump == theirs.dump
    assert_same(theirs.said, ours.said, ordered=False)


@pytest.mark.parametrize("line", ON_ANOTHER_DAEMON, ids=by_id)
def test_change_of_wireguard_go(machine: Machine, directory: Path, line: Line) -> None:
    theirs, ours = change(machine, line, "go0", directory)
    assert theirs.said.status == 0
    # For port 0 it picks one at once, where pywg waits until it is set up; lines name none so large.
    theirs_dump, ours_dump = (
        re.sub(r"\t(3[2-9]|[45]\d|60)\d{3}\t", "\tANY\t", state.dump, count=1) for state in (theirs, ours)
    )
    assert parts(ours_dump) == parts(theirs_dump)
    assert_same(theirs.said, ours.said)


@pytest.mark.parametrize("newer", NEWER, ids=lambda newer: f"{newer.line.id} ({newer.what})")
def test_newer_than_debian(machine: Machine, directory: Path, newer: Newer) -> None:
    theirs, ours = change(machine, newer.line, "pywg0", directory)
    expected = f"\n{PEER}\t" + newer.peer.replace(" ", "\t") + "\n"
    assert (ours.said.out, ours.said.status) == ("", 0)
    assert expected in ours.dump
    if is_of_2021(machine):
        assert expected not in theirs.dump, "this is not newer than Debian's"
    else:
        assert ours.dump == theirs.dump
        assert_same(theirs.said, ours.said)


def test_newer_show_all_endpoints(empty_machine: Machine) -> None:
    state = DeviceState(
        peers=(PeerState(b64decode(PEER), endpoint=Endpoint("::1", 7)), PeerState(b64decode(OTHER)))
    )
    with empty_machine.device_that_answers(TOLD, format_state(state).encode() + b"errno=0\n\n"):
        theirs, ours = both(empty_machine, Line.parse("show all endpoints"), ["show", "all", "endpoints"])
    assert ours.out == f"{TOLD}\t{PEER}\t[::1]:7\n{TOLD}\t{OTHER}\t(none)\n"
    assert (theirs.out == ours.out) == (not is_of_2021(empty_machine))


def is_of_2021(machine: Machine) -> bool:
    """Whether the `wg` we compare with is Debian's."""
    return "1.0.2021" in machine.wg(["--version"]).out


@pytest.mark.parametrize("text", OTHERWISE)
def test_otherwise_than_wg(machine: Machine, directory: Path, text: str) -> None:
    theirs, ours = change(machine, Line.parse(text), "pywg0", directory)
    assert theirs.said.status == 0
    machine.client("pywg0").set(STATE)
    assert ours.dump == machine.wg(["show", "pywg0", "dump"]).out
    assert ours.dump != theirs.dump
    assert (ours.said.out, ours.said.status) == ("", 1)
    assert ours.said.error.count("\n") == 1
    assert_is_well_said(ours.said.error)


@pytest.mark.parametrize("line", PUBKEY, ids=by_id)
def test_pubkey(empty_machine: Machine, line: Line) -> None:
    assert_same(*both(empty_machine, line, ["pubkey"]))


def test_port_in_use(machine: Machine, directory: Path) -> None:
    """The one refusal that comes from the interface itself."""
    machine.client("pywg0").set(DeviceChange(listen_port=0, replace_peers=True))
    machine.ip("link", "set", "pywg0", "up")
    try:
        machine.ip("link", "set", "go0", "up")
        taken = machine.client("go0").get().listen_port
        words = ["set", "pywg0", "listen-port", str(taken)]
        theirs, ours = machine.wg(words), machine.pywg(words)
        assert theirs.status == 1
        assert_same(theirs, ours)
        assert machine.client("pywg0").get().listen_port not in {0, taken}
    finally:
        machine.ip("link", "set", "pywg0", "down")
        machine.ip("link", "set", "go0", "down")
