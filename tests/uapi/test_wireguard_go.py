"""Our client against wireguard-go, and our text of a get against its own."""

import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from pywg.endpoint import Endpoint
from pywg.uapi.client import RefusedError, UapiClient, UapiError, interface_names
from pywg.uapi.codec import format_state, parse_state
from pywg.uapi.model import DeviceChange, PeerChange, PrefixChange
from pywg.uapi.path import socket_path
from tests.needs import need, need_root
from tests.uapi.fake import eventually, read_reply

CHANGE = DeviceChange(
    private_key=bytes(range(32)),
    fwmark=0xCA6C,
    replace_peers=True,
    peers=(
        PeerChange(
            bytes(range(1, 33)),
            preshared_key=bytes(range(2, 34)),
            endpoint=Endpoint("2001:db8::1", 1234),
            persistent_keepalive_interval=25,
            replace_allowed_ips=True,
            allowed_ips=(
                PrefixChange(ip_network("10.0.0.0/24")),
                PrefixChange(ip_network("10.1.0.0/16")),
                PrefixChange(ip_network("fd00::/64")),
            ),
        ),
    ),
)


@pytest.fixture
def name() -> Iterator[str]:
    """A wireguard-go in a network namespace of its own, which goes with it."""
    need("wireguard-go", "unshare")
    need_root()
    name = f"pywgt{secrets.token_hex(4)}"
    daemon = subprocess.Popen(
        ["unshare", "--net", "wireguard-go", "--foreground", name],
        env=os.environ | {"WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "silent"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert eventually(lambda: name in interface_names()), "wireguard-go did not start"
        yield name
    finally:
        daemon.terminate()
        daemon.wait(10)
        socket_path(name).unlink(missing_ok=True)


def test_set_and_get(name: str) -> None:
    UapiClient(name).set(CHANGE)
    state = UapiClient(name).get()
    (peer,) = state.peers
    (asked,) = CHANGE.peers
    assert (state.fwmark, peer.public_key, peer.preshared_key) == (
        CHANGE.fwmark,
        asked.public_key,
        asked.preshared_key,
    )
    assert (peer.endpoint, peer.persistent_keepalive_interval) == (asked.endpoint, 25)
    assert set(peer.allowed_ips) == {step.prefix for step in asked.allowed_ips}
    # It does not know the operation of ours and hangs up; asked again, it still answers.
    assert UapiClient(name).status() is None
    assert UapiClient(name).get() == state


def test_a_get_reads_the_same_from_us(name: str) -> None:
    UapiClient(name).set(CHANGE)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(socket_path(name)))
        connection.sendall(b"get=1\n\n")
        told = read_reply(connection).decode()
    assert format_state(parse_state(told)) + "errno=0\n\n" == told


def test_a_refused_set(name: str) -> None:
    with pytest.raises(RefusedError):
        UapiClient(name).set(DeviceChange(listen_port=70_000))
    with pytest.raises(UapiError):
        UapiClient(name).set(DeviceChange(listen_port=70_000, fwmark=1, peers=CHANGE.peers))
    # The lines after the refused one were not followed.
    state = UapiClient(name).get()
    assert (state.fwmark, state.peers) == (0, ())
