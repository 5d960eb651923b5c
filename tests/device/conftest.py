"""Two hosts, with each engine at both ends and with one at each."""

from collections.abc import Callable, Iterator

import pytest

from pywg.protocol.constants import Limits
from tests.device.host import Host
from tests.needs import need_engine

PAIRS = [("python", "python"), ("native", "native"), ("python", "native"), ("native", "python")]


@pytest.fixture(params=PAIRS, ids="-".join)
def engines(request: pytest.FixtureRequest) -> tuple[str, str]:
    pair: tuple[str, str] = request.param
    for name in pair:
        need_engine(name)
    return pair


@pytest.fixture
def make_hosts(engines: tuple[str, str]) -> Iterator[Callable[[Limits | None], tuple[Host, Host]]]:
    """For tests that want other limits."""
    made: list[Host] = []

    def make(limits: Limits | None = None) -> tuple[Host, Host]:
        one, two = (Host(engine, number, limits) for number, engine in enumerate(engines, 1))
        made.extend((one, two))
        one.knows(two)
        two.knows(one, endpoint=False)
        return one, two

    yield make
    for host in made:
        host.close()


@pytest.fixture
def hosts(make_hosts: Callable[[Limits | None], tuple[Host, Host]]) -> tuple[Host, Host]:
    """The first knows where the second is."""
    return make_hosts(None)
