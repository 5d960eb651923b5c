"""Every file of the corpus through `wg` and through ours: refused by both, or the same change of a device."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from pywg.base64_key import key_from_base64
from pywg.config.change import Resolve, merge_change, setconf_change, syncconf_change
from pywg.config.keys import read_key_file
from pywg.config.locate import read_text, read_wg_config
from pywg.config.model import ConfigError, WgConfig
from pywg.config.parse import parse_wg
from pywg.config.words import parse_set
from pywg.endpoint import Endpoint
from pywg.net.resolve import resolver
from pywg.show.conf import showconf
from pywg.uapi.model import UNSET_KEY, DeviceChange, DeviceState, PeerChange, PeerState
from tests.config.corpus import EXAMPLE, INCREMENTAL_FILES, OTHER, PEER, PRIVATE, PSK, WG_FILES, mutated
from tests.config.differences import STRICTER, Difference
from tests.config.reference import environment, wg, wg_is_of_2021
from tests.uapi.fake import Served
from tests.uapi.strategies import device_states

FILES = {
    **WG_FILES,
    **{f"mutated-{number}": text for number, text in enumerate(mutated(EXAMPLE, 120, seed=1))},
}
RESOLVE = resolver(environ=environment(), tell=lambda _: None)


def theirs(server: Served, command: str, *words: str) -> DeviceChange | None:
    """What `wg` asks of the device; None if it refuses."""
    server.device.changes.clear()
    done = wg(command, server.name, *words)
    assert (done.returncode == 0) == bool(server.device.changes)
    return server.device.changes[-1] if done.returncode == 0 else None


def ours(path: Path, change: Callable[[WgConfig, Resolve], DeviceChange]) -> DeviceChange | None:
    try:
        return change(parse_wg(read_text(path), "f"), RESOLVE)
    except ConfigError:
        return None


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_setconf(server: Served, text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(text)
    assert ours(path, setconf_change) == theirs(server, "setconf", str(path))


def test_the_corpus_is_large_and_of_both_kinds(tmp_path: Path) -> None:
    path = tmp_path / "f"
    refused = 0
    for text in FILES.values():
        path.write_bytes(text)
        refused += ours(path, setconf_change) is None
    assert len(FILES) > 300
    assert 100 < refused < len(FILES) - 100


@pytest.mark.parametrize("text", list(WG_FILES.values())[:50], ids=list(WG_FILES)[:50])
def test_addconf(server: Served, text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(text)
    assert ours(path, merge_change) == theirs(server, "addconf", str(path))


@pytest.mark.parametrize("text", INCREMENTAL_FILES.values(), ids=INCREMENTAL_FILES)
def test_incremental_allowed_ips_are_newer_than_2021(server: Served, text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(text)
    expected = theirs(server, "setconf", str(path))
    if wg_is_of_2021():
        assert expected is None
    else:
        assert ours(path, setconf_change) == expected


THREE_PEERS = DeviceState(
    bytes([8] * 32),
    9,
    peers=(
        PeerState(key_from_base64(PEER), bytes([1] * 32), persistent_keepalive_interval=5),
        PeerState(bytes([0xFF] * 32)),
        PeerState(key_from_base64(OTHER), endpoint=Endpoint("192.0.2.1", 5)),
        PeerState(bytes([1] * 32)),
        PeerState(bytes([2] * 32), bytes([1] * 32)),
    ),
)


def without_resets(change: DeviceChange, mentioned: WgConfig) -> DeviceChange:
    """As wg of 2021 has it: what a file does not mention of a peer stays."""
    by_key = {peer.public_key: peer for peer in mentioned.peers}

    def plain(block: PeerChange) -> PeerChange:
        if block.remove:
            return block
        said = by_key[block.public_key]
        return replace(
            block,
            preshared_key=said.preshared_key,
            persistent_keepalive_interval=said.persistent_keepalive,
        )

    return replace(change, peers=tuple(map(plain, change.peers)))


@pytest.mark.parametrize("state", [THREE_PEERS, DeviceState()], ids=["peers", "no peers"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        EXAMPLE,
        f"[Peer]\nPublicKey={PEER}\nPresharedKey={PSK}\nPersistentKeepalive=0\n",
        f"[Peer]\nPublicKey={PEER}\n[Peer]\nPublicKey={OTHER}\nAllowedIPs=10.0.0.0/8\n",
        f"[Interface]\nPrivateKey={PRIVATE}\n[Peer]\nPublicKey={PSK}\nPersistentKeepalive=7\n",
        "[Interface]\nListenPort=x\n",
    ],
)
def test_syncconf(server: Served, text: str, state: DeviceState, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text(text)
    server.device.state = state
    expected = theirs(server, "syncconf", str(path))
    own = ours(path, lambda config, resolve: syncconf_change(config, state, resolve))
    if own is not None and wg_is_of_2021():
        own = without_resets(own, parse_wg(text, "f"))
    assert own == expected


ENDPOINT = ("endpoint", "127.0.0.1:5")


@pytest.mark.parametrize(
    "words",
    [
        ("listen-port", "5"),
        ("listen-port", "domain"),
        ("listen-port", ""),
        ("listen-port", "5 "),
        ("listen-port",),
        ("Listen-Port", "5"),
        ("listen-port", "5", "listen-port", "6", "fwmark", "0x7", "fwmark", "off"),
        ("fwmark", " 1"),
        ("fwmark", ""),
        ("frobnicate",),
        ("remove",),
        ENDPOINT,
        ("peer",),
        ("peer", "x"),
        ("peer", PEER),
        ("peer", PEER, "peer", OTHER, *ENDPOINT),
        ("peer", PEER, "remove"),
        ("peer", PEER, "remove", *ENDPOINT, "remove", "allowed-ips", "10.0.0.0/8"),
        ("peer", PEER, "remove", "endpoint", "127.0.0.1"),
        ("peer", PEER, *ENDPOINT, "endpoint", "[::1]:domain"),
        ("peer", PEER, "endpoint", "256.0.0.1.:5", *ENDPOINT),
        ("peer", PEER, "endpoint", ""),
        ("peer", PEER, "endpoint", " 127.0.0.1:5"),
        ("peer", PEER, "endpoint", "127.0.0.1: 5"),
        ("peer", PEER, "listen-port", "5"),
        ("peer", PEER, "allowed-ips", ""),
        ("peer", PEER, "allowed-ips", " "),
        ("peer", PEER, "allowed-ips", "10.0.0.0/8 , fd00::/8"),
        ("peer", PEER, "allowed-ips", "10.0.0.0/8", "allowed-ips", "11.0.0.0/8"),
        ("peer", PEER, "allowed-ips", "10.0.0.0/8,"),
        ("peer", PEER, "allowed-ips"),
        ("peer", PEER, "persistent-keepalive", "off", "persistent-keepalive", "25"),
        ("peer", PEER, "persistent-keepalive", ""),
        ("peer", PEER, "persistent-keepalive", "65536"),
        ("private-key", "/dev/null", "peer", PEER, "preshared-key", "/dev/null"),
        ("private-key", "/nonexistent"),
        ("private-key", "/"),
        ("private-key", PRIVATE),
        ("private-key",),
    ],
    ids=" ".join,
)
def test_set(server: Served, words: tuple[str, ...]) -> None:
    try:
        own = merge_change(parse_set(words, read_key_file), RESOLVE)
    except ConfigError:
        own = None
    assert own == theirs(server, "set", *words)


@pytest.mark.parametrize(
    "content",
    [
        PRIVATE,
        PRIVATE + "\n",
        PRIVATE + " \n\t\r\n",
        " " + PRIVATE,
        PRIVATE + "x",
        PRIVATE + "\0",
        PRIVATE[:-1],
        PRIVATE[:-1] + "\n",
        "\n",
        "",
        "\xff" * 44,
        PRIVATE * 2,
    ],
)
def test_key_files(server: Served, content: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(content.encode("latin-1"))
    words = ("private-key", str(path))
    try:
        own = merge_change(parse_set(words, read_key_file), RESOLVE)
    except ConfigError:
        own = None
    assert own == theirs(server, "set", *words)


@pytest.mark.parametrize("difference", STRICTER, ids=lambda difference: difference.name)
def test_where_we_are_stricter(server: Served, difference: Difference, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text(difference.text)
    assert theirs(server, "setconf", str(path)) is not None
    with pytest.raises(ConfigError) as refused:
        parse_wg(read_text(path), "f")
    assert difference.expected in str(refused.value)


def test_a_directory_empties_the_interface_in_wg_and_is_refused_here(server: Served, tmp_path: Path) -> None:
    assert theirs(server, "setconf", str(tmp_path)) == DeviceChange(UNSET_KEY, 0, 0, replace_peers=True)
    with pytest.raises(ConfigError, match="is a directory; expected a file"):
        read_wg_config(str(tmp_path))


@settings(max_examples=60)
@given(device_states)
def test_showconf(server: Served, state: DeviceState) -> None:
    server.device.state = state
    done = wg("showconf", server.name)
    assert done.returncode == 0
    assert showconf(state).encode() == done.stdout
