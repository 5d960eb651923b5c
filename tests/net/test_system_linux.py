"""Links, addresses, routes and rules on Linux: what pywg does is what ip(8) does on the same words."""

import os
import subprocess
import sys
import threading
from ipaddress import ip_address, ip_interface, ip_network

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: rtnetlink of Linux")

if sys.platform == "linux":
    from tests.net.inside import give_up
    from tests.net.two_namespaces import (
        Call,
        Ours,
        Two,
        add_tun,
        adding_address,
        adding_default_rules,
        adding_route,
        asking_for_routes,
        ip_batch,
        our_namespace,
        refusal,
        rules,
    )

CAP_NET_ADMIN = 12
TABLE = 51820


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
    assert two.same(lambda net: net.links.set_up("wg0", 1384)) == ["ip link set mtu 1384 up dev wg0"]
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
    said = two.same(lambda net: net.rules.remove_default_rules(TABLE))
    assert said == [
        f"ip -{family} rule delete {words}"
        for family in (4, 6)
        for words in (f"table {TABLE}", "table main suppress_prefixlength 0")
    ]
    assert two.same(lambda net: net.links.delete_link("wg0")) == ["ip link delete dev wg0"]
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
    addresses = ours.ask(lambda net: net.links.addresses("wg0"))
    assert [str(address) for address in addresses] == ["10.0.0.1/24", "10.0.0.2/32", "fd00::1/64"]
    assert ours.ask(lambda net: net.links.mtu("wg0")) == 1300
    assert ours.ask(lambda net: (net.links.has_link("wg0"), net.links.has_link("wg1"))) == (True, False)
    assert ours.ask(lambda net: net.links.addresses("wg1")) == []
    assert ours.said == []


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
        assert ours.ask(lambda net: (net.routes.table_is_empty(51820), net.routes.table_is_empty(51821))) == (
            False,
            True,
        )
        assert ours.ask(lambda net: net.routes.default_mtu()) == 1400
        assert ours.ask(lambda net: net.routes.path_mtu(ip_address("8.8.8.8"))) == 1400
        assert [str(each) for each in ours.ask(lambda net: net.links.addresses("wg0"))] == ["fd01::1/64"]
        ours.do(adding_default_rules(4, TABLE))
        ours.do(lambda net: net.rules.remove_default_rules(TABLE))
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
        lambda net: net.links.add_wireguard_link("wg0"),
        "ip link add dev wg0 type wireguard: there is an interface wg0",
    )
    expect(lambda net: net.links.delete_link("wg1"), "ip link delete dev wg1: there is no interface wg1")
    expect(lambda net: net.links.mtu("wg1"), "there is no interface wg1")
    expect(lambda net: net.links.set_up("wg1", 1420), "there is no interface wg1")
    expect(
        lambda net: net.links.set_up("wg0", 65536),
        "cannot have an MTU of 65536",
        "greater than device maximum",
    )
    expect(
        lambda net: net.links.set_up("wg0", -12),
        "mtu -12 up dev wg0: the interface cannot have an MTU of -12",
    )
    for address in ("10.0.0.1/24", "fd00::1/64"):
        expect(
            adding_address(address),
            f"address add {address} dev wg0: wg0 has this address already",
        )
    down = ip_network("10.1.0.0/16")
    expect(lambda net: net.routes.add_route("wg0", down), "ip -4 route add 10.1.0.0/16 dev wg0: wg0 is down")
    expect(lambda net: net.routes.add_route("wg1", down), "there is no interface wg1")
    ip_batch(ours.namespace, "link set up dev wg0", "route add 10.1.0.0/16 dev wg0")
    expect(
        lambda net: net.routes.add_route("wg0", down),
        "there is such a route already; 'ip -4 route show 10.1.0.0/16 table main' shows it",
    )


def test_ipv6_that_is_switched_off_is_named_as_the_reason(ours: "Ours") -> None:
    for scope in ("all", "default", "wg0"):
        ours.namespace.sysctl(f"net/ipv6/conf/{scope}/disable_ipv6", "1")
    ours.do(lambda net: net.links.set_up("wg0", 1420))
    message = refusal(ours, lambda net: net.links.add_address("wg0", ip_interface("fd00::1/64")))
    assert "IPv6 is switched off for wg0 (sysctl net.ipv6.conf.wg0.disable_ipv6)" in message
    message = refusal(ours, lambda net: net.routes.add_route("wg0", ip_network("fd00::/64")))
    assert "IPv6 is switched off for wg0" in message
    # IPv4 comes and goes all the same.
    ours.do(lambda net: net.rules.add_default_rules(4, TABLE))
    ours.do(lambda net: net.routes.add_route("wg0", ip_network("0.0.0.0/0"), TABLE))
    assert not ours.ask(lambda net: net.routes.table_is_empty(TABLE))
    ours.do(lambda net: net.rules.remove_default_rules(TABLE))
    ours.do(lambda net: net.links.delete_link("wg0"))
    assert rules(ours) == []


def test_an_mtu_too_small_for_ipv6_is_named_as_the_reason(ours: "Ours") -> None:
    ours.do(lambda net: net.links.set_up("wg0", 1200))
    message = refusal(ours, lambda net: net.routes.add_route("wg0", ip_network("fd00::/64")))
    assert "an MTU below 1280" in message


def test_without_rights_it_says_whose_it_takes(ours: "Ours") -> None:
    ours.inside.run(lambda: give_up(CAP_NET_ADMIN))
    calls: tuple[Call, ...] = (
        lambda net: net.links.set_up("wg0", 1420),
        lambda net: net.links.add_address("wg0", ip_interface("10.0.0.1/24")),
        lambda net: net.routes.add_route("wg0", ip_network("10.0.0.0/24")),
        lambda net: net.rules.add_default_rules(4, TABLE),
        lambda net: net.links.delete_link("wg0"),
    )
    for call in calls:
        assert "not permitted; run as root" in refusal(ours, call)


# House-keeping


def test_nothing_stays_open() -> None:
    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208 (a count)

    with our_namespace() as first:  # What is made once and kept, such as the executor's queue, is made now.
        first.do(lambda net: net.links.set_up("wg0", 1420))
    before = held()
    for _ in range(3):
        with our_namespace() as ours:
            ours.do(lambda net: net.links.set_up("wg0", 1420))
            ours.ask(lambda net: net.routes.default_mtu())
            ours.ask(lambda net: net.kernel.close())
    assert held() == before


def test_the_protocols_come_without_pyroute2() -> None:
    code = "import sys, pywg.net.system, pywg.net.command; print('pyroute2' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
