"""The one way in which starting a daemon fails."""


class StartError(Exception):
    """What happened, what was expected, what to do next: one line, without secrets."""
