"""Which file is meant, and what is in it: names and paths of a command line to configurations.

In: an interface's name or a file's. Out: `Located`, `QuickConfig`, `WgConfig`, text; or ConfigError. Rules
kept: wg-quick (parse_options): a word that can be an interface's name is one, and its file lies in
/etc/wireguard; any other is a path, whose last part without ``.conf`` is the name; links are followed to what
is read.
"""

import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pywg.config import parse
from pywg.config.model import ConfigError, QuickConfig, WgConfig
from pywg.interface_name import LEGAL_CHARACTERS, LONGEST_NAME, has_legal_characters, is_interface_name

DIRECTORY: Final = Path("/etc/wireguard")
DIRECTORIES: Final = (
    (DIRECTORY, Path("/usr/local/etc/wireguard")) if sys.platform == "darwin" else (DIRECTORY,)
)
"""Where names are looked for, as in wg-quick's linux.bash and darwin.bash."""

LONGEST_FILE: Final = 2**27
"""Bytes. wg's longest, of 65,536 peers, is a tenth of that."""

_SUFFIX: Final = ".conf"


@dataclass(frozen=True, slots=True)
class Located:
    """A file of wg-quick(8) that exists."""

    name: str
    """The interface's."""
    path: Path
    """Absolute, links followed."""
    warning: str | None = None
    """A sentence for the user: others may read the keys."""


def find_config(name_or_file: str, directory: Path | None = None) -> Located:
    """The file that is meant. `directory`: where to look for names instead of in `DIRECTORIES`.

    Raises ConfigError: there is none, or its name cannot be an interface's.
    """
    wanted = _wanted(name_or_file, DIRECTORIES if directory is None else (directory,))
    name = wanted.name.removesuffix(_SUFFIX)
    if name == wanted.name or not name:
        raise ConfigError(str(wanted), None, f"expected a file called INTERFACE{_SUFFIX}")
    _check_name(name, str(wanted))
    try:
        path = wanted.resolve(strict=True)
        warning = _world_accessible(path)
    except OSError as error:
        raise ConfigError(str(wanted), None, f"cannot be reached: {_reason(error)}") from None
    return Located(name, path, warning)


def read_config(located: Located) -> QuickConfig:
    """What the file says. Raises ConfigError."""
    return parse.parse_quick(read_text(located.path), located.path, located.name)


def read_stripped(located: Located) -> str:
    """What ``strip`` prints of the file. Raises ConfigError."""
    return parse.strip(read_text(located.path), str(located.path))


def read_wg_config(file: str) -> WgConfig:
    """What a file for ``setconf`` and its like says; it may be a pipe. Raises ConfigError."""
    return parse.parse_wg(read_text(Path(file)), file)


def read_text(path: Path) -> str:
    """The file as text; bytes that are not UTF-8 are kept as surrogates. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except IsADirectoryError:
        raise ConfigError(str(path), None, "is a directory; expected a file") from None
    except FileNotFoundError:
        raise ConfigError(str(path), None, "there is no such file") from None
    except (OSError, ValueError) as error:
        raise ConfigError(str(path), None, f"cannot be read: {_reason(error)}") from None
    if len(content) > LONGEST_FILE:
        problem = f"is longer than {LONGEST_FILE} bytes; expected a configuration"
        raise ConfigError(str(path), None, problem)
    return content.decode("utf-8", "surrogateescape")


def _wanted(name_or_file: str, directories: Sequence[Path]) -> Path:
    """The path that is meant, which exists. Raises ConfigError."""
    if is_interface_name(name_or_file):
        candidates = [directory / f"{name_or_file}{_SUFFIX}" for directory in directories]
        found = next(filter(_exists, candidates), None)
        if found is None:
            raise ConfigError(str(candidates[0]), None, _no_such_name(name_or_file))
        return found
    path = Path(name_or_file)
    if not _exists(path):
        if has_legal_characters(name_or_file):
            _check_name(name_or_file.removesuffix(_SUFFIX), name_or_file)
        raise ConfigError(name_or_file, None, "there is no such file")
    return path


def _exists(path: Path) -> bool:
    """Raises ConfigError if it cannot be told."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise ConfigError(str(path), None, f"cannot be reached: {_reason(error)}") from None
    return True


def _no_such_name(name: str) -> str:
    """What to do depends on whether a file was meant: wg-quick takes ``wg0.conf`` for an interface's name."""
    if name.endswith(_SUFFIX):
        return f"there is no such file; for one in this directory say ./{name}"
    return "there is no such file; expected the configuration of the interface there, or give a file's path"


def _check_name(name: str, source: str) -> None:
    if is_interface_name(name):
        return
    if has_legal_characters(name) and len(name) > LONGEST_NAME:
        problem = (
            f"the interface name {name} is {len(name)} characters long; at most {LONGEST_NAME} are possible"
        )
    else:
        problem = (
            f"the file's name gives no interface name; expected 1 to {LONGEST_NAME} of {LEGAL_CHARACTERS}"
        )
    raise ConfigError(source, None, problem)


def _world_accessible(path: Path) -> str | None:
    """Whether both file and directory let in everybody. Raises OSError."""
    if not path.stat().st_mode & path.parent.stat().st_mode & stat.S_IRWXO:
        return None
    return f"{path} is world accessible; it holds keys: chmod 600 {path}"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "the name cannot be a file's"
