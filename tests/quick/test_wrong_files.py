"""Files that cannot be brought up: each says in one line what is wrong and where, and nothing is left behind.

The ten of issue 4, then others whose fault shows only after half of the way. "Nothing" is all a `Room` can
see: links, addresses, routes of all tables, rules, firewall, name servers, resolv.conf, sockets, processes.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.nobody import as_nobody
from tests.quick.cases import FILE, PEERS, PRIVATE, interface, peer
from tests.quick.room import Room

ADDRESS = "Address = 10.0.0.1/24"
EVERYTHING = peer("AllowedIPs = 0.0.0.0/0, ::/0, 10.9.0.0/16", "Endpoint = 192.0.2.9:51820")
WHOLE = interface(ADDRESS, "Address = fd00::1/64", "DNS = 10.0.0.53") + EVERYTHING
"""Sets everything there is to set."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A file and what is to be said of it: a pattern for all that follows ``pywg: ``."""

    label: str
    text: str
    said: str
    status: int = 1
    retries: str = "0"


HERE = r"\S+/wt0\.conf"
WRONG = (
    Wrong(
        "bad key", WHOLE.replace(PRIVATE, PRIVATE[:-2] + "x="), f"{HERE}:2: PrivateKey: expected .*base64.*"
    ),
    Wrong(
        "bad prefix",
        WHOLE.replace("10.9.0.0/16", "10.9.0.0/33"),
        f"{HERE}:9: AllowedIPs: '10.9.0.0/33' is no prefix; expected .*",
    ),
    Wrong(
        "unknown section",
        WHOLE + "[Pear]\nPublicKey = x\n",
        rf"{HERE}:11: unknown section \[Pear\]; expected .*",
    ),
    Wrong(
        "no PublicKey",
        WHOLE + "[Peer]\nAllowedIPs = 10.8.0.0/16\n",
        rf"{HERE}:11: there is no PublicKey in this \[Peer\]; .*",
    ),
    Wrong(
        "duplicate address",
        interface(ADDRESS, ADDRESS),
        f"{HERE}:5: Address: the interface has 10.0.0.1/24 already; .*",
    ),
    Wrong(
        "hook that fails",
        WHOLE.replace("[Peer]", "PostUp = exit 23\n[Peer]"),
        f"{HERE}: PostUp failed with status 23 \\(see above\\)",
        23,
    ),
    Wrong(
        "name that does not resolve",
        WHOLE.replace("192.0.2.9", "nowhere.invalid"),
        f"{HERE}:10: Endpoint 'nowhere.invalid:51820': .*",
        retries="1",
    ),
    # Beyond the ten: refused by the system, further and further on the way.
    Wrong(
        "an address nobody can have",
        interface(ADDRESS, "Address = ff02::7/128"),
        ".* ff02::7/128 .*",
        status=2,
    ),
    Wrong("MTU too small", interface(ADDRESS, "MTU = 67"), f"{HERE}:5: MTU .*"),
    Wrong(
        "route there already",
        WHOLE.replace("[Interface]", "[Interface]\nTable = 254").replace("10.9.0.0/16", "198.51.100.0/24"),
        "ip -4 route add 198.51.100.0/24 dev wt0.*already.*",
        status=2,
    ),
    Wrong(
        "PreUp takes the interface away",
        WHOLE.replace("[Peer]", "PreUp = ip link delete %i\n[Peer]"),
        ".*wt0.*",
    ),
)

TAKE_PORT = """
import socket, sys

taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
taken.bind(("", 51820))
print(flush=True)
sys.stdin.read()
"""


def refused(room: Room, said: str, *words: str, status: int = 1, **environment: str) -> str:
    """Run ``pywg WORDS``, which must fail as told; returns what it said."""
    done = room.pywg(*words, **environment)
    ours = (line.removeprefix("pywg: ") for line in done.stderr.splitlines() if line.startswith("pywg: "))
    reasons = [line for line in ours if "trying again" not in line]
    assert done.status == status, done.stderr
    assert done.stdout == ""
    assert len(reasons) == 1, done.stderr
    assert re.fullmatch(said, reasons[0]), done.stderr
    return done.stderr


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.label)
def test_wrong_file(room: Room, wrong: Wrong) -> None:
    room.write(FILE, wrong.text)
    with room.nothing_left():
        said = refused(
            room, wrong.said, "up", FILE, status=wrong.status, WG_ENDPOINT_RESOLUTION_RETRIES=wrong.retries
        )
    for key in (PRIVATE, *PEERS):
        assert key[:20] not in said, "a key is never echoed"


