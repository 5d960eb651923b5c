"""What files say, and what is said of those that are wrong. That wg agrees is tested in test_same_as_*."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_interface, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pywg.base64_key import key_from_base64, key_to_base64
from pywg.config.model import (
    PEER_SETTINGS,
    QUICK_SETTINGS,
    WG_INTERFACE_SETTINGS,
    ConfigError,
    Hooks,
    HostPort,
    PeerConfig,
    QuickConfig,
    Table,
    WgConfig,
)
from pywg.config.parse import parse_quick, parse_wg, strip
from pywg.uapi.model import PrefixChange
from tests.config.corpus import (
    EXAMPLE,
    OTHER,
    PEER,
    PRIVATE,
    PSK,
    QUICK_EXAMPLE,
    interface,
    mutated,
    peer,
)

PATH = Path("/etc/wireguard/wg0.conf")


def added(text: str) -> PrefixChange:
    return PrefixChange(ip_network(text))


def test_example() -> None:
    assert parse_wg(EXAMPLE, "f") == WgConfig(
        key_from_base64(PRIVATE),
        51820,
        None,
        (
            PeerConfig(
                key_from_base64(PEER),
                endpoint=HostPort("192.95.5.67", "1234"),
                replace_allowed_ips=True,
                allowed_ips=(added("10.192.122.3/32"), added("10.192.124.0/24")),
            ),
            PeerConfig(
                key_from_base64(OTHER),
                preshared_key=key_from_base64(PSK),
                endpoint=HostPort("2607:5300:60:6b0::c05f:543", "2468"),
                persistent_keepalive=25,
                replace_allowed_ips=True,
                allowed_ips=(added("10.192.122.4/32"), added("192.168.0.0/16")),
            ),
        ),
    )


def test_lines_are_remembered() -> None:
    first, second = parse_wg(EXAMPLE, "f").peers
    assert (first.line, second.line) == (5, 10)
    assert first.endpoint is not None
    assert first.endpoint.line == 7


def test_quick_example() -> None:
    config = parse_quick(QUICK_EXAMPLE, PATH, "wg0")
    assert (config.name, config.path) == ("wg0", PATH)
    assert config.addresses == (ip_interface("10.200.100.8/24"), ip_interface("fd00::8/64"))
    assert (config.dns, config.dns_search) == (("10.200.100.1",), ("example.com",))
    assert (config.mtu, config.table, config.table_text) == (1380, 1234, "1234")
    assert config.hooks == Hooks(
        pre_up=("true # before",),
        post_up=("echo \"%i\" | grep '#1' && true",),
        pre_down=("a; b",),
        post_down=("c",),
    )
    assert config.save_config
    assert (config.wg.private_key, config.wg.fwmark) == (key_from_base64(PRIVATE), 0xCA6C)
    stripped = strip(QUICK_EXAMPLE, "f")
    assert parse_wg(stripped, "f") == config.wg
    assert "# a comment\n" in stripped


def test_quick_without_anything() -> None:
    config = parse_quick("", PATH, "wg0")
    assert config == replace(config, addresses=(), dns=(), mtu=None, table=Table.AUTO, hooks=Hooks())
    assert strip("", "f") == "\n"


@pytest.mark.parametrize("name", [*WG_INTERFACE_SETTINGS, *PEER_SETTINGS])
def test_every_setting_of_wg_is_understood(name: str) -> None:
    """Its value is looked at, which here is none of any setting."""
    line = f"{name} = -"
    for text in (line, line.upper()):
        refused = refusal(parse_wg, interface(text) if name in WG_INTERFACE_SETTINGS else peer(text), "f")
        assert re.match(rf"f:[23]: {name}(?: '-')?: ", refused, re.IGNORECASE), refused
    assert strip(interface(line), "f") == interface(line) + "\n"


@pytest.mark.parametrize("name", QUICK_SETTINGS)
def test_every_setting_of_wg_quick_is_kept_from_wg(name: str) -> None:
    for line in (f"{name} = true", f"{name} = true".upper()):
        assert strip(interface(line), "f") == "[Interface]\n\n"
        assert strip(peer(line), "f") == peer(line) + "\n"


def test_strip_looks_at_nothing_but_save_config() -> None:
    text = "[Interface]\nMTU = x\nPrivateKey = y\nAddress\n[Peer]\n"
    assert strip(text, "f") == "[Interface]\nPrivateKey = y\n[Peer]\n\n"
    with pytest.raises(ConfigError, match=r"^f:2: SaveConfig '1': expected true or false$"):
        strip("[Interface]\nSaveConfig = 1\n", "f")


def test_a_prefix_with_host_bits_is_taken_and_told() -> None:
    config = parse_wg(peer("AllowedIPs = 10.0.0.1/24, 10.0.0.2/32, fd00::1/64"), "f")
    assert config.peers[0].allowed_ips[0] == added("10.0.0.0/24")
    assert config.warnings == (
        "f:3: AllowedIPs '10.0.0.1/24': bits behind the prefix length are set and do not count",
        "f:3: AllowedIPs 'fd00::1/64': bits behind the prefix length are set and do not count",
    )


def test_a_prefix_at_two_peers_is_told_once() -> None:
    """The last one has it, and wg says nothing. Each peer's own repetitions are its own business."""
    first, second = peer("AllowedIPs = 10.0.0.0/8, 10.0.0.0/8, fd00::/8"), peer("AllowedIPs = 10.0.0.1/8")
    other = second.replace(PEER, OTHER)
    place = (
        "f:4: this [Peer] takes 10.0.0.0/8 away from the one in line 1; expected each of the AllowedIPs at "
    )
    assert parse_wg(first + second.replace("0.1/8", "0.0/8"), "f").warnings == ()
    assert parse_wg(first + other.replace("0.1/8", "0.0/8"), "f").warnings == (f"{place}one peer",)
    both = peer("AllowedIPs = 10.0.0.0/8, fd00::/8").replace(PEER, OTHER)
    assert parse_wg(first + both, "f").warnings == (f"{place}one peer (and 1 more such)",)
    incremental = peer("AllowedIPs = -10.0.0.0/8").replace(PEER, OTHER)
    assert parse_wg(first + incremental + second.replace("0.1/8", "0.0/8"), "f").warnings == ()


