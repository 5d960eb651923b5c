"""A key as people see it: 44 characters of base64, in a configuration or alone in a file.

In: text, or the path of a file. Out: 32 bytes. Rules kept: as strict as wg(8) (encoding.c: exactly 44
characters, the last one "=", no stray bits before it), and no error repeats a key, a wrong one included.
"""

import binascii
import errno
import os
import re
import stat
from typing import Final

KEY_CHARACTERS: Final = 44
"""Of base64, for 32 bytes; the last is ``=``."""

_BLANKS: Final = b" \t\n\v\f\r"
_CLEARED: Final = bytes(32)  # uapi.model.UNSET_KEY; `genkey` would pay for the import.
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")
_KEY_LIKE: Final = re.compile(r"\s*[A-Za-z0-9+/]{40,}=*\s*|.*[A-Za-z0-9+/]{43}=.*", re.DOTALL)
"""A key, perhaps not all of it; or a whole one with something around it, as ``PrivateKey=`` is."""
_LONGEST_FILE: Final = 65536


class KeyTextError(ValueError):
    """The text is no key; the message says what was expected and never what was found."""


class KeyFileError(Exception):
    """The file holds no key or cannot be read; one line, without what is in it."""


def key_from_base64(text: str) -> bytes:
    """The 32 bytes of a key. Raises KeyTextError."""
    if not _KEY.fullmatch(text):
        raise KeyTextError(_what_is_wrong(text))
    return binascii.a2b_base64(text)


def key_to_base64(key: bytes) -> str:
    """`key` as 44 characters, without a newline."""
    return binascii.b2a_base64(key, newline=False).decode("ascii")


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


def _what_is_wrong(text: str) -> str:
    expected = f"expected a key of {KEY_CHARACTERS} characters of base64, as 'pywg genkey' prints it"
    if len(text) != KEY_CHARACTERS:
        return f"{expected}; this has {len(text)}"
    return f"{expected}; this has the right length, but one or more wrong characters"


def _unreadable(path: str, error: OSError | ValueError) -> str:
    if _KEY_LIKE.fullmatch(path):
        # Whatever the reason: it is hardly the name of a file.
        return "expected a file that holds the key, not the key itself: others can see command lines"
    reason = error.strerror if isinstance(error, OSError) else None
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        return f"{path}: no such file; expected one that holds a key, or an empty one to clear the key"
    return f"{path}: cannot be read: {reason or 'not the name of a file'}"
