"""Links, addresses, routes and rules on Linux: what pywg does is what ip(8) does on the same words."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from pywg.net.system import NetworkError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: rtnetlink of Linux")

if sys.platform == "linux":
    from pyroute2 import NetlinkError

    from pywg.net.routes_linux import Routes
    from pywg.net.system_linux import LinuxNetwork
    from tests.net.inside import give_up
    from tests.net.two_namespaces import Ours, Two, add_tun, ip_batch, our_namespace, two_namespaces

Call = Callable[["LinuxNetwork"], object]

CAP_NET_ADMIN = 12
TABLE = 51820


@pytest.fixture
def two() -> Iterator["Two"]:
    with two_namespaces() as both:
        yield both


@pytest.fixture
def ours() -> Iterator["Ours"]:
    with our_namespace() as only:
        yield only


def refusal(ours: "Ours", call: Call) -> str:
    """What the user reads."""
    with pytest.raises(NetworkError) as caught:
        ours.do(call)
    message = str(caught.value)
    assert "\n" not in message
    return message


def adding_address(address: str) -> Call:
    return lambda net: net.add_address("wg0", ip_interface(address))


def adding_route(prefix: str, table: int | None = None) -> Call:
    return lambda net: net.add_route("wg0", ip_network(prefix), table)


def adding_default_rules(family: int, table: int) -> Call:
    return lambda net: net.add_default_rules(family, table)


def asking_for_routes(prefixes: Iterable[str]) -> Callable[["LinuxNetwork"], dict[str, bool]]:
    return lambda net: {each: net.has_route("wg0", ip_network(each)) for each in prefixes}


# What it does


def test_all_of_an_up_and_down_is_what_ip_does(two: "Two") -> None:
    """Each step's words run through ip(8) in another namespace leave the very same listings there."""
    addresses = (
        "10.0.0.1/24",
        "10.0.0.7/24",
        "10.9.9.9/32",
        "127.8.0.1/8",
        "fd00::1/64",
        "fd00::9/128",
        "fe80::5/64",
    )
    for address in addresses:
        family = 6 if ":" in address else 4
        said = two.same(adding_address(address))
        assert said == [f"ip -{family} address add {address} dev wg0"]
    assert two.same(lambda net: net.set_up("wg0", 1384)) == ["ip link set mtu 1384 up dev wg0"]
    routes = (
        ("10.1.2.3/32", None, "ip -4 route add 10.1.2.3/32 dev wg0"),
        ("192.168.0.0/16", None, "ip -4 route add 192.168.0.0/16 dev wg0"),
        ("0.0.0.0/0", None, "ip -4 route add 0.0.0.0/0 dev wg0"),
        ("fd01::/48", None, "ip -6 route add fd01::/48 dev wg0"),
        ("::/0", None, "ip -6 route add ::/0 dev wg0"),
        ("10.1.2.3/32", 7, "ip -4 route add 10.1.2.3/32 dev wg0 table 7"),
        ("0.0.0.0/0", 1234567, "ip -4 route add 0.0.0.0/0 dev wg0 table 1234567"),
        ("fd02::/48", 254, "ip -6 route add fd02::/48 dev wg0 table 254"),
        ("::/0", 1234567, "ip -6 route add ::/0 dev wg0 table 1234567"),
    )
    for prefix, table, words in routes:
        assert two.same(adding_route(prefix, table)) == [words]
    for family in (4, 6):
        assert two.same(adding_default_rules(family, TABLE)) == [
            f"ip -{family} rule add not fwmark {TABLE} table {TABLE}",
            f"ip -{family} rule add table main suppress_prefixlength 0",
        ]
    said = two.same(lambda net: net.remove_default_rules(TABLE))
    assert said == [
        f"ip -{family} rule delete {words}"
        for family in (4, 6)
        for words in (f"table {TABLE}", "table main suppress_prefixlength 0")
    ]
    assert two.same(lambda net: net.delete_link("wg0")) == ["ip link delete dev wg0"]
    assert not two.ours.namespace.has_link("wg0")


def test_what_an_interface_has_is_told(ours: "Ours") -> None:
    ip_batch(
        ours.namespace,
        "link set mtu 1300 up dev wg0",
        "address add fd00::1/64 dev wg0",
        "address add 10.0.0.1/24 dev wg0",
        "address add 10.0.0.2/32 peer 10.0.0.3 dev wg0",
        "address add 192.0.2.1/24 dev lo",
    )
    addresses = ours.ask(lambda net: net.addresses("wg0"))
    assert [str(address) for address in addresses] == ["10.0.0.1/24", "10.0.0.2/32", "fd00::1/64"]
    assert ours.ask(lambda net: net.mtu("wg0")) == 1300
    assert ours.ask(lambda net: (net.has_link("wg0"), net.has_link("wg1"))) == (True, False)
    assert ours.ask(lambda net: net.addresses("wg1")) == []
    assert ours.said == []


