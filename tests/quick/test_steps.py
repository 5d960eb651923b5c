"""`up` and `down` on a host in memory: order, rules for MTU and routes, and undoing at every step."""

import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pywg.config.model import ConfigError, HostPort, QuickConfig
from pywg.config.parse import parse_quick
from pywg.endpoint import Endpoint
from pywg.net.system import NetworkError
from pywg.quick.device import Implementation
from pywg.quick.down import take_down
from pywg.quick.errors import QuickError
from pywg.quick.interruption import Interrupted, Interruption
from pywg.quick.up import bring_up
from tests.quick.fake import FakeHost

KEYS = [f"{'ABCDEFGHIJ'[number]}{'A' * 41}8=" for number in range(10)]
KERNEL = Implementation(kernel=True)
"""The fake has no daemon to start."""

FULL = f"""\
[Interface]
PrivateKey = {KEYS[0]}
Address = 10.0.0.1/24, fd00::1/64
DNS = 10.0.0.53, example.org
[Peer]
PublicKey = {KEYS[1]}
AllowedIPs = 0.0.0.0/0, ::/0, 10.9.0.0/16, 10.0.0.7/32
Endpoint = 192.0.2.1:51820
"""


def config(text: str, directory: Path = Path("/etc/wireguard")) -> QuickConfig:
    return parse_quick(text, directory / "wg0.conf", "wg0")


def test_the_order_of_everything() -> None:
    """As wg-quick 2026: longest prefix first, rules before the default route, no route that is there."""
    fake = FakeHost()
    bring_up(config(FULL), KERNEL, fake.host())
    assert fake.said == [
        "ip link add dev wg0 type wireguard",
        "pywg addconf wg0 <(pywg strip /etc/wireguard/wg0.conf)",
        "ip -4 address add 10.0.0.1/24 dev wg0",
        "ip -6 address add fd00::1/64 dev wg0",
        "ip link set mtu 1420 up dev wg0",
        "resolvconf -a wg0",
        "ip -4 route add 10.9.0.0/16 dev wg0",
        "pywg set wg0 fwmark 51820",
        "ip -6 rule add not fwmark 51820 table 51820",
        "ip -6 route add ::/0 dev wg0 table 51820",
        "nft add wg0 6",
        "ip -4 rule add not fwmark 51820 table 51820",
        "ip -4 route add 0.0.0.0/0 dev wg0 table 51820",
        "nft add wg0 4",
    ]
    assert fake.devices["wg0"].fwmark == 51820
    fake.said.clear()
    take_down(config(FULL), fake.host())
    assert fake.said == [
        "ip rule delete table 51820",
        "ip link delete dev wg0",
        "resolvconf -d wg0",
        "nft delete wg0",
    ]
    assert fake.picture() == FakeHost().picture()
    assert fake.told == []


def _changes_of_a_whole_up() -> int:
    fake = FakeHost()
    bring_up(config(FULL), KERNEL, fake.host())
    return fake.changes


@pytest.mark.parametrize("number", range(_changes_of_a_whole_up()))
def test_refused_at_any_step_everything_is_undone(number: int) -> None:
    fake = FakeHost(fail_at=number)
    with pytest.raises(NetworkError, match="refused, for a test"):
        bring_up(config(FULL), KERNEL, fake.host())
    assert fake.picture() == FakeHost().picture()
    assert fake.told == []


@pytest.mark.parametrize("number", range(_changes_of_a_whole_up()))
def test_told_to_end_at_any_step_everything_is_undone(number: int) -> None:
    fake = FakeHost(interrupt_at=number)
    with Interruption() as interruption, pytest.raises(Interrupted) as ended:
        bring_up(config(FULL), KERNEL, fake.host(interruption))
    assert ended.value.number == signal.SIGTERM
    assert fake.picture() == FakeHost().picture()


@pytest.mark.parametrize("number", range(_changes_of_a_whole_up()))
def test_what_fails_because_all_are_told_to_end_is_no_failure(number: int) -> None:
    """systemd ends our daemon and the hooks' programs together with us."""
    fake = FakeHost(interrupt_at=number, fail_at=number)
    with Interruption() as interruption, pytest.raises(Interrupted):
        bring_up(config(FULL), KERNEL, fake.host(interruption))
    assert fake.picture() == FakeHost().picture()


def test_what_cannot_be_undone_is_told_and_the_rest_is() -> None:
    """The firewall is refused, then the removal of the rules: link and name servers go all the same."""
    fake = FakeHost(refused={"nft add wg0 6", "ip rule delete table 51820"})
    with pytest.raises(NetworkError, match="nft add"):
        bring_up(config(FULL), KERNEL, fake.host())
    assert fake.told == [
        "could not remove the rules for table 51820: ip rule delete table 51820: refused, for a test"
    ]
    assert "wg0" not in fake.links
    assert fake.name_servers == {}
    assert fake.rules


