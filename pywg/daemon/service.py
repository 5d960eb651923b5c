"""One interface's life in this process: a loop with device, UAPI server, link monitor, alarm and signals.

In: the opened descriptors. Out: nothing until it is told to end, by one of END_SIGNALS, by its interface
or its socket file going away, or by a failure of either; then the socket file is removed. In the foreground a
service manager is told when everything answers and when the end begins. An exception that reaches the loop is
told by type and place only, for its message and the values around it may be secret.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from pywg.boottime_timer import create_scheduler
from pywg.clock import SystemClock
from pywg.daemon.errors import StartError
from pywg.daemon.notify import Notifier
from pywg.daemon.opening import Opened
from pywg.daemon.signals import END_SIGNALS
from pywg.device import Device
from pywg.engine.choose import EngineUnavailableError, create_engine
from pywg.engine.contract import Failure
from pywg.log import Log, StreamLog, Syslog, describe, level_of, route_logging
from pywg.net.port import LinkState, MonitorCallbacks
from pywg.platform import SystemLinkMonitor, open_sockets
from pywg.process import harden
from pywg.protocol.constants import DEFAULT_MTU, Limits
from pywg.uapi.server import UapiServer


def run_service(opened: Opened, announce: Callable[[], None], *, in_background: bool) -> None:
    """Run until told to end. `announce` is called once everything answers. Raises StartError."""
    harden()
    log = StreamLog(
        opened.name,
        level_of(os.environ.get("LOG_LEVEL")),
        also_errors=Syslog() if in_background else None,
    )
    route_logging(log)
    manager = Notifier.from_environment(os.environ)
    if in_background:
        manager = Notifier(None)  # It waits for the process that started us.
    try:
        asyncio.run(_Service(opened, log, manager).run(announce), debug=False)
    except EngineUnavailableError as error:
        raise StartError(str(error)) from None
    except StartError:
        raise
    except Exception as error:  # noqa: BLE001 (the last place to keep a secret out of a traceback)
        raise StartError(f"{opened.name} cannot go on: {describe(error)}; please report this") from None


class _Service:
    """What the loop holds, put together and taken apart in order."""

    def __init__(self, opened: Opened, log: Log, manager: Notifier) -> None:
        self._opened = opened
        self._log = log
        self._manager = manager
        self._clock = SystemClock()
        self._ended = asyncio.Event()
        self._why_ended = ""

    async def run(self, announce: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._loop_failed)
        for number in END_SIGNALS:
            loop.add_signal_handler(number, self._end, f"received {number.name}")
        async with AsyncExitStack() as stack:
            device = self._make_device(loop, stack)
            server = UapiServer(
                device,
                self._opened.uapi,
                on_deleted=lambda: self._end("the UAPI socket was deleted"),
                on_failed=self._listener_failed,
            )
            stack.push_async_callback(server.close)
            self._watch_link(loop, stack, device)
            server.start()
            announce()
            self._manager.ready(f"{self._opened.name} answers; engine: {device.get_status().engine}")
            await self._ended.wait()
            self._manager.stopping(self._why_ended)

    def _make_device(self, loop: asyncio.AbstractEventLoop, stack: AsyncExitStack) -> Device:
        limits = Limits()
        choice = create_engine(
            os.environ.get("PYWG_ENGINE") or "auto",
            limits=limits,
            clock=self._clock,
            mtu=DEFAULT_MTU,
            tun=self._opened.tun,
            reactor=loop,
        )

        def wake() -> None:  # The device is made after its alarm.
            device.on_timer()

        scheduler = create_scheduler(loop, wake, self._clock)
        stack.callback(scheduler.close)
        device = Device(
            engine=choice.engine,
            why=choice.why,
            clock=self._clock,
            scheduler=scheduler,
            random_bytes=os.urandom,
            open_sockets=open_sockets,
            log=self._log,
            limits=limits,
            on_failure=self._engine_failed,
        )
        stack.callback(device.close)
        loop.add_reader(choice.engine, device.on_engine_ready)
        stack.callback(loop.remove_reader, choice.engine)
        choice.engine.start()
        return device

    def _watch_link(self, loop: asyncio.AbstractEventLoop, stack: AsyncExitStack, device: Device) -> None:
        def changed(state: LinkState) -> None:
            device.set_mtu(state.mtu)
            if state.up:
                device.link_up()
            else:
                device.link_down()

        callbacks = MonitorCallbacks(
            on_change=changed,
            on_route_change=lambda: device.route_changed(monitor.route_interface),
            on_gone=lambda: self._end("the interface was deleted"),
        )
        try:
            monitor = SystemLinkMonitor(self._opened.tun.fileno(), callbacks)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            raise StartError(f"the interface {self._opened.name} was deleted while it started") from None
        stack.callback(monitor.close)
        loop.add_reader(monitor, monitor.on_readable)
        stack.callback(loop.remove_reader, monitor)
        changed(monitor.state)

    def _end(self, why: str) -> None:
        if not self._ended.is_set():
            self._log.verbose(f"ends: {why}")
            self._why_ended = why
            self._ended.set()

    def _engine_failed(self, failure: Failure) -> None:
        """Reading from a TUN whose interface was deleted fails with EBADFD, often before netlink tells."""
        if failure.part.endswith("_segments"):
            self._log.verbose(f"{failure.part}: the kernel refuses them here; going on with single packets")
            return
        if failure.part == "engine" and not failure.errno:
            self._log.error(
                "the engine met a fault of its own and dropped a batch of packets; please report this"
            )
            return
        what = f"{failure.part} failed: {os.strerror(failure.errno)}"
        if failure.errno != getattr(errno, "EBADFD", None):
            self._log.error(f"{what}; the daemon ends")
        self._end(what)

    def _listener_failed(self, error: OSError) -> None:
        what = f"the UAPI socket failed: {error.strerror}"
        self._log.error(f"{what}; the daemon ends")
        self._end(what)

    def _loop_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """asyncio's own handler would log the context, which holds `repr`s and messages."""
        error = context.get("exception")
        what = "asyncio reports a mistake of ours" if error is None else describe(error)
        self._log.error(f"unforeseen: {what}; please report this")
