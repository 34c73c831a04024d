"""Whatever the bytes of a file: the graph that was written, or an InputError."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from dhns.errors import InputError
from dhns.graph.features import read_modality
from dhns.graph.knowledge_graph import SPLITS
from dhns.graph.readers import OPENKE_FILES, TSV_FILES, read_edge_list, read_openke, read_tsv
from properties.counting import counted

quick = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

OPENKE = {
    "entity2id.txt": "3\na 0\nb 1\nc d 2\n",
    "relation2id.txt": "2\nr 0\ns 1\n",
    "train2id.txt": "3\n0 1 0\n1 2 0\n2 0 1\n",
    "valid2id.txt": "1\n1 2 1\n",
    "test2id.txt": "1\n2 0 1\n",
    "entity_labels.tsv": "id\tlabel\n0\tA\n1\tB\n2\tC, D\n",
}
TSV = {
    "train.tsv": "a\tr\tb\nb\tr\tc d\nc d\ts\ta\n",
    "valid.tsv": "b\ts\tc d\n",
    "test.tsv": "c d\ts\ta\n",
    "entities.tsv": "key\tlabel\na\tA\nb\tB\nc d\tC, D\n",
    "relations.tsv": "key\tlabel\nr\tR\ns\tS\n",
}
FIELDS = st.sampled_from(
    [
        *("0", "1", "2", "-1", "+1", "1_0", "٣", "1.0", "1e3", "9" * 25, "9" * 5000, "a", "b", "c d", "", " ", "\t"),
        *("head", "id", "key", "label", "\0", "\u2028", "\ufeff", "\r", "é", "e\u0301", "😀"),
    ]
)
ROWS = st.lists(st.lists(FIELDS, max_size=5).map("\t".join) | st.lists(FIELDS, max_size=5).map(" ".join), max_size=8)
CONTENT = (
    st.binary(max_size=80)
    | ROWS.map(lambda rows: "\n".join(rows).encode())
    | ROWS.map(lambda rows: "\r\n".join([str(len(rows)), *rows, ""]).encode())
)
# what a name of a line of its own cannot hold: separators, and a byte order mark at the start of a file
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r\ufeff"), max_size=6).filter(
    str.strip
)
TRIPLES = st.lists(st.tuples(NAMES, NAMES, NAMES), min_size=1, max_size=6)


def written(files):
    """A temporary folder with files; its name is free again when the caller ends."""
    folder = tempfile.TemporaryDirectory()
    for name, content in files.items():
        Path(folder.name, name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def check_graph(graph):
    """Every id is in range, every name is there, and what the files hold in duplicate is refused."""
    limits = torch.tensor([graph.num_entities, graph.num_relations, graph.num_entities])
    for split in SPLITS:
        triples = graph.split(split)
        assert triples.dtype == torch.int64
        assert triples.shape[1:] == (3,)
        assert ((triples >= 0) & (triples < limits)).all()
    for names in (graph.entities, graph.relations):
        assert all(names.keys)
        assert all(names.labels)
        assert len(set(names.keys)) == len(names)


def named(graph, split):
    keys = (graph.entities.keys, graph.relations.keys, graph.entities.keys)
    return [tuple(names[index] for names, index in zip(keys, row, strict=True)) for row in graph.split(split).tolist()]


def graph_or_refusal(read, folder, *arguments):
    """Read a graph; what is refused names the file, or the triples that cannot be split."""
    try:
        graph = read(*arguments, "any")
    except InputError as error:
        message = str(error)
    else:
        check_graph(graph)
        return
    assert folder in message or "triple" in message


@quick
@given(file=st.sampled_from([*OPENKE_FILES, "entity_labels.tsv", "relation_labels.tsv"]), content=CONTENT)
@counted("files of ids")
def test_openke(file, content):
    with written(OPENKE | {file: content}) as folder:
        graph_or_refusal(read_openke, folder, folder)


@quick
@given(file=st.sampled_from([*TSV_FILES, "entities.tsv", "relations.tsv"]), content=CONTENT)
@counted("files of names")
def test_tsv(file, content):
    with written(TSV | {file: content}) as folder:
        graph_or_refusal(read_tsv, folder, folder)


@quick
@given(content=CONTENT)
@counted("edge lists")
def test_edge_list(content):
    with written({"edges.tsv": content}) as folder:
        graph_or_refusal(read_edge_list, folder, Path(folder, "edges.tsv"))


SPLIT_ROWS = st.tuples(TRIPLES, TRIPLES, TRIPLES)


def tables(splits, line_end="\n", ends=1):
    """The files of splits of named triples."""
    texts = [line_end.join("\t".join(row) for row in rows) + ends * line_end for rows in splits]
    return dict(zip(TSV_FILES, texts, strict=True))


@quick
@given(splits=SPLIT_ROWS, line_end=st.sampled_from(["\n", "\r\n"]), ends=st.integers(0, 2))
@counted("triples of names, written and read")
def test_names_come_back(splits, line_end, ends):
    with written(tables(splits, line_end, ends)) as folder:
        graph = read_tsv(folder, "any", header=False, columns=["head", "relation", "tail"])
    assert [named(graph, split) for split in SPLITS] == [list(rows) for rows in splits]


WORDS = st.sampled_from(["head", "h", "relation", "r", "tail", "t", "type", "from", "to", "a", "b"])
WORDED = st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=4)


@quick
@example(splits=([("head", "head", "head")], [("head", "relation", "t")], [("h", "relation", "tail")]))
@given(splits=SPLIT_ROWS | st.tuples(WORDED, WORDED, WORDED))
@counted("triples of names, written and read with headers looked for")
def test_a_header_is_left_out_only_if_it_shares_no_name_with_a_triple(splits):
    with written(tables(splits)) as folder:
        try:
            graph = read_tsv(folder, "any")
        except InputError as error:  # nothing follows the header of train, or two headers name columns in other orders
            message = str(error)
        else:
            check_what_was_left_out(graph, splits)
            return
    assert "no triples after the header" in message or "its header says" in message


def check_what_was_left_out(graph, splits):
    """Only first rows were, and only those that a note quotes and whose names are of no triple."""
    kept = [named(graph, split) for split in SPLITS]
    if not any(note.startswith("columns as in the header") for note in graph.notes):
        assert kept == [list(rows[len(rows) - len(found) :]) for rows, found in zip(splits, kept, strict=True)]
    names = {name for rows in kept for row in rows for name in row}
    for rows, found in zip(splits, kept, strict=True):
        assert len(rows) - len(found) in (0, 1)
        if len(found) < len(rows) and rows[0] != ("head", "relation", "tail"):
            assert names.isdisjoint(rows[0])
            assert any(f"'{' '.join(rows[0])}'" in note for note in graph.notes)


@quick
@given(labels=st.lists(NAMES, min_size=3, max_size=3))
@counted("labels, written and read")
def test_labels_come_back(labels):
    rows = "".join(f"{key}\t{label}\n" for key, label in zip(("a", "b", "c d"), labels, strict=True))
    with written(TSV | {"entities.tsv": f"key\tlabel\n{rows}"}) as folder:
        graph = read_tsv(folder, "any")
    assert graph.entities.labels == tuple(labels)


# --- features ------------------------------------------------------------------------------------------------------

ENTITIES = 4
GOOD = torch.arange(12.0).reshape(ENTITIES, 3)
SUFFIXES = st.sampled_from([".safetensors", ".npy", ".pth", ".pt"])


def save(path, tensor):
    if path.suffix == ".safetensors":
        save_file({"features": tensor}, path)
    elif path.suffix == ".npy":
        np.save(path, tensor.numpy())
    else:
        torch.save({"features": tensor}, path)


def modality_or_refusal(path, entities=ENTITIES):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            modality = read_modality(path, entities)
    except InputError:
        return None
    assert modality.features.shape[0] == entities
    assert modality.features.isfinite().all()
    assert modality.present.shape == (entities,)
    return modality


@quick
@given(suffix=SUFFIXES, content=st.binary(max_size=200))
@counted("feature files of any bytes")
def test_any_bytes_are_features_or_refused(suffix, content):
    with written({f"x{suffix}": content}) as folder:
        modality_or_refusal(Path(folder, f"x{suffix}"))


@quick
@given(suffix=SUFFIXES, data=st.data())
@counted("feature files with changed bytes")
def test_changed_bytes_are_features_or_refused(suffix, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"x{suffix}")
        save(path, GOOD)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            # the front, where formats describe themselves, as often as all the rest
            end = data.draw(st.sampled_from([12, 128, len(content)]))
            content[data.draw(st.integers(0, min(end, len(content)) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.sampled_from([len(content)] * 3 + [len(content) - 5, 40]))])
        modality_or_refusal(path)


DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.int32, torch.int64]
DTYPES += [torch.uint8, torch.bool, torch.complex64]


@quick
@given(
    suffix=SUFFIXES,
    shape=st.lists(st.integers(0, 5), max_size=3),
    dtype=st.sampled_from(DTYPES),
    value=st.sampled_from([0.0, 1.0, -2.5, float("nan"), float("inf")]),
)
@counted("feature tensors of any shape and type")
def test_any_tensor_comes_back_or_is_refused(suffix, shape, dtype, value):
    tensor = torch.full(shape, value)
    tensor = (tensor if dtype.is_floating_point else tensor.nan_to_num(7)).to(dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"x{suffix}")
        try:
            save(path, tensor)
        except TypeError:  # NumPy has not all types of torch
            return
        modality = modality_or_refusal(path)
    if modality is not None:
        assert dtype.is_floating_point
        assert torch.equal(modality.features.float(), tensor.float())
