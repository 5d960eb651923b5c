"""``pywg --version``: the version, and which engine would carry packets here and why."""

import os
import sys
from collections.abc import Sequence

from pywg import __version__


def main(arguments: Sequence[str]) -> int:
    """Takes no arguments."""
    if arguments:
        sys.stderr.write(f"pywg: --version takes no argument, got '{arguments[0]}'\n")
        return 1
    from pywg.engine.choose import EngineUnavailableError, describe_choice, native_cipher  # noqa: PLC0415 (not needed above)

    try:
        name, why = describe_choice(os.environ.get("PYWG_ENGINE") or "auto")
    except EngineUnavailableError as error:
        sys.stderr.write(f"pywg: {error}\n")
        return 1
    cipher = f"; cipher: {native_cipher()}" if name == "native" else ""
    sys.stdout.write(f"pywg {__version__}\nengine: {name} ({why}{cipher})\n")
    return 0
