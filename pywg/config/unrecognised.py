"""Why a line is none that wg or wg-quick know: in the line and its section, out a sentence for the user.

Rule kept: nothing of the line is repeated that could be a key or a part of one, for a key may stand anywhere:
in a line of its own, without its name, or broken in two.
"""

import re
from typing import Final

from pywg.config.model import PEER_SETTINGS, QUICK_SETTINGS, WG_INTERFACE_SETTINGS, Section

_SECTION: Final = re.compile(r"\[[A-Za-z0-9_-]{1,16}\]")
_SHORT_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,11}")
_BYTE_ORDER_MARK: Final = "\ufeff"


def explain(line: str, section: Section, *, is_quick: bool) -> str:
    """What is wrong with a line and what was expected. `line`: without comment and white space."""
    if line.startswith(_BYTE_ORDER_MARK):
        return "the file begins with a byte order mark; expected UTF-8 without one"
    if "\0" in line:
        return "there is a zero byte; expected a text file in UTF-8 (is this one in UTF-16?)"
    if line.startswith("["):
        found = f"unknown section {line}" if _SECTION.fullmatch(line) else "this is no section"
        return f"{found}; expected [Interface] or [Peer]"
    setting = _known_setting(line)
    if setting is not None:
        return _misplaced(setting, line, section, is_quick=is_quick)
    if section is Section.NONE:
        return "expected [Interface] or [Peer] before anything else"
    return _unknown(line, section, _settings_of(section, is_quick=is_quick))


def _unknown(line: str, section: Section, settings: tuple[str, ...]) -> str:
    name, _, value = line.partition("=")
    if meant := _close_to(name, settings):
        return f"unknown setting {name!a}; did you mean {meant}?"
    what = f"unknown setting '{name}'" if _may_be_shown(name, value) else "this line is not understood"
    return f"{what}; expected {_listed(settings)} in {section.value}"


def _may_be_shown(name: str, value: str) -> bool:
    # The last piece of a broken key is short and ends with "=" too, but nothing follows it.
    return _SHORT_NAME.fullmatch(name) is not None and value.strip("=") != ""


def _known_setting(line: str) -> str | None:
    name = line.partition("=")[0].lower()
    settings = (*WG_INTERFACE_SETTINGS, *QUICK_SETTINGS, *PEER_SETTINGS)
    return next((setting for setting in settings if setting.lower() == name), None)


def _misplaced(setting: str, line: str, section: Section, *, is_quick: bool) -> str:
    """A setting there is, but not here or not without a value."""
    if setting in _settings_of(section, is_quick=False):
        if not line.partition("=")[1]:
            return f"there is no '=' after {setting}; expected {setting} = VALUE"
        return f"{setting} has no value; expected one after '=', or no such line"
    if setting in QUICK_SETTINGS and not is_quick:
        return (
            f"{setting} is a setting of wg-quick, not of wg; expected a file for wg, as 'pywg strip' makes it"
        )
    if setting in QUICK_SETTINGS and section is Section.INTERFACE:
        return (
            f"white space hides {setting} from wg-quick; expected none inside '{setting}' and '[Interface]'"
        )
    home = "[Peer]" if setting in PEER_SETTINGS else "[Interface]"
    place = "before any section" if section is Section.NONE else f"in {section.value}"
    return f"{setting} stands {place}; expected it in {home}"


def _settings_of(section: Section, *, is_quick: bool) -> tuple[str, ...]:
    match section:
        case Section.NONE:
            return ()
        case Section.PEER:
            return PEER_SETTINGS
        case Section.INTERFACE:
            return (*WG_INTERFACE_SETTINGS, *QUICK_SETTINGS) if is_quick else WG_INTERFACE_SETTINGS


def _close_to(name: str, settings: tuple[str, ...]) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415 (only a misspelt setting needs it)

    by_name = {setting.lower(): setting for setting in settings}
    close = get_close_matches(name.lower(), by_name, n=1, cutoff=0.7)
    return by_name[close[0]] if close else None


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
