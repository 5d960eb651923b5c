"""Routes that take no segmented batches: the native engine learns it, sends one by one, and forgets it again.

Comes in: a veth with an MTU below that of the outer packets, so that every one of them is sent in fragments,
which UDP_SEGMENT cannot (the kernel says EINVAL); then a larger one. Goes out: TCP with a hash at both ends,
what get_status tells of routes, and the size of what the veth was given. Rule: a refusal costs no packet, and
counts only until routes change.
"""

import json

import pytest

from pywg.uapi.client import UapiClient
from tests.netns.daemon import subject
from tests.netns.lab import End, Lab, Tunnel
from tests.netns.traffic import assert_pings, assert_transfers
from tests.netns.wait import until

SIZE = 5_000_000
NARROW, WIDE = 1300, 1500
NATIVE = ("native", "native")


@pytest.fixture(params=[4, 6], ids=["outer4", "outer6"])
def tunnel(lab_of_both: Lab, request: pytest.FixtureRequest) -> Tunnel:
    made = lab_of_both.tunnel(subject(), subject(), outer_family=request.param, engines=NATIVE)
    set_mtu(made, NARROW)
    return made


def set_mtu(tunnel: Tunnel, mtu: int) -> None:
    for end in (tunnel.initiator, tunnel.responder):
        end.namespace.ip("link", "set", "eth0", "mtu", str(mtu))


def refusing_routes(end: End) -> int:
    """Endpoints that `end` sends nothing segmented to."""
    status = UapiClient(end.daemon.interface).status()
    assert status is not None
    for family in (4, 6):
        assert status.details[f"udp{family}_segments"] == "yes", "no reason to give up segments as such"
    return int(status.details["routes_without_segments"])


def sent(end: End) -> tuple[int, int]:
    """Bytes and packets the veth was given, a segmented batch counting as one packet."""
    (link,) = json.loads(end.namespace.ip("-j", "-s", "link", "show", "dev", "eth0"))
    tx = link["stats64"]["tx"]
    return tx["bytes"], tx["packets"]


def mean_size(end: End, other: End) -> float:
    """Of what leaves `end` while it sends a lot to `other`."""
    before = sent(end)
    assert_transfers(end.namespace, other.namespace, other.addresses.inner4, SIZE)
    after = sent(end)
    return (after[0] - before[0]) / (after[1] - before[1])


def test_a_refusal_costs_nothing_and_lasts_until_routes_change(tunnel: Tunnel) -> None:
    one, two = tunnel.initiator, tunnel.responder
    assert_pings(one.namespace, two.addresses.inner4)
    assert refusing_routes(one) == 0
    assert mean_size(one, two) <= NARROW + 14, "everything goes in fragments"
    assert refusing_routes(one) >= 1
    assert_transfers(one.namespace, two.namespace, two.addresses.inner6, SIZE)
    assert_transfers(two.namespace, one.namespace, one.addresses.inner6, SIZE)
    assert refusing_routes(two) >= 1
    set_mtu(tunnel, WIDE)
    for end in (one, two):
        until(lambda end=end: refusing_routes(end) == 0, "the refusal is forgotten", seconds=10)  # type: ignore[misc]
    assert mean_size(one, two) > 2 * WIDE, "and segments are used again"
    assert mean_size(two, one) > 2 * WIDE
    assert (refusing_routes(one), refusing_routes(two)) == (0, 0)
