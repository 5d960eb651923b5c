"""Fixtures of the tests with real networks: a laboratory per test, the sweep after killed runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.needs import need, need_root
from tests.netns.lab import Lab
from tests.netns.namespace import sweep_leftovers


@pytest.fixture(scope="session", autouse=True)
def _swept() -> None:
    need_root()
    need("ip", "wg", "nsenter", "ping")
    for name in sweep_leftovers():
        print(f"left behind by a run that is dead, deleted: {name}")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Namespaces and daemons, gone at the end of the test."""
    with Lab(tmp_path) as laboratory:
        yield laboratory
