"""``pywg --version``: the version, and which engine would carry packets here and why."""

import os
from collections.abc import Sequence

from pywg import __version__
from pywg.cli.output import put, tell, wrong_use


def main(arguments: Sequence[str]) -> int:
    """Takes no arguments."""
    if arguments:
        return wrong_use("version", f"version takes no argument, got '{arguments[0]}'")
    from pywg.engine.choose import EngineUnavailableError, describe_choice, native_cipher  # noqa: PLC0415 (not needed above)

    try:
        name, why = describe_choice(os.environ.get("PYWG_ENGINE") or "auto")
    except EngineUnavailableError as error:
        tell(str(error))
        return 1
    cipher = f"; cipher: {native_cipher()}" if name == "native" else ""
    return put(f"pywg {__version__}\nengine: {name} ({why}{cipher})\n")
