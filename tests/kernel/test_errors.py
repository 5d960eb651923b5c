"""What a user is told when the kernel refuses: one line, the error class of `uapi.client`, and no key.

Comes in: errors of the system. Goes out: UapiError. What the real kernel answers is in test_kernel_client.
"""

import errno
import traceback
from collections.abc import Callable
from ipaddress import IPv4Network
from typing import NoReturn

import pytest

from pywg.kernel import client
from pywg.kernel.client import KernelClient
from pywg.kernel.generic_netlink import NoFamilyError
from pywg.uapi.client import (
    AccessDeniedError,
    NoAnswerError,
    NoSuchInterfaceError,
    RefusedError,
    UapiError,
)
from pywg.uapi.model import DeviceChange, PeerChange, PrefixChange

SECRET = b"\xa7" * 32
CHANGE = DeviceChange(private_key=SECRET, peers=(PeerChange(bytes(32), preshared_key=SECRET),))
REMOVAL = DeviceChange(
    peers=(PeerChange(bytes(32), allowed_ips=(PrefixChange(IPv4Network("10.0.0.0/8"), remove=True),)),)
)


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> KernelClient:
    """A client whose conversations fail."""

    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(client, "GenericNetlink", fail)
    return KernelClient("wg0")


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (
            NoFamilyError("wireguard"),
            NoSuchInterfaceError,
            "wg0: no such interface: this kernel has no WireGuard",
        ),
        (OSError(errno.ENODEV, ""), NoSuchInterfaceError, "wg0: no such interface in this network namespace"),
        (OSError(errno.EOPNOTSUPP, ""), NoSuchInterfaceError, "wg0: not a WireGuard interface"),
        (OSError(errno.EPERM, ""), AccessDeniedError, "wg0: permission denied; try again as root"),
        (OSError(errno.EADDRINUSE, ""), RefusedError, "wg0: refused: Address already in use"),
        (OSError(errno.EINVAL, ""), RefusedError, "wg0: refused: Invalid argument"),
        (TimeoutError(), NoAnswerError, "wg0: no answer from the kernel within 10 s"),
    ],
)
@pytest.mark.parametrize("operation", [KernelClient.get, lambda one: one.set(CHANGE)], ids=["get", "set"])
def test_each_error(
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    kind: type[UapiError],
    text: str,
    operation: Callable[[KernelClient], object],
) -> None:
    with pytest.raises(kind, match=text) as caught:
        operation(failing(monkeypatch, error))
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert "a7a7" not in told
    assert "\\xa7" not in told


def test_the_number_of_a_refusal_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RefusedError) as caught:
        failing(monkeypatch, OSError(errno.EADDRINUSE, "")).set(CHANGE)
    assert caught.value.errno == errno.EADDRINUSE


def test_what_an_older_kernel_cannot_do_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RefusedError, match=r"before Linux 6\.16"):
        failing(monkeypatch, OSError(errno.EINVAL, "")).set(REMOVAL)
    with pytest.raises(RefusedError, match="No buffer space"):
        failing(monkeypatch, OSError(errno.ENOBUFS, "")).set(REMOVAL)


@pytest.mark.parametrize(
    "name", ["", "sixteen-letters-", "wg\0", "wg\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"]
)
def test_names_the_kernel_cannot_have(name: str) -> None:
    with pytest.raises(UapiError, match="is no interface name"):
        KernelClient(name)


def test_the_kernel_tells_no_status() -> None:
    assert KernelClient("wg0").status() is None  # type: ignore[func-returns-value]  # that is what is tested
