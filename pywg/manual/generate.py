"""``python -m pywg.manual.generate``: writes into pywg/share what is made from the manual.

In: the manual. Out: files that are committed, so that installing pywg runs nothing; a test compares.
"""

from collections.abc import Mapping

from pywg.manual import SHARE, bash, fish, roff, zsh


def share_files() -> Mapping[str, str]:
    """File name in `SHARE` to content."""
    return {
        "pywg.8": roff.page(),
        "pywg.bash": bash.script(),
        "_pywg": zsh.script(),
        "pywg.fish": fish.script(),
    }


def main() -> None:
    """Write those that changed."""
    for name, content in share_files().items():
        path = SHARE / name
        if not path.exists() or path.read_text() != content:
            path.write_text(content)
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
