"""``pywg show`` and ``showconf``: in the words, out what interfaces tell, byte for byte as wg(8) prints it.

Rules kept: the forms and exit statuses of wg(8), show.c; of several interfaces one that cannot be read does
not hold up the others. Unlike wg, which has the directory's order, we sort them by name.
"""

import os
import time
from collections.abc import Sequence
from typing import Final

from pywg.cli.options import UsageError, take
from pywg.cli.output import put, tell, tell_usage, wants_color, wrong_use
from pywg.control import interfaces, open_control
from pywg.show.fields import FIELDS, field_text
from pywg.show.pretty import pretty
from pywg.uapi.client import UapiError
from pywg.uapi.model import DeviceState

JSON: Final = "--json"


def show(words: Sequence[str]) -> int:
    """Returns the exit status."""
    try:
        taken = take(words, flags=(JSON,))
        return _show_as_json(taken.words) if JSON in taken.flags else _show(taken.words)
    except UsageError as error:
        return wrong_use("show", str(error))
    except UapiError as error:
        tell(str(error))
        return 1


def _show(words: Sequence[str]) -> int:
    """Raises UsageError and UapiError."""
    match words:
        case [] | ["all"]:
            return _all()
        case ["help"]:
            return _help()
        case ["interfaces"]:
            return _interfaces()
        case ["all", field]:
            return _all(field)
        case [name] | [name, _] if name != "interfaces":
            return _one(*words)
        case _:
            raise UsageError("expected at most an interface and a field, and nothing after 'interfaces'")


def _show_as_json(words: Sequence[str]) -> int:
    """Raises UsageError and UapiError."""
    match words:
        case [] | ["all"]:
            return _all_as_json()
        case [name] if name != "interfaces":
            return _one_as_json(name)
        case _:
            raise UsageError(f"with {JSON} expected an interface or 'all', and no field")


def showconf(words: Sequence[str]) -> int:
    """Returns the exit status."""
    from pywg.show.conf import showconf as conf_of  # noqa: PLC0415 (show does not need it)

    if len(words) != 1:
        return wrong_use("showconf", "expected one interface")
    try:
        state = open_control(words[0]).get()
    except UapiError as error:
        tell(str(error))
        return 1
    return put(conf_of(state))


def _help() -> int:
    """Asked for in wg's way: standard error, and yet success."""
    tell_usage("show")
    return 0


def _interfaces() -> int:
    names = interfaces()
    return put(" ".join(names) + "\n") if names else 0


def _one(name: str, field: str | None = None) -> int:
    return _put(name, open_control(name).get(), field)


def _one_as_json(name: str) -> int:
    return _put_json({name: open_control(name).get()})


def _all(field: str | None = None) -> int:
    names = interfaces()
    status = 1 if names else 0
    for name in names:
        state = _state(name)
        if state is not None:
            is_last = field is not None or name == names[-1]
            status = _put(name, state, field, with_name=True) or (0 if is_last else put("\n"))
            if status:
                break
    return status


def _all_as_json() -> int:
    names = interfaces()
    states = {name: state for name in names if (state := _state(name)) is not None}
    return _put_json(states) or (1 if names and not states else 0)


def _state(name: str) -> DeviceState | None:
    """One of several, whose failure is told and does not hold up the others."""
    try:
        return open_control(name).get()
    except UapiError as error:
        tell(str(error))
        return None


def _put(name: str, state: DeviceState, field: str | None, *, with_name: bool = False) -> int:
    """All of it for people, or one field for scripts. Raises UsageError if there is no such field."""
    if field is None:
        now = time.time_ns()
        return put(pretty(name, state, now=now, hide_keys=_hides_keys(), color=wants_color()))
    if field not in FIELDS:
        from pywg.config.values import quoted  # noqa: PLC0415 (only wrong use needs it)

        raise UsageError(f"unknown field {quoted(field)}; expected one of {', '.join(FIELDS)}")
    return put(field_text(field, state, name=name if with_name else ""))


def _put_json(states: dict[str, DeviceState]) -> int:
    import json  # noqa: PLC0415 (only this form needs it)

    from pywg.show.as_json import json_form  # noqa: PLC0415 (as above)

    forms = {name: json_form(state, hide_keys=_hides_keys()) for name, state in states.items()}
    return put(json.dumps(forms, indent="\t") + "\n")


def _hides_keys() -> bool:
    return os.environ.get("WG_HIDE_KEYS") != "never"
