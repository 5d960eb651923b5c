"""pywg and Debian's `wg` on interfaces of the kernel's own WireGuard: the same words, the same answers.

Comes in: a guest with such a kernel, and command lines. Goes out: what each printed, byte for byte, and what
the interface was afterwards. Rule: `wg` is right. What it tells on standard error is compared only for being
there: its sentences are not ours. `pywg` in the guest is a process per command, started without Python's
start-up (tests/interop/guest_server); one test starts it as a user would.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.interop.guest import Guest
from tests.interop.guest_python import COMMAND
from tests.kernel.samples import OTHER, OWN, key
from tests.netns.namespace import new_interface_name

pytestmark = pytest.mark.timeout(90)

FIELDS = (
    *("public-key", "private-key", "listen-port", "fwmark", "peers", "preshared-keys", "endpoints"),
    *("allowed-ips", "latest-handshakes", "transfer", "persistent-keepalive", "dump"),
)
PEER, SECOND, THIRD = (key(number) for number in (100, 101, 102))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def comparable(self) -> tuple[int, str, bool]:
        return self.status, self.out, bool(self.err)


def ask(guest: Guest, command: str, *, timeout: float = 20) -> Answer:
    """Run a command in the guest whatever it answers."""
    output = guest.run(
        f"{command} 2> /tmp/err; status=$?; echo @; cat /tmp/err; echo @ $status",
        timeout=timeout,
    )
    rest, _, status = output.rpartition("@ ")
    out, _, err = rest.rpartition("@\n")
    return Answer(int(status), out, err)


_AGE = re.compile(r"handshake\S*: (?:(\d+) \S*minutes?\S* ?)?(?:(\d+) \S*seconds?\S* )?(?:ago|Now)")


def ages(text: str) -> list[int]:
    """Of the handshakes in a pretty output, in seconds."""
    return [60 * int(minutes or 0) + int(seconds or 0) for minutes, seconds in _AGE.findall(text)]


def without_ages(text: str) -> str:
    return _AGE.sub("handshake", text)


@pytest.fixture
def pair(guest: Guest) -> Iterator[Guest]:
    """Two new interfaces: `wga`, which wg changes, and `wgb`, which pywg changes.

    Then they get other names, for to delete hundreds of peers takes the guest ten seconds.
    """
    guest.run("ip link add wga type wireguard && ip link add wgb type wireguard")
    yield guest
    for name in ("wga", "wgb"):
        guest.run(f"ip link set {name} down; ip link set {name} name {new_interface_name()}")


@pytest.fixture(scope="module")
def loaded(guest: Guest) -> Iterator[Guest]:
    """An interface `full` with every kind of peer, of which one has had a handshake; and an empty one."""
    guest.run(
        "ip link add empty type wireguard; ip link add full type wireguard; ip link add far type wireguard"
    )
    guest.run(
        f"wg set full private-key /samples/own listen-port 51820 fwmark 0x20"
        f" peer {PEER} preshared-key /samples/psk endpoint 192.0.2.1:77 persistent-keepalive 25"
        f" allowed-ips 10.0.0.0/8,fd00::/16,0.0.0.0/0"
        f" peer {SECOND} endpoint [fe80::1%lo]:77 allowed-ips ::/0 peer {THIRD}"
    )
    guest.run("wg genkey > /tmp/far; wg set far private-key /tmp/far listen-port 51822")
    guest.run("wg set far peer $(wg show full public-key) allowed-ips 10.3.0.0/16")
    guest.run(
        "wg set full peer $(wg show far public-key) endpoint [::1]:51822 persistent-keepalive 1"
        " allowed-ips 10.4.0.0/16"
    )
    guest.run("ip link set far up; ip link set full up")
    guest.run("until wg show full transfer | grep -qv '\t0\t'; do sleep 0.1; done")
    # Down, so that nothing changes any more; what happened is kept.
    guest.run("ip link set full down; ip link set far down")
    yield guest
    guest.run("ip link delete full; ip link delete far; ip link delete empty")


@pytest.mark.parametrize(
    "words",
    [*(f"show full {field}" for field in FIELDS), "show empty dump", "showconf full", "showconf empty"],
)
def test_one_interface_is_told_alike(loaded: Guest, words: str) -> None:
    theirs, ours = ask(loaded, f"wg {words}"), ask(loaded, f"pywg {words}")
    assert ours == theirs
    assert not theirs.status


@pytest.mark.parametrize("words", ["show", "show full", "show all", "show empty"])
@pytest.mark.parametrize("environment", ["", "WG_HIDE_KEYS=never", "WG_COLOR_MODE=always"])
def test_it_looks_alike(loaded: Guest, words: str, environment: str) -> None:
    """Byte for byte but for the ages of handshakes, which are between what wg tells before and after."""
    before, ours, after = (ask(loaded, f"{environment} {name} {words}") for name in ("wg", "pywg", "wg"))
    assert without_ages(ours.out) == without_ages(before.out)
    assert not ours.err
    first, own, last = (ages(answer.out) for answer in (before, ours, after))
    assert all(a <= b <= c for a, b, c in zip(first, own, last, strict=True))
    assert own or words == "show empty"


@pytest.mark.parametrize(
    "words", ["show interfaces", *(f"show all {field}" for field in FIELDS if field != "endpoints")]
)
def test_all_interfaces_are_told_alike(loaded: Guest, words: str) -> None:
    """Endpoints are told otherwise by Debian's wg of 2021 (tests/cli/test_same_as_wg.py)."""
    assert ask(loaded, f"pywg {words}") == ask(loaded, f"wg {words}")


