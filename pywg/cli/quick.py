"""``pywg up | down | save | strip NAME|FILE``: wg-quick(8) without wg-quick.

Forms: ``up [--kernel] NAME|FILE``, ``down NAME|FILE``, ``save NAME|FILE``, ``strip NAME|FILE``. NAME is
looked for as /etc/wireguard/NAME.conf; FILE is a path that ends in NAME.conf, where NAME is the interface.
``--kernel``: the kernel's WireGuard is the device, where it has one; by default pywg is.

Environment: WG_QUICK_USERSPACE_IMPLEMENTATION, a program other than ``pywg`` that is to be the device
(wg-quick asks the kernel first, we do only with --kernel); WG_ENDPOINT_RESOLUTION_RETRIES as for ``set``;
LOG_LEVEL and PYWG_ENGINE as for the daemon. All but ``strip`` need root.

Exit status: 0; 1 for an error; 2 where the system refuses a link, address, route or rule (ip(8)'s status,
which wg-quick passes on); a hook's own where a hook fails; 128 + N after signal N. What is done is echoed on
standard error.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Final

from pywg.cli.output import echo, put, tell, wrong_use
from pywg.config.locate import Located, find_config, read_config, read_stripped
from pywg.config.model import ConfigError, QuickConfig
from pywg.control import open_control
from pywg.daemon.errors import StartError
from pywg.net.resolve import resolver
from pywg.net.system import NetworkError, System
from pywg.quick.device import Implementation
from pywg.quick.down import down as take_down
from pywg.quick.down import find_wireguard
from pywg.quick.errors import QuickError
from pywg.quick.host import Host
from pywg.quick.interruption import Interrupted, Interruption
from pywg.quick.save import save as write_down
from pywg.quick.up import up as bring_up
from pywg.uapi.client import UapiError

KERNEL: Final = "--kernel"
REFUSED: Final = 2

Action = Callable[[QuickConfig, Host], None]


def up(words: Sequence[str]) -> int:
    """Bring an interface up."""
    implementation = Implementation.chosen(os.environ, kernel=KERNEL in words)
    rest = [word for word in words if word != KERNEL]
    return _run("up", rest, lambda config, host: bring_up(config, implementation, host))


def down(words: Sequence[str]) -> int:
    """Take an interface down."""
    return _run("down", words, take_down)


def save(words: Sequence[str]) -> int:
    """Write an interface's present state into its configuration file."""
    return _run("save", words, lambda config, host: write_down(config, find_wireguard(config, host), host))


def strip(words: Sequence[str]) -> int:
    """Print what of a file is for wg(8)."""
    if not _is_one(words):
        return wrong_use("strip")
    try:
        return put(read_stripped(_find(words[0])))
    except ConfigError as error:
        tell(str(error))
        return 1


def _run(command: str, words: Sequence[str], action: Action) -> int:
    """What up, down and save have in common."""
    if not _is_one(words):
        return wrong_use(command)
    if os.geteuid() != 0:
        tell(f"run as root: sudo pywg {command} {words[0]}")
        return 1
    with Interruption() as interruption:
        try:
            _act(action, words[0], interruption)
        except Interrupted as interrupted:
            return 128 + interrupted.number
        except Exception as error:  # noqa: BLE001 (a traceback's last line may hold a secret)
            tell(_reason(error))
            return _status(error)
    return 0


def _act(action: Action, name_or_file: str, interruption: Interruption) -> None:
    config = read_config(_find(name_or_file))
    for warning in config.wg.warnings:
        tell(f"warning: {warning}")
    system = _open_system()
    with closing(system.network):
        host = Host(
            system=system,
            open_control=open_control,
            resolve=resolver(str(config.path)),
            say=echo,
            tell=tell,
            interruption=interruption,
        )
        action(config, host)


def _open_system() -> System:
    # Only here: on Linux it brings in pyroute2, a fifth of a second.
    if sys.platform == "darwin":
        from pywg.net import system_darwin  # noqa: PLC0415

        return system_darwin.open_system(echo)
    from pywg.net import system_linux  # noqa: PLC0415

    return system_linux.open_system(echo)


def _is_one(words: Sequence[str]) -> bool:
    return len(words) == 1 and not words[0].startswith("-")


def _find(name_or_file: str) -> Located:
    """Raises ConfigError."""
    located = find_config(name_or_file)
    if located.warning is not None:
        tell(f"warning: {located.warning}")
    return located


def _reason(error: Exception) -> str:
    if isinstance(error, QuickError | ConfigError | NetworkError | StartError | UapiError):
        return str(error)
    from pywg.log import describe  # noqa: PLC0415 (only a fault of ours needs it)

    return f"unforeseen: {describe(error)}; please report this"


def _status(error: Exception) -> int:
    if isinstance(error, QuickError):
        return error.status
    return REFUSED if isinstance(error, NetworkError) else 1
