"""What is asked of a device. test_same_as_wg.py compares it with `wg`; here is what is newer than that."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from pywg.config.change import merge_change, setconf_change, syncconf_change
from pywg.config.model import HostPort, PeerConfig, WgConfig
from pywg.config.parse import parse_wg
from pywg.endpoint import Endpoint
from pywg.uapi.model import UNSET_KEY, DeviceChange, DeviceState, PeerChange, PeerState, PrefixChange

A, B, C, PSK = (bytes([number]) * 32 for number in (1, 2, 3, 9))
TEN = PrefixChange(ip_network("10.0.0.0/8"))


def resolve(host_port: HostPort) -> Endpoint:
    return Endpoint("192.0.2.7", int(host_port.port))


def no_name(host_port: HostPort) -> Endpoint:
    raise LookupError(host_port.host)


def test_what_is_not_mentioned_stays_with_set_and_addconf() -> None:
    config = WgConfig(peers=(PeerConfig(A, endpoint=HostPort("host", "5"), allowed_ips=(TEN,)),))
    expected = DeviceChange(peers=(PeerChange(A, endpoint=Endpoint("192.0.2.7", 5), allowed_ips=(TEN,)),))
    assert merge_change(config, resolve) == expected


def test_what_is_not_mentioned_goes_with_setconf() -> None:
    config = WgConfig(listen_port=5, peers=(PeerConfig(A, replace_allowed_ips=True),))
    assert setconf_change(config, resolve) == DeviceChange(
        UNSET_KEY, 5, 0, replace_peers=True, peers=(PeerChange(A, replace_allowed_ips=True),)
    )


def test_nothing_else_is_asked_of_a_peer_that_is_removed() -> None:
    config = WgConfig(peers=(PeerConfig(A, remove=True, preshared_key=PSK, allowed_ips=(TEN,)),))
    assert merge_change(config, resolve).peers == (PeerChange(A, remove=True),)


def test_a_name_is_resolved_even_for_a_peer_that_is_removed() -> None:
    config = WgConfig(peers=(PeerConfig(A, remove=True, endpoint=HostPort("nowhere", "5")),))
    with pytest.raises(LookupError):
        merge_change(config, no_name)


def test_syncconf_removes_first_and_replaces_nothing() -> None:
    state = DeviceState(peers=(PeerState(A), PeerState(C), PeerState(B), PeerState(PSK)))
    change = syncconf_change(WgConfig(peers=(PeerConfig(B),)), state, resolve)
    assert not change.replace_peers
    assert change.peers == (
        PeerChange(PSK, remove=True),
        PeerChange(C, remove=True),
        PeerChange(A, remove=True),
        PeerChange(B),
    )
    assert (change.private_key, change.listen_port, change.fwmark) == (UNSET_KEY, 0, 0)


def test_syncconf_is_setconf_where_there_is_nothing_to_compare() -> None:
    config = WgConfig(peers=(PeerConfig(B),))
    assert syncconf_change(config, DeviceState(), resolve) == setconf_change(config, resolve)
    state = DeviceState(peers=(PeerState(A),))
    assert syncconf_change(WgConfig(), state, resolve) == setconf_change(WgConfig(), resolve)


@pytest.mark.parametrize(
    ("state", "block", "expected"),
    [
        (PeerState(A, PSK), PeerConfig(A), PeerChange(A, preshared_key=UNSET_KEY)),
        (PeerState(A, PSK), PeerConfig(A, preshared_key=B), PeerChange(A, preshared_key=B)),
        (PeerState(A), PeerConfig(A), PeerChange(A)),
        (
            PeerState(A, persistent_keepalive_interval=5),
            PeerConfig(A),
            PeerChange(A, persistent_keepalive_interval=0),
        ),
        (
            PeerState(A, persistent_keepalive_interval=5),
            PeerConfig(A, persistent_keepalive=6),
            PeerChange(A, persistent_keepalive_interval=6),
        ),
        (PeerState(A, endpoint=Endpoint("192.0.2.1", 5)), PeerConfig(A), PeerChange(A)),
    ],
)
def test_newer_than_2021_syncconf_resets_what_the_file_lacks(
    state: PeerState, block: PeerConfig, expected: PeerChange
) -> None:
    change = syncconf_change(WgConfig(peers=(block,)), DeviceState(peers=(state,)), resolve)
    assert change.peers == (expected,)


def test_only_the_first_block_of_a_peer_resets() -> None:
    config = WgConfig(peers=(PeerConfig(A), PeerConfig(A, preshared_key=B), PeerConfig(A)))
    change = syncconf_change(config, DeviceState(peers=(PeerState(A, PSK),)), resolve)
    assert [peer.preshared_key for peer in change.peers] == [UNSET_KEY, B, None]


def test_incremental_allowed_ips_of_a_file() -> None:
    key = "A" * 43 + "="
    config = parse_wg(f"[Peer]\nPublicKey={key}\nAllowedIPs = +10.0.0.0/8, -11.0.0.0/8\n", "f")
    (peer,) = setconf_change(config, resolve).peers
    assert not peer.replace_allowed_ips
    assert peer.allowed_ips == (TEN, replace(PrefixChange(ip_network("11.0.0.0/8")), remove=True))
