"""Names and paths to files, as wg-quick understands them."""

import os
from pathlib import Path

import pytest

from pywg.config import locate, parse
from pywg.config.locate import (
    Located,
    find_config,
    read_config,
    read_stripped,
    read_text,
    read_wg_config,
)
from pywg.config.model import ConfigError
from tests.config.corpus import EXAMPLE, QUICK_EXAMPLE
from tests.needs import need_root
from tests.nobody import NOBODY


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    (tmp_path / "wg0.conf").write_text(QUICK_EXAMPLE)
    return tmp_path.resolve()


def refusal(name_or_file: str, directory: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        find_config(name_or_file, directory)
    return str(refused.value)


def test_by_name_and_by_path(etc: Path) -> None:
    expected = Located("wg0", etc / "wg0.conf")
    assert find_config("wg0", etc) == expected
    assert find_config(str(etc / "wg0.conf"), Path("/nowhere")) == expected


def test_the_first_directory_that_has_it(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "DIRECTORIES", (Path("/nowhere"), etc))
    assert find_config("wg0") == Located("wg0", etc / "wg0.conf")
    with pytest.raises(ConfigError, match=r"^/nowhere/wg1\.conf: there is no such file"):
        find_config("wg1")


def test_a_path_without_a_directory(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(etc)
    assert find_config("./wg0.conf", Path("/nowhere")).path == etc / "wg0.conf"
    # Short enough to be a name, so it is one, as in wg-quick.
    assert refusal("wg0.conf", Path("/nowhere")) == (
        "/nowhere/wg0.conf.conf: there is no such file; for one in this directory say ./wg0.conf"
    )


def test_a_link_is_named_after_itself_and_read_where_it_points(etc: Path) -> None:
    (etc / "home.conf").symlink_to("wg0.conf")
    assert find_config("home", etc) == Located("home", etc / "wg0.conf")


def test_what_the_file_says(etc: Path) -> None:
    config = read_config(find_config("wg0", etc))
    assert (config.name, config.path, config.mtu) == ("wg0", etc / "wg0.conf", 1380)
    assert read_stripped(find_config("wg0", etc)) == parse.strip(QUICK_EXAMPLE, "f")


def test_an_error_names_the_file(etc: Path) -> None:
    (etc / "wg0.conf").write_text("[Interface]\nMTU = 1\n")
    with pytest.raises(ConfigError, match=f"^{etc}/wg0.conf:2: MTU '1': expected a number from 68 to 65535$"):
        read_config(find_config("wg0", etc))


@pytest.mark.parametrize(
    ("file_mode", "directory_mode", "warned"),
    [
        (0o600, 0o755, False),
        (0o644, 0o700, False),
        (0o644, 0o755, True),
        (0o640, 0o755, False),
        (0o602, 0o705, False),
        (0o601, 0o711, True),
    ],
)
def test_a_file_others_may_reach_is_warned_of(
    etc: Path, file_mode: int, directory_mode: int, warned: bool
) -> None:
    (etc / "wg0.conf").chmod(file_mode)
    etc.chmod(directory_mode)
    warning = f"{etc}/wg0.conf is world accessible; it holds keys: chmod 600 {etc}/wg0.conf"
    assert find_config("wg0", etc).warning == (warning if warned else None)


def test_what_is_said_of_a_name(etc: Path) -> None:
    assert refusal("wg1", etc) == (
        f"{etc}/wg1.conf: there is no such file; expected the configuration of the interface there, or "
        "give a file's path"
    )
    assert refusal("averyveryverylongname", etc) == (
        "averyveryverylongname: the interface name averyveryverylongname is 21 characters long; at most 15 "
        "are possible"
    )
    assert refusal("sixteen_letters_.conf", etc) == (
        "sixteen_letters_.conf: the interface name sixteen_letters_ is 16 characters long; at most 15 "
        "are possible"
    )
    assert refusal("./none.conf", etc) == "./none.conf: there is no such file"
    assert refusal("", etc).startswith(".: ")
    assert refusal("a\0b", etc) == "a\0b: cannot be reached: the name cannot be a file's"
    assert refusal("x" * 5000, etc).endswith(": cannot be reached: File name too long")


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("wg0.txt", "expected a file called INTERFACE.conf"),
        (".conf", "expected a file called INTERFACE.conf"),
        ("wg 0.conf", "the file's name gives no interface name; expected 1 to 15 of a-z A-Z 0-9 _ = + . -"),
        (
            "w" * 15 + " .conf",
            "the file's name gives no interface name; expected 1 to 15 of a-z A-Z 0-9 _ = + . -",
        ),
        ("..conf", "the file's name gives no interface name; expected 1 to 15 of a-z A-Z 0-9 _ = + . -"),
        ("w" * 16 + ".conf", f"the interface name {'w' * 16} is 16 characters long; at most 15 are possible"),
    ],
)
def test_what_is_said_of_a_files_name(etc: Path, file: str, problem: str) -> None:
    (etc / file).touch()
    assert refusal(str(etc / file), etc) == f"{etc / file}: {problem}"


