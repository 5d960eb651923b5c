"""What the hooks of a file are there for, as far as their words tell.

In: `Hooks`. Out: guesses that are good enough to decide whether a finding makes sense. No I/O.
"""

import re
from collections.abc import Iterator
from typing import Final

from pywg.config.model import Hooks

_COMMANDS: Final = re.compile(r"[;\n]|&&|\|\|?")
"""What separates them."""
_FORWARDS: Final = re.compile(
    r"ip_forward|masquerade|\bsnat\b|net[./]ipv6.*forwarding|forward\b.*accept|accept.*forward\b",
    re.IGNORECASE,
)
_IPV6: Final = re.compile(r"\bip6tables|ipv6|\bip6\b", re.IGNORECASE)
_CONFIGURES: Final = re.compile(r"\b(?:py)?wg\s+(?:set|setconf|addconf|syncconf)\b")


def forwarded_versions(hooks: Hooks) -> frozenset[int]:
    """The IP versions, 4 and 6, that something in `PreUp` or `PostUp` forwards or masquerades."""
    return frozenset(6 if _IPV6.search(one) else 4 for one in _commands(hooks) if _FORWARDS.search(one))


def configure_the_interface(hooks: Hooks) -> bool:
    """Whether they set keys or peers that the file itself does not have."""
    return any(_CONFIGURES.search(command) for command in _commands(hooks))


def _commands(hooks: Hooks) -> Iterator[str]:
    for line in (*hooks.pre_up, *hooks.post_up):
        yield from _COMMANDS.split(line)
