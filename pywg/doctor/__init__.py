"""`pywg doctor`: why is my tunnel not up? `look` finds facts, `judge` makes findings, `render` text."""
