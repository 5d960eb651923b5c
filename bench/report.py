"""The results as text: every figure, the ratios, the targets.

In: results. Out: lines. A ratio is that of two medians of this run, and above 1 is better for us only where
more is better; the column says which way.
"""

from collections.abc import Iterator, Sequence

from bench.figures import Results
from bench.lineup import NATIVE, NULL_CIPHER, PYTHON
from bench.metrics import METRICS, Metric
from bench.targets import verdicts


def report(results: Results, subjects: Sequence[str]) -> Iterator[str]:
    """All of it, line by line."""
    yield from _figures(results, subjects)
    for ours in (NATIVE, PYTHON):
        if ours in subjects:
            yield from _ratios(results, ours, [name for name in subjects if name not in {ours, NULL_CIPHER}])
    yield ""
    yield "targets"
    yield from (f"  {verdict.text()}" for verdict in verdicts(results))
    if results.problems:
        yield ""
        yield "*** not measured, though planned"
        yield from (f"  {problem}" for problem in results.problems)


def _figures(results: Results, subjects: Sequence[str]) -> Iterator[str]:
    width = max(map(len, subjects), default=0)
    for metric in METRICS.values():
        lines = []
        for name in (*subjects, "cipher"):
            figures = results.figures(metric.key, name)
            if figures is not None:
                lines.append(f"  {name:<{width}}  {figures.text(metric.digits)}  {_rounds(figures.values)}")
        if lines:
            yield ""
            yield f"{metric.title}: {metric.unit}, {_direction(metric)}, median and range"
            yield from lines


def _ratios(results: Results, ours: str, rivals: Sequence[str]) -> Iterator[str]:
    yield ""
    yield f"{ours}, ratio of medians to"
    yield " " * 36 + "".join(f"{name:>18}" for name in rivals)
    for metric in METRICS.values():
        ratios = [results.ratio(metric.key, ours, rival) for rival in rivals]
        yield from _ratio_line(metric.title, ratios, _direction(metric))
        if metric.key == "cpu_machine":
            both = [
                results.worst_ratio(("cpu_daemons", metric.key), ours, rival, more_is_better=False)
                for rival in rivals
            ]
            yield from _ratio_line("CPU, the worse of both", both, _direction(metric))


def _ratio_line(title: str, ratios: Sequence[float | None], direction: str) -> Iterator[str]:
    if any(ratio is not None for ratio in ratios):
        cells = "".join(f"{'-' if ratio is None else f'{ratio:.2f}':>18}" for ratio in ratios)
        yield f"  {title:<34}{cells}   {direction}"


def _direction(metric: Metric) -> str:
    return "more is better" if metric.more_is_better else "less is better"


def _rounds(values: Sequence[float]) -> str:
    return f"{len(values)} round{'s' * (len(values) != 1)}"
