"""Any WireGuard interface of this machine, whatever runs it: pywg, another daemon, or the kernel.

In: an interface's name. Out: something to get, set and ask it with. Rule kept: as wg(8), a UAPI socket that
answers comes first, then the kernel's own. What talks to the kernel is imported only for an interface of its
own, for most machines have none.
"""

from typing import Protocol

from pywg.interface_name import is_interface_name
from pywg.net.wireguard_links import wireguard_links
from pywg.uapi.client import AccessDeniedError, NoSuchInterfaceError, UapiClient, UapiError
from pywg.uapi.model import DeviceChange, DeviceState, Status
from pywg.uapi.path import UapiSocketError, has_live_socket, interface_names, socket_path


class Control(Protocol):
    """One interface. Every method raises UapiError, whoever runs it."""

    name: str

    def get(self) -> DeviceState:
        """The device's state."""

    def set(self, change: DeviceChange) -> None:
        """Change the device. If it is refused, what stood before the refused part stays applied."""

    def status(self) -> Status | None:
        """What a daemon tells of its inner state; None from one that does not tell."""


def interfaces() -> list[str]:
    """All WireGuard interfaces: the kernel's in our network namespace, in its order, then those of daemons.

    Raises AccessDeniedError if the directory of UAPI sockets may not be read.
    """
    try:
        names = interface_names()
    except UapiSocketError as error:
        raise AccessDeniedError(str(error)) from None
    return list(dict.fromkeys([*wireguard_links(), *names]))


def open_control(name: str) -> Control:
    """The interface called `name`.

    Raises UapiError if `name` cannot be one, and NoSuchInterfaceError if there is none.
    """
    if is_interface_name(name) and has_live_socket(name):
        return UapiClient(name)
    if name in wireguard_links():
        from pywg.kernel.client import KernelClient  # noqa: PLC0415 (seldom needed)

        return KernelClient(name)
    try:
        path = socket_path(name)
    except UapiSocketError as error:
        raise UapiError(str(error)) from None
    raise NoSuchInterfaceError(
        f"{name}: no such WireGuard interface (there is no {path}, and the kernel has none of that name "
        "here); see 'pywg show interfaces'"
    )
