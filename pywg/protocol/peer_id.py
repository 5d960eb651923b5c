"""The name of a peer on both sides of the seam between control plane and engine."""

from typing import NewType

PeerId = NewType("PeerId", int)
"""Never reused within a device."""
