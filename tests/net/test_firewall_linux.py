"""The firewall of a full tunnel: wg-quick's rules, and nothing left of them afterwards, whoever made them."""

import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_interface
from pathlib import Path

import pytest

from pywg.net import command
from pywg.net.firewall_linux import LinuxFirewall, iptables_rules, iptables_undo, nft_rules
from pywg.net.full_tunnel_linux import Firewall
from pywg.net.notes import Notes
from pywg.net.src_valid_mark_linux import SETTING, SrcValidMark
from pywg.net.system import NetworkError
from tests.needs import need
from tests.net.inside import Inside, inside_new_namespace
from tests.netns.daemon import KeyPair, daemon_environment
from tests.netns.namespace import Namespace, new_interface_name

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: nft and iptables of Linux")

ADDRESSES = [ip_interface(text) for text in ("10.0.0.1/24", "10.9.9.9/32", "fd00::1/64")]
MARK = 51820


class Here:
    """A firewall whose thread is in a namespace of its own, with its notes in a directory of the test."""

    def __init__(self, inside: Inside, notes: Path) -> None:
        self.inside = inside
        self.notes = notes
        self.said: list[str] = []
        self.firewall = LinuxFirewall(self.said.append, SrcValidMark(self.said.append, Notes(notes)))

    @property
    def namespace(self) -> Namespace:
        return self.inside.namespace

    def do(self, call: Callable[[Firewall], object]) -> list[str]:
        """Returns what it said."""
        self.said.clear()
        self.inside.run(lambda: call(self.firewall))
        return list(self.said)

    def add(self, name: str) -> list[str]:
        """A full tunnel of both families, in the order in which wg-quick comes to their default routes."""
        said = self.do(lambda firewall: firewall.add(name, 6, ADDRESSES, MARK))
        return said + self.do(lambda firewall: firewall.add(name, 4, ADDRESSES, MARK))

    def remove(self, name: str) -> list[str]:
        return self.do(lambda firewall: firewall.remove(name))

    def rules(self) -> str:
        return rules_of(self.namespace)

    @property
    def src_valid_mark(self) -> str:
        return self.inside.run(lambda: SETTING.read_text().strip())

    def noted(self) -> int:
        """How many namespaces there is a note for."""
        return len(list(self.notes.iterdir())) if self.notes.exists() else 0


def rules_of(namespace: Namespace) -> str:
    """Every rule of nft, those that iptables made among them."""
    return namespace.run("nft", "list", "ruleset").stdout


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    need("nft", "iptables")
    with inside_new_namespace() as inside:
        yield Here(inside, tmp_path / "notes")


@pytest.fixture
def without_nft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """PATH of a machine where nft is not installed."""
    return only(
        tmp_path, monkeypatch, "iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore"
    )


def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *installed: str) -> str:
    """A PATH on which, of the programs for root, only some are."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in (*installed, "ip", "sysctl", "iptables"):
        found = command.find(program)
        assert found is not None
        (programs / program).symlink_to(found)
    path = f"{programs}:/usr/bin"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(command, "SEARCHED_TOO", ())
    assert command.find("nft") is None
    return path


class WgQuick:
    """Debian's wg-quick with a full tunnel, whose daemon is pywg."""

    def __init__(self, inside: Inside, directory: Path) -> None:
        need("wg-quick", "wg")
        self.inside = inside
        self.namespace = inside.namespace
        self.name = new_interface_name()
        self.config = directory / f"{self.name}.conf"
        keys = KeyPair.generate()
        addresses = "".join(f"Address = {address}\n" for address in ADDRESSES)
        self.config.write_text(
            f"[Interface]\nPrivateKey = {keys.private}\n{addresses}"
            f"[Peer]\nPublicKey = {KeyPair.generate().public}\nAllowedIPs = 0.0.0.0/0, ::/0\n"
        )
        self.config.chmod(0o600)
        self.program = directory / "pywg-for-wg-quick"
        self.program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m pywg "$@"\n')
        self.program.chmod(0o700)

    def run(self, word: str) -> str:
        environment = daemon_environment(
            WG_QUICK_USERSPACE_IMPLEMENTATION=str(self.program), LOG_LEVEL="silent"
        )
        return self.namespace.run("wg-quick", word, str(self.config), env=environment).stderr

    def end(self) -> None:
        if self.namespace.has_link(self.name):
            self.namespace.ip("link", "delete", self.name)


@pytest.fixture
def wg_quick(tmp_path: Path) -> Iterator[WgQuick]:
    with inside_new_namespace() as inside:
        wg_quick = WgQuick(inside, tmp_path)
        try:
            yield wg_quick
        finally:
            wg_quick.end()


# The rules