# has_route


def test_has_route_is_what_ip_route_show_match_prints(ours: "Ours") -> None:
    add_tun(ours.namespace, "eth0")
    ip_batch(
        ours.namespace,
        "address add 10.0.0.1/24 dev wg0",
        "address add fd00::1/64 dev wg0",
        "link set up dev wg0",
        "link set up dev eth0",
        "route add 172.16.0.0/12 dev wg0",
        "route add 172.20.0.0/16 dev eth0",
        "route add 10.128.0.0/9 dev wg0 table 77",
        "route add 198.18.0.0/15 dev wg0 metric 700",
        "route add unreachable 198.51.100.0/24",
        "route add 203.0.113.0/24 nexthop dev wg0 weight 1 nexthop dev eth0 weight 1",
        "route add default dev eth0",
        "route add fd10::/32 dev wg0",
        "route add ::/0 dev eth0",
        "route add fd20::/32 dev wg0 table 77",
    )
    asked = (
        *("0.0.0.0/0", "0.0.0.0/1", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/25", "10.0.0.1/32", "10.0.1.0/24"),
        *("172.0.0.0/11", "172.16.0.0/12", "172.20.0.0/16", "172.20.1.1/32", "172.32.0.0/16"),
        *(
            "10.128.0.0/9",
            "10.200.0.1/32",
            "198.18.0.0/15",
            "198.19.0.1/32",
            "198.51.100.7/32",
            "203.0.113.7/32",
        ),
        *("::/0", "fd00::/16", "fd00::/64", "fd00::77/128", "fd00:0:0:1::/64", "fd10::/31", "fd10::/32"),
        *("fd10:0:ffff::/48", "fd20::/32", "fe80::/10", "fe80::/64", "ff00::/8", "ff02::1/128"),
    )
    for metric in (None, "route add default dev wg0 metric 99"):
        if metric:
            ip_batch(ours.namespace, metric)
            ours.do(lambda net: net.add_address("wg0", ip_interface("10.77.0.1/32")))
        answers = {}
        for prefix in asked:
            family = "-6" if ":" in prefix else "-4"
            answers[prefix] = bool(ours.namespace.ip(family, "route", "show", "dev", "wg0", "match", prefix))
        told = ours.ask(asking_for_routes(asked))
        assert told == answers
        assert {True, False} == set(answers.values())


def test_has_route_knows_what_was_added_meanwhile(ours: "Ours") -> None:
    def ask(prefix: str) -> bool:
        return ours.ask(lambda net: net.has_route("wg0", ip_network(prefix)))

    assert not ask("10.0.0.2/32")
    ours.do(lambda net: net.add_address("wg0", ip_interface("10.0.0.1/24")))
    assert not ask("10.0.0.2/32"), "an interface that is down has no routes"
    ours.do(lambda net: net.set_up("wg0", 1420))
    assert ask("10.0.0.2/32")
    ours.do(lambda net: net.add_route("wg0", ip_network("10.5.0.0/16")))
    ours.do(lambda net: net.add_route("wg0", ip_network("10.6.0.0/16"), 99))
    ours.do(lambda net: net.add_route("wg0", ip_network("10.7.0.0/16"), 254))
    assert [ask(f"10.{number}.1.1/32") for number in (5, 6, 7)] == [True, False, True]
    ours.do(lambda net: net.delete_link("wg0"))
    assert not ask("10.5.1.1/32")


def test_a_thousand_questions_make_the_kernel_list_its_routes_once(
    ours: "Ours", monkeypatch: pytest.MonkeyPatch
) -> None:
    dumps = []
    plain = Routes._routes

    def counted(self: Routes, family: int, table: int, **more: int) -> list[object]:
        dumps.append(family)
        return plain(self, family, table, **more)

    monkeypatch.setattr(Routes, "_routes", counted)
    ours.do(lambda net: net.set_up("wg0", 1420))

    def thousand(net: "LinuxNetwork") -> None:
        for number in range(1000):
            prefix = ip_network(f"10.1.{number // 256}.{number % 256}/32")
            assert not net.has_route("wg0", prefix)
            net.add_route("wg0", prefix)
            assert net.has_route("wg0", prefix)

    ours.do(thousand)
    assert dumps == [4, 6]
    assert len(ours.namespace.ip("-4", "route", "show", "dev", "wg0").splitlines()) == 1000


# MTUs


def test_path_mtu_is_the_routes_own_or_the_links(ours: "Ours") -> None:
    add_tun(ours.namespace, "eth0")
    ip_batch(
        ours.namespace,
        "link set mtu 1400 up dev eth0",
        "address add 192.0.2.1/24 dev eth0",
        "address add 2001:db8::1/64 dev eth0",
        "address add fe80::1/64 dev eth0",
        "route add 198.51.100.0/24 via 192.0.2.2 mtu 1290",
        "route add 203.0.113.0/24 via 192.0.2.2 mtu lock 1291",
        "route add blackhole 198.18.0.0/15",
    )
    expected = {
        "192.0.2.9": 1400,
        "198.51.100.1": 1290,
        "203.0.113.1": 1291,
        "198.18.0.1": None,
        "8.8.8.8": None,
        "127.0.0.1": 65536,
        "2001:db8::9": 1400,
        "2001:4860::1": None,
        "fe80::9%eth0": 1400,
        "fe80::9%eth7": None,
    }
    told = ours.ask(lambda net: {each: net.path_mtu(ip_address(each)) for each in expected})
    assert told == expected


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ((), None),
        (("route add 10.0.0.0/8 dev eth0",), None),
        (("route add default dev eth0",), 1400),
        (("route add default dev eth0 mtu 1350",), 1350),
        (("route add default dev eth0 metric 9", "route add default dev wg0 metric 5"), 1390),
        (("route add 0.0.0.0/1 dev wg0", "route add 0.0.0.0/8 dev wg0", "route add default dev eth0"), 1400),
        (("route add default dev eth0 table 77",), None),
        (("route add ::/0 dev eth0",), None),
        (("route add default nexthop dev eth0 nexthop dev wg0",), None),
    ],
)
def test_default_mtu_is_that_of_the_main_tables_first_default_route(
    ours: "Ours", routes: tuple[str, ...], expected: int | None
) -> None:
    add_tun(ours.namespace, "eth0")
    ip_batch(ours.namespace, "link set mtu 1400 up dev eth0", "link set mtu 1390 up dev wg0", *routes)
    assert ours.ask(lambda net: net.default_mtu()) == expected


