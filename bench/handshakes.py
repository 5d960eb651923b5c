"""Handshakes answered a second.

In: a tunnel's far end, configured with PEERS further peers. Out: responses a second. All initiations of a run
are made once, beforehand: every daemon is new, so it has seen no timestamp of them.
"""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.configuration import one_of_many
from bench.errors import BenchError
from bench.lab import Tunnel, inside, output, python
from pywg.demo.lab import LISTEN_PORT
from pywg.protocol.constants import MILLISECOND, Limits
from pywg.protocol.cookie import CookieSender
from pywg.protocol.handshake import create_initiation
from pywg.protocol.identity import Identity, RemoteStatic
from pywg.protocol.tai64n import tai64n
from pywg.uapi.model import DeviceChange

PEERS = 500
"""No peer comes twice within the 20 ms of the flood gate up to 25,000 handshakes a second."""
_TURNS = 30
_APART = 40 * MILLISECOND
"""Between a peer's timestamps; they are cut down to multiples of 16.8 ms."""
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """Initiations to one public key, and who sends them."""

    file: Path
    change: DeviceChange
    """Adds the peers."""


def prepare(directory: Path, responder_private: bytes) -> Prepared:
    """Make all initiations: PEERS in a row, and that _TURNS times. Takes some seconds."""
    responder = Identity(responder_private).public_key
    identities = [Identity(secrets.token_bytes(32)) for _ in range(PEERS)]
    remotes = [RemoteStatic(identity, responder) for identity in identities]
    cookies = [CookieSender(remote, Limits()) for remote in remotes]
    begun, made = time.time_ns(), bytearray()
    for number in range(PEERS * _TURNS):
        turn, who = divmod(number, PEERS)
        created = create_initiation(
            identities[who],
            remotes[who],
            ephemeral_private=secrets.token_bytes(32),
            local_index=number,
            timestamp=tai64n(begun + turn * _APART),
        )
        made += cookies[who].seal(created.message, 0)
    file = directory / "initiations"
    file.write_bytes(made)
    # Number 0 upwards in the same network that many_peers() uses.
    peers = tuple(one_of_many(identity.public_key, number) for number, identity in enumerate(identities))
    return Prepared(file, DeviceChange(peers=peers))


def measure(
    tunnel: Tunnel, prepared: Prepared, configure: Callable[[DeviceChange], None], seconds: float
) -> float:
    """Responses a second from the far end, which `configure` changes. Raises BenchError."""
    configure(prepared.change)
    words = python(
        "bench.initiator",
        str(tunnel.there.wire.ip),
        str(LISTEN_PORT),
        str(prepared.file),
        str(PEERS),
        str(seconds),
    )
    told = json.loads(output(inside(tunnel.here, *words), timeout=seconds * 2 + _PATIENCE))
    if not told["responses"] or told["cookies"] > told["responses"] / 100:
        raise BenchError(f"handshakes were not simply answered: {told}")
    return float(told["responses"] / told["seconds"])
