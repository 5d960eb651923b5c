"""Which interfaces of this network namespace are the kernel's own WireGuard.

In: nothing. Out: names. Rule kept: as wg(8), it asks rtnetlink, which answers for the namespace we are in,
where /sys answers for the one it was mounted in. Without pyroute2, because nearly always the answer is
"none", and the commands that ask are to be quick.
"""

import sys
from collections.abc import Iterator
from functools import partial
from typing import Final

from pywg.net.netlink import get_links, parse_link
from pywg.net.rtnetlink_questions import RtnetlinkQuestions

KIND: Final = "wireguard"


def wireguard_links() -> list[str]:
    """Names, in the kernel's order. Empty where the system has no netlink, or gives no answer."""
    if not sys.platform.startswith("linux"):
        return []
    try:
        return list(_names())
    except OSError:
        return []


def _names() -> Iterator[str]:
    with RtnetlinkQuestions() as kernel:
        for payload in kernel.all(partial(get_links, KIND)):
            link = parse_link(payload)
            if link is not None and link.kind == KIND:
                yield link.name
