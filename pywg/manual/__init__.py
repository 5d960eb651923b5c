"""What pywg says of itself: one source for ``--help``, the manual page and the completion of three shells."""

from pathlib import Path
from typing import Final

SHARE: Final = Path(__file__).resolve().parents[1] / "share"
"""Where lies what is made from the manual, and the systemd units."""
