"""``pywg monitor``: a live view of every WireGuard interface.

`sampling` asks the devices, `history` makes rates of their answers, `board` puts both together, `view` makes
a picture of that for a terminal, `live` and `once` show it. Only sampling, live and once do I/O.
"""
