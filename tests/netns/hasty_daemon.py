"""``python -m tests.netns.hasty_daemon -f INTERFACE``: pywg whose sessions live seconds instead of minutes.

Comes in: pywg's own command line. Goes out: the same service with other `Limits`. Rule: tests only; nothing
in pywg itself can shrink them.
"""

import sys
from functools import partial
from unittest.mock import patch

from pywg.cli import daemon
from pywg.daemon import service
from pywg.protocol.constants import SECOND, Limits

REKEY_AFTER_SECONDS = 3

HASTY = partial(
    Limits,
    rekey_after_time=REKEY_AFTER_SECONDS * SECOND,
    reject_after_time=12 * SECOND,
    rekey_timeout=1 * SECOND,
    keepalive_timeout=2 * SECOND,
)

if __name__ == "__main__":
    with patch.object(service, "Limits", HASTY):
        sys.exit(daemon.main(sys.argv[1:]))
