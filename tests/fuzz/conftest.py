"""The fuzzers drive simulated machines."""

from tests.simulation.conftest import stop_machines

__all__ = ["stop_machines"]
