"""The words of `set` that are wrong, and what is said of them. The right ones: test_same_as_wg.py."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywg.base64_key import key_from_base64
from pywg.config.keys import read_key_file
from pywg.config.model import ConfigError, HostPort, PeerConfig, WgConfig
from pywg.config.words import parse_set
from pywg.uapi.model import UNSET_KEY
from tests.config.corpus import OTHER, PEER, PRIVATE, PSK


def test_every_word(tmp_path: Path) -> None:
    (tmp_path / "private").write_text(PRIVATE)
    (tmp_path / "psk").write_text(PSK + "\n")
    device = ("listen-port", "5", "fwmark", "0x10", "private-key", str(tmp_path / "private"))
    first = ("peer", PEER, "remove")
    second = ("peer", OTHER, "preshared-key", str(tmp_path / "psk"), "endpoint", "a.b:6")
    more = ("persistent-keepalive", "off", "allowed-ips", "")
    assert parse_set((*device, *first, *second, *more), read_key_file) == WgConfig(
        key_from_base64(PRIVATE),
        5,
        16,
        (
            PeerConfig(key_from_base64(PEER), remove=True),
            PeerConfig(
                key_from_base64(OTHER),
                preshared_key=key_from_base64(PSK),
                endpoint=HostPort("a.b", "6"),
                persistent_keepalive=0,
                replace_allowed_ips=True,
            ),
        ),
    )


def test_nothing_is_asked() -> None:
    assert parse_set((), read_key_file) == WgConfig()


def test_host_bits_are_told() -> None:
    config = parse_set(("peer", PEER, "allowed-ips", "10.0.0.1/8"), read_key_file)
    assert config.warnings == (
        "AllowedIPs '10.0.0.1/8': bits behind the prefix length are set and do not count",
    )


ENDPOINT_EXPECTED = "expected HOST:PORT or [ADDRESS6]:PORT"
WRONG = {
    ("listen-port",): "listen-port: expected a port after it",
    ("private-key",): "private-key: expected the name of a file that holds the key after it",
    ("peer",): "peer: expected a public key after it",
    ("listen-port", "x"): "listen-port 'x': expected a port from 0 to 65535 or the name of a UDP service",
    ("fwmark", "x"): "fwmark 'x': expected off or a number from 0 to 4294967295 (0xffffffff)",
    ("frob",): "unknown word 'frob'; expected one of peer, listen-port, fwmark, private-key",
    (PRIVATE,): "unknown word (hidden); expected one of peer, listen-port, fwmark, private-key",
    ("endpoint", "a:5"): "endpoint is of a peer; expected 'peer KEY' before it",
    ("peer", PEER, "fwmark", "1"): "fwmark is of the interface; expected it before the first peer",
    ("peer", PEER, "x"): "unknown word 'x'; expected one of peer, remove, preshared-key, endpoint, "
    "persistent-keepalive, allowed-ips",
    ("peer", PEER, "endpoint", "a"): f"endpoint 'a': {ENDPOINT_EXPECTED}",
    ("peer", PEER, "allowed-ips", "x"): "allowed-ips: 'x' is no prefix; expected ADDRESS/LENGTH, such as "
    "10.0.0.0/8 or fd00::/64, with a length up to 32 (IPv4) or 128 (IPv6)",
    (
        "peer",
        PEER[1:],
    ): "peer: expected a key of 44 characters of base64, as 'pywg genkey' prints it; this has 43",
    (
        "private-key",
        PRIVATE,
    ): "private-key: expected a file that holds the key, not the key itself: others can see command lines",
    (
        "private-key",
        "/none",
    ): "private-key: /none: no such file; expected one that holds a key, or an empty one to clear the key",
}


@pytest.mark.parametrize(("words", "message"), WRONG.items(), ids=lambda value: str(value)[:40])
def test_what_is_said_of_wrong_words(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        parse_set(words, read_key_file)
    assert str(wrong.value) == f"command line: {message}"


WORDS = st.sampled_from(
    [
        *("listen-port", "fwmark", "private-key", "peer", "remove", "preshared-key", "endpoint"),
        *("persistent-keepalive", "allowed-ips", PEER, "5", "off", "[::1]:5", "10.0.0.0/8", ""),
    ]
) | st.text(max_size=8)


@given(st.lists(WORDS, max_size=8))
def test_nothing_but_a_config_error_comes_of_any_words(words: list[str]) -> None:
    try:
        config = parse_set(words, lambda _: UNSET_KEY)
    except ConfigError:
        return
    assert not words or config != WgConfig()
