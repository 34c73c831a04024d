"""A trained model in a folder of its own: weights without what training needs, graph, result, and a card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import save

from dhns.config.starting_points import BLEND, WEIGHTS
from dhns.errors import InputError
from dhns.files import link, replacing_folder, require_place, write_bytes, write_json, write_text
from dhns.graph.fingerprint import fingerprint
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.results.ranks import FILE_NAME as RANKS_FILE
from dhns.results.ranks import read_ranks
from dhns.results.store import FILE_NAME as RESULT_FILE
from dhns.results.store import read_result
from dhns.sharing.card import BEGINNING, card
from dhns.sharing.card import FILE_NAME as CARD_FILE
from dhns.training.blend import MEMBERS
from dhns.training.calibration import ENDING, fingerprint_of, load_calibration, save_calibration
from dhns.training.checkpoint import METADATA, changed_parts, read_chosen
from dhns.training.saved_graph import FEATURES, load_saved_graph
from dhns.training.saved_graph import FILE_NAME as GRAPH_FILE

KEPT = ("state_dict", "hyper_parameters", "batches_seen", "epoch", "fingerprints")
"""What using a model needs of a checkpoint; the states of optimizers are left out."""
ALLOWED = (CARD_FILE, RESULT_FILE, RANKS_FILE, BLEND, f"*{ENDING}", "*.safetensors")
"""What a shared folder may hold: nothing in it can run code."""
_WITHOUT = "share the model without features: with_features=false"


def pack(
    run: Path,
    folder: Path,
    licence: str | None = None,
    with_features: bool = True,
    address: str = "hf://USER/NAME",
) -> list[Path]:
    """Write what others need to use a run or a blend, and nothing that tells of this machine.

    Args:
        run: the folder of a finished run, or of a blend.
        folder: new, or an earlier pack.
        licence: of weights and data, as the hub names them (``mit``, ``cc-by-4.0``); for the card.
        with_features: bring the features along; otherwise whoever uses the model points to them, and their
            fingerprints say whether they are the same.
        address: under which it will be found; for the card.

    Returns:
        The files.

    Raises:
        InputError: the run lacks a result, checkpoint, graph or features, or one is damaged; the folder is something
            else.
    """
    if not (run / RESULT_FILE).is_file():
        raise InputError(f"{run} holds no {RESULT_FILE}; give the folder of a finished run (outputs/.../seed-0)")
    result = without_places(read_result(run / RESULT_FILE))
    _require_free(run, folder)
    ranks = run / RANKS_FILE
    if ranks.is_file():
        read_ranks(ranks)
    with replacing_folder(folder, keep=_is_foreign) as new:
        if (run / BLEND).is_file():
            graph = _pack_members(run, new, with_features)
        else:
            weights = _pack_weights(run, new / "checkpoints" / WEIGHTS)
            graph = _pack_graph(run, new, weights, with_features)
            result["checkpoint"] = f"checkpoints/{WEIGHTS}"
        write_json(new / RESULT_FILE, result)
        if (calibration := load_calibration(run)) is not None:
            save_calibration(replace(calibration, model=fingerprint_of(new)), new)
        if ranks.is_file():
            link(ranks, new / RANKS_FILE)
        write_text(new / CARD_FILE, card(result, graph, licence, with_features, address))
    return sorted(path for path in folder.rglob("*") if path.is_file())


def without_places(node: Any) -> Any:
    """Settings in which a path is the name of its file or folder: where it lay is nobody's business."""
    if isinstance(node, Mapping):
        return {key: without_places(value) for key, value in node.items()}
    if isinstance(node, list):
        return [without_places(value) for value in node]
    if isinstance(node, str) and ("/" in node or "\\" in node) and Path(node).expanduser().is_absolute():
        return Path(node).name
    return node


def _require_free(run: Path, folder: Path) -> None:
    if folder.resolve() == run.resolve() or run.resolve() in folder.resolve().parents:
        raise InputError(f"out is {folder}, the run itself or a folder in it; give another")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"out is {folder}, which is a file; give a folder")
    require_place(folder)
    if folder.is_dir() and any(folder.iterdir()) and not _is_pack(folder):
        raise InputError(f"out is {folder}, which holds other files; give a new folder")


def _is_foreign(path: Path) -> bool:
    """Whether no pack has a file or a folder of that name: the ``.git`` of a clone, for one."""
    return path.name not in (FEATURES, MEMBERS, "checkpoints") and not any(map(path.match, ALLOWED))


def _is_pack(folder: Path) -> bool:
    card = folder / CARD_FILE
    return card.is_file() and card.read_text(encoding="utf-8", errors="replace").startswith(BEGINNING)


def _pack_weights(run: Path, target: Path) -> dict[str, Any]:
    """What it keeps of the checkpoint beside the weights; InputError if there is no readable one."""
    _, content = read_chosen(run)
    kept: dict[str, Any] = {key: content.get(key) for key in KEPT}
    tensors = {name: tensor.contiguous().clone() for name, tensor in kept.pop("state_dict").items()}
    kept["hyper_parameters"] = without_places(kept["hyper_parameters"])
    write_bytes(target, save(tensors, {METADATA: json.dumps(kept)}))
    return kept


def _pack_graph(run: Path, folder: Path, weights: Mapping[str, Any], with_features: bool) -> KnowledgeGraph:
    if not (run / GRAPH_FILE).is_file():
        raise InputError(
            f"{run} holds no {GRAPH_FILE} (it is gone, or was never kept: keep_data=false); train with keep_data=true"
        )
    graph = load_saved_graph(run, f"remove that file and {_WITHOUT}")
    if with_features and graph.absent:
        file = run / FEATURES / f"{next(iter(graph.absent))}.safetensors"
        raise InputError(f"{file}: no such file; put it back, or {_WITHOUT}")
    if changed := changed_parts(weights, fingerprint(graph)):
        raise InputError(
            f"{run}: {', '.join(changed)} of its graph are not what the model was trained on, and nobody could use the "
            "two together; restore the files, or train again (force=true)"
        )
    link(run / GRAPH_FILE, folder / GRAPH_FILE)
    for name in graph.modalities if with_features else ():
        link(run / FEATURES / f"{name}.safetensors", folder / FEATURES / f"{name}.safetensors")
    return graph


def _pack_members(run: Path, folder: Path, with_features: bool) -> KnowledgeGraph:
    content = json.loads((run / BLEND).read_text(encoding="utf-8"))
    names, graphs = [], []
    for number, name in enumerate(content["members"]):
        place = folder / MEMBERS / str(number)
        weights = _pack_weights(run / name, place / WEIGHTS)
        graphs.append(_pack_graph((run / name).parent, place, weights, with_features))
        names.append(f"{MEMBERS}/{number}/{WEIGHTS}")
    write_json(folder / BLEND, {**content, "members": names})
    return graphs[0]
