"""``pywg show`` and ``showconf``: in the words, out what interfaces tell, byte for byte as wg(8) prints it.

    pywg show [INTERFACE | all | interfaces] [--json]
    pywg show {INTERFACE | all} FIELD
    pywg showconf INTERFACE

Without words, all interfaces, sorted by name (wg has the directory's order). One that cannot be read is told
on standard error and the others are shown; the exit status is 1 only if none could be read, as with wg. FIELD
is one of `uapi.show_fields.FIELDS`; after ``all``, the interface's name is the first column.

--json: an object by interface, in it one by peer's public key, with the names of wireguard-tools' wg-json
(publicKey, listenPort, latestHandshake, transferRx, allowedIps ...). Private and preshared keys are in it
only with WG_HIDE_KEYS=never; else they are left out, and not "(hidden)".

Environment: WG_COLOR_MODE ``always`` or ``never``; anything else: colours on a terminal. WG_HIDE_KEYS
``never`` shows private and preshared keys, anything else hides them; fields, ``dump`` and showconf tell them
in any case.
"""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial

from pywg.cli.output import put, tell, wants_color, wrong_use
from pywg.control import interfaces, open_control
from pywg.show.fields import FIELDS, field_text
from pywg.show.pretty import pretty
from pywg.uapi.client import UapiError
from pywg.uapi.model import DeviceState


def show(words: Sequence[str]) -> int:
    """Returns the exit status."""
    try:
        return _action(words)()
    except UapiError as error:
        tell(str(error))
        return 1


def _action(words: Sequence[str]) -> Callable[[], int]:
    """What is to be done, which may raise UapiError and returns an exit status."""
    as_json = "--json" in words
    action: Callable[[], int] = partial(wrong_use, "show")
    match [word for word in words if word != "--json"]:
        case [] | ["all"]:
            action = _all_as_json if as_json else _all
        case ["interfaces"] if not as_json:
            action = _interfaces
        case ["interfaces", *_]:
            pass
        case ["help"]:
            action = _help
        case [name]:
            action = partial(_one_as_json if as_json else _one, name)
        case ["all", field] if not as_json:
            action = partial(_all, field)
        case [name, field] if not as_json:
            action = partial(_one, name, field)
    return action


def showconf(words: Sequence[str]) -> int:
    """Returns the exit status."""
    from pywg.show.conf import showconf as conf_of  # noqa: PLC0415 (show needs nothing of configurations)

    if len(words) != 1:
        return wrong_use("showconf")
    try:
        state = open_control(words[0]).get()
    except UapiError as error:
        tell(str(error))
        return 1
    return put(conf_of(state))


def _help() -> int:
    """Asked for in wg's way: standard error, and yet success."""
    wrong_use("show")
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
    """All of it for people, or one field for scripts."""
    if field is None:
        now = time.time_ns()
        return put(pretty(name, state, now=now, hide_keys=_hides_keys(), color=wants_color()))
    if field not in FIELDS:
        return wrong_use("show", f"show: unknown field {field!r}; expected one of {', '.join(FIELDS)}")
    return put(field_text(field, state, name=name if with_name else ""))


def _put_json(states: dict[str, DeviceState]) -> int:
    import json  # noqa: PLC0415 (only this form needs it)

    from pywg.show.as_json import json_form  # noqa: PLC0415 (as above)

    forms = {name: json_form(state, hide_keys=_hides_keys()) for name, state in states.items()}
    return put(json.dumps(forms, indent="\t") + "\n")


def _hides_keys() -> bool:
    return os.environ.get("WG_HIDE_KEYS") != "never"
