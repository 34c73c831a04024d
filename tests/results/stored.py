"""Result files and ranks as runs leave them, made up."""

import numpy as np
from omegaconf import OmegaConf

from builders import composed
from dhns.config.identity import config_hash
from dhns.files import write_json
from dhns.results.estimates import per_query
from dhns.results.ranks import FILE_NAME as RANKS
from dhns.results.ranks import RankedQueries, write_ranks
from dhns.results.store import FILE_NAME

PRINTS = {part: part * 8 for part in ("train", "valid", "test", "filter_only", "entities", "relations")}


def ranked(ranks, cluster=None, relation=None, popularity=None):
    """Queries of so many triples, tail before head, without ties."""
    ranks = np.asarray(ranks)
    count = len(ranks)
    return RankedQueries(
        optimistic=ranks.astype(np.int32),
        ties=np.zeros(count, np.int32),
        own=np.zeros(count, np.int8),
        head_side=np.arange(count) % 2 == 1,
        relation=np.asarray(np.arange(count) // 2 % 3 if relation is None else relation, np.int32),
        cluster=np.asarray(np.arange(count) % 12 if cluster is None else cluster, np.int32),
        popularity=np.asarray(np.arange(count) % 5 if popularity is None else popularity, np.int32),
    )


def measured(queries):
    """The metrics that a result file has of ranks."""
    metrics = {name: float(per_query(queries, name).mean()) for name in ("mrr", "hits@1", "hits@3", "hits@10")}
    return metrics | {"queries": float(len(queries)), "mr": float(queries.realistic.mean())}


def result(test, *overrides, seed=0, dataset="Toy", prints=(), **changes):
    """What `dhns train` would store of a run with some settings, as far as tables read it."""
    config = composed(f"seed={seed}", *overrides)
    return {
        "version": 1,
        "system": config.system,
        "ablated": config.ablated,
        "dataset": dataset,
        "config_hash": config_hash(config),
        "seed": seed,
        "config": OmegaConf.to_container(config, resolve=False),
        "protocol": {"name": config.protocol.name, "notes": []},
        "fingerprints": PRINTS | dict(prints),
        "metrics": {"test": dict(test)},
        "baseline": {"test": {"mrr": 0.1, "hits@1": 0.05, "hits@3": 0.1, "hits@10": 0.2, "queries": 40.0}},
        "time": {"train_s": 10.0, "rank_s": 1.0},
    } | changes


def store(folder, queries, *overrides, relations=(), **changes):
    """A run's folder with its result and ranks; returns the result."""
    content = result(measured(queries), *overrides, **changes)
    write_json(folder / FILE_NAME, content)
    write_ranks(folder / RANKS, {"test": queries}, relations)
    return content
