"""One engine at each end of a tunnel, in both roles: what one makes the other takes, at any size and speed.

Comes in: pairs of engines. Goes out: pings and TCP with a hash at both ends. Rule: the other tests here run
one engine at both of our ends, so this is where the two must understand each other.
"""

import pytest

from tests.netns.daemon import new_preshared_key, subject
from tests.netns.lab import Lab
from tests.netns.traffic import assert_pings, assert_transfers

MEGABYTE = 1_000_000


@pytest.mark.parametrize("outer", [4, 6], ids=["outer4", "outer6"])
@pytest.mark.parametrize("engines", [("python", "native"), ("native", "python")], ids="-".join)
def test_ping_and_tcp(lab_of_both: Lab, engines: tuple[str, str], outer: int) -> None:
    """Both families inside, both directions, packets up to the MTU."""
    psk = new_preshared_key()
    tunnel = lab_of_both.tunnel(subject(), subject(), outer_family=outer, preshared_key=psk, engines=engines)
    ends = (tunnel.initiator, tunnel.responder)
    for source, target in (ends, ends[::-1]):
        for inner in (4, 6):
            assert_pings(source.namespace, target.addresses.inner(inner))
            assert_transfers(source.namespace, target.namespace, target.addresses.inner(inner), 20 * MEGABYTE)
        for size in (0, 1, 15, 16, 1391, 1392):
            assert_pings(source.namespace, target.addresses.inner4, "-M", "do", count=1, size=size)
    one, two = tunnel.initiator, tunnel.responder
    assert one.daemon.peer(two.keys.public).latest_handshake > 0
