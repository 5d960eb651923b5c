"""The laboratory of `pywg demo`: two network namespaces, a veth pair between them, a peer in each.

In: nothing but the right to make network namespaces. Out: lines that say each step before it is done,
and a machine left as it was found. `make bench` builds on the same laboratory.

The way through the files: `walk` (the walk-through) -> `lab` (namespaces, links, addresses) -> `daemon`
and `peers` (one in each end, configured) -> `children` -> `inside` (what runs within a namespace: ping, HTTP,
TCP) -> `clean`. `processes` tells ours from others', `record` remembers what `--keep` left up, `unprivileged`
stands in for root, `say` prints.
"""
