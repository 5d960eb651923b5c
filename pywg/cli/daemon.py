"""``pywg [-f] INTERFACE``: open the TUN device and the UAPI socket, and leave a daemon behind.

In: the arguments and the environment variables of wireguard-go. Out: exit status 0 when both are ready to
be used, else one line on stderr and 1. This process imports next to nothing: in the background case it
only opens two descriptors, starts the program again with them, and waits for one byte.
"""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final, NamedTuple, NoReturn

from pywg.base64_key import without_keys
from pywg.daemon.errors import StartError
from pywg.daemon.handover import Inherited, Starter, inherited, take_standard_streams
from pywg.daemon.launch import launch
from pywg.daemon.opening import Opened, open_descriptors
from pywg.daemon.signals import END_SIGNALS

KERNEL_MODULE: Final = "/sys/module/wireguard"
KERNEL_NOTE: Final = (
    "pywg: note: this kernel has WireGuard of its own, which is faster: 'ip link add {} type wireguard'\n"
)


class Request(NamedTuple):
    """What the command line asks for."""

    name: str
    foreground: bool


class _Ended(BaseException):
    """A signal came before the loop could take it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(arguments: Sequence[str]) -> int:
    """Run or start a daemon. Returns the exit status."""
    starter = Starter(None)
    stays = False
    try:
        request = parse(arguments)
        given = inherited(os.environ)
        starter = Starter(given.ready)
        stays = request.foreground or given.foreground
        _run(request.name, given, starter, stays=stays)
    except _Ended as ended:
        # To end as told is no failure; not to have started a daemon is one.
        return 0 if stays else 128 + ended.number
    except StartError as error:
        return _fail(str(error), starter)
    except Exception as error:  # noqa: BLE001 (a traceback's last line may hold a secret)
        from pywg.log import describe  # noqa: PLC0415 (only a failure needs it)

        return _fail(f"unforeseen: {describe(error)}; please report this", starter)
    return 0


def parse(arguments: Sequence[str]) -> Request:
    """Raises StartError for an unknown option or a missing name."""
    names = []
    foreground = False
    for argument in arguments:
        if argument in {"-f", "--foreground"}:
            foreground = True
        elif argument.startswith("-"):
            raise StartError(f"unknown option '{argument}'; expected pywg [-f|--foreground] INTERFACE")
        else:
            names.append(argument)
    if len(names) != 1:
        raise StartError(f"expected one interface name, got {len(names)}; try 'pywg --help'")
    return Request(names[0], foreground)


def _run(name: str, given: Inherited, starter: Starter, *, stays: bool) -> None:
    if not given.foreground and os.path.exists(KERNEL_MODULE):  # noqa: PTH110 (pathlib costs start-up time)
        _tell(KERNEL_NOTE.format(name))
    take_standard_streams()
    for number in END_SIGNALS:
        signal.signal(number, _end)
    if not stays:
        launch(name, given)
        return
    opened = open_descriptors(name, given)
    try:
        _stay(opened, starter)
    except BaseException:
        opened.abandon()
        raise


def _stay(opened: Opened, starter: Starter) -> None:
    from pywg.daemon.service import run_service  # noqa: PLC0415 (asyncio, cryptography: not for the parent)

    run_service(opened, starter.say_ready, in_background=starter.exists)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    for other in END_SIGNALS:  # Once is enough, and clean-up is not to be cut short.
        signal.signal(other, signal.SIG_IGN)
    raise _Ended(number)


def _tell(line: str) -> None:
    if sys.stderr is not None:  # It is, where the process was started without one.
        sys.stderr.write(line)


def _fail(reason: str, starter: Starter) -> int:
    reason = without_keys(reason)  # The name may be one.
    if not starter.say_failed(reason):
        _tell(f"pywg: {reason}\n")
    if starter.exists:
        from pywg.log import Syslog  # noqa: PLC0415 (only a failure in the background needs it)

        Syslog()(reason)
    return 1