def test_a_fault_of_ours_does_not_stop_the_undoing() -> None:
    """It is told by its place, for its text and the values around it may be secret."""
    fake = FakeHost(refused={"nft add wg0 6", "ip rule delete table 51820"}, refusal=ValueError)
    with pytest.raises(ValueError, match="nft add"):
        bring_up(config(FULL), KERNEL, fake.host())
    assert len(fake.told) == 1
    assert fake.told[0].startswith("could not remove the rules for table 51820: unforeseen: ValueError")
    assert "refused, for a test" not in fake.told[0]
    assert "wg0" not in fake.links
    assert fake.name_servers == {}


def test_down_goes_on_whatever_fails(capfd: pytest.CaptureFixture[str]) -> None:
    """PostDown included: a rule that is left is no reason to leave what the hooks take away."""
    fake = FakeHost()
    text = config(FULL.replace("[Peer]", "PostDown = echo afterwards\n[Peer]"))
    bring_up(text, KERNEL, fake.host())
    fake.fail_at = fake.changes  # The first change of `down`: the rules.
    with pytest.raises(QuickError, match="wg0 is not down completely"):
        take_down(text, fake.host())
    assert capfd.readouterr().out == "afterwards\n"
    assert "wg0" not in fake.links
    assert not fake.walls
    assert not fake.name_servers
    assert "could not remove the rules for table 51820" in fake.told[0]


def test_an_interface_that_exists_is_left_alone() -> None:
    fake = FakeHost(links={"lo", "wg0"})
    with pytest.raises(QuickError, match=r"^'wg0' already exists"):
        bring_up(config(FULL), KERNEL, fake.host())
    assert fake.said == []
    assert "wg0" in fake.links


@pytest.mark.parametrize("links", [{"lo"}, {"lo", "wg0"}], ids=["none", "of another kind"])
def test_down_of_what_is_no_wireguard_interface(links: set[str]) -> None:
    fake = FakeHost(links=links)
    with pytest.raises(QuickError, match=r"^'wg0' is not a WireGuard interface"):
        take_down(config(FULL), fake.host())
    assert fake.said == []


def mtu_of(fake: FakeHost, text: str) -> int:
    bring_up(config(text), KERNEL, fake.host())
    return fake.up_links["wg0"]


def peers(*hosts: str) -> str:
    sections = (
        f"[Peer]\nPublicKey = {key}\nEndpoint = {host}:1\n" for key, host in zip(KEYS, hosts, strict=False)
    )
    return "[Interface]\n" + "".join(sections)


@pytest.mark.parametrize(
    ("hosts", "default", "mtu"),
    [
        (["192.0.2.1", "192.0.2.2", "[2001:db8::1]"], 1500, 1300 - 80),
        (["192.0.2.9", "192.0.2.2"], 9000, 1400 - 80),
        (["192.0.2.9"], 9000, 9000 - 80),
        ([], 1492, 1492 - 80),
        ([], None, 1500 - 80),
    ],
    ids=["least over endpoints", "one unreachable", "all unreachable", "default route", "nothing known"],
)
def test_mtu(hosts: Sequence[str], default: int | None, mtu: int) -> None:
    ways = {"192.0.2.1": 1500, "192.0.2.2": 1400, "2001:db8::1": 1300}
    assert mtu_of(FakeHost(path_mtus=ways, default=default), peers(*hosts)) == mtu


def test_mtu_of_the_file() -> None:
    assert mtu_of(FakeHost(), "[Interface]\nMTU = 1380\n") == 1380


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("off", []),
        (
            "1234",
            [
                "ip -4 route add 10.9.0.0/16 dev wg0 table 1234",
                "ip -4 route add 0.0.0.0/0 dev wg0 table 1234",
            ],
        ),
    ],
)
def test_table(table: str, said: list[str]) -> None:
    """A table that was asked for takes default routes like others, without rules."""
    fake = FakeHost()
    text = (
        f"[Interface]\nTable = {table}\n[Peer]\nPublicKey = {KEYS[0]}\nAllowedIPs = 0.0.0.0/0, 10.9.0.0/16\n"
    )
    bring_up(config(text), KERNEL, fake.host())
    assert [words for words in fake.said if " route add " in words] == said
    assert not fake.rules
    assert not fake.walls
    fake.said.clear()
    take_down(config(text), fake.host())
    assert fake.said == ["ip link delete dev wg0", "nft delete wg0"]


def test_the_mark_of_the_file_is_the_table() -> None:
    fake = FakeHost()
    bring_up(config(FULL.replace("[Peer]", "FwMark = 0x1234\n[Peer]")), KERNEL, fake.host())
    assert set(fake.rules) == {(6, 0x1234), (4, 0x1234)}
    assert ("wg0", 4, 0x1234) in fake.walls
    assert not any("pywg set" in words for words in fake.said)


