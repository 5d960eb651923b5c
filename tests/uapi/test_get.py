"""The replies to get and get_status, written and read."""

from ipaddress import ip_network

import pytest
from hypothesis import given

from pywg.endpoint import Endpoint
from pywg.uapi.codec import MalformedReplyError, format_state, parse_state
from pywg.uapi.model import DeviceState, PeerState, PeerStatus, RecentStatus, Status, StrangerStatus
from pywg.uapi.status import format_status, parse_status
from tests.uapi import strategies

KEY = bytes(range(32))
PSK = bytes(range(32, 64))


@given(strategies.device_states)
def test_a_state_written_is_read_back(state: DeviceState) -> None:
    assert parse_state(format_state(state)) == state


@given(strategies.statuses)
def test_a_status_written_is_read_back(status: Status) -> None:
    assert parse_status(format_status(status)) == status


def test_order_of_a_get() -> None:
    state = DeviceState(
        KEY,
        51820,
        16,
        (
            PeerState(
                KEY,
                PSK,
                Endpoint("fe80::1", 5, 2**31 - 1),
                last_handshake_ns=1_700_000_000_000_000_007,
                tx_bytes=1,
                rx_bytes=2,
                persistent_keepalive_interval=25,
                allowed_ips=(ip_network("10.0.0.0/8"), ip_network("::/0")),
            ),
        ),
    )
    assert format_state(state).splitlines() == [
        f"private_key={KEY.hex()}",
        "listen_port=51820",
        "fwmark=16",
        f"public_key={KEY.hex()}",
        f"preshared_key={PSK.hex()}",
        "protocol_version=1",
        "endpoint=[fe80::1%2147483647]:5",
        "last_handshake_time_sec=1700000000",
        "last_handshake_time_nsec=7",
        "tx_bytes=1",
        "rx_bytes=2",
        "persistent_keepalive_interval=25",
        "allowed_ip=10.0.0.0/8",
        "allowed_ip=::/0",
    ]


def test_zeros_are_left_out_for_the_device_and_written_for_a_peer() -> None:
    assert format_state(DeviceState(peers=(PeerState(KEY),))).splitlines() == [
        f"public_key={KEY.hex()}",
        f"preshared_key={'0' * 64}",
        "protocol_version=1",
        "last_handshake_time_sec=0",
        "last_handshake_time_nsec=0",
        "tx_bytes=0",
        "rx_bytes=0",
        "persistent_keepalive_interval=0",
    ]


def test_unknown_lines_of_a_get_are_ignored() -> None:
    text = f"from_the_future=1\npublic_key={KEY.hex()}\nfrom_the_future=2\nerrno=0\n\n"
    assert parse_state(text) == DeviceState(peers=(PeerState(KEY),))


def test_a_scope_of_another_namespace_is_left_out() -> None:
    state = parse_state(f"public_key={KEY.hex()}\nendpoint=[fe80::1%no-such-if]:5\n")
    assert state.peers[0].endpoint == Endpoint("fe80::1", 5)


@pytest.mark.parametrize(
    "text",
    [
        "private_key=00",
        "listen_port",
        "listen_port=70000",
        "allowed_ip=10.0.0.0/8",
        "tx_bytes=1",
        f"public_key={KEY.hex()}\ntx_bytes=-1",
        f"public_key={KEY.hex()}\nallowed_ip=10.0.0.0",
        f"public_key={KEY.hex()}\nendpoint=192.0.2.1",
        f"public_key={KEY.hex()}\nendpoint=[x%y]:5",
    ],
)
def test_a_state_that_is_none(text: str) -> None:
    with pytest.raises(MalformedReplyError):
        parse_state(text)


def test_no_repr_and_no_error_shows_a_key() -> None:
    secret = b"SECRET" * 5 + b"xx"
    state = DeviceState(secret, peers=(PeerState(KEY, secret),))
    assert "SECRET" not in repr(state)
    with pytest.raises(MalformedReplyError) as caught:
        parse_state(f"private_key={secret.hex()}0")
    assert secret.hex()[:16] not in str(caught.value)


