"""Notes of what is to be undone, where nobody could know from the system itself.

In: a name and a text. Out: a file, gone when the machine is started anew. Rules kept: only root has a look at
them; a note is there whole or not at all. Whoever writes one does so before the change it tells of, and
removes it after that is undone, so that nothing is forgotten whatever happens in between.
"""

import sys
from pathlib import Path
from typing import Final

DIRECTORY: Final = Path("/var/run/pywg" if sys.platform == "darwin" else "/run/pywg")


class Notes:
    """Those of one machine."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self.directory = directory

    def make_directory(self) -> None:
        """If it is not there. Raises OSError."""
        self.directory.mkdir(mode=0o700, exist_ok=True)

    def write(self, name: str, text: str = "") -> None:
        """Raises OSError."""
        self.make_directory()
        unfinished = self.directory / f"{name}.new"
        unfinished.touch(mode=0o600)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(self.directory / name)

    def read(self, name: str) -> str | None:
        """None if there is no such note."""
        try:
            return (self.directory / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def remove(self, name: str) -> None:
        """Nothing happens if there is no such note. Raises OSError."""
        (self.directory / name).unlink(missing_ok=True)