def test_the_first_free_table() -> None:
    fake = FakeHost(busy_tables=frozenset({51820, 51821}))
    bring_up(config(FULL), KERNEL, fake.host())
    assert fake.devices["wg0"].fwmark == 51822
    assert {table for _, table in fake.rules} == {51822}


def test_a_system_without_marks_gets_routes_around_the_tunnel() -> None:
    """macOS: to the endpoints of the families that have a default route, before that is there."""
    fake = FakeHost(has_marks=False)
    text = FULL.replace("::/0, ", "") + f"[Peer]\nPublicKey = {KEYS[2]}\nEndpoint = [2001:db8::1]:51820\n"
    bring_up(config(text), KERNEL, fake.host())
    assert fake.around == {"wg0": ["192.0.2.1"]}
    assert fake.devices["wg0"].fwmark == 0
    route = fake.said.index("route add 192.0.2.1")
    assert route < fake.said.index("route add 0.0.0.0/0 through wg0")
    take_down(config(text), fake.host())
    assert fake.around == {}
    fake = FakeHost(has_marks=False, refused={"route add 192.0.2.1"})
    with pytest.raises(NetworkError):
        bring_up(config(text), KERNEL, fake.host())
    assert fake.picture() == FakeHost().picture()


def test_a_name_that_does_not_resolve() -> None:
    def fail(asked: HostPort) -> Endpoint:
        raise ConfigError("wg0.conf", asked.line, "no such name")

    fake = FakeHost(unresolved=fail)
    with pytest.raises(ConfigError, match=r"^wg0.conf:8: no such name$"):
        bring_up(config(FULL), KERNEL, fake.host())
    assert fake.picture() == FakeHost().picture()


def test_no_sockets() -> None:
    """What the daemon says is said, and all is undone."""
    fake = FakeHost(
        socket_error={"v4": "closed", "v6": "closed", "error": "cannot listen on UDP port 7: it is in use"}
    )
    with pytest.raises(QuickError, match="wg0: cannot listen on UDP port 7: it is in use; end"):
        bring_up(config(FULL), KERNEL, fake.host())
    assert fake.picture() == FakeHost().picture()


def test_hooks_in_their_places(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = FULL + "".join(
        f"[Interface]\n{key} = echo {key} %i $INTERFACE; echo $LC_ALL >&2 # said\n"
        for key in ("PreUp", "PostUp", "PreDown", "PostDown")
    )
    fake = FakeHost()
    bring_up(config(text), KERNEL, fake.host())
    assert fake.said[1] == "echo PreUp wg0 $INTERFACE; echo $LC_ALL >&2 # said"
    assert fake.said[-1].startswith("echo PostUp wg0")
    take_down(config(text), fake.host())
    seen = capfd.readouterr()
    assert seen.out.splitlines() == [f"{key} wg0 wg0" for key in ("PreUp", "PostUp", "PreDown", "PostDown")]
    assert seen.err == "C\n" * 4


@pytest.mark.parametrize(
    ("hook", "status"),
    [
        ("exit 7", 7),
        ("false; true", 1),
        ("false | true", 1),
        ("kill -TERM $$", 143),
        ("no-such-command", 127),
    ],
)
@pytest.mark.parametrize("key", ["PreUp", "PostUp"])
def test_a_hook_that_fails(key: str, hook: str, status: int) -> None:
    """Its status is that of the command; as in wg-quick each part of it counts (set -e, pipefail)."""
    fake = FakeHost()
    with pytest.raises(QuickError) as failed:
        bring_up(config(FULL.replace("[Peer]", f"{key} = {hook}\n[Peer]")), KERNEL, fake.host())
    assert failed.value.status == status
    assert str(failed.value) == f"/etc/wireguard/wg0.conf: {key} failed with status {status} (see above)"
    assert fake.picture() == FakeHost().picture()


def test_a_pre_down_that_fails_leaves_the_interface_up() -> None:
    fake = FakeHost()
    text = config(FULL.replace("[Peer]", "PreDown = exit 3\n[Peer]"))
    bring_up(text, KERNEL, fake.host())
    before = fake.picture()
    with pytest.raises(QuickError) as failed:
        take_down(text, fake.host())
    assert failed.value.status == 3
    assert fake.picture() == before


def test_save_config(tmp_path: Path) -> None:
    text = FULL.replace("[Peer]", "SaveConfig = true\n[Peer]")
    path = tmp_path / "wg0.conf"
    path.write_text(text)
    path.chmod(0o644)
    fake = FakeHost()
    bring_up(config(text, tmp_path), KERNEL, fake.host())
    fake.devices["wg0"] = replace(fake.devices["wg0"], listen_port=4711)
    take_down(config(text, tmp_path), fake.host())
    saved = parse_quick(path.read_text(), path, "wg0")
    assert saved.wg.listen_port == 4711
    assert saved.dns == ("10.0.0.53",)
    assert saved.save_config
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
