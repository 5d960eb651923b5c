"""Notes for undoing: for root alone, and there whole or not at all."""

from pathlib import Path

import pytest

from pywg.net.notes import Notes


def test_a_note_is_kept_until_it_is_removed(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "pywg")
    assert notes.read("dns-utun5") is None
    notes.write("dns-utun5", "192.0.2.1\n")
    assert Notes(tmp_path / "pywg").read("dns-utun5") == "192.0.2.1\n"
    assert notes.directory.stat().st_mode & 0o777 == 0o700
    assert (notes.directory / "dns-utun5").stat().st_mode & 0o777 == 0o600
    notes.remove("dns-utun5")
    notes.remove("dns-utun5")
    assert list(notes.directory.iterdir()) == []


def test_what_cannot_be_written_leaves_the_note_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(path: Path, text: str, encoding: str) -> int:
        path.write_bytes(text.encode(encoding)[: len(text) // 2])
        raise OSError(28, "No space left on device")

    notes = Notes(tmp_path)
    notes.write("endpoints-utun5", "192.0.2.1\n")
    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="No space left"):
        notes.write("endpoints-utun5", "192.0.2.2\n")
    assert notes.read("endpoints-utun5") == "192.0.2.1\n"
