"""An interface's state as wg(8) prints it."""