def test_a_command_may_be_an_interfaces_name_as_far_as_files_go(etc: Path) -> None:
    """`strip` needs no interface; who makes one says that the name is taken."""
    (etc / "up.conf").touch()
    assert find_config("up", etc).name == "up"


def test_what_cannot_be_read(etc: Path) -> None:
    (etc / "wg1.conf").mkdir()
    with pytest.raises(ConfigError, match=r"/wg1\.conf: is a directory; expected a file$"):
        read_config(find_config("wg1", etc))
    (etc / "wg0.conf").unlink()
    with pytest.raises(ConfigError, match=r"/wg0\.conf: there is no such file$"):
        read_text(etc / "wg0.conf")
    (etc / "loop.conf").symlink_to("loop.conf")
    assert refusal("loop", etc) == f"{etc}/loop.conf: cannot be reached: Too many levels of symbolic links"


def test_what_has_no_end(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of it is read than any configuration needs."""
    (etc / "zero.conf").symlink_to("/dev/zero")
    (etc / "long.conf").write_text("#" * 101)
    (etc / "most.conf").write_text("#" * 100)
    monkeypatch.setattr(locate, "LONGEST_FILE", 100)
    for name in ("zero", "long"):
        with pytest.raises(ConfigError, match=r": is longer than 100 bytes; expected a configuration$"):
            read_config(find_config(name, etc))
    assert read_config(find_config("most", etc)).name == "most"


def test_no_permission(tmp_path_factory: pytest.TempPathFactory) -> None:
    need_root()
    directory = tmp_path_factory.mktemp("closed")
    (directory / "wg0.conf").write_text(EXAMPLE)
    (directory / "wg0.conf").chmod(0o600)
    file = os.open(directory / "wg0.conf", os.O_PATH)
    os.seteuid(NOBODY)
    try:
        with pytest.raises(ConfigError, match=r": cannot be read: Permission denied$"):
            read_text(Path(f"/proc/self/fd/{file}"))
        assert refusal("wg0", directory).endswith("/wg0.conf: cannot be reached: Permission denied")
    finally:
        os.seteuid(0)
        os.close(file)


def test_bytes_that_are_no_utf_8_are_kept(etc: Path) -> None:
    (etc / "wg0.conf").write_bytes(b"[Interface]\nPostUp = echo \xe9\n")
    (hook,) = read_config(find_config("wg0", etc)).hooks.post_up
    assert os.fsencode(hook) == b"echo \xe9"


def test_a_file_for_wg_may_be_a_pipe() -> None:
    reader, writer = os.pipe()
    os.write(writer, EXAMPLE.encode())
    os.close(writer)
    try:
        assert len(read_wg_config(f"/dev/fd/{reader}").peers) == 2
    finally:
        os.close(reader)
