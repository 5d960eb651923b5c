"""``pywg genkey | genpsk | pubkey``: new keys on standard output, and a private key's public one.

In: for pubkey a private key on standard input. Out: a key and a newline on standard output, and nowhere else.
Rules kept: wg(8), genkey.c and pubkey.c; a wrong key is told without repeating it, and so is a word after the
command, which may be one.
"""

import errno
import os
import stat
import sys
from collections.abc import Sequence
from typing import Final

from pywg.base64_key import KEY_CHARACTERS, KeyTextError, key_from_base64, key_to_base64
from pywg.cli.output import put, tell, wrong_use
from pywg.protocol.static_key import clamp, public_key

_KEY_SIZE: Final = 32  # protocol.constants has it, too, and costs a third of a genkey.
_PIECE: Final = 4096
_LONGEST_FILLING: Final = 2**26
_FILLING: Final = b"\0\t\n\v\f\r "
"""What may follow a key, as in wg: white space and zero bytes."""


def genkey(words: Sequence[str]) -> int:
    """A new private key. Returns the exit status."""
    if words:
        return wrong_use("genkey", "genkey takes no words")
    return _put_secret(clamp(os.urandom(_KEY_SIZE)))


def genpsk(words: Sequence[str]) -> int:
    """A new preshared key. Returns the exit status."""
    if words:
        return wrong_use("genpsk", "genpsk takes no words")
    return _put_secret(os.urandom(_KEY_SIZE))


def pubkey(words: Sequence[str]) -> int:
    """The public key of the private one on standard input. Returns the exit status."""
    if words:
        return wrong_use("pubkey", "pubkey takes no words; it reads the private key from standard input")
    try:
        private_key = _read_key()
    except KeyTextError as error:
        tell(f"standard input: {error}")
        return 1
    except OSError as error:
        tell(f"standard input cannot be read: {error.strerror or error}")
        return 1
    return put(key_to_base64(public_key(private_key)) + "\n")


def _put_secret(key: bytes) -> int:
    if _is_world_accessible():
        tell(
            "warning: the key goes to a file that every user of this machine may read; run 'umask 077' first"
        )
    return put(key_to_base64(key) + "\n")


def _is_world_accessible() -> bool:
    """Whether standard output is a file that others than its owner and group may use."""
    try:
        mode = os.fstat(sys.stdout.fileno()).st_mode
    except (AttributeError, OSError):  # It is closed; or not a file at all, in a program that calls us.
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IRWXO)


def _read_key() -> bytes:
    """Raises KeyTextError and OSError."""
    if sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed")
    stdin = sys.stdin.buffer
    text = stdin.read(KEY_CHARACTERS).decode("latin-1")
    if len(text) == KEY_CHARACTERS:
        # Line by line: what is wrong is told at once, and memory is bounded. /dev/zero has no end.
        left = _LONGEST_FILLING
        while piece := stdin.readline(_PIECE):
            left -= len(piece)
            if piece.strip(_FILLING) or left < 0:
                raise KeyTextError(f"there is more than a key; expected {KEY_CHARACTERS} characters alone")
    return key_from_base64(text)
