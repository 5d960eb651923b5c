"""One line of a terminal, put together from styled pieces. In: text and styles. Out: rich `Text`."""

from typing import Self

from rich.text import Text


class Line:
    """Grows to the right, never beyond its width. Text is drawn as it is: nothing in it is markup."""

    def __init__(self, width: int) -> None:
        self._width = width
        self.text = Text(no_wrap=True, overflow="crop")

    @property
    def room(self) -> int:
        """Characters left."""
        return max(0, self._width - len(self.text))

    def add(self, text: str, style: str = "") -> Self:
        """Append what fits of `text`."""
        self.text.append(text[: self.room], style)
        return self

    def gap(self, width: int) -> Self:
        """Append spaces."""
        return self.add(" " * width)

    def left_aligned(self, text: str, width: int, style: str = "") -> Self:
        """Append a column, its text at the left."""
        return self.add(f"{text[:width]:<{width}}", style)

    def right_aligned(self, text: str, width: int, style: str = "") -> Self:
        """Append a column, its text at the right."""
        return self.add(f"{text[:width]:>{width}}", style)

    def at_end(self, text: str, style: str = "") -> Self:
        """Append `text` so that it ends where the line does."""
        return self.gap(self.room - len(text)).add(text, style)
