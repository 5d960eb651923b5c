"""Values that wg-quick hands to ip(8), held against ip(8); and the names of routing tables."""

import json
import subprocess
from ipaddress import ip_interface
from pathlib import Path

import pytest

from pywg.config import quick_values
from pywg.config.model import ConfigError, QuickConfig, Table
from pywg.config.parse import parse_quick
from pywg.config.route_tables import table_number
from tests.config.corpus import interface
from tests.needs import need, need_root

ADDRESSES = (
    *("10.0.0.1", "10.0.0.1/24", "10.0.0.1/0", "10.0.0.1/32", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/"),
    *("10.0.0.1/08", "10.0.0.1/030", "10.0.0.1/0x18", "10.0.0.1/+8", "10.0.0.1/8x", "10.0.0.1/8/8"),
    *("10.0.0.1/255.255.0.0", "10.0.0.1/255.0.255.0", "10.0.0.1/0.0.0.255", "10.0.0.1/255.255"),
    *("10.1/24", "10", "10.", "10.0.0.0.1", "010.0.0.1", "0xa.0.0.1", "+10.0.0.1", "10.0.0.256", "10.0.0.-1"),
    *("08.0.0.1", "10..1", ".1", "x", "127.0.0.1", "localhost", "eth0", "10.0.0.1%d0", "10.0.0.1;", "''"),
    *("fd00::1", "fd00::1/64", "fd00::1/128", "fd00::1/129", "fd00::1/255.255.0.0", "fd00::1%d0/64"),
    *("fd00::1::1/64", "fd00:::1", "::ffff:192.0.2.1/96", "fd00::1/0x40", "[fd00::1]", "[fd00::1]/64", ":"),
)
MTUS = (
    "68",
    "67",
    "0",
    "1420",
    "0x58c",
    "02614",
    "+1400",
    "-5",
    "65535",
    "65536",
    "1e3",
    "1 0",
    "99999999999",
)
TABLES = (
    *("0", "1", "0x10", "010", "08", "+7", "-1", "4294967295", "4294967296", "51820", "1x"),
    *("main", "local", "default", "Main", "unspec", "all", "nosuchtable"),
)

IN_A_NAMESPACE = """
ip tuntap add d0 mode tun && ip link set d0 up || exit 9
IFS=, read -ra values <<< "$1"
for value in "${values[@]}"; do
    if [[ $value == *:* ]]; then family=-6; else family=-4; fi
    if ip $family address add "$value" dev d0 2>/dev/null; then ip -j address show dev d0; else echo no; fi
    ip address flush dev d0
done
IFS=, read -ra values <<< "$2"
for value in "${values[@]}"; do
    if ip link set mtu "$value" dev d0 2>/dev/null; then cat /sys/class/net/d0/mtu; else echo no; fi
done
IFS=, read -ra values <<< "$3"
for value in "${values[@]}"; do
    if ip route add 10.9.0.0/16 dev d0 table "$value" 2>/dev/null
    then ip -j -N route show table all 10.9.0.0/16; ip route del 10.9.0.0/16 table "$value"; else echo no; fi
done
"""


@pytest.fixture(scope="module")
def told_by_ip() -> dict[tuple[str, str], str]:
    """Kind and value to what ip(8) made of it; "no" if it refused."""
    need("ip", "unshare", "bash")
    need_root()
    script = f"mount -t sysfs none /sys && {IN_A_NAMESPACE.strip()}"
    lists = [",".join(values) for values in (ADDRESSES, MTUS, TABLES)]
    done = subprocess.run(
        ["unshare", "--net", "--mount", "bash", "-c", script, "bash", *lists],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    asked = [(kind, value) for kind, values in (("Address", ADDRESSES), ("MTU", MTUS)) for value in values]
    asked += [("Table", value) for value in TABLES]
    return dict(zip(asked, done.stdout.splitlines(), strict=True))


def read(kind: str, value: str) -> QuickConfig | None:
    try:
        return parse_quick(interface(f"{kind} = {value}"), Path("/wg0.conf"), "wg0")
    except ConfigError:
        return None


@pytest.mark.parametrize("value", ADDRESSES)
def test_addresses_as_ip_takes_them(told_by_ip: dict[tuple[str, str], str], value: str) -> None:
    told = told_by_ip["Address", value]
    config = read("Address", value)
    assert (config is None) == (told == "no")
    if config is not None:
        (found,) = json.loads(told)
        theirs = [f"{address['local']}/{address['prefixlen']}" for address in found["addr_info"]]
        assert config.addresses == tuple(map(ip_interface, theirs))


@pytest.mark.parametrize("value", MTUS)
def test_mtus_as_ip_takes_them(told_by_ip: dict[tuple[str, str], str], value: str) -> None:
    config = read("MTU", value)
    assert (str(config.mtu) if config else "no") == told_by_ip["MTU", value]


@pytest.mark.parametrize("value", TABLES)
def test_tables_as_ip_takes_them(told_by_ip: dict[tuple[str, str], str], value: str) -> None:
    told = told_by_ip["Table", value]
    config = read("Table", value)
    assert (config is None) == (told == "no")
    if config is not None:
        (route,) = json.loads(told)
        assert isinstance(config.table, int)
        # The kernel means the main table by 0, and ip does not name the main table.
        assert (config.table or 254) == int(route.get("table", 254))


def test_addresses_the_kernel_gives_twice() -> None:
    config = read("Address", "10.0.0.1/24, 10.0.0.1/25, 10.0.0.2/24, fd00::1/64, fd00::2/64")
    assert config is not None
    assert len(config.addresses) == 5
    assert read("Address", "10.0.0.1/24\nAddress = 10.0.0.1/255.255.255.0") is None


@pytest.mark.parametrize(
    ("text", "table"), [("", Table.AUTO), ("auto", Table.AUTO), ("off", Table.OFF), ("home", 77)]
)
def test_tables(text: str, table: Table | int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_values, "table_number", {"home": 77}.get)
    assert quick_values.table(text) == table


@pytest.mark.parametrize("text", ["Auto", "OFF", "away", "0x1ffffffff"])
def test_tables_there_are_not(text: str) -> None:
    with pytest.raises(ValueError, match="expected auto, off, a number"):
        quick_values.table(text)


def test_names_of_tables(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "etc", tmp_path / "usr"
    for directory in (ours, theirs):
        (directory / "rt_tables.d").mkdir(parents=True)
    assert table_number("main", [ours, theirs]) == 254
    (theirs / "rt_tables").write_text("# a comment\n255\tlocal\n\n 7 distribution # x\nrubbish\n0x10 hex\n")
    (theirs / "rt_tables.d" / "a.conf").write_text("8 of_a\n")
    (theirs / "rt_tables.d" / "b.conf").write_text("9 of_b\n")
    (ours / "rt_tables.d" / "b.conf").write_text("10 of_our_b\n")
    (ours / "rt_tables.d" / "README").write_text("11 readme\n")
    names = ("distribution", "hex", "of_a", "of_b", "of_our_b", "readme", "rubbish", "x")
    found = [table_number(name, [ours, theirs]) for name in names]
    assert found == [7, 16, 8, None, 10, None, None, None]
    (ours / "rt_tables").write_text("12 administrator\n")
    assert table_number("administrator", [ours, theirs]) == 12
    assert table_number("distribution", [ours, theirs]) is None
    assert table_number("main", [ours, theirs]) == 254


def test_a_table_file_that_cannot_be_read_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / "rt_tables.d" / "a.conf").mkdir(parents=True)
    (tmp_path / "rt_tables").write_bytes(b"\xff\xfe 5\n5 five\n")
    assert table_number("five", [tmp_path]) == 5