SERIES = {
    "interface": [
        "set {} private-key /samples/own listen-port 51820 fwmark 0x20",
        "set {} fwmark 32 listen-port 51821",
        "set {} fwmark off",
        "set {} private-key /samples/empty",
        "set {} fwmark 0xffffffff listen-port 65535",
        "set {} fwmark 0 listen-port 0",
        "set {}",
    ],
    "peer": [
        f"set {{}} peer {PEER} preshared-key /samples/psk endpoint 192.0.2.1:77 persistent-keepalive 25",
        f"set {{}} peer {PEER} allowed-ips 10.0.0.0/8,fd00::/16",
        f"set {{}} peer {PEER} preshared-key /samples/empty",
        f"set {{}} peer {PEER} preshared-key /dev/stdin < /samples/psk",
        f"set {{}} peer {PEER} persistent-keepalive off",
        f"set {{}} peer {PEER} persistent-keepalive 65535",
        f"set {{}} peer {PEER} endpoint [2001:db8::1]:65535",
        f"set {{}} peer {PEER} endpoint [fe80::1%lo]:1",
        f"set {{}} peer {PEER} remove",
        f"set {{}} peer {PEER} remove",
        f"set {{}} peer {PEER}",
        f"set {{}} peer {PEER} allowed-ips 10.0.0.0/8 peer {SECOND} allowed-ips 10.1.0.0/16 peer {THIRD}",
        f"set {{}} peer {SECOND} remove peer {PEER} allowed-ips ::/0",
    ],
    "allowed IPs": [
        f"set {{}} peer {PEER} allowed-ips 10.0.0.0/8,10.1.0.0/16,10.2.3.4,fd00::1,0.0.0.0/0,::/0",
        f"set {{}} peer {SECOND} allowed-ips 10.1.0.0/16,::/0",
        f"set {{}} peer {PEER} allowed-ips 10.1.2.3/16",
        f"set {{}} peer {THIRD} allowed-ips 10.1.0.0/16 peer {SECOND} allowed-ips 10.1.0.0/16",
        f"set {{}} peer {SECOND} allowed-ips ''",
    ],
    "own key as a peer": [
        "set {} private-key /samples/own peer $(wg pubkey < /samples/own) allowed-ips 10.0.0.0/8",
        f"set {{}} peer {PEER} allowed-ips 10.0.0.0/8",
    ],
    "peer becomes own key": [
        "set {} peer $(wg pubkey < /samples/own) allowed-ips 10.0.0.0/8",
        "set {} private-key /samples/own",
    ],
    "files": [
        "setconf {} /samples/small.conf",
        "syncconf {} /samples/changed.conf",
        "addconf {} /samples/small.conf",
        "setconf {} /samples/changed.conf",
        "syncconf {} /samples/changed.conf",
        "setconf {} /dev/stdin < /samples/small.conf",
        "setconf {} /samples/empty",
    ],
    "what is refused": [
        "set {} listen-port 51820",
        "set {} fwmark 0x1ffffffff",
        "set {} private-key /samples/none",
        "set {} peer badkey allowed-ips 10.0.0.0/8",
        f"set {{}} peer {PEER} allowed-ips 10.0.0.0/33",
        f"set {{}} peer {PEER} persistent-keepalive 65536",
        "set {} nonsense",
        "setconf {} /samples/none",
        "set none listen-port 1",
        "set lo listen-port 1",
        "setconf lo /samples/small.conf",
        "show none",
        "show lo",
        "show none dump",
        "showconf none",
        "showconf lo",
        "set {} private-key /samples/own",
    ],
}


@pytest.mark.parametrize("name", SERIES)
def test_a_series_of_changes(pair: Guest, name: str) -> None:
    """After each command of the series both interfaces are alike."""
    for command in SERIES[name]:
        theirs, ours = (
            ask(pair, f"{program} {command.format(device)}")
            for program, device in (("wg", "wga"), ("pywg", "wgb"))
        )
        assert ours.comparable == theirs.comparable, f"{command}\nwg: {theirs.err}pywg: {ours.err}"
        assert pair.run("wg show wgb dump") == pair.run("wg show wga dump"), command


