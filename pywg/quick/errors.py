"""The one way in which `up`, `down` and `save` fail by themselves."""


class QuickError(Exception):
    """What happened, what was expected, what to do next: one line, without secrets."""

    def __init__(self, text: str, status: int = 1) -> None:
        """`status`: exit status of the command; that of a hook which failed is its own, as in wg-quick."""
        super().__init__(text)
        self.status = status
