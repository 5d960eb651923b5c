"""Files whose names mean something else to pywg's command line, or to the kernel."""

import pytest

from tests.quick.room import CONFIGURATIONS, Room

CONFIGURATION = "[Interface]\nAddress = 10.9.0.1/24\n"


@pytest.mark.parametrize("word", ["demo", "show", "up", "bench"])
def test_a_command_word_is_a_name_like_any_other(room: Room, word: str) -> None:
    """As with wg-quick. The daemon that `up` starts must not take its name for a command."""
    room.write(f"{CONFIGURATIONS}/{word}.conf", CONFIGURATION)
    with room.nothing_left():
        done = room.pywg("up", word)
        assert done.status == 0, done.stderr
        assert room.pywg("show", "interfaces").stdout.split() == [word]
        done = room.pywg("down", word)
        assert done.status == 0, done.stderr


@pytest.mark.parametrize("word", ["all", "default"])
def test_a_word_of_the_kernel_is_refused(room: Room, word: str) -> None:
    room.write(f"{CONFIGURATIONS}/{word}.conf", CONFIGURATION)
    with room.nothing_left():
        done = room.pywg("up", word)
    assert done.status == 1
    assert "means every interface in the kernel's settings" in done.stderr
