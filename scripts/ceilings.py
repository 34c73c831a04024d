"""What can a negative be worth? Prints the commands of the runs, and writes tables and figures from stored results.

    python scripts/ceilings.py commands mkg_y           # the search, seed 0
    python scripts/ceilings.py commands mkg_y outputs   # further seeds of what the search under outputs chose
    python scripts/ceilings.py chosen outputs results/ceilings   # copies results and ranks of what was chosen
    python scripts/ceilings.py                          # docs/ceilings.md and its figure, from results/ceilings

A *way* to find negatives is a sampler with its settings, a loss over all entities, or a sampler and a generator. Of
each, learning rate and weight of N3 are those of the best validation MRR at seed 0.
"""

from __future__ import annotations

import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from blocks import ROOT, cells, difference, line, replaced, rewrite
from dhns.config.resolvers import register_resolvers
from dhns.resources import conf_dir
from dhns.results.estimates import Difference
from dhns.results.ranks import FILE_NAME as RANKS
from dhns.results.ranks import RankedQueries, read_ranks
from dhns.results.store import find_results

PAGE, RUNS = ROOT / "docs" / "ceilings.md", ROOT / "results" / "ceilings"
BEGIN = "<!-- measured: scripts/ceilings.py writes these tables -->\n"
REFERENCE = "bernoulli 64"
HEADER = (
    "| negatives | lr | N3 | seeds | validation MRR | test MRR | difference | 95 % |\n"
    "|---|---:|---:|---:|---:|---:|---:|---|\n"
)
SEEDS = (0, 1, 2)
MODELS = ("transe", "rotate")
WAYS = {
    "uniform": "negatives=uniform",
    "bernoulli": "negatives=bernoulli",
    "bernoulli 256": "negatives=bernoulli negatives.num_negatives=256",
    "bernoulli 1024": "negatives=bernoulli negatives.num_negatives=1024",
    "nscaching": "negatives=nscaching negatives.num_negatives=64 negatives.cache_size=64 negatives.fresh=64",
    "kbgan": "negatives=kbgan negatives.num_negatives=16",
    "mmrns": "negatives=mmrns",
    "diffheg": "generator=default",
    "gaussian": "generator=gaussian",
    "grounded": "negatives=grounded",
    "grounded, other answers": "negatives=grounded negatives.learn_from=other_answers",
    "hardest": "negatives=hardest",
    "hardest 8": "negatives=hardest negatives.num_negatives=8",
    "hardest, less 16": "negatives=hardest negatives.skip=16",
    "hardest, known ones too": "negatives=hardest negatives.filtered=false",
    "softmax": "loss=softmax negatives=all",
}
"""What the commands train, on one model each."""
EXTRA = {
    "world_flags": {"softmax": "data.batch_size=453"},
    "mkg_y": {"softmax": "data.batch_size=543"},
    "mkg_w": {"softmax": "data.batch_size=547"},
}
"""Of a loss over all entities: queries per step with which an epoch has as many steps as with sampled negatives."""
GRID = {
    "world_flags": "optimization.optimizer.lr=1e-2,2e-2 regularizer.weight=0,0.02",
    "mkg_y": "optimization.optimizer.lr=5e-3,1e-2,2e-2 regularizer.weight=0,0.02",
    "mkg_w": "optimization.optimizer.lr=2e-2 regularizer.weight=0",  # what was best on both others
}


@dataclass(frozen=True)
class Run:
    """A stored run: its result and its folder."""

    folder: Path
    result: dict[str, Any]

    @property
    def valid(self) -> float:
        return float(self.result["metrics"]["valid"]["mrr"])

    @property
    def ranks(self) -> RankedQueries:
        return read_ranks(self.folder / RANKS, "test")["test"]


def way(config: Mapping[str, Any]) -> str:
    """How a run found its negatives, in words: sampler, number, settings that are not those of its file, generator."""
    node = config["negatives"]
    if not node:
        return "all entities, softmax"
    name, usual = _file_of(node["_target_"])
    label = f"{name} {node['num_negatives']}"
    changed = [
        f"{key}={str(value).lower()}"
        for key, value in node.items()
        if key in usual and key != "num_negatives" and isinstance(value, int | float | str) and value != usual[key]
    ]
    generator = [f"and {config['generator']['name']}"] if config.get("generator") else []
    return " ".join([label, *changed, *generator]).replace("and default", "and diffheg")


@cache
def _file_of(target: str) -> tuple[str, dict[str, Any]]:
    """The name of the file of ``conf/negatives`` with a class, and what it holds."""
    for file in sorted((conf_dir() / "negatives").glob("*.yaml")):
        content: Any = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
        if content.get("_target_") == target:
            return file.stem, content
    raise ValueError(f"no file of conf/negatives names {target}")


Systems = dict[tuple[str, str, str], dict[str, list[Run]]]
"""Runs by data set, model and way, and by the hash of their settings."""


def systems(folder: Path) -> Systems:
    """The runs under a folder."""
    found: Systems = defaultdict(lambda: defaultdict(list))
    for path, result in find_results(folder):
        key = result["dataset"], result["system"], way(result["config"])
        found[key][result["config_hash"]].append(Run(path.parent, result))
    return found


def chosen(found: Systems) -> dict[tuple[str, str, str], list[Run]]:
    """Of each way, all seeds of the settings that have the best validation MRR at the first seed."""
    best = {}
    for key, by_hash in found.items():
        firsts = [run for runs in by_hash.values() for run in runs if run.result["seed"] == SEEDS[0]]
        first = max(firsts, key=lambda run: run.valid)
        best[key] = sorted(by_hash[first.result["config_hash"]], key=lambda run: int(run.result["seed"]))
    return best


# --- the page -------------------------------------------------------------------------------------------------------


