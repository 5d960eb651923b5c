"""Names of macOS, and who is the device; what is made on Linux is tested in namespaces."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from pywg.quick import device
from pywg.quick.device import Implementation, add_device, delete_device, find_device
from pywg.quick.host import Host
from pywg.quick.undo import Undo
from tests.quick.fake import FakeHost


@pytest.fixture
def fake() -> FakeHost:
    return FakeHost(links={"lo0", "utun3"})


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch, fake: FakeHost, tmp_path: Path) -> Host:
    """A Mac on which the configuration wg0 is up as utun3."""
    monkeypatch.setattr(device, "sys", SimpleNamespace(platform="darwin"))
    (tmp_path / "wg0.name").write_text("utun3\n")
    (tmp_path / "utun3.sock").touch()
    return fake.host(sockets=tmp_path)


def test_real_name(mac: Host) -> None:
    assert find_device("wg0", mac) == "utun3"
    assert find_device("wg1", mac) is None


def test_a_name_file_of_another_start_counts_for_nothing(mac: Host) -> None:
    """As in wg-quick: two seconds."""
    changed = (mac.sockets / "wg0.name").stat().st_mtime
    os.utime(mac.sockets / "utun3.sock", (0, changed + 1.9))
    assert find_device("wg0", mac) == "utun3"
    os.utime(mac.sockets / "utun3.sock", (0, changed + 2.1))
    assert find_device("wg0", mac) is None


@pytest.mark.parametrize("content", ["", "../../etc", "utun9", "ü"])
def test_a_name_file_of_nothing(mac: Host, content: str) -> None:
    (mac.sockets / "wg0.name").write_text(content)
    assert find_device("wg0", mac) is None


def test_made_and_deleted_on_a_mac(mac: Host, fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def launch(name: str, *, environment: Mapping[str, str]) -> str:
        asked.extend((name, environment["WG_TUN_NAME_FILE"]))
        return "utun3"

    monkeypatch.setattr(device, "launch", launch)
    undo = Undo(fake.told.append)
    assert add_device("wg0", Implementation(), mac, undo) == "utun3"
    assert asked == ["utun", str(mac.sockets / "wg0.name")]
    assert fake.said == ["pywg wg0"]
    (mac.sockets / "utun3.sock").unlink()  # Which is what ends a daemon there.
    undo.run()
    assert fake.said[1:] == ["ip link delete dev utun3"]
    assert list(mac.sockets.iterdir()) == []


@pytest.mark.parametrize(
    ("environment", "kernel", "chosen"),
    [
        ({}, False, Implementation()),
        ({"WG_QUICK_USERSPACE_IMPLEMENTATION": ""}, False, Implementation()),
        ({"WG_QUICK_USERSPACE_IMPLEMENTATION": "pywg"}, False, Implementation()),
        (
            {"WG_QUICK_USERSPACE_IMPLEMENTATION": "wireguard-go"},
            False,
            Implementation(program="wireguard-go"),
        ),
    ],
)
def test_who_is_the_device(environment: dict[str, str], chosen: Implementation, *, kernel: bool) -> None:
    assert Implementation.chosen(environment, kernel=kernel) == chosen


def test_the_kernel_is_asked_for_by_option_alone(fake: FakeHost) -> None:
    environment = {"WG_QUICK_USERSPACE_IMPLEMENTATION": "wireguard-go"}
    undo = Undo(fake.told.append)
    add_device("wg0", Implementation.chosen(environment, kernel=True), fake.host(), undo)
    assert fake.said == ["ip link add dev wg0 type wireguard"]


def test_a_daemon_that_does_not_end_is_told(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(device, "ENDING_SECONDS", 0.05)
    (tmp_path / "utun3.sock").touch()
    delete_device("utun3", "utun3", fake.host(sockets=tmp_path))
    assert "utun3" not in fake.links
    assert "utun3 is deleted, but its daemon has not ended" in fake.told[0]