def test_nft_has_the_rules_of_wg_quick(here: Here, wg_quick: WgQuick) -> None:
    wg_quick.run("up")
    assert here.add(wg_quick.name) == ["nft -f -", "sysctl -q net.ipv4.conf.all.src_valid_mark=1", "nft -f -"]
    assert here.rules() == rules_of(wg_quick.namespace) != ""
    assert here.remove(wg_quick.name) == ["nft -f -", "sysctl -q net.ipv4.conf.all.src_valid_mark=0"]
    assert here.rules() == ""


def test_iptables_has_the_rules_of_wg_quick(here: Here, wg_quick: WgQuick, without_nft: str) -> None:
    wg_quick.run("up")
    assert here.add(wg_quick.name)[::2] == ["ip6tables-restore -n", "iptables-restore -n"]
    for program in ("iptables-save", "ip6tables-save"):
        ours, theirs = (
            [line for line in each.run(program).stdout.splitlines() if not line.startswith("#")]
            for each in (here.namespace, wg_quick.namespace)
        )
        assert ours == theirs
        assert sum("wg-quick(8) rule for" in line for line in ours) == (
            4 if program == "iptables-save" else 3
        )
    assert here.remove(wg_quick.name)[:2] == ["iptables-restore -n", "ip6tables-restore -n"]
    assert all(
        "wg-quick" not in here.namespace.run(each).stdout for each in ("iptables-save", "ip6tables-save")
    )


@pytest.mark.parametrize("nft_is_installed", [True, False])
def test_what_wg_quick_made_is_taken_away(
    wg_quick: WgQuick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, nft_is_installed: bool
) -> None:
    """Made with nft or with iptables; when it goes both are installed."""
    with monkeypatch.context() as patch:
        if not nft_is_installed:
            only(tmp_path, patch, "iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore")
        wg_quick.run("up")
    assert "51820" in rules_of(wg_quick.namespace) or "ca6c" in rules_of(wg_quick.namespace)
    said: list[str] = []
    firewall = LinuxFirewall(said.append, SrcValidMark(said.append, Notes(tmp_path / "notes")))
    wg_quick.inside.run(lambda: firewall.remove(wg_quick.name))
    assert "wg-quick" not in rules_of(wg_quick.namespace)
    assert said == (["nft -f -"] if nft_is_installed else ["iptables-restore -n", "ip6tables-restore -n"])


def test_wg_quick_takes_away_what_we_made(here: Here) -> None:
    """Its own way of finding them: by the names of the tables."""
    here.add("wg7")
    tables = here.namespace.run("nft", "list", "tables").stdout.splitlines()
    assert tables == ["table ip6 wg-quick-wg7", "table ip wg-quick-wg7"]


def test_rules_of_other_interfaces_stay(here: Here) -> None:
    here.add("wg0")
    here.namespace.nft("add table ip filter\nadd table ip wg-quick-x\n")
    before = here.rules()
    for name in ("wg01", "wg", "quick-wg0", "g0"):
        here.add(name)
        assert here.rules() != before
        here.remove(name)
        assert here.rules() == before
    here.remove("wg0")
    assert here.namespace.run("nft", "list", "tables").stdout.split("\n")[:-1] == [
        "table ip filter",
        "table ip wg-quick-x",
    ]


def test_rules_of_other_interfaces_stay_with_iptables(here: Here, without_nft: str) -> None:
    here.namespace.run("iptables-restore", text="*raw\n-A PREROUTING -i eth7 -j ACCEPT\nCOMMIT\n")
    here.add("wg0")
    before = here.namespace.run("iptables-save").stdout.count("\n-A ")
    here.add("wg01")
    here.remove("wg01")
    assert here.namespace.run("iptables-save").stdout.count("\n-A ") == before == 5
    here.remove("wg0")
    assert here.namespace.run("iptables-save").stdout.count("\n-A ") == 1


@pytest.mark.parametrize("nft_is_installed", [True, False], ids=["nft", "iptables"])
def test_the_mark_is_known_from_the_rules(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, nft_is_installed: bool
) -> None:
    """Also of those that iptables made before nft was installed."""
    name = new_interface_name()
    with monkeypatch.context() as patch:
        if not nft_is_installed:
            only(tmp_path, patch, "iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore")
        here.do(lambda firewall: firewall.add(name, 6, ADDRESSES, MARK))
    here.do(lambda firewall: firewall.add(new_interface_name(), 4, ADDRESSES, MARK + 1))
    firewall = here.firewall
    assert here.inside.run(lambda: firewall.mark(name)) == MARK
    assert here.inside.run(lambda: firewall.mark(f"{name}x")) is None
    here.remove(name)
    assert here.inside.run(lambda: firewall.mark(name)) is None


def test_nothing_is_said_or_done_where_there_is_nothing(here: Here) -> None:
    assert here.remove("wg0") == []
    assert here.rules() == ""
    assert not here.notes.exists()


