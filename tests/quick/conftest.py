"""Fixtures for tests of `up` and `down` on the system's own interfaces, in namespaces."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.needs import need, need_root
from tests.netns.lab import Lab
from tests.netns.namespace import sweep_leftovers
from tests.quick.room import Room


@pytest.fixture(scope="session")
def swept() -> None:
    """Whoever makes namespaces sweeps away what a killed run has left behind."""
    need_root()
    need("ip", "wg", "nft", "nsenter", "unshare", "ping")
    for name in sweep_leftovers():
        print(f"left behind by a run that is dead, deleted: {name}")


@pytest.fixture
def lab(swept: None, tmp_path: Path) -> Iterator[Lab]:
    """Namespaces, gone at the end of the test. The engine is whatever pywg chooses."""
    with Lab(tmp_path) as laboratory:
        yield laboratory


@pytest.fixture(scope="module")
def room(swept: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """One for all tests of a module: each leaves it as it was."""
    need("setpriv")
    made = Room.create(tmp_path_factory.mktemp("rooms") / "room")
    yield made
    made.close()
