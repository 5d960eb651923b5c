"""The rounds: each subject in turn, a line for each step, whatever fails noted and passed over.

In: the plan. Out: `Results`. A daemon that runs on the wrong engine ends the run: nothing of it may be
believed.
"""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from bench.errors import BenchError, WrongEngineError
from bench.figures import Results
from bench.floor import CipherCost
from bench.lab import tunnel
from bench.metrics import METRICS
from bench.plan import Turn
from bench.subjects import Daemon
from bench.workloads import WORKLOADS, Context
from pywg.demo.say import DemoError
from pywg.uapi.client import UapiError

_FAILURES = (BenchError, DemoError, UapiError, OSError, subprocess.SubprocessError)


class Run:
    """One run of the benchmark."""

    def __init__(self, context: Context, planned: Sequence[Turn]) -> None:
        self._context, self._planned = context, planned
        self._begun = time.monotonic()
        self.results = Results()

    def go(self, cipher: CipherCost | None) -> None:
        """All turns; `cipher` is measured once a round. Raises WrongEngineError."""
        last = max((turn.round for turn in self._planned), default=0)
        before = 0
        for turn in self._planned:
            if cipher is not None and turn.round != before:
                self._step(f"round {turn.round}/{last}  cipher", "cipher", cipher.measure)
                before = turn.round
            self._take(turn, f"round {turn.round}/{last}  {turn.subject.name}")

    def _take(self, turn: Turn, where: str) -> None:
        subject = turn.subject
        in_tunnel = [name for name in turn.workloads if WORKLOADS[name].in_tunnel is not None]
        if in_tunnel:
            with self._noted(f"{where}  set-up"), tunnel(subject) as connected:
                for name in in_tunnel:
                    measure = WORKLOADS[name].in_tunnel
                    assert measure is not None
                    self._step(
                        f"{where}  {name}",
                        subject.name,
                        partial(measure, self._context, subject, connected),
                    )
        for name in turn.workloads:
            alone = WORKLOADS[name].alone
            if alone is not None and isinstance(subject, Daemon):
                self._step(f"{where}  {name}", subject.name, partial(alone, self._context, subject))

    def _step(self, where: str, subject: str, measure: Callable[[], Mapping[str, float]]) -> None:
        with self._noted(where):
            measured = measure()
            self.results.add(subject, measured)
            self._say(f"{where}: {'; '.join(_in_words(key, value) for key, value in measured.items())}")

    def _noted(self, where: str) -> "_Noted":
        return _Noted(lambda problem: self._note(f"{where}: {problem}"))

    def _note(self, problem: str) -> None:
        self.results.problems.append(problem)
        self._say(f"*** {problem}")

    def _say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
        print(f"[{minutes:3}:{seconds:02}] {text}", flush=True)


class _Noted:
    """A `with` block whose failures are told and passed over."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, _FAILURES) or isinstance(error, WrongEngineError):
            return False
        self._tell(f"{error}".strip() or type(error).__name__)
        return True


def _in_words(key: str, value: float) -> str:
    metric = METRICS[key]
    return f"{key} {value:,.{metric.digits}f} {metric.unit}"