def test_default_mtu_does_not_read_a_long_table(ours: "Ours") -> None:
    """20,000 routes take pyroute2 a second to read. Nor do those of another table hide the default route."""
    add_tun(ours.namespace, "eth0")
    ip_batch(
        ours.namespace,
        "link set mtu 1400 up dev eth0",
        "link set up dev wg0",
        "route add default dev eth0",
        *(f"route add 10.1.{n // 256}.{n % 256}/32 dev wg0 table 5" for n in range(2000)),
        *(f"route add 10.{n // 65536}.{n // 256 % 256}.{n % 256}/32 dev wg0" for n in range(20_000)),
    )
    started = os.times()
    assert ours.ask(lambda net: net.default_mtu()) == 1400
    ours.namespace.ip("route", "delete", "default")
    assert ours.ask(lambda net: net.default_mtu()) is None
    ended = os.times()
    assert ended.user + ended.system - started.user - started.system < 0.4


# Tables and rules


def test_a_table_is_empty_if_no_family_has_a_route_in_it(ours: "Ours") -> None:
    def is_empty(table: int) -> bool:
        return ours.ask(lambda net: net.table_is_empty(table))

    ip_batch(
        ours.namespace,
        "link set up dev wg0",
        "route add 10.0.0.0/8 dev wg0 table 51820",
        "route add fd00::/8 dev wg0 table 51821",
        "route add unreachable 10.0.0.0/8 table 51822",
        "route add 10.0.0.0/8 dev wg0 table 51823",
        "route del 10.0.0.0/8 dev wg0 table 51823",
        "route add 10.0.0.0/8 dev wg0 table 5",
    )
    assert [is_empty(table) for table in (51820, 51821, 51822, 51823, 51824, 5, 6)] == [
        *(False, False, False, True, True, False, True)
    ]


def rules(ours: "Ours", family: int = 4) -> list[str]:
    """Without the kernel's own."""
    shown = ours.namespace.ip(f"-{family}", "rule").replace("\t", " ").splitlines()
    return [line.strip() for line in shown if line.split(":")[0] not in {"0", "32766", "32767"}]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("first_to_go", [51820, 51821])
