"""Every test of this directory runs against every engine there is, through the contract alone."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from pywg.engine.choose import EngineUnavailableError, describe_choice
from pywg.protocol.constants import Limits
from tests.engine.rig import FarPeer, Rig


def _available() -> list[str]:
    engines = ["python"]
    with suppress(EngineUnavailableError):
        engines.append(describe_choice("native")[0])
    return engines


@pytest.fixture(params=_available())
def engine_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
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
