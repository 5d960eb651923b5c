"""``pywg set | setconf | addconf | syncconf``: in words or a file, out a changed interface.

Nothing is printed but warnings, on standard error. Rules kept: nothing is changed before all of the words or
the file has been read; secret keys come from files only, for others can see command lines.
"""

from collections.abc import Callable, Sequence

from pywg.cli.output import tell, wrong_use
from pywg.config import change
from pywg.config.keys import read_key_file
from pywg.config.locate import read_wg_config
from pywg.config.model import COMMAND_LINE, ConfigError, WgConfig
from pywg.config.words import parse_set
from pywg.control import Control, open_control
from pywg.net.resolve import resolver
from pywg.uapi.client import UapiError
from pywg.uapi.model import DeviceChange

ChangeOf = Callable[[WgConfig, Control, change.Resolve], DeviceChange]
"""What a configuration asks of an interface. Raises ConfigError and UapiError."""


def set(words: Sequence[str]) -> int:  # noqa: A001 (the command's name)
    """What the words name is changed, all else stays. Returns the exit status."""
    if len(words) < 2:
        return wrong_use("set", "expected an interface and what to change of it")
    return _apply(
        words[0],
        lambda: parse_set(words[1:], read_key_file),
        lambda config, _, resolve: change.merge_change(config, resolve),
    )


def setconf(words: Sequence[str]) -> int:
    """The interface becomes as the file says. Returns the exit status."""
    return _apply_file("setconf", words, lambda config, _, resolve: change.setconf_change(config, resolve))


def addconf(words: Sequence[str]) -> int:
    """What the file says is added. Returns the exit status."""
    return _apply_file("addconf", words, lambda config, _, resolve: change.merge_change(config, resolve))


def syncconf(words: Sequence[str]) -> int:
    """The interface becomes as the file says by the least change. Returns the exit status."""
    return _apply_file(
        "syncconf",
        words,
        lambda config, control, resolve: change.syncconf_change(config, control.get(), resolve),
    )


def _apply_file(command: str, words: Sequence[str], change_of: ChangeOf) -> int:
    if len(words) != 2:
        return wrong_use(command, "expected an interface and a file")
    name, file = words
    return _apply(name, lambda: read_wg_config(file), change_of, source=file)


def _apply(
    name: str, read: Callable[[], WgConfig], change_of: ChangeOf, *, source: str = COMMAND_LINE
) -> int:
    """`source` is the file's name, if there is one."""
    try:
        config = read()
        for warning in config.warnings:
            tell(f"warning: {warning}")
        control = open_control(name)
        control.set(change_of(config, control, resolver(source, tell=tell)))
    except (ConfigError, UapiError) as error:
        tell(str(error))
        return 1
    return 0
