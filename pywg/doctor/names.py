"""Names of endpoints, looked up all at once and for a few seconds at most.

In: the peers of a configuration. Out: what each name stands for now, or why for nothing. A name server that
does not answer keeps the system's resolver waiting for half a minute: the threads that wait are left behind.
"""

import threading
import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from pywg.config.model import HostPort, PeerConfig
from pywg.doctor.facts import NameFacts
from pywg.net.resolve import look_up

PATIENCE: Final = 6.0
"""Seconds for all names: the system's resolver asks a second time after 5."""
MOST_NAMES: Final = 64
"""Looked up at once; the others are not."""


def look_up_names(peers: Sequence[PeerConfig]) -> dict[bytes, NameFacts]:
    """By public key, for the peers whose endpoint is a name and no address."""
    wanted = {
        peer.public_key: peer.endpoint
        for peer in peers
        if peer.endpoint is not None and not _is_address(peer.endpoint.host)
    }
    chosen = dict(list(wanted.items())[:MOST_NAMES])
    found: dict[bytes, NameFacts] = {}
    threads = [
        threading.Thread(target=_look_up, args=(key, name, found), daemon=True)
        for key, name in chosen.items()
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"no name server answered within {PATIENCE:g} s"
    return {key: found.get(key) or NameFacts(name, error=late) for key, name in chosen.items()}


def _look_up(key: bytes, name: HostPort, found: dict[bytes, NameFacts]) -> None:
    try:
        found[key] = NameFacts(name, tuple(look_up(name)))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        found[key] = NameFacts(name, error=reason or "it cannot be a name")


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
