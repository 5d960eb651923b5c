"""``pywg monitor``: a live view of every WireGuard interface.

`sampling` asks the devices, `history` makes rates of their answers, `board` puts both into a snapshot, `view`
draws it for a terminal, `live` and `once` show it. Only sampling, terminal, live and once do I/O.
"""