def test_what_nft_refuses_leaves_nothing_of_it(here: Here) -> None:
    with pytest.raises(NetworkError, match=r"^nft -f -: .*") as caught:
        # A name wg-quick allows and nft does not.
        here.do(lambda firewall: firewall.add("wg+0", 4, ADDRESSES, MARK))
    assert "\n" not in str(caught.value)
    assert here.rules() == ""
    assert here.remove("wg+0") == ["sysctl -q net.ipv4.conf.all.src_valid_mark=0"]


def test_without_either_program_it_says_what_to_install(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(tmp_path, monkeypatch)
    with pytest.raises(NetworkError, match="needs nft or ip6tables-restore, and neither is inst") as caught:
        here.add("wg0")
    assert caught.value.status == 127
    here.remove("wg0")
    assert here.src_valid_mark == "0"


def test_rules_as_text() -> None:
    assert "daddr 10.0.0.1 fib saddr type != local drop\n" in nft_rules("wg0", 4, ["10.0.0.1"], 7)
    assert " mark 7 ct mark set mark\n" in nft_rules("wg0", 4, [], 7)
    undo = iptables_undo("wg0", iptables_rules("wg0", ["10.0.0.1"], 7).replace("-I ", "-A ").splitlines())
    assert [line[:12] for line in undo.splitlines()] == [
        *("*raw", "-D PREROUTIN", "COMMIT", "*mangle", "-D POSTROUTI", "-D PREROUTIN", "COMMIT")
    ]
    assert iptables_undo("wg", iptables_rules("wg0", [], 7).replace("-I ", "-A ").splitlines()) == ""


# src_valid_mark


def test_src_valid_mark_is_off_again_when_the_last_full_tunnel_is_gone(here: Here) -> None:
    assert here.src_valid_mark == "0"
    here.add("wg0")
    here.add("wg1")
    assert (here.src_valid_mark, here.noted()) == ("1", 1)
    assert here.notes.stat().st_mode & 0o777 == 0o700
    here.remove("wg0")
    here.remove("wg0")
    assert here.src_valid_mark == "1", "wg1 needs it"
    here.remove("wg1")
    assert (here.src_valid_mark, here.noted()) == ("0", 0)


def test_src_valid_mark_that_was_on_stays_on(here: Here) -> None:
    here.namespace.sysctl("net/ipv4/conf/all/src_valid_mark", "1")
    assert here.add("wg0") == ["nft -f -", "nft -f -"]
    here.remove("wg0")
    assert here.src_valid_mark == "1"


def test_src_valid_mark_stays_on_for_a_tunnel_of_wg_quick(here: Here) -> None:
    here.add("wg0")
    here.namespace.nft("add table ip wg-quick-wg5\n")
    here.remove("wg0")
    assert here.src_valid_mark == "1"
    here.namespace.nft("delete table ip wg-quick-wg5\n")
    here.remove("wg1")
    assert here.src_valid_mark == "0"


def test_src_valid_mark_stays_on_for_a_tunnel_in_iptables(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        only(tmp_path, patch, "iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore")
        here.add("wg5")
    here.add("wg0")
    here.remove("wg0")
    assert here.src_valid_mark == "1"
    here.remove("wg5")
    assert here.src_valid_mark == "0"


def test_a_tunnel_of_ipv6_alone_does_without_src_valid_mark(here: Here) -> None:
    here.do(lambda firewall: firewall.add("wg0", 6, ADDRESSES, MARK))
    assert here.src_valid_mark == "0"
    assert "ip daddr" not in here.rules()


def test_namespaces_are_not_mistaken_for_one_another(here: Here) -> None:
    here.add("wg0")
    with inside_new_namespace() as inside:
        other = Here(inside, here.notes)
        other.namespace.sysctl("net/ipv4/conf/all/src_valid_mark", "1")
        other.add("wg0")
        other.remove("wg0")
        assert (other.src_valid_mark, here.src_valid_mark, here.noted()) == ("1", "1", 1)
    here.remove("wg0")
    assert (here.src_valid_mark, here.noted()) == ("0", 0)


def test_src_valid_mark_that_cannot_be_noted_stays_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with inside_new_namespace() as inside:
        here = Here(inside, tmp_path / "file" / "notes")
        here.add("wg0")
        here.remove("wg0")
        assert here.src_valid_mark == "1"
        assert here.rules() == ""


def test_src_valid_mark_that_cannot_be_set_is_an_error(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pywg.net.src_valid_mark_linux.SETTING", ReadOnly())
    with pytest.raises(NetworkError, match=r"src_valid_mark=1: Read-only file system; in a container"):
        here.do(lambda firewall: firewall.add("wg0", 4, ADDRESSES, MARK))
    assert here.rules() == ""


class ReadOnly:
    """/proc/sys as most containers have it."""

    def read_text(self) -> str:
        return "0\n"

    def write_text(self, _value: str) -> None:
        raise OSError(30, "Read-only file system")
