"""``pywg up | down | save | strip``: wg-quick(8) without wg-quick.

In: an interface's name or its file. Out: a changed system; what is done is echoed on standard error. Rule
kept: the exit statuses of wg-quick(8), which passes on those of ip(8), of other programs and of hooks.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Final

from pywg.cli.options import Taken, UsageError, take
from pywg.cli.output import echo, put, tell, wrong_use
from pywg.config.locate import Located, find_config, read_config, read_stripped
from pywg.config.model import ConfigError, QuickConfig
from pywg.control import open_control
from pywg.daemon.errors import StartError
from pywg.net.resolve import resolver
from pywg.net.system import NetworkError, System
from pywg.quick.device import Implementation
from pywg.quick.down import take_down
from pywg.quick.errors import QuickError
from pywg.quick.host import Host
from pywg.quick.interruption import Interrupted, Interruption
from pywg.quick.save import save_state
from pywg.quick.up import bring_up
from pywg.uapi.client import UapiError

KERNEL: Final = "--kernel"

Action = Callable[[QuickConfig, Host, Taken], None]


def up(words: Sequence[str]) -> int:
    """Bring an interface up."""
    return _run("up", words, _up, flags=(KERNEL,))


def down(words: Sequence[str]) -> int:
    """Take an interface down."""
    return _run("down", words, lambda config, host, _: take_down(config, host))


def save(words: Sequence[str]) -> int:
    """Write an interface's present state into its configuration file."""
    return _run("save", words, lambda config, host, _: save_state(config, host))


def strip(words: Sequence[str]) -> int:
    """Print what of a file is for wg(8)."""
    try:
        return put(read_stripped(_find(_take_one(words).words[0])))
    except UsageError as error:
        return wrong_use("strip", str(error))
    except ConfigError as error:
        tell(str(error))
        return 1


def _run(command: str, words: Sequence[str], action: Action, flags: Sequence[str] = ()) -> int:
    """What up, down and save have in common."""
    try:
        taken = _take_one(words, flags)
    except UsageError as error:
        return wrong_use(command, str(error))
    if os.geteuid() != 0:
        tell(f"run as root: sudo pywg {' '.join((command, *words))}")
        return 1
    with Interruption(until_exit=True) as interruption:
        try:
            _act(action, taken, interruption)
        except Interrupted as interrupted:
            return 128 + interrupted.number
        except Exception as error:  # noqa: BLE001 (a traceback's last line may hold a secret)
            tell(_reason(error))
            return _status(error)
    return 0


def _act(action: Action, taken: Taken, interruption: Interruption) -> None:
    config = read_config(_find(taken.words[0]))
    for warning in config.wg.warnings:
        tell(f"warning: {warning}")
    system = _open_system()
    with closing(system):
        host = Host(
            system=system,
            open_control=open_control,
            resolve=resolver(str(config.path), tell=tell),
            echo=echo,
            tell=tell,
            interruption=interruption,
        )
        action(config, host, taken)


def _open_system() -> System:
    # Only here: on Linux it brings in pyroute2, a fifth of a second.
    if sys.platform == "darwin":
        from pywg.net import system_darwin  # noqa: PLC0415

        return system_darwin.open_system(echo)
    from pywg.net import system_linux  # noqa: PLC0415

    return system_linux.open_system(echo)


def _up(config: QuickConfig, host: Host, taken: Taken) -> None:
    bring_up(config, Implementation.chosen(os.environ, kernel=KERNEL in taken.flags), host)


def _take_one(words: Sequence[str], flags: Sequence[str] = ()) -> Taken:
    """Options and the one name or file. Raises UsageError."""
    taken = take(words, flags=flags)
    if len(taken.words) != 1:
        raise UsageError(f"expected one interface or file, got {len(taken.words) or 'none'}")
    return taken


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
    return error.status if isinstance(error, QuickError | NetworkError) else 1
