"""Trajectories as SVG, alone or in a page. Needs the extra `plots`."""

from __future__ import annotations

import html
import io
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .score import Score
    from .simulation import Trajectory

_LATE_S = 3600.0


def svg(trajectories: Mapping[str, Trajectory], slo_s: float) -> str:
    """Return one picture: arrivals, replicas, queue and latency over time, a line for each trajectory.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow to import
        from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # noqa: PLC0415 - the same
    except ImportError:
        raise InputError("expected matplotlib for a picture: install tidegate-hpa[plots]") from None
    figure = Figure(figsize=(10, 9), layout="constrained")
    load, replicas, queue, latency = figure.subplots(4, 1, sharex=True)
    first = next(iter(trajectories.values()))
    minutes = [second / 60 for second in range(len(first.offered))]
    load.plot(minutes, first.offered, color="0.35", linewidth=1)
    load.set_ylabel("arrivals/s")
    for name, trajectory in trajectories.items():
        (line,) = replicas.step(minutes, trajectory.replicas, where="post", label=name, linewidth=1.5)
        replicas.plot(minutes, trajectory.ready, color=line.get_color(), linewidth=0.8, linestyle=":")
        queue.plot(minutes, trajectory.queue, color=line.get_color(), linewidth=1)
        bounded = [min(second, _LATE_S) for second in trajectory.latency_s]
        latency.plot(minutes, bounded, color=line.get_color(), linewidth=1)
    replicas.set_ylabel("replicas\n(dotted: Ready)")
    replicas.set_ylim(bottom=0)
    replicas.legend(loc="best", framealpha=0.8, edgecolor="none")
    queue.set_ylabel("requests waiting")
    queue.set_ylim(0, max(1.0, queue.get_ylim()[1]))
    latency.axhline(slo_s, color="tab:red", linewidth=0.8, linestyle="--")
    latency.set_yscale("log")
    latency.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    latency.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    latency.yaxis.set_minor_formatter(NullFormatter())
    latency.set_ylabel("p99, seconds\n(dashed: objective)")
    latency.set_xlabel("minutes")
    for axes in (load, replicas, queue, latency):
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def page(title: str, picture: str, scores: Mapping[str, Score]) -> str:
    """Return an HTML page with the picture and the scores."""
    drawing = picture[picture.index("<svg") :]
    rows = "".join(
        f"<tr><th scope=row>{html.escape(name)}</th><td>{score.violation_s}</td><td>{score.pod_hours:.2f}</td>"
        f"<td>{score.oracle_pod_hours:.2f}</td><td>{score.shed:.0f}</td><td>{score.under:.3f}</td>"
        f"<td>{score.over:.3f}</td><td>{score.adaptations_per_h:.1f}</td><td>{score.most_replicas}</td></tr>"
        for name, score in scores.items()
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{html.escape(title)}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
svg {{ width: 100%; height: auto; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .25rem .75rem; border-bottom: 1px solid #ddd; text-align: right; }}
th:first-child {{ text-align: left; }}
</style>
<h1>{html.escape(title)}</h1>
<div><table>
<tr><th>HPA</th><th>late, s</th><th>pod-hours</th><th>oracle's</th><th>refused</th><th>too few</th>
<th>too many</th><th>changes/h</th><th>most</th></tr>
{rows}
</table></div>
{drawing}
</html>
"""
