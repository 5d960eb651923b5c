"""The keys and signals of a terminal, one moment at a time; `test_command` sees the whole of it."""

import os
import sys
import termios

import pytest

from pywg.monitor.terminal import Event, Terminal


def test_ctrl_c_does_not_take_away_the_keys_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # A terminal throws its input away when a key makes a signal. If that comes between select, which says
    # that a key is there, and the read of it, the read waits for ever.
    ours, theirs = os.openpty()
    before = termios.tcgetattr(theirs)
    with os.fdopen(theirs, "rb", buffering=0) as keyboard:
        monkeypatch.setattr(sys, "stdin", keyboard)
        with Terminal() as terminal:
            # The signal reaches nobody: this terminal controls no process.
            os.write(ours, b"q\x03")
            assert terminal.wait(10.0) is Event.END
            assert terminal.wait(0.0) is Event.TIME
        assert termios.tcgetattr(theirs) == before
    os.close(ours)
