"""Each rule of the set operation: what a line means, and how a wrong one is refused."""

from errno import E2BIG, EINVAL, EMSGSIZE, EPROTO
from ipaddress import ip_network

import pytest
from hypothesis import given

from pywg.endpoint import Endpoint
from pywg.uapi import codec
from pywg.uapi.codec import MAX_LINE, ParsedSet, format_change, parse_set, redact
from pywg.uapi.model import UNSET_KEY, DeviceChange, PeerChange, PrefixChange
from tests.uapi import strategies

KEY = bytes(range(32))
OTHER = bytes(range(32, 64))
PEER = f"public_key={KEY.hex()}"


def parse(*lines: str) -> ParsedSet:
    return parse_set(lines)


def change(*lines: str) -> DeviceChange:
    parsed = parse(*lines)
    assert parsed.error is None
    return parsed.change


def peer(*lines: str) -> PeerChange:
    (block,) = change(PEER, *lines).peers
    return block


@given(strategies.device_changes)
def test_what_is_formatted_is_parsed_back(asked: DeviceChange) -> None:
    parsed = parse_set(format_change(asked).split("\n")[:-1])
    # A removed prefix or a replace flag stays where it stood: nothing is simplified on the way.
    assert parsed == ParsedSet(asked, None)


def test_an_empty_set_changes_nothing() -> None:
    assert change() == DeviceChange()


def test_device_keys() -> None:
    asked = change(f"private_key={KEY.hex()}", "listen_port=51820", "fwmark=4294967295", "replace_peers=true")
    assert asked == DeviceChange(KEY, 51820, 0xFFFFFFFF, replace_peers=True)


def test_a_private_key_of_zeros_is_not_the_same_as_none() -> None:
    assert change(f"private_key={'0' * 64}").private_key == UNSET_KEY
    assert change().private_key is None


def test_the_last_of_two_values_holds() -> None:
    assert change("listen_port=1", "listen_port=2").listen_port == 2
    assert peer("persistent_keepalive_interval=1", "persistent_keepalive_interval=0") == PeerChange(
        KEY, persistent_keepalive_interval=0
    )


def test_peer_keys() -> None:
    block = peer(
        "update_only=true",
        f"preshared_key={OTHER.hex().upper()}",
        "endpoint=192.0.2.1:51820",
        "persistent_keepalive_interval=65535",
        "replace_allowed_ips=true",
        "allowed_ip=10.1.2.3/8",
        "allowed_ip=-2001:db8::1/32",
        "protocol_version=1",
    )
    assert block == PeerChange(
        KEY,
        update_only=True,
        preshared_key=OTHER,
        endpoint=Endpoint("192.0.2.1", 51820),
        persistent_keepalive_interval=65535,
        replace_allowed_ips=True,
        allowed_ips=(
            PrefixChange(ip_network("10.0.0.0/8")),
            PrefixChange(ip_network("2001:db8::/32"), remove=True),
        ),
    )


def test_remove() -> None:
    assert peer("remove=true") == PeerChange(KEY, remove=True)


def test_replace_allowed_ips_takes_away_what_came_before_it() -> None:
    block = peer("allowed_ip=10.0.0.0/8", "replace_allowed_ips=true", "allowed_ip=10.1.0.0/16")
    assert block.replace_allowed_ips
    assert block.allowed_ips == (PrefixChange(ip_network("10.1.0.0/16")),)


def test_blocks_keep_their_order_and_their_prefixes_apart() -> None:
    asked = change(
        PEER,
        "allowed_ip=10.0.0.0/8",
        f"public_key={OTHER.hex()}",
        "allowed_ip=10.0.0.0/8",
        PEER,
        "remove=true",
    )
    prefix = PrefixChange(ip_network("10.0.0.0/8"))
    assert asked.peers == (
        PeerChange(KEY, allowed_ips=(prefix,)),
        PeerChange(OTHER, allowed_ips=(prefix,)),
        PeerChange(KEY, remove=True),
    )


