"""pywg/log.py: what is said, how peers are named, and that neither a full pipe nor a secret gets anywhere."""

import base64
import logging
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pywg.log import LONGEST_LINE, Level, StreamLog, Syslog, describe, level_of, peer_name, route_logging


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        (None, Level.ERROR),
        ("", Level.ERROR),
        ("error", Level.ERROR),
        ("verbose", Level.VERBOSE),
        ("debug", Level.VERBOSE),
        ("DEBUG", Level.VERBOSE),
        ("silent", Level.SILENT),
        ("loud", Level.ERROR),
    ],
)
def test_level_of(text: str | None, level: Level) -> None:
    assert level_of(text) is level


def test_peer_is_named_by_the_first_and_last_characters_of_its_key() -> None:
    key = base64.b64decode("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=")
    assert peer_name(key) == "peer(xTIB...p8Dg)"


@pytest.mark.parametrize(
    ("level", "shown"),
    [(Level.SILENT, []), (Level.ERROR, ["bad"]), (Level.VERBOSE, ["fine", "bad"])],
)
def test_level_decides_what_is_shown(pipe: tuple[int, int], level: Level, shown: list[str]) -> None:
    told: list[str] = []
    log = StreamLog("wg0", level, descriptor=pipe[1], also_errors=told.append)
    log.verbose("fine")
    log.error("bad")
    os.write(pipe[1], b"end\n")
    lines = os.read(pipe[0], 4096).decode().splitlines()
    assert [line.split()[-1] for line in lines] == [*shown, "end"]
    assert told == (["wg0: bad"] if level is not Level.SILENT else [])


def test_line_has_time_name_and_mark(pipe: tuple[int, int]) -> None:
    StreamLog("wg0", Level.ERROR, descriptor=pipe[1]).error("port 1 is in use")
    line = os.read(pipe[0], 4096).decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d wg0: error: port 1 is in use\n", line)


def test_text_cannot_forge_a_line_or_steer_a_terminal(pipe: tuple[int, int]) -> None:
    StreamLog("wg0", Level.ERROR, descriptor=pipe[1]).error("a\nb\x1b[31m")
    line = os.read(pipe[0], 4096).decode()
    assert line.endswith("error: a?b?[31m\n")
    assert line.count("\n") == 1


def test_long_line_is_cut(pipe: tuple[int, int]) -> None:
    StreamLog("wg0", Level.ERROR, descriptor=pipe[1]).error("x" * 5000)
    line = os.read(pipe[0], 8192)
    assert len(line) == LONGEST_LINE
    assert line.endswith(b"x...\n")


def test_full_pipe_loses_lines_and_says_how_many(pipe: tuple[int, int]) -> None:
    log = StreamLog("wg0", Level.VERBOSE, descriptor=pipe[1])
    for _ in range(2000):
        log.verbose("x" * 500)  # would block for ever if it waited
    os.set_blocking(pipe[0], False)
    written = b""
    try:
        while True:
            written += os.read(pipe[0], 1 << 20)
    except BlockingIOError:
        pass
    log.verbose("again")
    found = re.search(rb"\((\d+) lines lost\) again\n", os.read(pipe[0], 4096))
    assert found is not None
    assert int(found[1]) == 2000 - written.count(b"\n") > 0


def test_closed_stream_is_no_error() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    log = StreamLog("wg0", Level.ERROR, descriptor=write_end)
    log.error("nobody reads")
    os.close(write_end)
    log.error("nothing to write to")


def test_syslog_gets_one_datagram(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        Syslog(path)("wg0: bad")
        assert receiver.recv(4096) == b"<27>pywg[%d]: wg0: bad" % os.getpid()


def test_syslog_that_is_absent_or_stuck_is_no_error(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    Syslog(path)("nobody listens")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        for _ in range(2000):
            Syslog(path)("x" * 900)  # would block for ever if it waited


def _fail_on(value: str) -> None:
    raise ValueError(value)


def test_exception_is_told_by_type_and_place_only() -> None:
    with pytest.raises(ValueError, match="canary") as caught:
        _fail_on("canary-5f0c")
    assert re.fullmatch(r"ValueError in \S*test_log\.py:\d+ _fail_on", describe(caught.value))


def test_exception_place_is_the_innermost_of_ours() -> None:
    with pytest.raises(TypeError) as caught:
        peer_name("no bytes")  # type: ignore[arg-type]  # that is the mistake
    assert re.fullmatch(r"TypeError in base64_key\.py:\d+ key_to_base64", describe(caught.value))


def test_logging_of_the_library_goes_the_same_way(pipe: tuple[int, int]) -> None:
    """Ours in full; what others fill in after their fixed text may be anything, so it is left out."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.getLogger("pywg").level, logging.raiseExceptions)
    try:
        route_logging(StreamLog("wg0", Level.VERBOSE, descriptor=pipe[1]))
        logging.getLogger("pywg.uapi").error("refused: line %d", 3)
        logging.getLogger("pywg.uapi").debug("closed")
        logging.getLogger("asyncio").error("failed: %r", "canary-5f0c")
        logging.getLogger("asyncio").debug("chatter")
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        logging.getLogger("pywg").setLevel(before[2])
        logging.raiseExceptions = before[3]
    said = [line.partition("wg0: ")[2] for line in os.read(pipe[0], 4096).decode().splitlines()]
    assert said == ["error: refused: line 3", "closed", "error: asyncio: failed: %r"]


def test_os_error_keeps_its_number() -> None:
    assert describe(OSError(9, "canary")).startswith("OSError EBADF in")
