"""Measurements side by side: pywg, other WireGuards and the bare path, in one run, on one machine.

Run with ``make bench``. Figures of different runs or machines are never compared.

The way through the files: `options` (what is wanted) -> `subjects`, `openvpn`, `kernel`, `floor` (what is
measured) -> `plan` (which workload in which round) -> `run` (the rounds, in turn) -> the workloads, listed in
`workloads`: `iperf`, `udp/`, `latency`, `handshakes`, `memory`, `startup`, `quick`, `ethr` -> `metrics`,
`figures` (the numbers) -> `targets`, `report`, `chart` (what is made of them).
"""