WRONG = {
    "ListenPort = x\n": "f:1: ListenPort stands before any section; expected it in [Interface]",
    "hello\n": "f:1: expected [Interface] or [Peer] before anything else",
    "\ufeff[Interface]\n": "f:1: the file begins with a byte order mark; expected UTF-8 without one",
    "[Interface]\0\n": "f:1: there is a zero byte; expected a text file in UTF-8 (is this one in UTF-16?)",
    "[Foo]\n": "f:1: unknown section [Foo]; expected [Interface] or [Peer]",
    "[Interface\n": "f:1: this is no section; expected [Interface] or [Peer]",
    interface(
        "Jc = 4"
    ): "f:2: unknown setting 'Jc'; expected PrivateKey, ListenPort or FwMark in [Interface]",
    interface("listen_port = 5"): "f:2: unknown setting 'listen_port'; did you mean ListenPort?",
    interface("Listen\x1bPort = 5"): "f:2: unknown setting 'Listen\\x1bPort'; did you mean ListenPort?",
    interface(PRIVATE): "f:2: this line is not understood; expected PrivateKey, ListenPort or FwMark in "
    "[Interface]",
    interface("ListenPort"): "f:2: there is no '=' after ListenPort; expected ListenPort = VALUE",
    interface("PrivateKey ="): "f:2: PrivateKey has no value; expected one after '=', or no such line",
    interface(f"PublicKey = {PEER}"): "f:2: PublicKey stands in [Interface]; expected it in [Peer]",
    interface(
        "Address = 10.0.0.1"
    ): "f:2: Address is a setting of wg-quick, not of wg; expected a file for wg, as 'pywg strip' makes it",
    interface(
        "ListenPort = http"
    ): "f:2: ListenPort 'http': expected a port from 0 to 65535 or the name of a UDP service",
    interface("FwMark = x"): "f:2: FwMark 'x': expected off or a number from 0 to 4294967295 (0xffffffff)",
    interface(
        f"PrivateKey = {PRIVATE[:-1]}"
    ): "f:2: PrivateKey: expected a key of 44 characters of base64, as 'pywg genkey' prints it; this has 43",
    interface(f"PrivateKey = {'-' * 44}"): "f:2: PrivateKey: expected a key of 44 characters of base64, as "
    "'pywg genkey' prints it; this has the right length, but one or more wrong characters",
    "[Peer]\n": "f:1: there is no PublicKey in this [Peer]; expected one",
    peer("ListenPort = 5"): "f:3: ListenPort stands in [Peer]; expected it in [Interface]",
    peer("Endpoint = host"): "f:3: Endpoint 'host': expected HOST:PORT or [ADDRESS6]:PORT",
    peer("Endpoint = [::1"): "f:3: Endpoint '[::1': expected [ADDRESS]:PORT; the closing bracket is missing",
    peer(
        "Endpoint = h:70000"
    ): "f:3: Endpoint 'h:70000': expected a port from 0 to 65535 after the last colon",
    peer(
        "PersistentKeepalive = 1m"
    ): "f:3: PersistentKeepalive '1m': expected off or seconds from 0 to 65535",
    peer("AllowedIPs = 10.0.0.0/8, x"): "f:3: AllowedIPs: 'x' is no prefix; expected ADDRESS/LENGTH, such as "
    "10.0.0.0/8 or fd00::/64, with a length up to 32 (IPv4) or 128 (IPv6)",
    peer("AllowedIPs = 10.0.0.0/8,"): "f:3: AllowedIPs: an entry of the list is empty; expected "
    "ADDRESS/LENGTH, ADDRESS/LENGTH ...",
    peer(f"AllowedIPs = {PSK}"): "f:3: AllowedIPs: (hidden) is no prefix; expected ADDRESS/LENGTH, such as "
    "10.0.0.0/8 or fd00::/64, with a length up to 32 (IPv4) or 128 (IPv6)",
}


