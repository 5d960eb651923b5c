"""Debian's `wg` against our server, unchanged and unaware."""

import os
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from pywg.endpoint import Endpoint
from pywg.uapi.model import (
    UNSET_KEY,
    ApplyError,
    DeviceState,
    PeerChange,
    PeerState,
)
from pywg.uapi.path import DIRECTORY
from tests.needs import need, need_root
from tests.uapi.fake import Served

PRIVATE = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
PUBLIC = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw="
PEER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
OTHER = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
PSK = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="


@pytest.fixture
def served() -> Iterator[Served]:
    need("wg")
    need_root()
    with Served(f"pywgt{secrets.token_hex(4)}", DIRECTORY) as running:
        yield running
    assert running.unhandled == []


def wg(*arguments: str, status: int = 0) -> str:
    """What it prints; on success it must have nothing to complain about."""
    done = subprocess.run(
        ["wg", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env=os.environ | {"WG_COLOR_MODE": "never", "LC_ALL": "C"},
    )
    assert done.returncode == status, done.stderr
    if status:
        return done.stderr
    assert done.stderr == ""
    return done.stdout


def raw(base64: str) -> bytes:
    import base64 as codec  # noqa: PLC0415 - the parameter has its name

    return codec.b64decode(base64)


@pytest.fixture
def key_file(tmp_path: Path) -> Callable[[str], str]:
    def make(key: str) -> str:
        path = tmp_path / secrets.token_hex(4)
        path.write_text(key + "\n" if key else "")
        return str(path)

    return make


FULL = DeviceState(
    raw(PRIVATE),
    51820,
    0xCA6C,
    (
        PeerState(
            raw(PEER),
            raw(PSK),
            Endpoint("2001:db8::1", 1234),
            last_handshake_ns=1_700_000_000_123_456_789,
            tx_bytes=2048,
            rx_bytes=1024,
            persistent_keepalive_interval=25,
            allowed_ips=(ip_network("10.0.0.0/24"), ip_network("fd00::/64")),
        ),
        PeerState(raw(OTHER)),
    ),
)


def test_interfaces(served: Served) -> None:
    assert served.name in wg("show", "interfaces").split()


def test_show(served: Served) -> None:
    served.device.state = FULL
    shown = wg("show", served.name)
    age = re.search(r"latest handshake: (.* ago)\n", shown)
    assert age is not None
    assert shown == (
        f"interface: {served.name}\n"
        f"  public key: {PUBLIC}\n"
        "  private key: (hidden)\n"
        "  listening port: 51820\n"
        "  fwmark: 0xca6c\n"
        "\n"
        f"peer: {PEER}\n"
        "  preshared key: (hidden)\n"
        "  endpoint: [2001:db8::1]:1234\n"
        "  allowed ips: 10.0.0.0/24, fd00::/64\n"
        f"  latest handshake: {age[1]}\n"
        "  transfer: 1.00 KiB received, 2.00 KiB sent\n"
        "  persistent keepalive: every 25 seconds\n"
        "\n"
        f"peer: {OTHER}\n"
        "  allowed ips: (none)\n"
    )


def test_show_of_an_empty_device(served: Served) -> None:
    assert wg("show", served.name) == f"interface: {served.name}\n"


def test_dump(served: Served) -> None:
    served.device.state = FULL
    assert wg("show", served.name, "dump") == (
        f"{PRIVATE}\t{PUBLIC}\t51820\t0xca6c\n"
        f"{PEER}\t{PSK}\t[2001:db8::1]:1234\t10.0.0.0/24,fd00::/64\t1700000000\t1024\t2048\t25\n"
        f"{OTHER}\t(none)\t(none)\t(none)\t0\t0\t0\toff\n"
    )


def test_scope_of_an_endpoint(served: Served) -> None:
    wg("set", served.name, "peer", PEER, "endpoint", "[fe80::1%lo]:9")
    assert served.device.state.peers[0].endpoint == Endpoint("fe80::1", 9, 1)
    assert wg("show", served.name, "endpoints") == f"{PEER}\t[fe80::1%lo]:9\n"


def test_showconf_and_setconf(served: Served, tmp_path: Path) -> None:
    served.device.state = FULL
    config = wg("showconf", served.name)
    (tmp_path / "wg.conf").write_text(config)
    served.device.state = DeviceState(fwmark=9, peers=(PeerState(raw(PSK)),))
    wg("setconf", served.name, str(tmp_path / "wg.conf"))
    peer = replace(FULL.peers[0], last_handshake_ns=0, tx_bytes=0, rx_bytes=0)
    assert served.device.state == replace(FULL, peers=(peer, FULL.peers[1]))
    assert wg("showconf", served.name) == config
    assert served.device.changes[-1].replace_peers


def test_syncconf_applies_the_difference(served: Served, tmp_path: Path) -> None:
    served.device.state = FULL
    (tmp_path / "wg.conf").write_text(
        f"[Interface]\nPrivateKey={PRIVATE}\n[Peer]\nPublicKey={PEER}\nAllowedIPs=10.9.0.1/32\n"
    )
    wg("syncconf", served.name, str(tmp_path / "wg.conf"))
    change = served.device.changes[-1]
    assert not change.replace_peers
    assert PeerChange(raw(OTHER), remove=True) in change.peers
    (peer,) = served.device.state.peers
    assert peer.public_key == raw(PEER)
    assert peer.allowed_ips == (ip_network("10.9.0.1/32"),)
    # What the file does not say of an endpoint stays. (Newer versions of wg reset key and keepalive.)
    assert peer.endpoint == Endpoint("2001:db8::1", 1234)
    assert peer.tx_bytes == 2048


def test_addconf_keeps_the_rest(served: Served, tmp_path: Path) -> None:
    served.device.state = FULL
    (tmp_path / "wg.conf").write_text(f"[Peer]\nPublicKey={PSK}\nAllowedIPs=::/0\n")
    wg("addconf", served.name, str(tmp_path / "wg.conf"))
    assert served.device.state.peers[:2] == FULL.peers
    assert served.device.state.peers[2].allowed_ips == (ip_network("::/0"),)


def test_set_everything(served: Served, key_file: Callable[[str], str]) -> None:
    wg(
        *("set", served.name, "listen-port", "51820", "fwmark", "0xca6c", "private-key", key_file(PRIVATE)),
        *("peer", PEER, "preshared-key", key_file(PSK), "endpoint", "192.0.2.1:5"),
        *("persistent-keepalive", "25", "allowed-ips", "10.0.0.0/8,::/0"),
    )
    assert served.device.state == DeviceState(
        raw(PRIVATE),
        51820,
        0xCA6C,
        (
            PeerState(
                raw(PEER),
                raw(PSK),
                Endpoint("192.0.2.1", 5),
                persistent_keepalive_interval=25,
                allowed_ips=(ip_network("10.0.0.0/8"), ip_network("::/0")),
            ),
        ),
    )


def test_set_clears(served: Served, key_file: Callable[[str], str]) -> None:
    served.device.state = FULL
    empty = key_file("")
    wg("set", served.name, "private-key", empty, "fwmark", "off", "listen-port", "0")
    wg(
        "set",
        served.name,
        "peer",
        PEER,
        "preshared-key",
        empty,
        "persistent-keepalive",
        "off",
        "allowed-ips",
        "",
    )
    wg("set", served.name, "peer", OTHER, "remove")
    peer = replace(FULL.peers[0], preshared_key=UNSET_KEY, persistent_keepalive_interval=0, allowed_ips=())
    assert served.device.state == DeviceState(peers=(peer,))


def test_a_move_of_allowed_ips(served: Served) -> None:
    served.device.state = FULL
    wg(
        "set",
        served.name,
        "peer",
        PEER,
        "allowed-ips",
        "10.5.0.0/16",
        "peer",
        OTHER,
        "allowed-ips",
        "fd00::/64",
    )
    assert [peer.allowed_ips for peer in served.device.state.peers] == [
        (ip_network("10.5.0.0/16"),),
        (ip_network("fd00::/64"),),
    ]
    assert all(block.replace_allowed_ips for block in served.device.changes[-1].peers)


@pytest.mark.parametrize(
    ("error", "printed"),
    [
        (ApplyError(98), "Unable to modify interface: Address already in use\n"),
        (ApplyError(22), "Unable to modify interface: Invalid argument\n"),
        (ApplyError(1), "Unable to modify interface: Operation not permitted\n"),
        (ValueError("x"), "Unable to modify interface: Input/output error\n"),
    ],
)
def test_a_refused_setting(served: Served, error: Exception, printed: str) -> None:
    served.device.apply_error = error
    assert wg("set", served.name, "listen-port", "5", status=1) == printed


def test_port_0_of_an_endpoint_is_taken_as_the_kernel_takes_it(served: Served) -> None:
    served.device.state = FULL
    wg("set", served.name, "peer", PEER, "endpoint", "192.0.2.1:0")
    assert "192.0.2.1:0" in wg("show", served.name, "endpoints")


def test_a_failing_get(served: Served) -> None:
    served.device.get_error = ValueError("x")
    assert wg("show", served.name, status=1) == "Unable to access interface: Input/output error\n"


def test_130560_allowed_ips(served: Served, tmp_path: Path) -> None:
    # The huge configuration of the kernel's netns.sh.
    prefixes = [f"{a}.{b}.{c}.0/29" for a in range(2) for b in range(256) for c in range(255)]
    (tmp_path / "wg.conf").write_text(f"[Peer]\nPublicKey={PEER}\nAllowedIPs={', '.join(prefixes)}\n")
    wg("setconf", served.name, str(tmp_path / "wg.conf"))
    assert wg("show", served.name, "allowed-ips") == f"{PEER}\t{' '.join(prefixes)}\n"
    assert len(prefixes) == 130_560
    (change,) = served.device.changes
    assert change.replace_peers
    assert len(change.peers[0].allowed_ips) == 130_560
