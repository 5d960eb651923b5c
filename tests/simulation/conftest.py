"""Machines of a simulation hold a descriptor each: none may outlive its test."""

from collections.abc import Iterator

import pytest

from tests.simulation.world import Machine


@pytest.fixture(autouse=True)
def stop_machines() -> Iterator[None]:
    yield
    for machine in list(Machine.running):
        machine.stop()