@pytest.mark.parametrize(("text", "message"), WRONG.items())
def test_what_is_said_of_a_wrong_file(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        parse_wg(text, "f")
    assert str(wrong.value) == message


WRONG_FOR_QUICK = {
    "Address = 10.0.0.1/33": "Address: the length in '10.0.0.1/33' is wrong; expected /0 to /32",
    "Address = 10.0.0.256": "Address: '10.0.0.256' is no address; expected ADDRESS or ADDRESS/LENGTH, such "
    "as 10.0.0.2/24 or fd00::2/64",
    "Address = 10.0.0.1/24, 10.0.0.1/24": "Address: the interface has 10.0.0.1/24 already; expected each "
    "address once",
    "Address = fd00::1/64, fd00::1/48": "Address: the interface has fd00::1 already; expected each "
    "address once",
    "MTU = 67": "MTU '67': expected a number from 68 to 65535",
    "MTU = big": "MTU 'big': expected a number from 68 to 65535",
    "MTU": "MTU has no value; expected MTU = ...",
    "Table = Auto": "Table 'Auto': expected auto, off, a number up to 4294967295 or a name in "
    "/etc/iproute2/rt_tables",
    "SaveConfig =": "SaveConfig '': expected true or false",
    "Post Up = x": "white space hides PostUp from wg-quick; expected none inside 'PostUp' and '[Interface]'",
    "Adress = 10.0.0.1": "unknown setting 'Adress'; did you mean Address?",
    "[ Interface ]\nMTU = 1400": "white space hides MTU from wg-quick; expected none inside 'MTU' and "
    "'[Interface]'",
}


@pytest.mark.parametrize(("lines", "message"), WRONG_FOR_QUICK.items())
def test_what_is_said_of_a_wrong_file_for_quick(lines: str, message: str) -> None:
    text = f"[Interface]\n{lines}\n"
    with pytest.raises(ConfigError) as wrong:
        parse_quick(text, PATH, "wg0")
    assert str(wrong.value) == f"{PATH}:{text.count(chr(10))}: {message}"
    assert wrong.value.line == text.count("\n")


def test_the_first_wrong_line_is_named_whoever_reads_it() -> None:
    for lines in ("MTU = x\nListenPort = x", "ListenPort = x\nMTU = x"):
        with pytest.raises(ConfigError) as wrong:
            parse_quick(f"[Interface]\n{lines}\n", PATH, "wg0")
        assert wrong.value.line == 2


ANY_TEXT = st.text(st.characters(max_codepoint=0x2FF) | st.sampled_from("\ufeff\udc80\n\0"), max_size=200)
LINES = st.lists(
    st.sampled_from([*EXAMPLE.split("\n"), *QUICK_EXAMPLE.split("\n")]) | ANY_TEXT, max_size=12
).map("\n".join)


@settings(max_examples=300)
@given(LINES)
def test_nothing_but_a_config_error_comes_of_any_text(text: str) -> None:
    for refused in (refusal(parse_wg, text, "f"), refusal(quick, text), refusal(strip, text, "f")):
        assert "\n" not in refused
        assert refused.isascii()


def refusal(parse: Callable[..., object], *arguments: str) -> str:
    """The message; empty if it is accepted."""
    try:
        parse(*arguments)
    except ConfigError as error:
        return str(error)
    return ""


def quick(text: str) -> QuickConfig:
    return parse_quick(text, PATH, "wg0")


def shows(message: str, key: str) -> bool:
    """Whether eight characters of it."""
    return any(key[start : start + 8] in message for start in range(len(key) - 8))


def test_no_message_shows_a_key_however_the_file_is_broken() -> None:
    texts = [
        text.decode("utf-8", "surrogateescape") for text in mutated(QUICK_EXAMPLE + EXAMPLE, 1500, seed=3)
    ]
    messages = [message for text in texts if (message := refusal(quick, text))]
    assert len(messages) > 500
    assert not [message for message in messages for key in (PRIVATE, PEER, OTHER, PSK) if shows(message, key)]


@pytest.mark.parametrize("name", ["ListenPort", "FwMark", "Endpoint", "AllowedIPs", "PersistentKeepalive"])
@pytest.mark.parametrize("name_quick", ["Address", "MTU", "Table", "SaveConfig", "Foo", "", "PrivateKey"])
def test_no_message_shows_a_key_in_the_wrong_place(name: str, name_quick: str) -> None:
    for line in (
        f"{name} = {PRIVATE}",
        f"{name} {PRIVATE}",
        f"{name_quick} = x{PRIVATE}",
        name_quick + PRIVATE,
    ):
        for text in (interface(line), peer(line)):
            message = refusal(quick, text)
            assert message
            assert not shows(message, PRIVATE)


def test_no_repr_shows_a_key() -> None:
    text = repr(parse_quick(f"{QUICK_EXAMPLE}PresharedKey = {PSK}\n", PATH, "wg0"))
    for key in (PRIVATE, PSK):
        assert key not in text
        assert repr(key_from_base64(key)) not in text
    assert "grep" not in text


def peers(count: int) -> str:
    return "".join(
        f"[Peer]\n# {number}\nPublicKey = {key_to_base64(number.to_bytes(32, 'big'))}\n"
        f"Endpoint = 192.0.2.1:{1024 + number}\nPersistentKeepalive = 25\n"
        f"AllowedIPs = 10.{number >> 8}.{number & 255}.0/24, fd00:{number:x}::/64\n"
        for number in range(count)
    )


def seconds_for(text: str) -> float:
    """Of this process; the least of three."""
    taken = []
    for _ in range(3):
        begin = time.process_time()
        quick(text)
        taken.append(time.process_time() - begin)
    return min(taken)


def test_1000_peers_are_read_in_no_time() -> None:
    """33 ms where this was written; the limit leaves room for slower machines."""
    assert seconds_for(peers(1000)) < 0.2


def test_10000_addresses_and_peers_take_no_more_than_their_number() -> None:
    few = "[Interface]\n" + "".join(f"Address = 10.0.{n >> 8}.{n & 255}\n" for n in range(1000)) + peers(100)
    many = (
        "[Interface]\n" + "".join(f"Address = 10.0.{n >> 8}.{n & 255}\n" for n in range(10000)) + peers(1000)
    )
    assert seconds_for(many) < 30 * seconds_for(few)