def test_a_status_in_full() -> None:
    status = Status(
        engine="python",
        engine_reason="PYWG_ENGINE=python",
        version="0.1",
        sockets={"v4": "open"},
        offloads={"tun_vnet_hdr": "off"},
        details={"handshake_queue": "0"},
        drops={"bad_mac1": 3},
        handshake_failures={"unknown_key": 1},
        handshake_failure_ages={"unknown_key": 7},
        stranger=StrangerStatus(PSK, "192.0.2.1:5", 7),
        peers=(
            PeerStatus(
                KEY,
                {"replay": 1},
                {"stale_timestamp": 2},
                {113: 4},
                handshakes={"initiations_sent": 5},
                recent=RecentStatus({"initiations_sent": 3}, {"cookie": 1}, {"send_error": 6}, {113: 2}),
                traffic={"sent": 9},
            ),
        ),
    )
    assert format_status(status).splitlines() == [
        "engine=python",
        "engine_reason=PYWG_ENGINE=python",
        "version=0.1",
        "socket.v4=open",
        "offload.tun_vnet_hdr=off",
        "detail.handshake_queue=0",
        "drop.bad_mac1=3",
        "handshake_failure.unknown_key=1",
        "handshake_failure_age.unknown_key=7",
        f"stranger.public_key={PSK.hex()}",
        "stranger.source=192.0.2.1:5",
        "stranger.seconds_ago=7",
        f"public_key={KEY.hex()}",
        "drop.replay=1",
        "handshake_failure.stale_timestamp=2",
        "icmp_error.113=4",
        "handshake.initiations_sent=5",
        "traffic.sent=9",
        "recent_drop.send_error=6",
        "recent_handshake_failure.cookie=1",
        "recent_handshake.initiations_sent=3",
        "recent_icmp_error.113=2",
    ]


def test_a_status_is_one_line_per_fact() -> None:
    status = parse_status(format_status(Status("python", "two\nlines\r\0end")))
    assert status.engine_reason == "two lines end"


def test_a_hostile_status_does_not_steer_a_terminal() -> None:
    status = parse_status("engine=\x1b[2J\ndrop.\x1b[2J=1\nsocket.v4=\x9b2J\nsocket.=x\n")
    assert status == Status(" [2J", "", sockets={"v4": " 2J"})
    with pytest.raises(MalformedReplyError) as caught:
        parse_status("drop.x=\x1b[2J\n")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["", "a=b", "a b", "a\nb"])
def test_what_cannot_be_a_name_in_a_status(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        format_status(Status("python", "", drops={name: 1}))


def test_unknown_lines_of_a_status_are_ignored() -> None:
    text = (
        "engine=native\nfrom_the_future=1\nfuture.x=2\nicmp_error.5=1\n"
        f"public_key={KEY.hex()}\nengine=x\nsocket.v4=x\nfuture.x=2\nrecent_future.x=1\nrecent_traffic.x=1\n"
        "stranger.source=x\nhandshake_failure_age.x=1\nerrno=0\n\n"
    )
    assert parse_status(text) == Status("native", "", peers=(PeerStatus(KEY),))


def test_half_a_stranger_is_none() -> None:
    text = f"stranger.public_key={KEY.hex()}\nstranger.source=192.0.2.1:5\nstranger.future=1\n"
    assert parse_status(text) == Status("", "")


@pytest.mark.parametrize(
    "text",
    [
        "engine",
        "drop.x=y",
        "public_key=0",
        "stranger.public_key=0",
        f"public_key={KEY.hex()}\nicmp_error.x=1",
        f"public_key={KEY.hex()}\nrecent_icmp_error.1=x",
    ],
)
def test_a_status_that_is_none(text: str) -> None:
    with pytest.raises(MalformedReplyError):
        parse_status(text)


def test_public_key_belongs_to_the_private_one() -> None:
    """RFC 7748, section 6.1."""
    private = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
    public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    assert DeviceState(bytes.fromhex(private)).public_key == bytes.fromhex(public)
    assert DeviceState().public_key is None