def test_a_port_that_is_in_use(pair: Guest) -> None:
    pair.run(
        "wg set wga listen-port 51820; ip link set wga up; ip link set wgb up; wg set wgb listen-port 51821"
    )
    assert ask(pair, "wg set wgb listen-port 51820").status == 1
    ours = ask(pair, "pywg set wgb listen-port 51820")
    assert (ours.status, ours.out) == (1, "")
    assert ours.err == "pywg: wgb: refused: Address already in use\n"
    assert pair.run("wg show wgb listen-port") == "51821\n"


def test_five_hundred_peers(pair: Guest) -> None:
    """More than fits into a message, both ways; and then 400 of which 350 are the same."""
    for command in ("setconf {} /samples/many.conf", "syncconf {} /samples/fewer.conf"):
        seconds = {}
        for program, device in (("wg", "wga"), ("pywg", "wgb")):
            started = time.monotonic()
            assert ask(pair, f"{program} {command.format(device)}") == Answer(0, "", "")
            seconds[program] = f"{time.monotonic() - started:.2f} s"
        print(command, seconds)
        # syncconf leaves the order of new peers to whoever does it.
        pair.run("wg show wga dump | sort > /tmp/a; wg show wgb dump | sort > /tmp/b; cmp /tmp/a /tmp/b")
        pair.run("wg show wgb dump > /tmp/a; pywg show wgb dump > /tmp/b; cmp /tmp/a /tmp/b")
    assert pair.run("wg show wgb peers | wc -l") == "400\n"


def test_a_peer_with_six_thousand_allowed_ips(pair: Guest) -> None:
    pair.run("wg setconf wga /samples/wide.conf && pywg setconf wgb /samples/wide.conf")
    pair.run("wg showconf wga > /tmp/a; wg showconf wgb > /tmp/b; cmp /tmp/a /tmp/b")
    pair.run("pywg showconf wgb > /tmp/b; cmp /tmp/a /tmp/b")
    assert pair.run("wg show wgb allowed-ips | wc -w") == "6005\n"
    pair.run(f"pywg set wgb peer {SECOND} allowed-ips 10.0.0.0/8")
    assert pair.run(f"wg show wgb allowed-ips | grep {SECOND[:10]}") == f"{SECOND}\t10.0.0.0/8\n"


def test_incremental_allowed_ips(pair: Guest) -> None:
    """Debian's wg of 2021 knows them not; and this kernel, older than 6.16, cannot take single ones away."""
    pair.run(f"pywg set wgb peer {PEER} allowed-ips 10.0.0.0/8 peer {SECOND} allowed-ips 10.1.0.0/16")
    pair.run(f"pywg set wgb peer {PEER} allowed-ips +10.2.0.0/16,+10.1.0.0/16")
    shown = f"{PEER}\t10.0.0.0/8 10.2.0.0/16 10.1.0.0/16\n{SECOND}\t(none)\n"
    assert pair.run("pywg show wgb allowed-ips") == pair.run("wg show wgb allowed-ips") == shown
    refused = ask(pair, f"pywg set wgb peer {PEER} allowed-ips -10.2.0.0/16")
    assert (refused.status, refused.out) == (1, "")
    assert "before Linux 6.16" in refused.err
    assert pair.run("wg show wgb allowed-ips") == shown


def test_update_only_adds_no_peer(pair: Guest) -> None:
    """Not even where the peer takes several parts of a message."""
    pair.run(f"wg set wgb peer {SECOND}")
    pair.run(f"{COMMAND} /samples/update_only.py wgb {PEER} {SECOND}")
    assert pair.run("wg show wgb peers") == f"{SECOND}\n"
    assert pair.run("wg show wgb allowed-ips | wc -w") == "601\n"


def test_as_a_user_would_start_it(loaded: Guest) -> None:
    """A process of its own; then without rights, and in a network namespace without the interface."""
    command = f"{COMMAND} -m pywg show full dump"
    assert ask(loaded, command) == ask(loaded, "wg show full dump")
    refused = ask(loaded, f"unshare -U env {command}")
    assert refused == Answer(1, "", "pywg: full: permission denied; try again as root\n")
    elsewhere = ask(loaded, f"unshare -n env {command}")
    assert (elsewhere.status, elsewhere.out) == (1, "")
    assert elsewhere.err.startswith("pywg: full: no such WireGuard interface")


def test_samples_are_distinct() -> None:
    assert len({key(number) for number in (OWN, OTHER, 100, 101, 102, 200)}) == 6
