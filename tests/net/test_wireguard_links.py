"""Which interfaces are the kernel's WireGuard: asked of the kernel, in a namespace of the test's own."""

import socket

import pytest

from pywg.net import wireguard_links as module
from pywg.net.wireguard_links import wireguard_links
from tests.net.inside import Inside, new_namespace


def test_only_those_of_the_kind_and_of_the_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every kernel has WireGuard: `veth` is asked for in its place."""
    with new_namespace() as namespace:
        inside = Inside(namespace)
        try:
            assert inside.run(wireguard_links) == []
            monkeypatch.setattr(module, "KIND", "veth")
            assert inside.run(wireguard_links) == []
            namespace.ip("link", "add", "v1", "type", "veth", "peer", "name", "v0")
            assert inside.run(wireguard_links) == ["v0", "v1"]
            assert "v0" not in wireguard_links()
            for number in range(20):  # More than the kernel puts into one read.
                namespace.ip("link", "add", f"more{number}", "type", "veth", "peer", "name", f"still{number}")
            assert len(inside.run(wireguard_links)) == 42
            # A kernel that does not know the kind leaves nothing out by itself.
            monkeypatch.setattr(module, "KIND", "no-such-kind")
            assert inside.run(wireguard_links) == []
        finally:
            inside.close()


def test_where_there_is_no_netlink(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError

    monkeypatch.setattr("socket.socket", refuse)
    assert wireguard_links() == []
    monkeypatch.setattr("sys.platform", "darwin")
    assert wireguard_links() == []
