"""Rules of full tunnels on Linux: each tunnel's own go with it, and no others."""

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: rtnetlink of Linux")

if sys.platform == "linux":
    from pyroute2 import NetlinkError

    from tests.net.two_namespaces import Net, Ours, ip_batch, rules

TABLE = 51820


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
    ours.do(lambda net: net.rules.remove_default_rules(first_to_go))
    assert rules(ours, family) == (before[:2] if other == 51821 else before[2:])
    ours.do(lambda net: net.rules.remove_default_rules(other))
    assert rules(ours, family) == []
    assert ours.do(lambda net: net.rules.remove_default_rules(other)) == []


def full_tunnel_rules(net: "Net", *tables: int) -> None:
    for table in tables:
        for family in (4, 6):
            net.rules.add_default_rules(family, table)


def test_rules_that_lost_their_companion_take_no_other_with_them(ours: "Ours") -> None:
    """As after wg-quick has taken down a third tunnel."""
    ours.do(lambda net: full_tunnel_rules(net, 51820, 51821))
    ours.namespace.ip("-4", "rule", "delete", "priority", "32764")
    ours.do(lambda net: net.rules.remove_default_rules(51820))
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
    ours.do(lambda net: net.rules.remove_default_rules(51820))
    assert rules(ours) == before
    ours.namespace.ip("rule", "add", "priority", "103", "lookup", "51820")
    ours.do(lambda net: net.rules.remove_default_rules(51820))
    assert rules(ours) == before, "every rule that looks up the table goes"


def test_a_machine_without_ipv6_is_cleaned_of_ipv4(ours: "Ours", monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: no kernel without IPv6 is at hand. rtnetlink then knows no rules of that family."""
    ours.do(lambda net: net.rules.add_default_rules(4, TABLE))
    kernel = ours.net.kernel
    plain = kernel.ipr.rule

    class WithoutIpv6:
        def rule(self, command: str, **request: object) -> object:
            if request["family"] == 10:
                raise NetlinkError(97)
            return plain(command, **request)

    monkeypatch.setattr(kernel, "ipr", WithoutIpv6())
    ours.do(lambda net: net.rules.remove_default_rules(TABLE))
    monkeypatch.undo()
    assert rules(ours) == []
