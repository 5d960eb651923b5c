"""What is written is read as what it was. That it is word for word as theirs is tested in test_same_as_*."""

from dataclasses import replace
from ipaddress import ip_interface
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pywg.config.model import Hooks, QuickConfig, Table, WgConfig
from pywg.config.parse import parse_quick, parse_wg
from pywg.config.write import quick_file_text
from pywg.show.conf import showconf
from pywg.uapi.model import DeviceState
from tests.uapi.strategies import configurable_states

PATH = Path("/etc/wireguard/wg0.conf")
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=20)
COMMANDS = st.lists(st.lists(WORDS, min_size=1, max_size=3).map(" ".join), max_size=3).map(tuple)
ADDRESSES = st.lists(
    st.sampled_from(["10.0.0.1/24", "10.0.0.1/32", "fd00::1/64", "fd00::2/128"]).map(ip_interface),
    unique=True,
)
TABLES = [(Table.AUTO, None), (Table.AUTO, "auto"), (Table.OFF, "off"), (7, "7"), (254, "main")]
CONFIGS = st.builds(
    QuickConfig,
    name=st.just("wg0"),
    path=st.just(PATH),
    wg=st.just(WgConfig()),
    addresses=ADDRESSES.map(tuple),
    dns=st.just(("10.0.0.53", "fd00::53")),
    mtu=st.none() | st.integers(68, 65535),
    hooks=st.builds(Hooks, COMMANDS, COMMANDS, COMMANDS, COMMANDS),
    save_config=st.booleans(),
)


@given(CONFIGS, st.sampled_from(TABLES), configurable_states)
def test_save_there_and_back(
    config: QuickConfig, table: tuple[Table | int, str | None], state: DeviceState
) -> None:
    config = replace(config, table=table[0], table_text=table[1], wg=parse_wg(showconf(state), "f"))
    text = quick_file_text(config, state, config.addresses, config.dns, config.mtu or 1420)
    assert text.endswith("\n")
    assert parse_quick(text, PATH, "wg0") == config


def test_what_save_takes_from_the_file_and_what_from_the_system() -> None:
    file = parse_quick(
        "[Interface]\nMTU = 1300\nDNS = 1.1.1.1, example.com\nAddress = 10.0.0.1\n", PATH, "wg0"
    )
    text = quick_file_text(file, DeviceState(listen_port=5), [ip_interface("10.0.0.2/24")], ["9.9.9.9"], 1280)
    assert text == "[Interface]\nAddress = 10.0.0.2/24\nDNS = 9.9.9.9\nMTU = 1280\nListenPort = 5\n"


def test_save_of_a_device_with_neither_port_nor_key_keeps_its_addresses() -> None:
    """wg-quick would lose them."""
    file = parse_quick("", PATH, "wg0")
    assert quick_file_text(file, DeviceState(), [ip_interface("10.0.0.2/24")], [], None) == (
        "[Interface]\nAddress = 10.0.0.2/24\n"
    )
