"""``python -m tests.daemon.faulty_daemon -f INTERFACE``: pywg with the native engine, which fails on demand.

Comes in: pywg's own command line, and signals: SIGUSR1 lets the outbound thread meet a fault, SIGUSR2 the
inbound one. Goes out: the same service. Rule: tests only.
"""

import asyncio
import signal
import sys
from typing import Any
from unittest.mock import patch

from pywg.cli import daemon
from pywg.daemon import service
from pywg.engine.choose import Choice, create_engine
from pywg.engine.native import NativeEngine


def create_faulty(*arguments: Any, **named: Any) -> Choice:
    """As `create_engine`."""
    choice = create_engine(*arguments, **named)
    engine = choice.engine
    assert isinstance(engine, NativeEngine)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, lambda: engine.fault(of_first=False))
    loop.add_signal_handler(signal.SIGUSR2, lambda: engine.fault(of_first=True))
    return choice


if __name__ == "__main__":
    with patch.object(service, "create_engine", create_faulty):
        sys.exit(daemon.main(sys.argv[1:]))