def tables(folder: Path) -> str:
    """A table per data set and model, ways by rising test MRR."""
    best = chosen(systems(folder))
    parts = []
    for dataset, model in sorted({key[:2] for key in best}):
        runs = {key[2]: group for key, group in best.items() if key[:2] == (dataset, model)}
        lines = [_line(name, runs[name], found) for name, found in _differences(runs)]
        parts.append(f"\n{dataset}, {model}, {_length(runs.values())}\n\n{HEADER}{''.join(lines)}")
    return "".join(parts)


def _length(groups: Iterable[Sequence[Run]]) -> str:
    steps = sorted({run.result["batches"] for group in groups for run in group})
    return f"{' or '.join(f'{count:,}' for count in steps)} steps"


def _differences(runs: Mapping[str, list[Run]]) -> Iterator[tuple[str, Difference | None]]:
    """Ways by rising test MRR, with the paired difference to the reference over the seeds that both have."""
    for name in sorted(runs, key=lambda name: _mean_test(runs[name])):
        known = name != REFERENCE and REFERENCE in runs
        yield name, difference(_by_seed(runs[name]), _by_seed(runs[REFERENCE])) if known else None


def _by_seed(runs: Sequence[Run]) -> dict[int, RankedQueries]:
    return {run.result["seed"]: run.ranks for run in runs}


def _tests(runs: Iterable[Run]) -> list[float]:
    return [100 * run.result["metrics"]["test"]["mrr"] for run in runs]


def _mean_test(runs: Iterable[Run]) -> float:
    return float(np.mean(_tests(runs)))


def _line(name: str, runs: Sequence[Run], found: Difference | None) -> str:
    config, tests = runs[0].result["config"], _tests(runs)
    spread = f" ± {np.std(tests, ddof=1):.2f}" if len(tests) > 1 else ""
    values = [
        name,
        f"{config['optimization']['optimizer']['lr']:g}",
        f"{config['regularizer'].get('weight', 0):g}",
        str(len(runs)),
        f"{100 * np.mean([run.valid for run in runs]):.2f}",
        f"{np.mean(tests):.2f}{spread}",
        *cells(found),
    ]
    return line(values)


def updated(page: str) -> str:
    """The page with its tables made anew."""
    return replaced(page, BEGIN, tables(RUNS))


def draw(folder: Path) -> None:
    """A figure per data set: the test MRR of every way, a column per model, with the interval of its difference."""
    from matplotlib.figure import Figure

    best = chosen(systems(folder))
    for dataset in sorted({key[0] for key in best}):
        models = sorted({model for data, model, _ in best if data == dataset})
        figure = Figure(figsize=(5.2 * len(models), 5), layout="constrained")
        for axes, model in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
            runs = {key[2]: group for key, group in best.items() if key[:2] == (dataset, model)}
            reference = _mean_test(runs[REFERENCE]) if REFERENCE in runs else None
            names = []
            for row, (name, found) in enumerate(_differences(runs)):
                names.append(name)
                mean = _mean_test(runs[name])
                if found is not None and reference is not None:
                    bounds = [
                        [100 * (found.value - (found.low or 0))],
                        [100 * ((found.high or 0) - found.value)],
                    ]
                    axes.errorbar([mean], [row], xerr=bounds, color="grey", capsize=3)
                axes.plot([mean], [row], "o", color="black" if name == REFERENCE else "tab:blue")
            if reference is not None:
                axes.axvline(reference, color="black", linewidth=0.8, linestyle=":")
            axes.set(title=f"{dataset}, {model}", xlabel="test MRR, %", yticks=range(len(names)), yticklabels=names)
        figure.savefig(folder / f"{dataset}.png", dpi=110, metadata={"Software": None})


# --- runs -----------------------------------------------------------------------------------------------------------


def commands(dataset: str, folder: Path | None) -> Iterator[str]:
    """What to type for a search, or where that lies in a folder, for the further seeds of what it chose."""
    start = f"dhns train --multirun experiment=ceilings dataset={dataset}"
    best = chosen(systems(folder)) if folder else {}
    for name, overrides in WAYS.items():
        settings = " ".join(filter(None, (overrides, EXTRA.get(dataset, {}).get(name))))
        if folder is None:
            yield f"{start} model={','.join(MODELS)} {settings} {GRID[dataset]} seed={SEEDS[0]}"
            continue
        for model in MODELS:
            config = _composed(f"dataset={dataset}", f"model={model}", *settings.split(" "))
            if runs := best.get((config["dataset"]["name"], model, way(config))):
                found = runs[0].result["config"]
                grid = f"optimization.optimizer.lr={found['optimization']['optimizer']['lr']}"
                grid += f" regularizer.weight={found['regularizer']['weight']}"
                yield f"{start} model={model} {settings} {grid} seed={','.join(map(str, SEEDS[1:]))}"


def _composed(*overrides: str) -> dict[str, Any]:
    register_resolvers()
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        config: Any = compose("train", overrides=["experiment=ceilings", *overrides])
    content: Any = OmegaConf.to_container(config, resolve=False)
    return {**content, "negatives": content["negatives"] if "_target_" in content["negatives"] else {}}


def main(arguments: Sequence[str]) -> None:
    match arguments:
        case []:
            draw(RUNS)
            rewrite(PAGE, updated)
        case ["commands", dataset, *rest]:
            print("\n".join(commands(dataset, Path(rest[0]) if rest else None)))
        case ["chosen", source, target]:
            for runs in chosen(systems(Path(source))).values():
                for run in runs:
                    place = Path(target) / Path(*run.folder.parts[-3:])
                    place.mkdir(parents=True, exist_ok=True)
                    for name in ("result.json", RANKS):
                        shutil.copy(run.folder / name, place / name)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