def test_a_full_tunnel_that_goes_leaves_the_rules_of_another(
    ours: "Ours", family: int, first_to_go: int
) -> None:
    """wg-quick takes away the rules of both."""
    other = 51820 + 51821 - first_to_go
    ours.do(lambda net: full_tunnel_rules(net, 51820, 51821))
    before = rules(ours, family)
    assert before == [
        "32762: from all lookup main suppress_prefixlength 0",
        "32763: not from all fwmark 0xca6d lookup 51821",
        "32764: from all lookup main suppress_prefixlength 0",
        "32765: not from all fwmark 0xca6c lookup 51820",
    ]
    ours.do(lambda net: net.remove_default_rules(first_to_go))
    assert rules(ours, family) == (before[:2] if other == 51821 else before[2:])
    ours.do(lambda net: net.remove_default_rules(other))
    assert rules(ours, family) == []
    assert ours.do(lambda net: net.remove_default_rules(other)) == []


def full_tunnel_rules(net: "LinuxNetwork", *tables: int) -> None:
    for table in tables:
        for family in (4, 6):
            net.add_default_rules(family, table)


def test_rules_that_lost_their_companion_take_no_other_with_them(ours: "Ours") -> None:
    """As after wg-quick has taken down a third tunnel."""
    ours.do(lambda net: full_tunnel_rules(net, 51820, 51821))
    ours.namespace.ip("-4", "rule", "delete", "priority", "32764")
    ours.do(lambda net: net.remove_default_rules(51820))
    assert rules(ours) == [
        "32762: from all lookup main suppress_prefixlength 0",
        "32763: not from all fwmark 0xca6d lookup 51821",
    ]


def test_rules_of_others_stay(ours: "Ours") -> None:
    ip_batch(
        ours.namespace,
        "rule add priority 100 from 10.0.0.0/8 lookup 7",
        "rule add priority 101 fwmark 7 lookup main suppress_prefixlength 8",
        "rule add priority 102 lookup 5182",
    )
    before = rules(ours)
    ours.do(lambda net: full_tunnel_rules(net, 51820))
    ours.do(lambda net: net.remove_default_rules(51820))
    assert rules(ours) == before
    ours.namespace.ip("rule", "add", "priority", "103", "lookup", "51820")
    ours.do(lambda net: net.remove_default_rules(51820))
    assert rules(ours) == before, "every rule that looks up the table goes"


