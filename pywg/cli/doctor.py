"""``pywg doctor``: why is my tunnel not up?

In: the words after it. Out: one sentence per cause and what to do, as text or JSON, and an exit status. Rule
kept: nothing is changed.
"""

import shutil
from collections.abc import Sequence
from typing import Final

from pywg.cli.options import Taken, UsageError, take
from pywg.cli.output import put, tell, wants_color, wrong_use

JSON: Final = "--json"


def main(words: Sequence[str]) -> int:
    """Returns the exit status."""
    from pywg.config.model import ConfigError  # noqa: PLC0415 (import time)
    from pywg.doctor.judge import NOT_LOOKED, exit_status, judge  # noqa: PLC0415 (import time)
    from pywg.doctor.look import look  # noqa: PLC0415 (import time)
    from pywg.uapi.client import UapiError  # noqa: PLC0415 (import time)

    try:
        taken = parse(words)
    except UsageError as error:
        wrong_use("doctor", str(error))
        return NOT_LOOKED
    try:
        findings = judge(look(taken.words[0] if taken.words else None))
    except (ConfigError, UapiError, OSError) as error:
        tell(str(error))
        return NOT_LOOKED
    status = exit_status(findings)
    if JSON in taken.flags:
        import json  # noqa: PLC0415 (only this form needs it)

        from pywg.doctor.render import as_json  # noqa: PLC0415 (as above)

        return put(json.dumps(as_json(findings, status), indent=2) + "\n") or status
    from pywg.doctor.render import text  # noqa: PLC0415 (as above)

    width = min(shutil.get_terminal_size().columns, 100)
    return put(text(findings, width=width, color=wants_color())) or status


def parse(words: Sequence[str]) -> Taken:
    """`JSON`, and at most one word. Raises UsageError."""
    taken = take(words, flags=(JSON,))
    if len(taken.words) > 1:
        raise UsageError(f"expected at most one interface or file, got {len(taken.words)}")
    return taken
