"""Every test of this directory runs on both engines, through the contract alone.

But for ``test_python_*.py``, which look at parts of the Python engine, and ``test_native_*.py``. In CI a
native engine that is missing fails the tests; elsewhere they are skipped and say so.
"""

from collections.abc import Callable, Iterator

import pytest

from pywg.protocol.constants import Limits
from tests.engine.rig import FarPeer, Rig
from tests.needs import ENGINES, need_engine


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    need_engine(name)
    return name


@pytest.fixture
def make_rig(engine_name: str) -> Iterator[Callable[[Limits | None], Rig]]:
    """For tests that want other limits."""
    made: list[Rig] = []

    def make(limits: Limits | None = None) -> Rig:
        made.append(Rig(engine_name, limits))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(make_rig: Callable[[Limits | None], Rig]) -> Rig:
    return make_rig(None)


@pytest.fixture
def peer(rig: Rig) -> FarPeer:
    """A peer that has 10.0.0.2/32 and fd00::2/128."""
    return rig.add("10.0.0.2/32", "fd00::2/128")
