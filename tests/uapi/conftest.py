import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.uapi.fake import Served


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short: the path of a socket has at most 107 bytes, and pytest's own are longer on a Mac."""
    with tempfile.TemporaryDirectory(prefix="pywg-t-") as made:
        yield Path(made)


@pytest.fixture
def served(directory: Path) -> Iterator[Served]:
    with Served("wgt0", directory) as running:
        yield running
        assert running.unhandled == []
