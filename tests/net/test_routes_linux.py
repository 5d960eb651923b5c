"""Routes on Linux: what pywg knows of them is what ip(8) shows."""

import os
import sys
from ipaddress import ip_address, ip_interface, ip_network

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: rtnetlink of Linux")

if sys.platform == "linux":
    from pywg.net.routes_linux import LinuxRoutes
    from tests.net.two_namespaces import Net, Ours, add_tun, asking_for_routes, ip_batch


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
            ours.do(lambda net: net.links.add_address("wg0", ip_interface("10.77.0.1/32")))
        answers = {}
        for prefix in asked:
            family = "-6" if ":" in prefix else "-4"
            answers[prefix] = bool(ours.namespace.ip(family, "route", "show", "dev", "wg0", "match", prefix))
        told = ours.ask(asking_for_routes(asked))
        assert told == answers
        assert {True, False} == set(answers.values())


def test_has_route_knows_what_was_added_meanwhile(ours: "Ours") -> None:
    def ask(prefix: str) -> bool:
        return ours.ask(lambda net: net.routes.has_route("wg0", ip_network(prefix)))

    assert not ask("10.0.0.2/32")
    ours.do(lambda net: net.links.add_address("wg0", ip_interface("10.0.0.1/24")))
    assert not ask("10.0.0.2/32"), "an interface that is down has no routes"
    ours.do(lambda net: net.links.set_up("wg0", 1420))
    assert ask("10.0.0.2/32")
    ours.do(lambda net: net.routes.add_route("wg0", ip_network("10.5.0.0/16")))
    ours.do(lambda net: net.routes.add_route("wg0", ip_network("10.6.0.0/16"), 99))
    ours.do(lambda net: net.routes.add_route("wg0", ip_network("10.7.0.0/16"), 254))
    assert [ask(f"10.{number}.1.1/32") for number in (5, 6, 7)] == [True, False, True]
    ours.do(lambda net: net.links.delete_link("wg0"))
    assert not ask("10.5.1.1/32")


def test_a_thousand_questions_make_the_kernel_list_its_routes_once(
    ours: "Ours", monkeypatch: pytest.MonkeyPatch
) -> None:
    dumps = []
    plain = LinuxRoutes._routes

    def counted(self: LinuxRoutes, family: int, table: int, **more: int) -> list[object]:
        dumps.append(family)
        return plain(self, family, table, **more)

    monkeypatch.setattr(LinuxRoutes, "_routes", counted)
    ours.do(lambda net: net.links.set_up("wg0", 1420))

    def thousand(net: "Net") -> None:
        for number in range(1000):
            prefix = ip_network(f"10.1.{number // 256}.{number % 256}/32")
            assert not net.routes.has_route("wg0", prefix)
            net.routes.add_route("wg0", prefix)
            assert net.routes.has_route("wg0", prefix)

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
    told = ours.ask(lambda net: {each: net.routes.path_mtu(ip_address(each)) for each in expected})
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
    assert ours.ask(lambda net: net.routes.default_mtu()) == expected


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
    assert ours.ask(lambda net: net.routes.default_mtu()) == 1400
    ours.namespace.ip("route", "delete", "default")
    assert ours.ask(lambda net: net.routes.default_mtu()) is None
    ended = os.times()
    assert ended.user + ended.system - started.user - started.system < 0.4


# Tables


def test_a_table_is_empty_if_no_family_has_a_route_in_it(ours: "Ours") -> None:
    def is_empty(table: int) -> bool:
        return ours.ask(lambda net: net.routes.table_is_empty(table))

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