def test_unreadable_file(room: Room) -> None:
    """Root reads everything, unless it lacks the capability (in a unit with CapabilityBoundingSet, say)."""
    room.write(FILE, WHOLE, mode=0)
    without = "-dac_override,-dac_read_search"
    shackled = ("setpriv", f"--bounding-set={without}", f"--inh-caps={without}", "--")
    with room.nothing_left():
        done = room.run(*shackled, sys.executable, "-P", "-m", "pywg", "up", str(room.directory / FILE))
    assert done.status == 1
    assert re.fullmatch(rf"pywg: {HERE}: cannot be read: Permission denied\n", done.stderr), done.stderr


def test_name_too_long(room: Room) -> None:
    room.write("./a-name-too-long-x.conf", WHOLE)
    with room.nothing_left():
        refused(
            room,
            r"a-name-too-long-x\.conf: .*17 characters long; at most 15 .*",
            "up",
            "./a-name-too-long-x.conf",
        )


def test_port_in_use(room: Room) -> None:
    """The kernel's WireGuard refuses to be set up then; our daemon only notices, so `up` asks it."""
    room.write(FILE, WHOLE)
    holder = subprocess.Popen(
        room.namespace.command(sys.executable, "-c", TAKE_PORT), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"\n"
        with room.nothing_left():
            refused(room, "wt0: cannot listen on UDP port 51820: it is in use; .*ListenPort", "up", FILE)
        assert holder.stdin is not None
        holder.stdin.close()


def test_up_of_what_is_up_changes_nothing(room: Room) -> None:
    room.write(FILE, WHOLE)
    assert room.pywg("up", FILE).status == 0
    with room.nothing_left():
        refused(room, "'wt0' already exists; .*", "up", FILE)
    assert room.pywg("down", FILE).status == 0
    room.until_tidy()


@pytest.mark.parametrize("word", ["down", "save"])
def test_what_is_not_up(room: Room, word: str) -> None:
    room.write(FILE, WHOLE)
    with room.nothing_left():
        refused(room, "'wt0' is not a WireGuard interface.*", word, FILE)
    assert room.read(FILE) == WHOLE


def test_not_root(room: Room, nobodys_python: str) -> None:
    for word in ("up", "down", "save"):
        done = room.run(*as_nobody(), nobodys_python, "-P", "-m", "pywg", word, "wg0")
        assert (done.status, done.stderr) == (1, f"pywg: run as root: sudo pywg {word} wg0\n")


def test_no_wireguard_in_the_kernel(room: Room) -> None:
    if Path("/sys/module/wireguard").exists():
        pytest.skip("NOT TESTED: this kernel has WireGuard")
    room.write(FILE, WHOLE)
    for words in (("--kernel", FILE), (FILE, "--kernel")):
        with room.nothing_left():
            refused(room, "ip link add dev wt0 type wireguard: .*--kernel.*", "up", *words, status=2)


def test_another_implementation(room: Room) -> None:
    """Not there, failing, doing nothing, working."""
    room.write(FILE, WHOLE)
    variable = "WG_QUICK_USERSPACE_IMPLEMENTATION"
    for program, said, status in (
        ("nosuch", "cannot be run; install it, or unset the variable", 127),
        ("false", "failed with status 1", 1),
        ("true", "has made no interface wt0", 1),
    ):
        with room.nothing_left():
            refused(room, f"{variable}={program}: {said}", "up", FILE, status=status, **{variable: program})
    done = room.pywg("up", FILE, **{variable: "our-daemon"})
    assert done.status == 0, done.stderr
    assert done.echoed[0] == "our-daemon wt0"
    assert room.pywg("down", FILE).status == 0
    room.until_tidy()
