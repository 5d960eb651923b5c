"""Who is asked about an interface: its daemon, else the kernel."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pywg import control
from pywg.kernel.client import KernelClient
from pywg.uapi import path
from pywg.uapi.client import AccessDeniedError, NoSuchInterfaceError, UapiClient, UapiError
from pywg.uapi.path import UapiSocketError, bind_uapi_socket


@dataclass(slots=True)
class Place:
    """A directory in the place of /var/run/wireguard, and links of the kernel's."""

    directory: Path
    links: list[str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path, [])

    def here(function: Callable[..., object]) -> Callable[..., object]:
        return lambda *words: function(*words, directory=tmp_path)

    for name in ("has_live_socket", "interface_names"):
        monkeypatch.setattr(control, name, here(getattr(path, name)))
    monkeypatch.setattr(control, "wireguard_links", lambda: made.links)
    return made


@pytest.fixture
def served(place: Place) -> Iterator[Place]:
    """With a daemon's wg0."""
    with bind_uapi_socket("wg0", place.directory):
        yield place


def test_a_daemon_comes_first(served: Place) -> None:
    served.links += ["wg0", "wg1"]
    assert isinstance(control.open_control("wg0"), UapiClient)
    assert isinstance(control.open_control("wg1"), KernelClient)
    assert control.open_control("wg1").name == "wg1"
    assert control.interfaces() == ["wg0", "wg1"]


def test_the_kernel_takes_over_from_a_daemon_that_is_gone(place: Place) -> None:
    bind_uapi_socket("wg0", place.directory).close()
    place.links.append("wg0")
    assert isinstance(control.open_control("wg0"), KernelClient)
    assert list(place.directory.iterdir()) == []


def test_the_kernel_allows_names_that_are_no_file_s(place: Place) -> None:
    place.links.append("wg@home")
    assert control.open_control("wg@home").name == "wg@home"
    assert control.interfaces() == ["wg@home"]


def test_there_is_none(served: Place) -> None:
    with pytest.raises(
        NoSuchInterfaceError, match=r"wg9: no such WireGuard interface .*pywg show interfaces"
    ):
        control.open_control("wg9")
    with pytest.raises(UapiError, match="is no interface name"):
        control.open_control("../wg0")


def test_the_kernels_client_is_not_imported_for_a_daemon(
    served: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pywg.kernel.client", None)
    control.open_control("wg0")
    served.links.append("wg1")
    with pytest.raises(ImportError):
        control.open_control("wg1")


def test_a_directory_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> list[str]:
        raise UapiSocketError("cannot read it")

    monkeypatch.setattr(control, "interface_names", refuse)
    with pytest.raises(AccessDeniedError, match="cannot read it"):
        control.interfaces()
