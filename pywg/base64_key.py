"""A key as people see it: 44 characters of base64.

In: text. Out: 32 bytes, and the other way round; or text without keys. Rules kept: as strict as wg(8)
(encoding.c: exactly 44 characters, the last one "=", no stray bits before it), and no error repeats a key, a
wrong one included.
"""

import binascii
import re
from typing import Final

KEY_CHARACTERS: Final = 44
"""Of base64, for 32 bytes; the last is ``=``."""

_KEY: Final = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")
_KEY_WITHIN: Final = re.compile(r"(?:[A-Za-z0-9+/]{43}|[A-Za-z0-9_-]{43})=")
"""A whole one in a text, be it in the alphabet for URLs. A path has no such run before a ``=``."""


class KeyTextError(ValueError):
    """The text is no key; the message says what was expected and never what was found."""


def key_from_base64(text: str) -> bytes:
    """The 32 bytes of a key. Raises KeyTextError."""
    if not _KEY.fullmatch(text):
        raise KeyTextError(_what_is_wrong(text))
    return binascii.a2b_base64(text)


def key_to_base64(key: bytes) -> str:
    """`key`, of 32 bytes, as 44 characters without a newline."""
    return binascii.b2a_base64(key, newline=False).decode("ascii")


def without_keys(text: str) -> str:
    """`text` as it may stand in a message: whoever put a key among other words did so by mistake."""
    return _KEY_WITHIN.sub("(hidden)", text)


def _what_is_wrong(text: str) -> str:
    expected = f"expected a key of {KEY_CHARACTERS} characters of base64, as 'pywg genkey' prints it"
    if len(text) != KEY_CHARACTERS:
        return f"{expected}; this has {len(text)}"
    return f"{expected}; this has the right length, but one or more wrong characters"
