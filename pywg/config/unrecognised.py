"""Why a line is none that wg or wg-quick know: in the line and its section, out a sentence for the user.

Rule kept: nothing of the line is repeated that could be a key or a part of one, for a key may stand anywhere:
in a line of its own, without its name, or broken in two.
"""

import re
from enum import Enum
from typing import Final

WG_INTERFACE_KEYS: Final = ("PrivateKey", "ListenPort", "FwMark")
QUICK_KEYS: Final = (
    "Address",
    "DNS",
    "MTU",
    "Table",
    "PreUp",
    "PostUp",
    "PreDown",
    "PostDown",
    "SaveConfig",
)
PEER_KEYS: Final = ("PublicKey", "PresharedKey", "AllowedIPs", "Endpoint", "PersistentKeepalive")

_SECTION: Final = re.compile(r"\[[A-Za-z0-9_-]{1,16}\]")
_SHORT_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,11}")
_BYTE_ORDER_MARK: Final = "\ufeff"


class Section(Enum):
    """Where in a file a line stands."""

    NONE = "no section"
    INTERFACE = "[Interface]"
    PEER = "[Peer]"


def explain(line: str, section: Section, *, is_quick: bool) -> str:
    """What is wrong with a line and what was expected. `line`: without comment and white space."""
    if line.startswith(_BYTE_ORDER_MARK):
        return "the file begins with a byte order mark; expected UTF-8 without one"
    if "\0" in line:
        return "there is a zero byte; expected a text file in UTF-8 (is this one in UTF-16?)"
    if line.startswith("["):
        found = f"unknown section {line}" if _SECTION.fullmatch(line) else "this is no section"
        return f"{found}; expected [Interface] or [Peer]"
    key = _known_key(line)
    if key is not None:
        return _misplaced(key, line, section, is_quick=is_quick)
    if section is Section.NONE:
        return "expected [Interface] or [Peer] before anything else"
    return _unknown(line, section, _keys_of(section, is_quick=is_quick))


def _unknown(line: str, section: Section, keys: tuple[str, ...]) -> str:
    name, _, value = line.partition("=")
    if meant := _close_to(name, keys):
        return f"unknown key {name!a}; did you mean {meant}?"
    what = f"unknown key '{name}'" if _may_be_shown(name, value) else "this line is not understood"
    return f"{what}; expected {_listed(keys)} in {section.value}"


def _may_be_shown(name: str, value: str) -> bool:
    # The last piece of a broken key is short and ends with "=" too, but nothing follows it.
    return _SHORT_NAME.fullmatch(name) is not None and value.strip("=") != ""


def _known_key(line: str) -> str | None:
    name = line.partition("=")[0].lower()
    keys = (*WG_INTERFACE_KEYS, *QUICK_KEYS, *PEER_KEYS)
    return next((key for key in keys if key.lower() == name), None)


def _misplaced(key: str, line: str, section: Section, *, is_quick: bool) -> str:
    """A key there is, but not here or not without a value."""
    if key in _keys_of(section, is_quick=False):
        if not line.partition("=")[1]:
            return f"there is no '=' after {key}; expected {key} = VALUE"
        return f"{key} has no value; expected one after '=', or no such line"
    if key in QUICK_KEYS and not is_quick:
        return f"{key} is a key of wg-quick, not of wg; expected a file for wg, as 'pywg strip' makes it"
    if key in QUICK_KEYS and section is Section.INTERFACE:
        return f"white space hides {key} from wg-quick; expected none inside '{key}' and '[Interface]'"
    home = "[Peer]" if key in PEER_KEYS else "[Interface]"
    place = "before any section" if section is Section.NONE else f"in {section.value}"
    return f"{key} stands {place}; expected it in {home}"


def _keys_of(section: Section, *, is_quick: bool) -> tuple[str, ...]:
    match section:
        case Section.NONE:
            return ()
        case Section.PEER:
            return PEER_KEYS
        case Section.INTERFACE:
            return (*WG_INTERFACE_KEYS, *QUICK_KEYS) if is_quick else WG_INTERFACE_KEYS


def _close_to(name: str, keys: tuple[str, ...]) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415 (only a misspelt key needs it)

    by_name = {key.lower(): key for key in keys}
    close = get_close_matches(name.lower(), by_name, n=1, cutoff=0.7)
    return by_name[close[0]] if close else None


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