def test_a_block_for_any_key_is_parsed() -> None:
    """Whether it is the device's own, of which nothing is applied, is for the device to know."""
    asked = change(f"private_key={KEY.hex()}", f"public_key={OTHER.hex()}", "endpoint=192.0.2.1:1")
    assert asked.peers == (PeerChange(OTHER, endpoint=Endpoint("192.0.2.1", 1)),)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("[2001:db8::1]:1", Endpoint("2001:db8::1", 1)),
        ("[fe80::1%7777]:65535", Endpoint("fe80::1", 65535, 7777)),
        ("[fe80::1%lo]:9", Endpoint("fe80::1", 9, 1)),
    ],
)
def test_endpoints(text: str, endpoint: Endpoint) -> None:
    assert peer(f"endpoint={text}").endpoint == endpoint


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.255.255.255/9", "10.128.0.0/9"),
        ("192.0.2.1/32", "192.0.2.1/32"),
        ("::/0", "::/0"),
        ("2001:DB8::FFFF/112", "2001:db8::/112"),
        ("::1/128", "::1/128"),
    ],
)
def test_prefixes_are_masked(text: str, prefix: str) -> None:
    assert peer(f"allowed_ip={text}").allowed_ips == (PrefixChange(ip_network(prefix)),)
    assert peer(f"allowed_ip=-{text}").allowed_ips == (PrefixChange(ip_network(prefix), remove=True),)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("private_key=", "exactly 64 hexadecimal digits, got 0 characters"),
        ("private_key=" + "0" * 63, "got 63 characters"),
        ("private_key=" + "0" * 65, "got 65 characters"),
        ("private_key=" + "0" * 63 + "g", "64 hexadecimal"),
        ("private_key=" + "00 " * 21 + "0", "64 hexadecimal"),
        ("private_key=" + "0" * 63 + "\N{ARABIC-INDIC DIGIT ONE}", "64 hexadecimal"),
        ("private_key=" + "0" * 64 + "\n", "64 hexadecimal"),
        ("listen_port=65536", "0 to 65535"),
        ("listen_port=-1", "0 to 65535"),
        ("listen_port=+1", "0 to 65535"),
        ("listen_port=", "0 to 65535"),
        ("listen_port=1 ", "0 to 65535"),
        ("listen_port=1_0", "0 to 65535"),
        ("listen_port=\N{SUPERSCRIPT TWO}", "0 to 65535"),
        ("listen_port=" + "0" * 4000, "0 to 65535"),
        ("fwmark=4294967296", "0 to 4294967295"),
        ("fwmark=0x10", "0 to 4294967295"),
        ("replace_peers=false", "expected 'true'"),
        ("replace_peers=1", "expected 'true'"),
        ("replace_peers=", "expected 'true'"),
        ("public_key=" + "0" * 62, "64 hexadecimal"),
        ("no_such_key=1", "unknown key"),
        ("=1", "unknown key"),
        (" listen_port=1", "unknown key"),
        ("endpoint=192.0.2.1:1", "a key of a peer must come after its public_key"),
        ("allowed_ip=10.0.0.0/8", "a key of a peer must come after its public_key"),
    ],
)
def test_refused_before_the_first_peer(line: str, expected: str) -> None:
    parsed = parse("fwmark=1", line, "listen_port=2")
    assert parsed.change == DeviceChange(fwmark=1)
    assert parsed.error is not None
    assert (parsed.error.errno, parsed.error.line_number) == (EINVAL, 2)
    assert expected in str(parsed.error)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("preshared_key=" + "0" * 66, "64 hexadecimal"),
        ("update_only=yes", "expected 'true'"),
        ("remove=false", "expected 'true'"),
        ("replace_allowed_ips=TRUE", "expected 'true'"),
        ("persistent_keepalive_interval=65536", "0 to 65535"),
        ("persistent_keepalive_interval=off", "0 to 65535"),
        ("protocol_version=2", "protocol version 1"),
        ("protocol_version=01", "protocol version 1"),
        ("endpoint=192.0.2.1", "expected ADDRESS:PORT"),
        ("endpoint=", "expected ADDRESS:PORT"),
        ("endpoint=192.0.2.1:65536", "65535"),
        ("endpoint=example.com:51820", "an IP address"),
        ("endpoint=2001:db8::1:51820", "brackets"),
        ("endpoint=[2001:db8::1]", "expected ADDRESS:PORT"),
        ("endpoint=[fe80::1%no-such-if]:1", "no interface"),
        ("endpoint=[fe80::1%4294967296]:1", "interface"),
        ("endpoint=[fe80::1%a\0b]:1", "expected ADDRESS:PORT"),
        ("allowed_ip=10.0.0.0", "ADDRESS/LENGTH"),
        ("allowed_ip=10.0.0.0/", "ADDRESS/LENGTH"),
        ("allowed_ip=10.0.0.0/33", "/32"),
        ("allowed_ip=::/129", "/128"),
        ("allowed_ip=10.0.0.0/08", "ADDRESS/LENGTH"),
        ("allowed_ip=10.0.0.0/-1", "ADDRESS/LENGTH"),
        ("allowed_ip=10.0.0.0/255.0.0.0", "ADDRESS/LENGTH"),
        ("allowed_ip=10.0.0/8", "ADDRESS/LENGTH"),
        ("allowed_ip=010.0.0.0/8", "ADDRESS/LENGTH"),
        ("allowed_ip=10.0.0.0\0/8", "ADDRESS/LENGTH"),
        ("allowed_ip=::\N{FULLWIDTH DIGIT ONE}/8", "ADDRESS/LENGTH"),
        ("allowed_ip=/8", "ADDRESS/LENGTH"),
        ("allowed_ip=fe80::1%1/64", "scope"),
        ("allowed_ip=::1::/64", "ADDRESS/LENGTH"),
        ("allowed_ip=--10.0.0.0/8", "ADDRESS/LENGTH"),
        ("allowed_ip=+10.0.0.0/8", "ADDRESS/LENGTH"),
        ("allowed_ip=10.0.0.0/8,10.1.0.0/16", "ADDRESS/LENGTH"),
        ("private_key=" + "0" * 64, "before the first public_key"),
        ("listen_port=1", "before the first public_key"),
        ("fwmark=1", "before the first public_key"),
        ("replace_peers=true", "before the first public_key"),
        ("last_handshake_time_sec=1", "unknown key"),
    ],
)
def test_refused_in_a_peer_block(line: str, expected: str) -> None:
    parsed = parse(PEER, "allowed_ip=10.0.0.0/8", line, "allowed_ip=11.0.0.0/8", f"public_key={OTHER.hex()}")
    kept = PeerChange(KEY, allowed_ips=(PrefixChange(ip_network("10.0.0.0/8")),))
    assert parsed.change == DeviceChange(peers=(kept,))
    assert parsed.error is not None
    assert (parsed.error.errno, parsed.error.line_number) == (EINVAL, 3)
    assert expected in str(parsed.error)


