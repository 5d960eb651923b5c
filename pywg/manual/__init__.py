"""What pywg says of itself: one source for ``--help``, the manual page and the completion of three shells."""
