"""Name servers on Linux: which program is asked, with which words and which text."""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from pywg.net import command
from pywg.net.dns_linux import LinuxDns
from pywg.net.system import DnsSettings, NetworkError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: resolvconf of Linux")

SETTINGS = DnsSettings(("10.0.0.53", "fd00::53"), ("corp.example", "lab.example"))
RECORD = """#!{python} -I
import json, os, sys
with open({log!r}, "a") as log:
    text = "" if os.isatty(0) else sys.stdin.read()
    log.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:], text]) + "\\n")
answer = {answers!r}.get(sys.argv[1])
sys.stdout.write(answer or "")
sys.stderr.write({complaint!r})
sys.exit({status})
"""


class Machine:
    """PATH with nothing but fake programs on it, which write down what they get."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.programs = directory / "bin"
        self.programs.mkdir()
        self.log = directory / "log"
        self.said: list[str] = []
        self.interface_order = directory / "interface-order"
        self.interfaces = directory / "interface"
        self.interfaces.mkdir()
        self.dns = LinuxDns(
            self.said.append, {"lo"}.__contains__, command.run, self.interface_order, self.interfaces
        )
        monkeypatch.setenv("PATH", str(self.programs))
        monkeypatch.setattr(command, "SEARCHED_TOO", ())

    def install(
        self, name: str, *, answers: dict[str, str] | None = None, status: int = 0, complaint: str = ""
    ) -> None:
        path = self.programs / name
        values = {"log": str(self.log), "answers": answers or {}, "status": status, "complaint": complaint}
        path.write_text(RECORD.format(python=sys.executable, **values))
        path.chmod(0o700)

    def calls(self) -> list[Sequence[str]]:
        """Words and text of each call since the last question."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_resolvconf_is_given_what_wg_quick_gives_it(machine: Machine) -> None:
    machine.install("resolvconf")
    machine.install("resolvectl")
    machine.dns.set("wg0", SETTINGS)
    text = "nameserver 10.0.0.53\nnameserver fd00::53\nsearch corp.example lab.example\n"
    assert machine.calls() == [["resolvconf", "-a", "wg0", "-m", "0", "-x", text]]
    machine.dns.unset("wg0")
    assert machine.calls() == [["resolvconf", "-d", "wg0", "-f", ""]]
    assert machine.said == ["resolvconf -a wg0 -m 0 -x", "resolvconf -d wg0 -f"]


def test_without_search_domains_there_is_no_search_line(machine: Machine) -> None:
    machine.install("resolvconf")
    machine.dns.set("wg0", DnsSettings(("10.0.0.53",)))
    assert machine.calls()[0][-1] == "nameserver 10.0.0.53\n"


def test_search_domains_alone_change_nothing(machine: Machine) -> None:
    """As with wg-quick: with -x and no server, no name would be found any more."""
    machine.install("resolvconf")
    machine.dns.set("wg0", DnsSettings((), ("corp.example",)))
    assert (machine.calls(), machine.said) == ([], [])


@pytest.mark.parametrize(
    ("order", "record"),
    [
        ("# comment\nlo.inet*\nlo\ntun*\n  eth*\n", "tun.wg0"),
        ("tun-9*\n", "tun-9.wg0"),
        ("lo\neth[0-9]*\n*\n", "wg0"),
        ("", "wg0"),
    ],
)
def test_debians_resolvconf_is_given_a_name_that_comes_first(
    machine: Machine, order: str, record: str
) -> None:
    """wg-quick of 2026: the first pattern of letters, digits and dashes alone."""
    machine.install("resolvconf", answers={"-l": "nameserver 10.0.0.53\n"})
    machine.interface_order.write_text(order)
    machine.dns.set("wg0", SETTINGS)
    machine.dns.unset("wg0")
    machine.dns.servers("wg0")
    assert [words[1:3] for words in machine.calls()] == [["-a", record], ["-d", record], ["-l", record]]


def test_resolvconf_of_systemd_is_given_the_interfaces_name(machine: Machine) -> None:
    """It is a link to resolvectl, and looks for the interface."""
    machine.install("resolvectl")
    (machine.programs / "resolvconf").symlink_to("resolvectl")
    machine.interface_order.write_text("tun*\n")
    machine.dns.set("wg0", SETTINGS)
    assert [words[:3] for words in machine.calls()] == [["resolvconf", "-a", "wg0"]]


