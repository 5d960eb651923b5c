"""``pywg doctor``: why is my tunnel not up?

In: the words after it. Out: one sentence per cause and what to do, as text or JSON, and an exit status. Rule
kept: nothing is changed.
"""

import shutil
from collections.abc import Sequence

from pywg.cli.output import put, tell, wants_color, wrong_use


def main(words: Sequence[str]) -> int:
    """Returns the exit status."""
    from pywg.config.model import ConfigError  # noqa: PLC0415 (import time)
    from pywg.doctor.judge import NOT_LOOKED, exit_status, judge  # noqa: PLC0415 (import time)
    from pywg.doctor.look import look  # noqa: PLC0415 (import time)
    from pywg.uapi.client import UapiError  # noqa: PLC0415 (import time)

    named = [word for word in words if word != "--json"]
    if len(named) > 1 or any(word.startswith("-") for word in named):
        wrong_use("doctor")
        return NOT_LOOKED
    try:
        findings = judge(look(named[0] if named else None))
    except (ConfigError, UapiError, OSError) as error:
        tell(str(error))
        return NOT_LOOKED
    status = exit_status(findings)
    if "--json" in words:
        import json  # noqa: PLC0415 (only this form needs it)

        from pywg.doctor.render import as_json  # noqa: PLC0415 (as above)

        return put(json.dumps(as_json(findings, status), indent=2) + "\n") or status
    from pywg.doctor.render import text  # noqa: PLC0415 (as above)

    width = min(shutil.get_terminal_size().columns, 100)
    return put(text(findings, width=width, color=wants_color())) or status
