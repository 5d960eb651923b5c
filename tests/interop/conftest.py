"""Fixtures of the tests with real networks: a laboratory per test and engine, the sweep after killed runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.needs import ENGINES, need, need_engine, need_root
from tests.netns.lab import Lab
from tests.netns.namespace import sweep_leftovers


@pytest.fixture(scope="session", autouse=True)
def _swept() -> None:
    need_root()
    need("ip", "wg", "nsenter", "ping")
    for name in sweep_leftovers():
        print(f"left behind by a run that is dead, deleted: {name}")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine of every pywg that is started."""
    name: str = request.param
    need_engine(name)
    monkeypatch.setenv("PYWG_ENGINE", name)
    return name


@pytest.fixture
def lab(engine: str, tmp_path: Path) -> Iterator[Lab]:
    """Namespaces and daemons, gone at the end of the test, which runs once with each engine."""
    with Lab(tmp_path) as laboratory:
        yield laboratory


@pytest.fixture
def lab_of_both(tmp_path: Path) -> Iterator[Lab]:
    """For a test that chooses the engines of its daemons itself."""
    need_engine("native")
    with Lab(tmp_path) as laboratory:
        yield laboratory
