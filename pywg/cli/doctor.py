"""``pywg doctor``: why is my tunnel not up? In the words, out one sentence per cause and what to do.

    pywg doctor [INTERFACE | FILE] [--json]

Looks at the machine (root, /dev/net/tun, engine, clock), at one interface or, if none is named, at all
there are, and at each of their peers; also at /etc/wireguard/INTERFACE.conf or FILE, and then at an
interface that is not up as well. Works with pywg and, with less to tell, with other daemons and the
kernel's WireGuard. Changes nothing.

Marks: ``ok``, ``warning``, ``problem``. Exit status: 0 nothing is wrong, 1 something is, 2 it could not look.

--json: an object with ``status`` and ``findings``, each with ``code`` (of `doctor.findings.Code`; they
stay), ``severity`` (ok, warning, problem), ``interface``, ``peer`` (public key), ``endpoint``,
``sentence``, ``advice``; what does not apply is null.

Environment: WG_COLOR_MODE ``always`` or ``never``; anything else: colours on a terminal. PYWG_ENGINE as for a
daemon.
"""

import shutil
from collections.abc import Sequence
from typing import Final

from pywg.cli.output import put, tell, wants_color, wrong_use

NOT_LOOKED: Final = 2


def main(words: Sequence[str]) -> int:
    """Returns the exit status."""
    from pywg.config.model import ConfigError  # noqa: PLC0415 (import time)
    from pywg.doctor.judge import exit_status, judge  # noqa: PLC0415 (import time)
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
