"""Writes the tables of docs/texts.md, models with texts against the same without: python scripts/texts.py.

Of the runs that are stored with the ranks of their queries and have the number for the own entity. The model without
texts is the one whose scorer and objective it has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from blocks import ROOT, Seeds, cells, control, difference, line, mean_mrr, ranked_results, replaced, rewrite
from dhns.results.ranks import RankedQueries

PAGE = ROOT / "docs" / "texts.md"
FOLDERS = [ROOT / "results" / name for name in ("texts", "own_entity")]
BEGIN = "<!-- measured: scripts/texts.py writes these tables -->\n"
WITHOUT = {"adamf": "rotate", "additive_n3": "complex_n3"}
"""The model without texts, by that with them."""
FILES = {"textual-sbert-label.safetensors": "names", "textual-sbert-description.safetensors": "descriptions"}
BORDERS = (0, 3, 10, 100)
"""Groups of queries by the training triples of their answers, each up to one of these."""

Runs = Mapping[str, Seeds]
"""By texts, "" for the model without."""


class Stored(NamedTuple):
    """A run that counts here."""

    dataset: str
    system: str
    texts: str  # "" for a model without
    result: dict[str, Any]
    ranked: RankedQueries


def tables() -> str:
    """What texts change overall, by how well known the answer is, and in queries with an entity that is new."""
    stored = list(stored_runs())
    found = sorted(_runs(stored).items())
    text = "| data set | model | texts | seeds | without | with | difference | 95 % | to shuffled | 95 % |\n"
    text += "|---|---|---|---:|---:|---:|---:|---|---:|---|\n"
    text += "".join(_line(dataset, model, texts, runs) for (dataset, model), runs in found for texts in _texts(runs))
    heads = " | ".join(_heads())
    text += f"\n| data set | model | texts | {heads} |\n|---|---|---|{'---:|' * len(_heads())}\n"
    for (dataset, model), runs in found:
        if _texts(runs):
            (some, *_) = runs[""].values()
            sizes = [f"{int(mask.sum()):,} queries" for mask in _groups(some)]
            text += line([dataset, model, "", *sizes])
        for texts in _texts(runs):
            text += line([dataset, model, texts, *_by_group(runs[texts], runs[""])])
    text += "\n| data set | queries with an unseen entity | without texts | shuffled | with texts |\n"
    text += "|---|---:|---:|---:|---:|\n"
    return text + "".join(_unseen(*key, texts, stored) for key, runs in found for texts in _texts(runs))


def stored_runs() -> Iterator[Stored]:
    """Those that are of the settings that count here."""
    for result, ranked in ranked_results(FOLDERS):
        config = result["config"]
        if config.get("own_entity") and "encoder" in config and config.get("budget") == "full":
            texts = "" if result["system"] in WITHOUT.values() else _name(config)
            yield Stored(result["dataset"], result["system"], texts, result, ranked)


def _runs(stored: Sequence[Stored]) -> dict[tuple[str, str], dict[str, dict[int, RankedQueries]]]:
    """By data set and model."""
    read: dict[tuple[str, str, str], dict[str, dict[int, RankedQueries]]] = defaultdict(lambda: defaultdict(dict))
    for dataset, system, texts, result, ranked in stored:
        read[dataset, system, texts][result["config_hash"]][result["seed"]] = ranked
    found: dict[tuple[str, str], dict[str, dict[int, RankedQueries]]] = {}
    for (dataset, system, texts), settings in read.items():
        if system in WITHOUT and (without := read.get((dataset, WITHOUT[system], ""))):
            runs = found.setdefault((dataset, system), {"": _only(without)})
            runs[texts] = _only(settings)
    return found


def _unseen(dataset: str, model: str, texts: str, stored: Sequence[Stored]) -> str:
    """A line, where there are all three, of MRR over queries of which train never names one of the two entities."""
    asked = ((WITHOUT[model], ""), (model, f"{texts}, shuffled"), (model, texts))
    found = [[run.result["metrics"]["test"] for run in stored if run[:3] == (dataset, *each)] for each in asked]
    metrics = [[each for each in seeds if each.get("unseen/queries")] for seeds in found]
    if not all(metrics):
        return ""
    means = [f"{100 * np.mean([each['unseen/mrr'] for each in seeds]):.2f} ({len(seeds)})" for seeds in metrics]
    return line([f"{dataset}, {texts}", f"{metrics[0][0]['unseen/queries']:,.0f}", *means])


def _only(settings: Mapping[str, dict[int, RankedQueries]]) -> dict[int, RankedQueries]:
    """Of several settings that read none of what differs, such as the features of RotatE, those of most seeds."""
    return max(settings.values(), key=len)


def _name(config: Mapping[str, Any]) -> str:
    file = config["dataset"]["modalities"].get("textual")
    kind = control(config)
    return FILES.get(file, str(file)) + (f", {kind}" if kind else "")


def _texts(runs: Runs) -> list[str]:
    return sorted(texts for texts in runs if texts and runs[texts].keys() & runs[""].keys())


def _line(dataset: str, model: str, texts: str, runs: Runs) -> str:
    seeds = sorted(runs[texts].keys() & runs[""].keys())
    own, without = ({seed: runs[name][seed] for seed in seeds} for name in (texts, ""))
    content = cells(difference(runs[texts], runs.get(f"{texts}, shuffled", {})))
    start = [dataset, model, texts, str(len(seeds)), mean_mrr(without), mean_mrr(own)]
    return line([*start, *cells(difference(own, without)), *content])


def _heads() -> list[str]:
    between = [f"{low + 1} to {high}" for low, high in pairwise(BORDERS)]
    return ["never seen", *between, f"over {BORDERS[-1]}"]


def _groups(ranked: RankedQueries) -> Iterator[np.ndarray]:
    group = np.searchsorted(BORDERS, ranked.popularity)
    for number in range(len(BORDERS) + 1):
        yield group == number


def _by_group(own: Seeds, without: Seeds) -> Iterator[str]:
    """The difference within each group, in bold where its interval leaves out zero."""
    (some, *_) = without.values()
    for mask in _groups(some):
        if not mask.any():
            yield ""
            continue
        found = difference(*({seed: _of(ranked, mask) for seed, ranked in runs.items()} for runs in (own, without)))
        if found is not None:
            value = f"{100 * found.value:+.2f}"
            yield f"**{value}**" if (found.low or 0) > 0 or (found.high or 0) < 0 else value


def _of(ranked: RankedQueries, mask: np.ndarray) -> RankedQueries:
    """Those queries alone; the entities that they are about are numbered anew."""
    part = RankedQueries(**{field.name: getattr(ranked, field.name)[mask] for field in fields(ranked)})
    return replace(part, cluster=np.unique(part.cluster, return_inverse=True)[1])


def updated(page: str) -> str:
    """The page with its tables made anew."""
    return replaced(page, BEGIN, tables())


if __name__ == "__main__":
    rewrite(PAGE, updated)
