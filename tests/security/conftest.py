"""Simulated machines, and engines over socketpairs as in tests/engine."""

from tests.engine.conftest import engine_name, make_rig, peer, rig
from tests.simulation.conftest import stop_machines

__all__ = ["engine_name", "make_rig", "peer", "rig", "stop_machines"]