def test_resolvectl_is_asked_where_there_is_no_resolvconf(machine: Machine) -> None:
    machine.install("resolvectl")
    machine.dns.set("lo", SETTINGS)
    machine.dns.unset("lo")
    expected = [
        ["resolvectl", "dns", "lo", "10.0.0.53", "fd00::53"],
        ["resolvectl", "domain", "lo", "~.", "corp.example", "lab.example"],
        ["resolvectl", "revert", "lo"],
    ]
    assert machine.calls() == [[*words, ""] for words in expected]
    assert machine.said == [" ".join(words) for words in expected]


def test_resolved_has_forgotten_an_interface_that_is_gone(machine: Machine) -> None:
    machine.install("resolvectl", status=1, complaint='Failed to resolve interface "wg0"')
    machine.dns.unset("wg0")
    assert (machine.calls(), machine.said) == ([], [])


def test_without_either_it_says_what_to_install(machine: Machine) -> None:
    with pytest.raises(NetworkError, match="apt install openresolv, or systemd-resolved") as caught:
        machine.dns.set("wg0", SETTINGS)
    assert caught.value.status == 127
    machine.dns.unset("wg0")
    assert machine.dns.servers("wg0") == []


def test_a_failure_is_told_with_its_reason(machine: Machine) -> None:
    machine.install("resolvconf", status=1, complaint="Failed to connect to systemd-resolved\n")
    with pytest.raises(NetworkError) as caught:
        machine.dns.set("wg0", SETTINGS)
    assert str(caught.value) == (
        "resolvconf -a wg0 -m 0 -x: Failed to connect to systemd-resolved (exit status 1)"
    )


def test_a_warning_is_passed_on(machine: Machine) -> None:
    machine.install("resolvconf", complaint="signature mismatch: /etc/resolv.conf\n")
    machine.dns.set("wg0", SETTINGS)
    assert machine.said[1:] == ["resolvconf: signature mismatch: /etc/resolv.conf"]


# What is set now


def test_servers_are_what_resolvconf_lists(machine: Machine) -> None:
    listed = "# resolv.conf from wg0\nnameserver 10.0.0.53\nsearch corp.example\nnameserver fe80::1%wg0\n"
    machine.install("resolvconf", answers={"-l": f"{listed}nameserver a b\n"})
    assert machine.dns.servers("wg0") == ["10.0.0.53", "fe80::1%wg0"]
    assert machine.calls() == [["resolvconf", "-l", "wg0", ""]]


def test_servers_are_in_a_file_of_debians_resolvconf(machine: Machine) -> None:
    """It knows no -l."""
    machine.install("resolvconf", status=1)
    machine.interface_order.write_text("tun*\n")
    (machine.interfaces / "tun.wg0").write_text("nameserver 10.0.0.53\n")
    assert machine.dns.servers("wg0") == ["10.0.0.53"]


@pytest.mark.parametrize("has_its_resolvconf", [True, False])
def test_servers_are_what_resolvectl_says(machine: Machine, *, has_its_resolvconf: bool) -> None:
    """Its resolvconf knows no -l either; wg-quick then saves no DNS line at all."""
    machine.install("resolvectl", answers={"dns": "Link 7 (wg0): 10.0.0.53 fd00::53\n"})
    if has_its_resolvconf:
        (machine.programs / "resolvconf").symlink_to("resolvectl")
    assert machine.dns.servers("wg0") == ["10.0.0.53", "fd00::53"]


def test_files_of_debians_resolvconf_need_not_be_utf_8(machine: Machine) -> None:
    machine.install("resolvconf")
    machine.interface_order.write_bytes(b"# caf\xe9\ntun*\n")
    (machine.interfaces / "tun.wg0").write_bytes(b"# caf\xe9\nnameserver 10.0.0.53\n")
    assert machine.dns.servers("wg0") == ["10.0.0.53"]


def test_no_servers_are_none(machine: Machine) -> None:
    machine.install("resolvectl", answers={"dns": "Link 7 (wg0):\n"})
    assert machine.dns.servers("wg0") == []
    assert shutil.which("resolvconf") is None