def test_a_wrong_public_key_ends_the_block_before_it_and_begins_none() -> None:
    parsed = parse(PEER, "allowed_ip=10.0.0.0/8", "public_key=00")
    assert parsed.change.peers == (PeerChange(KEY, allowed_ips=(PrefixChange(ip_network("10.0.0.0/8")),)),)
    assert parsed.error is not None


@pytest.mark.parametrize("line", ["listen_port", "", "set 1", "\0", KEY.hex()])
def test_a_line_without_equals_sign_is_a_protocol_error(line: str) -> None:
    parsed = parse("fwmark=1", line)
    assert parsed.change == DeviceChange(fwmark=1)
    assert parsed.error is not None
    assert parsed.error.errno == EPROTO
    assert "KEY=VALUE" in str(parsed.error)


def test_only_the_first_wrong_line_is_told() -> None:
    parsed = parse("listen_port=x", "fwmark")
    assert parsed.error is not None
    assert (parsed.error.errno, parsed.error.line_number) == (EINVAL, 1)


def test_a_line_has_a_longest_length() -> None:
    longest = "endpoint=" + "x" * (MAX_LINE - len("endpoint="))
    for line, errno in [(longest, EINVAL), (longest + "x", EMSGSIZE)]:
        error = parse(PEER, line).error
        assert error is not None
        assert error.errno == errno
        assert len(str(error)) < 200


def test_a_set_has_a_most_number_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAX_SET_LINES", 3)
    assert parse(*["fwmark=1"] * 3).error is None
    error = parse(*["fwmark=1"] * 4).error
    assert error is not None
    assert (error.errno, error.line_number) == (E2BIG, 4)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("listen_port=99999", "listen_port=99999"),
        ("endpoint=a\nb\x1b", r"endpoint=a\nb\x1b"),
        ("endpoint=" + "x" * 99, "endpoint=" + "x" * 57 + "..."),
        ("private_key=1234", "private_key=(hidden)"),
        ("preshared_key=1234", "preshared_key=(hidden)"),
        ("public_key=1234", "public_key=(hidden)"),
        ("privatekey=1234", "privatekey=(hidden)"),
        ("private_key:1234", "(hidden)"),
        ("private_key 1234=", "(hidden)"),
        ("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", "(hidden)"),
    ],
)
def test_what_a_log_may_show_of_a_line(line: str, shown: str) -> None:
    assert redact(line) == shown


CANARY = "c0ffee" * 10 + "c0ff"


@pytest.mark.parametrize(
    "lines",
    [
        [f"private_key={CANARY}0"],
        [f"private_key ={CANARY}"],
        [f"PrivateKey={CANARY}"],
        [f"private_key{CANARY}"],
        [CANARY],
        [f"{CANARY}="],
        [PEER, f"preshared_key={CANARY[:-1]}"],
        [PEER, f"private_key={CANARY}"],
        [f"public_key={CANARY}x"],
        [f"private_key={CANARY}", "x"],
    ],
)
def test_no_error_and_no_repr_shows_a_secret(lines: list[str]) -> None:
    parsed = parse(*lines)
    assert parsed.error is not None
    for text in (str(parsed.error), repr(parsed.error), repr(parsed.error.__cause__), repr(parsed)):
        assert CANARY[:16] not in text


def test_no_repr_of_a_change_shows_a_key() -> None:
    asked = DeviceChange(private_key=b"SECRET" * 6, peers=(PeerChange(KEY, preshared_key=b"SECRET" * 6),))
    assert "SECRET" not in repr(asked)
