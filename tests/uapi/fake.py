"""A device that is nothing but its configuration, and a server for it in a thread of its own."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

from pywg.protocol.allowed_ips import Prefix
from pywg.uapi.model import (
    UNSET_KEY,
    ApplyError,
    DeviceChange,
    DeviceState,
    PeerChange,
    PeerState,
    PeerStatus,
    Status,
)
from pywg.uapi.path import bind_uapi_socket
from pywg.uapi.server import UapiServer

T = TypeVar("T")
PATIENCE = 10.0


class FakeDevice:
    """Applies changes in the order the protocol lays down; refuses what it is told to refuse."""

    def __init__(self) -> None:
        self.state = DeviceState()
        self.changes: list[DeviceChange] = []
        self.apply_error: BaseException | None = None
        self.get_error: Exception | None = None

    def get_state(self) -> DeviceState:
        if self.get_error is not None:
            raise self.get_error
        return self.state

    def get_status(self) -> Status:
        return Status(
            engine="python",
            engine_reason="no native build",
            drops={"bad_mac1": 3},
            peers=tuple(PeerStatus(peer.public_key, icmp_errors={113: 2}) for peer in self.state.peers),
        )

    def apply(self, change: DeviceChange) -> None:
        self.changes.append(change)
        if self.apply_error is not None:
            raise self.apply_error
        state = self.state
        if change.private_key is not None:
            state = replace(state, private_key=change.private_key)
        if change.listen_port == 7:
            raise ApplyError(98, "port 7 is in use")
        if change.listen_port is not None:
            state = replace(state, listen_port=change.listen_port)
        if change.fwmark is not None:
            state = replace(state, fwmark=change.fwmark)
        peers = {} if change.replace_peers else {peer.public_key: peer for peer in state.peers}
        for block in change.peers:
            _apply_peer(peers, block)
        self.state = replace(state, peers=tuple(peers.values()))


def _apply_peer(peers: dict[bytes, PeerState], block: PeerChange) -> None:
    if block.remove or (block.update_only and block.public_key not in peers):
        peers.pop(block.public_key, None)
        return
    peer = peers.get(block.public_key, PeerState(block.public_key, UNSET_KEY))
    if block.preshared_key is not None:
        peer = replace(peer, preshared_key=block.preshared_key)
    if block.endpoint is not None:
        peer = replace(peer, endpoint=block.endpoint)
    if block.persistent_keepalive_interval is not None:
        peer = replace(peer, persistent_keepalive_interval=block.persistent_keepalive_interval)
    prefixes: list[Prefix] = [] if block.replace_allowed_ips else list(peer.allowed_ips)
    # Sets keep this linear for the test with 130,560 prefixes.
    owned = set(prefixes)
    for step in block.allowed_ips:
        if step.remove and step.prefix in owned:
            owned.remove(step.prefix)
            prefixes.remove(step.prefix)
        elif not step.remove and step.prefix not in owned:
            owned.add(step.prefix)
            prefixes.append(step.prefix)
    peers[block.public_key] = replace(peer, allowed_ips=tuple(prefixes))


class Served:
    """A `UapiServer` with a `FakeDevice` on a loop of its own, so that tests may block."""

    def __init__(self, name: str, directory: Path, *, max_connections: int = 64) -> None:
        self.name = name
        self.directory = directory
        self.device = FakeDevice()
        self.deleted = threading.Event()
        self.failed = threading.Event()
        self.unhandled: list[dict[str, Any]] = []
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _loop, context: self.unhandled.append(context))
        self._thread = threading.Thread(target=self.loop.run_forever)
        self.server = UapiServer(
            self.device,
            bind_uapi_socket(name, directory),
            on_deleted=self.deleted.set,
            on_failed=lambda _: self.failed.set(),
            max_connections=max_connections,
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self.loop.call_soon_threadsafe(self.server.start)
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.server.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(self.server.path))
        connection.settimeout(PATIENCE)
        return connection

    def ask(self, request: str | bytes) -> bytes:
        """Send one request, say no more, and read all there is to read."""
        with self.connect() as connection:
            connection.sendall(request.encode() if isinstance(request, str) else request)
            connection.shutdown(socket.SHUT_WR)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Until the other side closes."""
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def read_reply(connection: socket.socket) -> bytes:
    """Until the empty line, or the other side closes."""
    reply = b""
    while not reply.endswith(b"\n\n"):
        piece = connection.recv(65536)
        if not piece:
            break
        reply += piece
    return reply


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it comes true before patience ends."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
