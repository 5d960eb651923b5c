"""An interface's state as text, in the forms that wg(8) has."""
