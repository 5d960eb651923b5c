"""A fault of the native engine's own is told, and the daemon lives on."""

import os
import signal
from pathlib import Path

import pytest

from tests.daemon.conftest import Place
from tests.netns.wait import until


@pytest.mark.parametrize("place", ["native"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2], ids=["helper", "first"])
def test_a_fault_of_a_thread_is_told_and_the_daemon_lives_on(
    place: Place, tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "log"

    def told() -> int:
        return log.read_text().count("error: the engine met a fault of its own")

    with place.foreground(log, "tests.daemon.faulty_daemon", LOG_LEVEL="error") as process:
        place.namespace.ip("link", "set", place.interface, "up")
        for count in range(3):
            os.kill(process.pid, number)
            until(lambda before=count: told() > before, "the fault is told", seconds=15)  # type: ignore[misc]
            assert process.poll() is None, log.read_text()
            assert place.answers()
        process.terminate()
        assert process.wait(15) == 0
    assert told() == 3
    place.assert_gone()
