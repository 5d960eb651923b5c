"""pywg/interface_name.py: what an interface may be called, and what the user is told otherwise."""

import pytest

from pywg.interface_name import RESERVED, InterfaceNameError, check_interface_name


@pytest.mark.parametrize("name", ["wg0", "a", "wg-home_1.x=y+z", "x" * 15, "0"])
def test_possible(name: str) -> None:
    check_interface_name(name, "linux")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a b", "wg\n0", "wg%d", "wü", "a:b", "wg0\0"])
def test_impossible(name: str) -> None:
    with pytest.raises(InterfaceNameError, match="is no interface name; expected up to 15 of"):
        check_interface_name(name, "linux")


def test_too_long() -> None:
    with pytest.raises(InterfaceNameError, match="is 16 characters long; at most 15 are possible"):
        check_interface_name("x" * 16, "linux")


@pytest.mark.parametrize("name", ["all", "default"])
def test_words_of_the_kernel(name: str) -> None:
    with pytest.raises(InterfaceNameError, match="every interface"):
        check_interface_name(name)


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_what_is_a_command_may_be_an_interface(name: str) -> None:
    """wg-quick takes names from files, and `up` takes what it takes."""
    check_interface_name(name, "linux")


def test_commands_of_wg_and_wg_quick_are_reserved() -> None:
    """wg(8) and wg-quick(8), and what the issues promise."""
    words = (
        "show showconf set setconf addconf syncconf genkey genpsk pubkey help up down save strip doctor demo"
    )
    assert set(words.split()) <= RESERVED


@pytest.mark.parametrize("name", ["utun", "utun0", "utun12"])
def test_macos_names(name: str) -> None:
    check_interface_name(name, "darwin")


@pytest.mark.parametrize("name", ["wg0", "utunx", "utun-1", "xutun1"])
def test_macos_demands_utun(name: str) -> None:
    with pytest.raises(InterfaceNameError, match="expected utun or utun and a number"):
        check_interface_name(name, "darwin")