def test_a_machine_without_ipv6_is_cleaned_of_ipv4(ours: "Ours", monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: no kernel without IPv6 is at hand. rtnetlink then knows no rules of that family."""
    ours.do(lambda net: net.add_default_rules(4, TABLE))
    network = ours.network
    plain = network.ipr.rule

    class WithoutIpv6:
        def rule(self, command: str, **request: object) -> object:
            if request["family"] == 10:
                raise NetlinkError(97)
            return plain(command, **request)

    monkeypatch.setattr(network, "ipr", WithoutIpv6())
    ours.do(lambda net: net.remove_default_rules(TABLE))
    monkeypatch.undo()
    assert rules(ours) == []


def test_on_a_kernel_before_4_20_we_sort_out_ourselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: not asked to check strictly, today's kernel lists everything as that one does."""
    for module in ("rtnetlink_linux", "routes_linux"):
        monkeypatch.setattr(f"pywg.net.{module}.asked_strictly", dict)
    with our_namespace() as ours:
        add_tun(ours.namespace, "eth0")
        ip_batch(
            ours.namespace,
            "link set mtu 1400 up dev eth0",
            "link set up dev wg0",
            "route add default dev eth0",
            "route add 10.0.0.0/8 dev wg0",
            "route add 10.0.0.0/8 dev wg0 table 51820",
            "address add fd00::1/64 dev eth0",
            "address add fd01::1/64 dev wg0",
        )
        asked = ("10.0.0.0/8", "11.0.0.0/8", "fd00::/64", "fd01::/64")
        assert list(ours.ask(asking_for_routes(asked)).values()) == [True, False, False, True]
        assert ours.ask(lambda net: (net.table_is_empty(51820), net.table_is_empty(51821))) == (False, True)
        assert ours.ask(lambda net: net.default_mtu()) == 1400
        assert ours.ask(lambda net: net.path_mtu(ip_address("8.8.8.8"))) == 1400
        assert [str(each) for each in ours.ask(lambda net: net.addresses("wg0"))] == ["fd01::1/64"]
        ours.do(adding_default_rules(4, TABLE))
        ours.do(lambda net: net.remove_default_rules(TABLE))
        assert rules(ours) == []


# Refusals


def test_refusals_say_what_was_wanted_and_what_is_wrong(ours: "Ours") -> None:
    ip_batch(
        ours.namespace,
        "address add 10.0.0.1/24 dev wg0",
        "address add fd00::1/64 dev wg0",
    )

    def expect(call: Call, *parts: str) -> None:
        message = refusal(ours, call)
        assert all(part in message for part in parts), message

    expect(
        lambda net: net.add_wireguard_link("wg0"),
        "ip link add dev wg0 type wireguard: there is an interface wg0",
    )
    expect(lambda net: net.delete_link("wg1"), "ip link delete dev wg1: there is no interface wg1")
    expect(lambda net: net.mtu("wg1"), "there is no interface wg1")
    expect(lambda net: net.set_up("wg1", 1420), "there is no interface wg1")
    expect(lambda net: net.set_up("wg0", 65536), "cannot have an MTU of 65536", "greater than device maximum")
    for address in ("10.0.0.1/24", "fd00::1/64"):
        expect(
            adding_address(address),
            f"address add {address} dev wg0: wg0 has this address already",
        )
    down = ip_network("10.1.0.0/16")
    expect(lambda net: net.add_route("wg0", down), "ip -4 route add 10.1.0.0/16 dev wg0: wg0 is down")
    expect(lambda net: net.add_route("wg1", down), "there is no interface wg1")
    ip_batch(ours.namespace, "link set up dev wg0", "route add 10.1.0.0/16 dev wg0")
    expect(
        lambda net: net.add_route("wg0", down),
        "there is such a route already; 'ip -4 route show 10.1.0.0/16 table main' shows it",
    )


def test_ipv6_that_is_switched_off_is_named_as_the_reason(ours: "Ours") -> None:
    for scope in ("all", "default", "wg0"):
        ours.namespace.sysctl(f"net/ipv6/conf/{scope}/disable_ipv6", "1")
    ours.do(lambda net: net.set_up("wg0", 1420))
    message = refusal(ours, lambda net: net.add_address("wg0", ip_interface("fd00::1/64")))
    assert "IPv6 is switched off for wg0 (sysctl net.ipv6.conf.wg0.disable_ipv6)" in message
    message = refusal(ours, lambda net: net.add_route("wg0", ip_network("fd00::/64")))
    assert "IPv6 is switched off for wg0" in message
    # IPv4 comes and goes all the same.
    ours.do(lambda net: net.add_default_rules(4, TABLE))
    ours.do(lambda net: net.add_route("wg0", ip_network("0.0.0.0/0"), TABLE))
    assert not ours.ask(lambda net: net.table_is_empty(TABLE))
    ours.do(lambda net: net.remove_default_rules(TABLE))
    ours.do(lambda net: net.delete_link("wg0"))
    assert rules(ours) == []


def test_an_mtu_too_small_for_ipv6_is_named_as_the_reason(ours: "Ours") -> None:
    ours.do(lambda net: net.set_up("wg0", 1200))
    message = refusal(ours, lambda net: net.add_route("wg0", ip_network("fd00::/64")))
    assert "an MTU below 1280" in message


def test_without_rights_it_says_whose_it_takes(ours: "Ours") -> None:
    ours.inside.run(lambda: give_up(CAP_NET_ADMIN))
    calls: tuple[Call, ...] = (
        lambda net: net.set_up("wg0", 1420),
        lambda net: net.add_address("wg0", ip_interface("10.0.0.1/24")),
        lambda net: net.add_route("wg0", ip_network("10.0.0.0/24")),
        lambda net: net.add_default_rules(4, TABLE),
        lambda net: net.delete_link("wg0"),
    )
    for call in calls:
        assert "not permitted; run as root" in refusal(ours, call)


# House-keeping


def test_nothing_stays_open() -> None:
    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208 (a count)

    with our_namespace() as first:  # What is made once and kept, such as the executor's queue, is made now.
        first.do(lambda net: net.set_up("wg0", 1420))
    before = held()
    for _ in range(3):
        with our_namespace() as ours:
            ours.do(lambda net: net.set_up("wg0", 1420))
            ours.ask(lambda net: net.default_mtu())
            ours.ask(lambda net: net.close())
    assert held() == before


def test_the_protocols_come_without_pyroute2() -> None:
    code = "import sys, pywg.net.system, pywg.net.command; print('pyroute2' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
