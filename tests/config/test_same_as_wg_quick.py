"""Every file of the corpus through wg-quick's own parse_options, strip and save_config, and through ours."""

import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest

from pywg.config.locate import find_config, read_stripped, read_text
from pywg.config.model import ConfigError, Table
from pywg.config.parse import parse_quick
from pywg.config.write import quick_file_text
from pywg.endpoint import Endpoint
from pywg.show.conf import showconf
from pywg.uapi.model import DeviceState, PeerState
from tests.config.corpus import EXAMPLE, INCREMENTAL_FILES, QUICK_EXAMPLE, QUICK_FILES, WG_FILES, mutated
from tests.config.reference import (
    wg_quick_is_of_2021,
    wg_quick_options,
    wg_quick_save,
    wg_quick_strip,
)
from tests.needs import need, need_root

FILES = {
    **QUICK_FILES,
    **{f"mutated-{number}": text for number, text in enumerate(mutated(QUICK_EXAMPLE, 40, seed=2))},
}
TO_STRIP = {**FILES, **INCREMENTAL_FILES, **dict(list(WG_FILES.items())[:20])}


@pytest.fixture(autouse=True)
def _tools() -> None:
    need("wg-quick", "bash")
    need_root()


@pytest.mark.parametrize("text", TO_STRIP.values(), ids=TO_STRIP)
def test_strip(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "wgt0.conf"
    path.write_bytes(text)
    theirs = wg_quick_strip(path)
    try:
        ours = read_stripped(find_config(str(path)))
    except ConfigError:
        assert theirs.returncode != 0
        return
    assert theirs.returncode == 0
    assert ours.encode("utf-8", "surrogateescape") == theirs.stdout


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_parse_options(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "wgt0.conf"
    path.write_bytes(text)
    theirs = wg_quick_options(path)
    try:
        ours = parse_quick(read_text(path), path, "wgt0")
    except ConfigError:
        return  # wg-quick leaves most mistakes to wg and ip; those are compared in the other tests.
    assert theirs is not None
    assert ours.name == theirs.interface
    assert ours.mtu == (int(theirs.mtu) if theirs.mtu else None)
    assert (ours.table_text or "") == theirs.table
    if isinstance(ours.table, Table):
        assert theirs.table in {"", ours.table.value}
    assert ours.save_config == theirs.save_config
    addresses, dns, dns_search, *hooks = theirs.lists
    assert ours.addresses == tuple(map(ipaddress.ip_interface, addresses))
    assert (ours.dns, ours.dns_search) == (dns, dns_search)
    own_hooks = [ours.hooks.pre_up, ours.hooks.post_up, ours.hooks.pre_down, ours.hooks.post_down]
    if wg_quick_is_of_2021():  # It takes comments off hooks.
        own_hooks = [tuple(hook.partition("#")[0].rstrip() for hook in kind) for kind in own_hooks]
    assert own_hooks == list(map(tuple, hooks))


def test_enough_of_the_corpus_is_accepted(tmp_path: Path) -> None:
    """Or the test above would compare nothing."""
    accepted = 0
    for text in FILES.values():
        try:
            parse_quick(text.decode("utf-8", "surrogateescape"), tmp_path, "wgt0")
        except ConfigError:
            continue
        accepted += 1
    assert accepted > 60


STATE = DeviceState(
    bytes(range(32)),
    51820,
    0xCA6C,
    (
        PeerState(bytes(32), endpoint=Endpoint("192.0.2.1", 5), persistent_keepalive_interval=25),
        PeerState(bytes([1] * 32), bytes([2] * 32), Endpoint("fe80::1", 6, 1)),
    ),
)


@pytest.mark.parametrize("state", [STATE, replace(STATE, peers=()), DeviceState(listen_port=7)])
@pytest.mark.parametrize(
    "text",
    [
        QUICK_EXAMPLE,
        EXAMPLE,
        QUICK_EXAMPLE.replace("Table = 1234", "Table = auto").replace(
            "SaveConfig = true", "SaveConfig = false"
        ),
        "[Interface]\nTable = main\nPostUp =\nPostUp = x\nPostUp = \\1 $0 *\n",
        "",
    ],
)
def test_save(text: str, state: DeviceState, tmp_path: Path) -> None:
    if wg_quick_is_of_2021():
        text = text.replace("# before", "before").replace("#1", "1")
    path = tmp_path / "wgt0.conf"
    path.write_text(text)
    config = parse_quick(text, path, "wgt0")
    theirs = wg_quick_save(
        path,
        addresses="wgt0  UNKNOWN  10.0.0.1/24 10.0.0.9/32 fd00::1/64 ",
        dns="nameserver 10.0.0.53\nsearch example.com\nnameserver fd00::53\n",
        mtu="1280",
        showconf=showconf(state),
    )
    addresses = [ipaddress.ip_interface(text) for text in ("10.0.0.1/24", "10.0.0.9/32", "fd00::1/64")]
    assert quick_file_text(config, state, addresses, ["10.0.0.53", "fd00::53"], 1280) == theirs
