"""The server's side of the UAPI: many clients, each with many operations, on the daemon's loop.

In: a listening AF_UNIX socket and the device behind it (`model.UapiHandler`). Out: replies; a call when the
socket's file is deleted or listening fails. Rules kept: an unknown operation closes the connection without
a reply; errno is negative after a set and positive after a get (what `wg` understands); a client that is
slow, silent, huge or wrong costs the others nothing and us a bounded amount of memory.
Source: wireguard-go device/uapi.go.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from itertools import islice
from pathlib import Path
from typing import Final

from pywg.log import describe
from pywg.uapi.codec import MAX_LINE, SetParser, state_lines
from pywg.uapi.model import ApplyError, DeviceChange, UapiHandler
from pywg.uapi.path import file_identity, unlink_if_ours
from pywg.uapi.status import status_lines
from pywg.uapi.watch import DeletionWatch

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 64
"""At once. A further one takes the place of the one that has been quiet for longest."""
_READ_SIZE: Final = 16_384
_LINES_PER_WRITE: Final = 256
_ACCEPTS_PER_TURN: Final = 16
_ACCEPT_PAUSE: Final = 1.0
_OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_TRANSIENT: Final = frozenset({errno.ECONNABORTED, errno.EINTR, errno.EPROTO})


class UapiServer:
    """Serves one device on one listening socket, which it owns from now on."""

    def __init__(
        self,
        handler: UapiHandler,
        listener: socket.socket,
        *,
        on_deleted: Callable[[], None] = lambda: None,
        on_failed: Callable[[OSError], None] = lambda _: None,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        """`listener`: bound to an absolute path, from `bind_uapi_socket` or `inherit_uapi_socket`."""
        self._handler = handler
        self._listener = listener
        self._on_deleted = on_deleted
        self._on_failed = on_failed
        self._max_connections = max_connections
        self.path = Path(listener.getsockname())
        # Taken before the loop runs, so that a file put in its place later is never mistaken for ours.
        self._ours = file_identity(self.path)
        self._connections: set[_Connection] = set()
        self._watch: DeletionWatch | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._resume: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to accept, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._listener, self._accept)
        if self._ours is None:
            self._loop.call_soon(self._on_deleted)
        else:
            self._watch = DeletionWatch(self.path, self._ours, self._on_deleted)

    async def close(self) -> None:
        """Close all connections and the socket, and unlink it if it is still ours. May be called twice."""
        if self._loop is not None:
            self._loop.remove_reader(self._listener)
            self._loop = None
        if self._resume is not None:
            self._resume.cancel()
        if self._watch is not None:
            self._watch.close()
        unlink_if_ours(self.path, self._ours)
        self._ours = None
        self._listener.close()
        tasks = [connection.task for connection in self._connections]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def _accept(self) -> None:
        assert self._loop is not None  # noqa: S101 (set by start, which made us a reader)
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                accepted, _address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._accept_failed(self._loop, error)
                return
            self._make_room()
            _Connection(self._loop, self._handler, accepted, self._connections)

    def _accept_failed(self, loop: asyncio.AbstractEventLoop, error: OSError) -> None:
        if error.errno in _TRANSIENT:
            return
        loop.remove_reader(self._listener)
        if error.errno in _OUT_OF_RESOURCES:
            # The listener stays readable; reading on at once would turn the loop into a spin.
            log.error("UAPI: cannot accept a connection: %s; trying again in a second", error.strerror)
            self._resume = loop.call_later(_ACCEPT_PAUSE, loop.add_reader, self._listener, self._accept)
        else:
            log.error("UAPI: cannot accept connections any more: %s", error.strerror)
            self._on_failed(error)

    def _make_room(self) -> None:
        if len(self._connections) >= self._max_connections:
            quietest = min(self._connections, key=lambda connection: connection.last_active)
            self._connections.discard(quietest)
            quietest.task.cancel()


class _Connection:
    """One client. Its task ends when the client hangs up, asks for what we do not know, or is evicted."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler: UapiHandler,
        sock: socket.socket,
        others: "set[_Connection]",
    ) -> None:
        self._loop = loop
        self._handler = handler
        self._sock = sock
        self._others = others
        self.last_active = loop.time()
        sock.setblocking(False)
        others.add(self)
        self.task = loop.create_task(self._serve())
        # Not in the task: one that is cancelled before its first step would never get there.
        self.task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._others.discard(self)
        self._sock.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            _report("a connection broke off", describe(error))

    async def _serve(self) -> None:
        # Whoever hung up does not want the rest.
        with suppress(ConnectionError):
            async with aclosing(self._lines()) as lines:
                await self._serve_operations(lines)

    async def _serve_operations(self, lines: AsyncIterator[str]) -> None:
        questions: dict[str, Callable[[], Iterator[str]]] = {
            "get=1": lambda: state_lines(self._handler.get_state()),
            "get_status=1": lambda: status_lines(self._handler.get_status()),
        }
        async for operation in lines:
            if operation == "set=1":
                await self._set(lines)
            elif operation not in questions:
                log.debug("UAPI: unknown operation; closing the connection")
                return
            elif not await self._answer(lines, questions[operation]):
                return

    async def _set(self, lines: AsyncIterator[str]) -> None:
        parser = SetParser()
        async for line in lines:
            if not line:
                break
            parser.feed(line)
        parsed = parser.finish()
        failure = self._apply(parsed.change)
        if not failure and parsed.error is not None:
            _report("set refused", str(parsed.error))
            failure = parsed.error.errno
        await self._send([f"errno={-failure}", ""])

    def _apply(self, change: DeviceChange) -> int:
        """Returns 0 or the errno of the failure."""
        try:
            self._handler.apply(change)
        except ApplyError as error:
            _report("set failed", str(error))
            return error.errno
        except Exception as error:  # noqa: BLE001 (a fault of the device must not end its server)
            _report("set failed", describe(error))
            return errno.EIO
        return 0

    async def _answer(self, lines: AsyncIterator[str], ask: Callable[[], Iterator[str]]) -> bool:
        """Read the end of a get and reply. False if the client hung up before the end."""
        trailing = False
        async for line in lines:
            if not line:
                break
            trailing = True
        else:
            return False
        failure = 0
        if trailing:
            _report("get refused", "expected an empty line after it")
            failure = errno.EINVAL
        else:
            failure = await self._send_all(ask)
        await self._send([f"errno={failure}", ""])
        return True

    async def _send_all(self, ask: Callable[[], Iterator[str]]) -> int:
        """Send the lines in pieces, for there may be 10^5 of them. Returns 0 or an errno."""
        try:
            answer = ask()
            while piece := list(islice(answer, _LINES_PER_WRITE)):
                await self._send(piece)
                # sock_sendall does not give way while the client keeps up.
                await asyncio.sleep(0)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 (a fault of the device must not end its server)
            _report("get failed", describe(error))
            return errno.EIO
        return 0

    async def _send(self, lines: list[str]) -> None:
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        await self._loop.sock_sendall(self._sock, data)
        self.last_active = self._loop.time()

    async def _lines(self) -> AsyncGenerator[str, None]:
        """Lines without their newline, the last one also if it lacks one, until the client hangs up.

        A line that is too long comes cut to one character more than allowed; whoever reads it refuses it.
        """
        kept = b""
        while data := await self._receive():
            pieces = data.split(b"\n")
            pieces[0] = kept + pieces[0]
            kept = pieces.pop()[: MAX_LINE + 1]
            for line in pieces:
                yield line[: MAX_LINE + 1].decode("ascii", "replace")
        if kept:
            yield kept.decode("ascii", "replace")

    async def _receive(self) -> bytes:
        # sock_recv does not give way while the client keeps up.
        await asyncio.sleep(0)
        try:
            data = await self._loop.sock_recv(self._sock, _READ_SIZE)
        except ConnectionError:
            return b""
        self.last_active = self._loop.time()
        return data


def _report(what: str, why: str) -> None:
    log.error("UAPI: %s: %s", what, why)
