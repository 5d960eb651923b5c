"""Control plane and engine together: handshakes, rekeys and changes of configuration under traffic."""

import os
import time
from collections.abc import Callable

from pywg.protocol.constants import MILLISECOND, SECOND, Limits
from pywg.uapi.model import DeviceChange, PeerChange
from tests.device.host import Host, passes, run, wait

HASTY = Limits(
    rekey_after_time=400 * MILLISECOND,
    reject_after_time=1_500 * MILLISECOND,
    rekey_timeout=200 * MILLISECOND,
    rekey_jitter=20 * MILLISECOND,
    keepalive_timeout=300 * MILLISECOND,
)

MakeHosts = Callable[[Limits | None], tuple[Host, Host]]


def test_a_handshake_and_data(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    passes(hosts)
    (peer,) = two.device.get_state().peers
    assert peer.endpoint is not None
    assert peer.endpoint.port == one.port
    (at_one,), (at_two,) = one.device.get_state().peers, two.device.get_state().peers
    assert (at_one.tx_bytes, at_one.rx_bytes) == (at_two.rx_bytes, at_two.tx_bytes)


def test_a_burst_before_there_are_keys_arrives_in_order(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    packets = [one.send(two, number.to_bytes(12, "big")) for number in range(100)]
    assert [wait(hosts, two.received) for _ in packets] == packets


def test_no_packet_is_lost_through_rekeys(make_hosts: MakeHosts) -> None:
    hosts = one, _ = make_hosts(HASTY)
    passes(hosts)
    started = time.monotonic()
    number = 0
    while time.monotonic() - started < 4:
        passes(hosts, number.to_bytes(8, "big"))
        number += 1
        run(hosts, 0.005)
    created = [line for line in one.log.verbose_lines if "keypair created" in line]
    assert len(created) >= 6
    for host in hosts:
        assert not host.log.error_lines
        assert host.peer_status().drops == {}
        assert int(host.engine.status()["keypairs"]) <= 3


def test_a_session_that_is_not_used_is_forgotten(make_hosts: MakeHosts) -> None:
    hosts = one, two = make_hosts(HASTY)
    passes(hosts)
    time.sleep(0.1)
    wait(
        hosts,
        lambda: {host.engine.status()["keypairs"] for host in hosts} == {"0"},
        seconds=HASTY.zero_keys_after / SECOND + 3,
    )
    assert one.device._handshakes.indices_in_use == two.device._handshakes.indices_in_use == 0
    passes(hosts)


def test_down_and_up(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    passes(hosts)
    one.device.link_down()
    two.send(one)
    run(hosts, 0.05)
    assert one.received() is None
    one.device.link_up()
    passes(hosts)
    assert one.device.get_status().peers[0].handshake_failures == {}


def test_another_port_and_another_key(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    passes(hosts)
    before = one.port
    one.device.apply(DeviceChange(listen_port=0))
    assert one.port != before
    passes(hosts)
    one.private_key = os.urandom(32)
    one.device.apply(DeviceChange(private_key=one.private_key))
    two.device.apply(DeviceChange(replace_peers=True))
    two.knows(one, endpoint=False)
    run(hosts, 0.05)
    passes(hosts)


def test_peers_come_and_go_under_traffic(make_hosts: MakeHosts) -> None:
    hosts = one, two = make_hosts(HASTY)
    for number in range(60):
        one.send(two)
        two.send(one)
        run(hosts, 0.001 * (number % 7))
        one.configure(PeerChange(public_key=two.public_key, remove=True))
        one.configure(*(PeerChange(public_key=os.urandom(32)) for _ in range(5)))
        assert one.device._handshakes.indices_in_use == 0
        assert one.engine.status()["keypairs"] == "0"
        one.device.apply(DeviceChange(replace_peers=True))
        one.knows(two)
    # Initiations closer together than the flood gate allows were refused; a retransmission will not be.
    last = one.send(two, b"after all that")
    wait(hosts, lambda: last in two.drain())
    run(hosts, 0.1)
    for host in hosts:
        host.drain()
    passes(hosts)


def test_a_device_is_closed_at_any_moment(make_hosts: MakeHosts) -> None:
    for delay in range(15):
        hosts = one, two = make_hosts(None)
        one.send(two)
        two.send(one)
        run(hosts, delay / 2_000)
        one.device.close()
        one.device.close()
        two.send(one)
        run((two,), 0.002)
        assert one.device._handshakes.indices_in_use == 0
