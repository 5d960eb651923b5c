"""How to undo what was done: in reverse order, all of it, whatever fails on the way."""

from collections.abc import Iterable
from typing import Final

from pywg.log import describe
from pywg.net.resolve import Tell
from pywg.net.system import NetworkError, Step
from pywg.quick.errors import QuickError
from pywg.uapi.client import UapiError

_EXPECTED: Final = (NetworkError, UapiError, QuickError, OSError)


def do_all(steps: Iterable[Step], tell: Tell) -> bool:
    """Do each of them, also after one has failed, which is told. Returns whether none has."""
    good = True
    for step in steps:
        try:
            step.do()
        except Exception as error:  # noqa: BLE001 (the steps that are left count for more than a fault of ours)
            good = False
            reason = str(error) if isinstance(error, _EXPECTED) else f"unforeseen: {describe(error)}"
            tell(f"could not {step.what}: {reason}")
    return good


class Undo:
    """What `up` has to take back if it fails."""

    def __init__(self, tell: Tell) -> None:
        self._steps: list[Step] = []
        self._tell = tell

    def register(self, step: Step) -> None:
        """Register a step before doing what it undoes, unless that fails without a trace."""
        self._steps.append(step)

    def run(self) -> None:
        """Undo all. What cannot be undone is told; nothing is raised."""
        do_all(reversed(self._steps), self._tell)
        self._steps.clear()
