"""Sticky source addresses under load: merged and segmented batches leave from the address that was reached.

Comes in: a responder with two addresses of each family, written to at the one that the kernel would not
choose by itself, and TCP both ways, so datagrams arrive merged (UDP_GRO) and leave in batches (UDP_SEGMENT).
Goes out: what the initiator's namespace received from each address. Rule: not one datagram from another.
"""

import pytest

from pywg.uapi.client import UapiClient
from tests.needs import need
from tests.netns.daemon import subject
from tests.netns.lab import End, Lab, Tunnel, endpoint
from tests.netns.traffic import Receiver, Sender, assert_pings, assert_transfers
from tests.netns.wait import until

SIZE = 10_000_000
SECOND_ADDRESS = {4: "192.0.2.200", 6: "2001:db8::200"}
COUNTERS = """table inet test {
    counter from_first { }
    counter from_second { }
    chain datagrams {
        type filter hook input priority 0
        udp sport 51820 ip saddr 192.0.2.2 counter name from_first
        udp sport 51820 ip6 saddr 2001:db8::2 counter name from_first
        udp sport 51820 ip saddr 192.0.2.200 counter name from_second
        udp sport 51820 ip6 saddr 2001:db8::200 counter name from_second
    }
}"""
"""In front of the initiator's sockets."""


@pytest.fixture(params=[4, 6], ids=["outer4", "outer6"])
def tunnel(lab: Lab, request: pytest.FixtureRequest) -> Tunnel:
    """The initiator writes to the second address of the responder, and nothing was sent yet."""
    need("nft")
    made = lab.tunnel(subject(), subject(), outer_family=request.param)
    for address, bits in ((SECOND_ADDRESS[4], 24), (SECOND_ADDRESS[6], 64)):
        # Deprecated: what nothing is bound to leaves from the first one.
        lifetime = ("preferred_lft", "0") if ":" in address else ()
        made.responder.namespace.ip("address", "add", f"{address}/{bits}", "dev", "eth0", *lifetime)
    made.initiator.namespace.nft(COUNTERS)
    point(made, SECOND_ADDRESS[request.param])
    return made


def point(tunnel: Tunnel, address: str) -> None:
    one, two = tunnel.initiator, tunnel.responder
    one.daemon.set("peer", two.keys.public, "endpoint", endpoint(address, two.port))


def received(end: End) -> tuple[int, int]:
    """Datagrams from the first and the second address, merged ones counting as one."""
    return end.namespace.counted("from_first"), end.namespace.counted("from_second")


def refusing_routes(end: End) -> int:
    """Endpoints that `end` sends nothing segmented to; each engine has its own name for it."""
    status = UapiClient(end.daemon.interface).status()
    assert status is not None
    if status.engine == "native":
        return int(status.details["routes_without_segments"])
    return sum(int(status.offloads[f"{family}_unsegmented_endpoints"]) for family in ("v4", "v6"))


def test_all_of_a_transfer_leaves_from_the_address_that_was_reached(tunnel: Tunnel) -> None:
    one, two = tunnel.initiator, tunnel.responder
    assert_pings(one.namespace, two.addresses.inner4)
    for inner in (4, 6):
        assert_transfers(two.namespace, one.namespace, one.addresses.inner(inner), SIZE)
        assert_transfers(one.namespace, two.namespace, two.addresses.inner(inner), SIZE)
    from_first, from_second = received(one)
    assert from_first == 0
    assert from_second > 100
    assert one.daemon.peer(two.keys.public).endpoint == endpoint(
        SECOND_ADDRESS[tunnel.outer_family], two.port
    )


def test_the_reached_address_goes_away_in_the_middle_of_a_transfer(tunnel: Tunnel) -> None:
    """What is sent after that leaves from the other one, in batches as before, and no byte of it is lost."""
    one, two = tunnel.initiator, tunnel.responder
    first, second = two.addresses.outer(tunnel.outer_family), SECOND_ADDRESS[tunnel.outer_family]
    address, port = one.addresses.inner4, 5001
    assert_pings(one.namespace, two.addresses.inner4)
    with (
        Receiver(one.namespace, address, port) as receiver,
        Sender(two.namespace, address, port, 100 * SIZE, per_second=SIZE) as sender,
    ):
        until(lambda: received(one)[1] > 100, "the transfer is under way", seconds=20)
        assert received(one)[0] == 0
        bits = 24 if tunnel.outer_family == 4 else 64
        two.namespace.ip("address", "delete", f"{second}/{bits}", "dev", "eth0")
        until(lambda: received(one)[0] > 100, "it goes on from the other address", seconds=20)
        sender.enough()
        sent, got = sender.end(30), receiver.end(30)
    assert (sent.size, sent.sha256) == (got.size, got.sha256)
    assert one.daemon.peer(two.keys.public).endpoint == endpoint(first, two.port)
    assert refusing_routes(two) == 0, "it was the address that was refused"
