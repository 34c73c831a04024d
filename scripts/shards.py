"""An entity table in row-wise shards on two processes, by what torch has, for the table of docs/sizes.md.

    python scripts/shards.py measure [WAY ...]   # writes results/sizes/shards

A step looks the distinct entities of a batch up, squares them for a loss, and moves their rows. The page is written by
`scripts/sizes.py`.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.multiprocessing.spawn import spawn
from torch.nn.functional import embedding

from dhns.files import write_json
from dhns.optim.lazy_adam import LazyAdam
from dhns.results.store import versions

RESULTS = Path(__file__).resolve().parents[1] / "results" / "sizes" / "shards"
ENTITIES, WIDTH, IDS, PROCESSES = 1_000_000, 256, 1024 * 66, 2
WARM, COUNTED = 2, 5
BYTES = WIDTH * 4


def batch(step: int) -> tuple[Tensor, ...]:
    """What each process draws."""
    drawn = torch.randint(ENTITIES, (IDS,), generator=torch.Generator().manual_seed(step))
    return drawn.chunk(PROCESSES)


def table(rows: int) -> nn.Parameter:
    """As an encoder makes it."""
    return nn.Parameter(torch.empty(rows, WIDTH).uniform_(-0.1, 0.1))


Step = Callable[[int], float]
"""The number of a step to the MB of rows and gradients that this process sends in it."""


def one_process(rank: int) -> Step:
    """Everything in the first process."""
    if rank > 0:
        return lambda step: 0.0
    structure = table(ENTITIES)
    optimizer = LazyAdam([structure], lr=1e-3)

    def step(number: int) -> float:
        optimizer.zero_grad()
        named = torch.unique(torch.cat(batch(number)))
        embedding(named, structure, sparse=True).square().sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return 0.0

    return step


def dtensor(rank: int) -> Step:
    """`DTensor` in row-wise shards: it takes no sparse gradients, and the blocks of rows are summed whole."""
    mesh = init_device_mesh("cpu", (PROCESSES,))
    structure = nn.Parameter(distribute_tensor(table(ENTITIES).detach(), mesh, [Shard(0)]))
    optimizer = torch.optim.Adam([structure], lr=1e-3)

    def look_up(named: Tensor, sparse: bool) -> Tensor:
        rows: Any = embedding(DTensor.from_local(named, mesh, [Replicate()]), structure, sparse=sparse)
        whole: Tensor = rows.redistribute(mesh, [Replicate()]).to_local()
        return whole

    try:
        look_up(torch.arange(2), sparse=True).sum().backward()  # type: ignore[no-untyped-call]
    except NotImplementedError:
        pass  # as the page says
    else:
        raise SystemExit("DTensor takes sparse gradients now: measure it with lazy Adam")

    def step(number: int) -> float:
        optimizer.zero_grad()
        named = torch.unique(torch.cat(batch(number)))
        look_up(named, sparse=False).square().sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return len(named) * BYTES / 1e6

    return step


def exchange(rank: int) -> Step:
    """What an engine for this would do: ids go to their shard, rows come back, gradients go there; lazy Adam."""
    size = ENTITIES // PROCESSES
    structure = table(size)
    optimizer = LazyAdam([structure], lr=1e-3)

    def step(number: int) -> float:
        optimizer.zero_grad()
        named = torch.unique(batch(number)[rank])
        counts = torch.bincount(named // size, minlength=PROCESSES)
        theirs = torch.empty_like(counts)
        dist.all_to_all_single(theirs, counts)
        sent, taken = counts.tolist(), theirs.tolist()
        asked = _exchanged(named, sent, taken) - rank * size
        rows = _exchanged(structure.detach()[asked], taken, sent).requires_grad_()
        rows.square().sum().backward()  # type: ignore[no-untyped-call]
        assert rows.grad is not None
        slope = _exchanged(rows.grad, sent, taken)
        structure.grad = torch.sparse_coo_tensor(asked[None], slope, structure.shape, check_invariants=True)
        optimizer.step()
        return float(taken[1 - rank] + sent[1 - rank]) * BYTES / 1e6

    return step


def _exchanged(rows: Tensor, sent: list[int], taken: list[int]) -> Tensor:
    found = rows.new_empty(sum(taken), *rows.shape[1:])
    dist.all_to_all_single(found, rows, taken, sent)
    return found


WAYS: dict[str, Callable[[int], Step]] = {way.__name__: way for way in (one_process, dtensor, exchange)}


def work(rank: int, way: str, port: int) -> None:
    """One of the processes; the first writes what it measured."""
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=PROCESSES)
    step, times, sent = WAYS[way](rank), [], 0.0
    for number in range(WARM + COUNTED):
        began = time.perf_counter(), time.process_time()
        sent = step(number)
        times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    wall, cpu = np.median(times[WARM:], axis=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    found = {"way": way, "entities": ENTITIES, "width": WIDTH, "s": wall, "cpu_s": cpu, "sent_mb": sent}
    if rank == 0:
        write_json(RESULTS / f"{way}.json", {**found, "peak_gb": peak, "versions": versions()})
    dist.destroy_process_group()


if __name__ == "__main__":
    if sys.argv[1:2] != ["measure"]:
        raise SystemExit(__doc__)
    for name in sys.argv[2:] or WAYS:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        spawn(work, (name, port), nprocs=PROCESSES)  # type: ignore[no-untyped-call]
