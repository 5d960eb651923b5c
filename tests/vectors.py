"""Known answers: `load("kdf")` reads ``vectors/kdf.json``. Their form is told in ``vectors/README.md``."""

import json
from pathlib import Path
from typing import Any, Final

DIRECTORY: Final = Path(__file__).resolve().parent.parent / "vectors"


def load(name: str) -> Any:
    """The parsed file ``vectors/NAME.json``."""
    return json.loads((DIRECTORY / f"{name}.json").read_text(encoding="utf-8"))
