"""The signals that end a daemon, before its loop runs and while it does."""

import signal
from typing import Final

END_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
