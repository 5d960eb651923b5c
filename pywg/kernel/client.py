"""One interface of the kernel's own WireGuard, with the methods and the errors of a daemon's (`uapi.client`).

In: an interface name. Out: its state, or a changed device. Rules kept: an error says what was wrong and what
to do, and holds no key; no descriptor outlives an operation. Without pyroute2: its WireGuard class sends one
peer per message, gives scopes in the wrong byte order and knows no removal of single allowed IPs, and its
import would be most of the time a command takes.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from pywg.interface_name import LONGEST_NAME, shown_name
from pywg.kernel.generic_netlink import GenericNetlink, NoFamilyError
from pywg.kernel.messages import (
    FAMILY,
    GET_DEVICE,
    SET_DEVICE,
    MalformedStateError,
    change_bodies,
    get_body,
    read_state,
)
from pywg.uapi.client import (
    TIMEOUT,
    AccessDeniedError,
    NoAnswerError,
    NoSuchInterfaceError,
    RefusedError,
    UapiError,
)
from pywg.uapi.model import DeviceChange, DeviceState


class KernelClient:
    """One interface. Each operation opens a socket of its own."""

    def __init__(self, name: str, *, timeout: float = TIMEOUT) -> None:
        """`timeout`: seconds of silence, not of work. Raises UapiError if `name` cannot be one."""
        encoded = os.fsencode(name)
        if not 0 < len(encoded) <= LONGEST_NAME or b"\0" in encoded:
            raise UapiError(f"{shown_name(name)} is no interface name; expected 1 to {LONGEST_NAME} bytes")
        self.name = name
        self._timeout = timeout

    def get(self) -> DeviceState:
        """The device's state. Raises UapiError."""
        try:
            with self._conversation() as kernel:
                return read_state(kernel.dump(GET_DEVICE, get_body(self.name)))
        except MalformedStateError as error:
            raise UapiError(f"{self.name}: the kernel's answer cannot be read: {error}") from None

    def set(self, change: DeviceChange) -> None:
        """Change the device. Raises UapiError; of a change in several messages the first may stay applied."""
        try:
            with self._conversation() as kernel:
                for body in change_bodies(self.name, change):
                    kernel.change(SET_DEVICE, body)
        except RefusedError as error:
            if error.errno == errno.EINVAL and _removes_allowed_ips(change):
                raise RefusedError(
                    f"{self.name}: refused: before Linux 6.16 the kernel cannot take single allowed IPs away;"
                    " give the peer's whole list instead",
                    error.errno,
                ) from None
            raise

    def status(self) -> None:
        """The kernel tells nothing of its inner state."""

    @contextmanager
    def _conversation(self) -> Iterator[GenericNetlink]:
        try:
            with GenericNetlink(FAMILY, self._timeout) as kernel:
                yield kernel
        except NoFamilyError:
            raise NoSuchInterfaceError(
                f"{self.name}: no such interface: this kernel has no WireGuard, or its module is not loaded "
                "('modprobe wireguard')"
            ) from None
        except TimeoutError:
            raise NoAnswerError(
                f"{self.name}: no answer from the kernel within {self._timeout:g} s"
            ) from None
        except OSError as error:
            raise self._error(error.errno or errno.EIO) from None

    def _error(self, code: int) -> UapiError:
        match code:
            case errno.ENODEV:
                return NoSuchInterfaceError(f"{self.name}: no such interface in this network namespace")
            case errno.EOPNOTSUPP:
                return NoSuchInterfaceError(f"{self.name}: not a WireGuard interface")
            case errno.EPERM | errno.EACCES:
                return AccessDeniedError(f"{self.name}: permission denied; try again as root")
            case _:
                return RefusedError(f"{self.name}: refused: {os.strerror(code)}", code)


def _removes_allowed_ips(change: DeviceChange) -> bool:
    return any(step.remove for peer in change.peers for step in peer.allowed_ips)
