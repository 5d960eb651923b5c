"""What can go wrong with a measurement."""


class BenchError(Exception):
    """Something could not be measured. The text is one line: what happened, what to do about it."""


class WrongEngineError(BenchError):
    """The daemon runs on another engine than was asked for: its figures would be worth nothing."""
