"""UDP packets a second, with plain sendmmsg(2) and recvmmsg(2).

`messages` (the arrays both ends hand to the kernel), `source` and `sink` (a program in each end), `search`
(which rate gets through), `measure` (all of it for a tunnel).
"""
