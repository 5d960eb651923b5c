"""Everything that is measured, by name: in which unit, and which way is better."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that a workload brings."""

    key: str
    title: str
    unit: str
    digits: int = 0
    more_is_better: bool = False


METRICS: Final = {
    metric.key: metric
    for metric in (
        Metric("tcp_mbit", "TCP, one stream", "Mbit/s", more_is_better=True),
        Metric("tcp4_mbit", "TCP, four streams", "Mbit/s", more_is_better=True),
        Metric("reverse_mbit", "TCP, one stream back", "Mbit/s", more_is_better=True),
        Metric("cpu_daemons", "CPU of the daemons, TCP one stream", "s/GB", 2),
        Metric("cpu_machine", "CPU of the machine, TCP one stream", "s/GB", 2),
        Metric("udp64_pps", "UDP 64 B, loss <= 1 %", "packets/s", more_is_better=True),
        Metric("udp64_generator", "UDP 64 B, the generator unhindered", "packets/s", more_is_better=True),
        Metric("udp1300_pps", "UDP 1300 B, loss <= 1 %", "packets/s", more_is_better=True),
        Metric("rtt_idle_p50", "round trip, idle, p50", "us", 1),
        Metric("rtt_idle_p99", "round trip, idle, p99", "us", 1),
        Metric("rtt_busy_p50", "round trip beside TCP, p50", "us"),
        Metric("rtt_busy_p99", "round trip beside TCP, p99", "us"),
        Metric("rtt_busy_lost", "pings lost beside TCP", "%", 2),
        Metric("handshakes", "handshakes answered", "1/s", more_is_better=True),
        Metric("rss_1", "memory (RSS), 1 peer", "MB", 1),
        Metric("rss_1000", "memory (RSS), 1,000 peers", "MB", 1),
        Metric("rss_10000", "memory (RSS), 10,000 peers", "MB", 1),
        Metric("rss_per_peer", "memory per peer of 10,000", "bytes"),
        Metric("configure_1000", "time to configure 1,000 peers", "s", 3),
        Metric("configure_10000", "time to configure 10,000 peers", "s", 3),
        Metric("startup", "start to a socket that answers", "s", 3),
        Metric("up_1000", "up with 1,000 peers", "s", 2),
        Metric("cipher", "the cipher alone, seal + open, 1,400 B", "s/GB", 3),
        Metric("cipher_all", "the same on all processors at once", "s/GB", 3),
        Metric("ethr_mbit", "ethr, TCP bandwidth", "Mbit/s", more_is_better=True),
    )
}
