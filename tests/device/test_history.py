"""What a device tells of its handshakes (get_status), with each engine: what doctor judges by."""

import os
from collections.abc import Callable
from errno import ECONNREFUSED

from pywg.endpoint import Endpoint
from pywg.protocol.constants import Limits
from pywg.uapi.model import DeviceChange, PeerChange, RecentStatus
from tests.device.host import Host, passes, run, wait
from tests.device.test_device import HASTY

MakeHosts = Callable[[Limits | None], tuple[Host, Host]]


def test_a_handshake_step_by_step(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    passes(hosts)
    run(hosts, 0.05)
    assert one.peer_status().handshakes == {"initiations_sent": 1, "responses_received": 1, "completed": 1}
    assert two.peer_status().handshakes == {"initiations_received": 1, "responses_sent": 1, "completed": 1}
    for host in hosts:
        assert host.peer_status().recent == RecentStatus(), "all that came to nothing is over"
        assert host.peer_status().traffic.keys() >= {"sent", "received"}
        assert host.peer_status().traffic["received"] == 0


def test_wrong_preshared_key_on_each_side(make_hosts: MakeHosts) -> None:
    hosts = one, two = make_hosts(HASTY)
    two.configure(PeerChange(public_key=one.public_key, preshared_key=os.urandom(32)))
    one.send(two)

    def each_is_answered() -> bool:
        steps = one.peer_status().recent.handshakes
        return steps.get("initiations_sent", 0) == steps.get("responses_refused", 0) >= 3

    wait(hosts, each_is_answered)
    at_one, at_two = one.peer_status(), two.peer_status()
    tries = at_one.recent.handshakes["initiations_sent"]
    assert at_one.recent.handshakes == at_one.handshakes
    assert at_one.recent.handshake_failures == {"aead_failure": tries}
    assert at_one.traffic["staged"] == 1
    assert at_two.recent.handshakes == {"initiations_received": tries, "responses_sent": tries}
    # Once it is set right, nothing recent is told of what was wrong before; the counts in all stay.
    two.configure(PeerChange(public_key=one.public_key, preshared_key=bytes(32)))
    assert two.peer_status().recent == RecentStatus()
    wait(hosts, two.received)
    run(hosts, 0.05)
    assert one.peer_status().recent == RecentStatus()
    assert one.peer_status().handshake_failures["aead_failure"] >= tries


def test_drops_and_icmp_errors_since_the_session_began(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    passes(hosts)
    two.configure(PeerChange(public_key=one.public_key, replace_allowed_ips=True))
    one.send(two)
    wait(hosts, lambda: two.peer_status().recent.drops == {"source_not_allowed": 1})
    two.knows(one, endpoint=False)
    assert two.peer_status().recent.drops == {}
    assert two.peer_status().drops == {"source_not_allowed": 1}
    one.configure(PeerChange(public_key=two.public_key, endpoint=Endpoint("127.0.0.1", 9)))
    one.send(two)
    wait(hosts, lambda: one.peer_status().recent.icmp_errors.get(ECONNREFUSED))
    one.configure(PeerChange(public_key=two.public_key, endpoint=Endpoint("127.0.0.1", two.port)))
    assert one.peer_status().recent.icmp_errors == {}
    assert one.peer_status().icmp_errors[ECONNREFUSED] >= 1


def test_another_private_key_begins_anew(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    one.configure(PeerChange(public_key=two.public_key, endpoint=Endpoint("127.0.0.1", 9)))
    one.send(two)
    wait(hosts, lambda: one.peer_status().recent.icmp_errors)
    one.device.apply(DeviceChange(private_key=os.urandom(32)))
    assert one.peer_status().recent.icmp_errors == {}
