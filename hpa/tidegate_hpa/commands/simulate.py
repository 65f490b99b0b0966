"""`tidegate-hpa simulate`: what an HPA makes of a load, before the load comes."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate_hpa import arrivals, documents, model, plots, snapshot, terminal
from tidegate_hpa.errors import InputError
from tidegate_hpa.score import score
from tidegate_hpa.simulation import simulate

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tidegate_hpa.autoscaler import Autoscaler
    from tidegate_hpa.model import Model
    from tidegate_hpa.score import Score
    from tidegate_hpa.simulation import Trajectory

_WIDTH = 40


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser("simulate", help="show what an HPA makes of a load", description=__doc__)
    parser.add_argument("hpa", metavar="HPA", help="the manifest of a HorizontalPodAutoscaler")
    parser.add_argument("--arrivals", metavar="CSV", type=Path, required=True, help="offset_s,requests")
    parser.add_argument("--model", metavar="YAML", type=Path, required=True, help="capacity, delays and objective")
    parser.add_argument("--compare", metavar="HPA", nargs="+", default=[], help="other manifests, under the same load")
    parser.add_argument("--seed", type=int, default=0, help="of start times and phases (0)")
    parser.add_argument("--svg", metavar="FILE", type=Path, help="write the picture there")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write picture and figures there")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Simulate each manifest and print what came out.

    Raises:
        InputError: a file cannot be used.
    """
    load = arrivals.read(arguments.arrivals)
    described = _model(arguments.model)
    scalers = _named([arguments.hpa, *arguments.compare])
    bounds = (max(1, min(s.min_replicas for _, s in scalers)), max(s.max_replicas for _, s in scalers))
    trajectories: dict[str, Trajectory] = {}
    scores: dict[str, Score] = {}
    for name, scaler in scalers:
        trajectories[name] = simulate(
            load,
            described.capacity,
            described.delays,
            scaler,
            replicas=described.replicas,
            signals=described.signals,
            seed=arguments.seed,
        )
        scores[name] = score(trajectories[name], described.capacity, described.delays, described.slo_s, bounds)
    _write(arguments, trajectories, scores, described.slo_s)
    if arguments.output == "json":
        print(json.dumps([_entry(name, trajectories[name], scores[name]) for name in scores]))
    else:
        _print(trajectories, scores)
    return 0


def _model(path: Path) -> Model:
    read = documents.parse(documents.read(path), str(path))
    if len(read) != 1:
        raise InputError(f"{path}: expected one document, found {len(read)}")
    with documents.within(str(path)):
        return model.read(read[0])


def _named(files: Sequence[str]) -> list[tuple[str, Autoscaler]]:
    """Return every HPA of the files under the file's name, or its path where two files have the same name."""
    files = list(dict.fromkeys(files))
    stems = Counter(Path(file).stem for file in files)
    found: list[tuple[str, Autoscaler]] = []
    for file in files:
        title = Path(file).stem if stems[Path(file).stem] == 1 else file
        scalers = _autoscalers(file)
        found += [(title if len(scalers) == 1 else f"{title}/{scaler.name}", scaler) for scaler in scalers]
    return found


def _autoscalers(file: str) -> tuple[Autoscaler, ...]:
    read = documents.parse(documents.read(Path(file)), file)
    with documents.within(file):
        found = snapshot.take(read).autoscalers
    if not found:
        raise InputError(f"{file}: expected a HorizontalPodAutoscaler, found none")
    return found


def _write(
    arguments: argparse.Namespace, trajectories: dict[str, Trajectory], scores: dict[str, Score], slo_s: float
) -> None:
    if not (arguments.svg or arguments.html):
        return
    picture = plots.svg(trajectories, slo_s)
    if arguments.svg:
        arguments.svg.write_text(picture, encoding="utf-8")
    if arguments.html:
        title = f"{arguments.arrivals.name}: what the autoscaler would do"
        arguments.html.write_text(plots.page(title, picture, scores), encoding="utf-8")


def _print(trajectories: dict[str, Trajectory], scores: dict[str, Score]) -> None:
    width = max(20, shutil.get_terminal_size().columns - _WIDTH)
    for name, trajectory in trajectories.items():
        print(name)
        for line in terminal.picture(trajectory, width):
            print(line)
        print()
    for line in terminal.table(list(scores), list(scores.values())):
        print(line)


def _entry(name: str, trajectory: Trajectory, scored: Score) -> dict[str, object]:
    return {
        "name": name,
        **dataclasses.asdict(scored),
        "replicas": trajectory.replicas,
        "decisions": [dataclasses.asdict(decision) for decision in trajectory.decisions],
    }
