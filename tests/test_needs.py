"""What a test lacks is told: a failure in CI, a skip elsewhere, and never silence."""

import pytest
from _pytest.outcomes import Failed, Skipped

from pywg.engine.choose import EngineUnavailableError
from tests import needs


@pytest.mark.parametrize(("ci", "outcome"), [("true", Failed), ("", Skipped)])
def test_a_missing_engine_is_told(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    def refuse(_preference: str) -> tuple[str, str]:
        raise EngineUnavailableError("no native engine: none was built here")

    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(needs, "describe_choice", refuse)
    with pytest.raises(outcome, match="NOT TESTED ON THE NATIVE ENGINE: no native engine"):
        needs.need_engine("native")


def test_another_engine_than_was_asked_for_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "describe_choice", lambda _preference: ("python", "why not"))
    with pytest.raises(AssertionError):
        needs.need_engine("native")
