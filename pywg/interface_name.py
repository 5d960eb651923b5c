"""Which names an interface may have: the rule of wg-quick, narrower than the kernel's (dev_valid_name).

The name becomes part of a path (the UAPI socket), so nothing that could leave its directory passes. A word
that is a command of pywg, wg or wg-quick is never taken for an interface where it comes first on the command
line; ``pywg -f demo`` and ``pywg up demo`` make one.
"""

import sys
from typing import Final

LONGEST_NAME: Final = 15
"""Linux: IFNAMSIZ is 16 with the final zero."""

_WG: Final = (
    "show",
    "showconf",
    "set",
    "setconf",
    "addconf",
    "syncconf",
    "genkey",
    "genpsk",
    "pubkey",
    "help",
)
_WG_QUICK: Final = ("up", "down", "save", "strip")
_OURS: Final = (
    "bench",
    "completion",
    "daemon",
    "demo",
    "doctor",
    "help",
    "monitor",
    "status",
    "unit",
    "version",
)
RESERVED: Final = frozenset((*_WG, *_WG_QUICK, *_OURS))
"""First words that are or will be commands."""

_KERNELS: Final = frozenset({"all", "default"})
"""Under /proc/sys/net/ipv4/conf."""

LEGAL_CHARACTERS: Final = "a-z A-Z 0-9 _ = + . -"
"""As messages say it."""
_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=+.-")


class InterfaceNameError(ValueError):
    """The name cannot be an interface's; the message says what could."""


def is_interface_name(name: str) -> bool:
    """Whether an interface may be called `name`, be it a command's word or not."""
    return 0 < len(name) <= LONGEST_NAME and _is_harmless(name)


def shown_name(name: str) -> str:
    """What is no name, for a message: quoted, and not so long that all of a key would be in it."""
    return repr(name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}...")


def has_legal_characters(text: str) -> bool:
    """Whether nothing else is in it; the length does not matter."""
    return _CHARACTERS.issuperset(text)


def check_interface_name(name: str, system: str = sys.platform) -> None:
    """Raises InterfaceNameError. `system` is as `sys.platform`."""
    if not name or not _is_harmless(name):
        raise InterfaceNameError(
            f"{name!r} is no interface name; expected up to {LONGEST_NAME} of {LEGAL_CHARACTERS}"
        )
    if len(name) > LONGEST_NAME:
        raise InterfaceNameError(
            f"interface name '{name}' is {len(name)} characters long; at most {LONGEST_NAME} are possible"
        )
    if name in _KERNELS:
        raise InterfaceNameError(
            f"'{name}' means every interface in the kernel's settings; choose another name"
        )
    number = name.removeprefix("utun")
    if system == "darwin" and (number == name or (number and not number.isdigit())):
        raise InterfaceNameError(
            f"'{name}' is no interface name of macOS; expected utun or utun and a number"
        )


def _is_harmless(name: str) -> bool:
    return has_legal_characters(name) and name not in {".", ".."}
