"""A key alone in a file.

In: the path of a file. Out: 32 bytes. Rules kept: what wg(8) takes is taken (config.c, parse_keyfile), and no
error repeats a key, also where the path is one.
"""

import errno
import os
import re
import stat
from typing import Final

from pywg.base64_key import KEY_CHARACTERS, KeyTextError, key_from_base64

_BLANKS: Final = b" \t\n\v\f\r"
_CLEARED: Final = bytes(32)  # uapi.model.UNSET_KEY; `genkey` would pay for the import.
_KEY_LIKE: Final = re.compile(
    r"\s*[A-Za-z0-9+/]{40,}=*\s*|.*(?:[A-Za-z0-9+/]{43}|[A-Za-z0-9_-]{43})=.*", re.DOTALL
)
"""A key, perhaps not all of it; or a whole one with something around it, as ``PrivateKey=`` is."""
_LONGEST_FILE: Final = 65536


class KeyFileError(Exception):
    """The file holds no key or cannot be read; one line, without what is in it."""


def read_key_file(path: str) -> bytes:
    """The key in a file, which may end in white space. An empty file is the cleared key, `UNSET_KEY`.

    An empty pipe is not: the command that should have written the key has failed. Raises KeyFileError.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (pathlib costs start-up time)
            content = file.read(_LONGEST_FILE + 1)
            is_pipe = stat.S_ISFIFO(os.fstat(file.fileno()).st_mode)
    except (OSError, ValueError) as error:
        raise KeyFileError(_unreadable(path, error)) from None
    if not content and not is_pipe:
        return _CLEARED
    if len(content) > _LONGEST_FILE or content[KEY_CHARACTERS:].strip(_BLANKS):
        raise KeyFileError(f"{path}: there is more in it than a key of {KEY_CHARACTERS} characters")
    try:
        return key_from_base64(content[:KEY_CHARACTERS].decode("latin-1"))
    except KeyTextError as error:
        raise KeyFileError(f"{path}: {error}") from None


def _unreadable(path: str, error: OSError | ValueError) -> str:
    if _KEY_LIKE.fullmatch(path):
        # Whatever the reason: it is hardly the name of a file.
        return "expected a file that holds the key, not the key itself: others can see command lines"
    reason = error.strerror if isinstance(error, OSError) else None
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        return f"{path}: no such file; expected one that holds a key, or an empty one to clear the key"
    return f"{path}: cannot be read: {reason or 'not the name of a file'}"
