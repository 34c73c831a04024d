"""The tiny graph as each reader takes it, and ways in which data change."""

import gzip
import os
import shutil

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from commands.shell import DATA, LABELS, RELATIONS, SMALL, SPLITS, write_graph

SETTINGS = (*SMALL, "trainer.max_epochs=1", "progress=false")
TEXT, IMAGE = "text.npy", "image.safetensors"
COMMANDS = {
    "tsv": (
        "train", "model=adamf", *DATA, f"+dataset.modalities.textual={TEXT}", f"+dataset.modalities.visual={IMAGE}",
        *SETTINGS,
    ),
    "edges": ("train", "model=rotate", "dataset=edges", "dataset.path=graph/all.tsv", *SETTINGS),
    "openke": (
        "train", "model=adamf", "dataset=openke", "dataset.folder=graph/ids", f"+dataset.modalities.textual=../{TEXT}",
        *SETTINGS,
    ),
    "own reader": ("train", "model=rotate", "dataset=tsv", *DATA[1:], "dataset._target_=own_reader.read", *SETTINGS),
}  # fmt: skip


def rewrite(*names, lines=None, text=None):
    """Exchange the lines of files by a function of their list, or their text by one of it."""

    def change(graph):
        for name in names:
            path = graph / name
            content = path.read_text(encoding="utf-8")
            content = text(content) if text else "".join(lines(content.splitlines(keepends=True)))
            path.write_text(content, encoding="utf-8")

    return change


def move_a_line(source, target):
    def change(graph):
        first, *rest = (graph / source).read_text(encoding="utf-8").splitlines(keepends=True)
        (graph / source).write_text("".join(rest), encoding="utf-8")
        with (graph / target).open("a", encoding="utf-8") as file:
            file.write(first)

    return change


def exchange(first, second):
    def change(graph):
        (graph / first).rename(graph / "aside")
        (graph / second).rename(graph / first)
        (graph / "aside").rename(graph / second)

    return change


def features(edit):
    return lambda graph: np.save(graph / TEXT, edit(np.load(graph / TEXT)))


def images(edit):
    return lambda graph: save_file(edit(load_file(graph / IMAGE)), graph / IMAGE)


def swap_names(text):
    return text.replace("e11\t", "X\t").replace("\te11\n", "\tX\n").replace("e2\t", "e11\t").replace(
        "\te2\n", "\te11\n").replace("X\t", "e2\t").replace("\tX\n", "\te2\n")  # fmt: skip


def packed(graph):
    (graph / "train.tsv.gz").write_bytes(gzip.compress((graph / "train.tsv").read_bytes()))
    (graph / "train.tsv").unlink()


def same_size_and_time(graph):
    path = graph / "train.tsv"
    before = path.stat()
    rewrite("train.tsv", text=lambda text: text.replace("e1\tnext\te2", "e1\tnext\te3"))(graph)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def another_folder_behind_the_link(graph):
    graph.rename(graph.parent / "aside")
    shutil.copytree(graph.parent / "aside", graph.parent / "other")
    move_a_line("train.tsv", "test.tsv")(graph.parent / "other")
    graph.symlink_to("other", target_is_directory=True)


ALL = ("train.tsv", "valid.tsv", "test.tsv")
CHANGES = {
    "a triple more": rewrite("train.tsv", text=lambda text: text + "e0\tnext\te5\n"),
    "a triple less": rewrite("train.tsv", lines=lambda lines: lines[:-1]),
    "another tail": rewrite("train.tsv", text=lambda text: text.replace("e1\tnext\te2", "e1\tnext\te3")),
    "another relation": rewrite("train.tsv", text=lambda text: text.replace("e1\tnext\t", "e1\tprevious\t")),
    "triples in another order": rewrite("train.tsv", lines=lambda lines: lines[::-1]),
    "a duplicate": rewrite("train.tsv", lines=lambda lines: [*lines, lines[0]]),
    "a line to validation": move_a_line("train.tsv", "valid.tsv"),
    "a line to test": move_a_line("valid.tsv", "test.tsv"),
    "another test triple": rewrite("test.tsv", text=lambda text: text.replace("e11\tnext\te0", "e11\tnext\te1")),
    "no validation": lambda graph: (graph / "valid.tsv").unlink(),
    "empty validation": lambda graph: (graph / "valid.tsv").write_text(""),
    "validation by another name": lambda graph: (graph / "valid.tsv").rename(graph / "dev.tsv"),
    "two validations": lambda graph: shutil.copy(graph / "test.tsv", graph / "dev.tsv"),
    "valid and test exchanged": exchange("valid.tsv", "test.tsv"),
    "no test": lambda graph: (graph / "test.tsv").unlink(),
    "packed": packed,
    "lines of Windows": rewrite(*ALL, text=lambda text: text.replace("\n", "\r\n")),
    "a header": rewrite(*ALL, text=lambda text: f"head\trelation\ttail\n{text}"),
    "heads and tails exchanged": rewrite(*ALL, lines=lambda lines: [
        "\t".join(line.rstrip("\n").split("\t")[::-1]) + "\n" for line in lines]),
    "an entity of another name": rewrite(*ALL, "entities.tsv", text=lambda text: text.replace("e11", "e99")),
    "two entities of exchanged names": rewrite(*ALL, "entities.tsv", text=swap_names),
    "a relation of another name": rewrite(*ALL, text=lambda text: text.replace("\tnext\t", "\tafter\t")),
    "other ids": rewrite("entities.tsv", lines=lambda lines: [lines[0], *lines[:0:-1]]),
    "ids by name": lambda graph: (graph / "entities.tsv").unlink(),
    "other labels": rewrite("entities.tsv", text=lambda text: text.replace("Entity", "Thing")),
    "ids of relations": lambda graph: (graph / "relations.tsv").write_text(
        "".join(f"{name}\t{name}\n" for name in RELATIONS[::-1])),
    "features of others": features(lambda rows: rows[::-1]),
    "one number of features": features(lambda rows: rows + (np.arange(rows.size).reshape(rows.shape) == 5)),
    "features in double precision": features(lambda rows: rows.astype(np.float64)),
    "features in half precision": features(lambda rows: rows.astype(np.float16)),
    "wider features": features(lambda rows: np.concatenate([rows, rows], axis=1)),
    "features that are none": features(lambda rows: rows * np.nan),
    "images of others": images(lambda file: file | {"index": file["index"] + 1}),
    "an image less": images(lambda file: {"features": file["features"][1:].clone(), "index": file["index"][1:]}),
    "images by mask": images(lambda file: {
        "features": torch.zeros(12, 5).index_copy(0, file["index"], file["features"]),
        "present": torch.arange(12) % 2 == 0}),
    "no features": lambda graph: (graph / TEXT).unlink(),
    "the size and the time of before": same_size_and_time,
    "another folder behind the link": another_folder_behind_the_link,
}  # fmt: skip
OTHER_READERS = {
    "edges": {
        "a triple more": rewrite("all.tsv", text=lambda text: text + "e0\tnext\te5\n"),
        "triples in another order": rewrite("all.tsv", lines=lambda lines: lines[::-1]),
        "a duplicate": rewrite("all.tsv", lines=lambda lines: [*lines, lines[0]]),
        "another tail": rewrite("all.tsv", text=lambda text: text.replace("e1\tnext\te2", "e1\tnext\te3")),
        "an entity of another name": rewrite("all.tsv", text=lambda text: text.replace("e11", "e99")),
    },
    "openke": {
        "another tail": rewrite("ids/train2id.txt", text=lambda text: text.replace("\n1 2 0\n", "\n1 3 0\n")),
        "other ids": rewrite("ids/entity2id.txt", text=lambda text: text.replace("e1 1\ne2 2\n", "e1 2\ne2 1\n")),
        "an entity of another name": rewrite("ids/entity2id.txt", text=lambda text: text.replace("e3 ", "e33 ")),
        "relations exchanged": rewrite("ids/relation2id.txt", text=lambda text: text.replace(
            "next 0\nprevious 1\n", "next 1\nprevious 0\n")),
        "valid and test exchanged": exchange("ids/valid2id.txt", "ids/test2id.txt"),
        "features of others": features(lambda rows: rows[::-1]),
    },
    "own reader": {
        "another tail": rewrite("train.tsv", text=lambda text: text.replace("e1\tnext\te2", "e1\tnext\te3")),
        "a folder within": rewrite("more/extra.tsv", text=lambda text: text.replace("e1\tnext\te5", "e1\tnext\te6")),
        "its source": lambda graph: rewrite("own_reader.py", text=lambda text: text + "SKIPPED = 1\n")(graph.parent),
    },
}  # fmt: skip
EVERY = [("tsv", name) for name in CHANGES] + [(kind, name) for kind, those in OTHER_READERS.items() for name in those]
OWN_READER = """
import dataclasses

import torch

from dhns.graph.readers import read_tsv

SKIPPED = 0


def read(folder, name, modalities=None, **options):
    graph = read_tsv(folder, name, modalities)
    with open(f"{folder}/more/extra.tsv") as file:
        rows = [line.split() for line in file][SKIPPED:]
    find = (graph.entities.find, graph.relations.find, graph.entities.find)
    ids = [[look_up(name) for look_up, name in zip(find, row)] for row in rows]
    extra = torch.tensor(ids, dtype=torch.int64).reshape(-1, 3)
    return dataclasses.replace(graph, train=torch.cat([graph.train, extra]))
"""


def change(kind, name, graph):
    """Let a change happen to the files of a graph."""
    (CHANGES if kind == "tsv" else OTHER_READERS[kind])[name](graph)


def write_all(folder):
    """The tiny graph as each reader takes it."""
    graph = write_graph(folder / "graph")
    (graph / "all.tsv").write_text("".join((graph / name).read_text(encoding="utf-8") for name in ALL))
    ids = graph / "ids"
    ids.mkdir()
    (ids / "entity2id.txt").write_text(f"{len(LABELS)}\n" + "".join(f"e{i} {i}\n" for i in range(len(LABELS))))
    names = "".join(f"{name.replace(' ', '_')} {i}\n" for i, name in enumerate(RELATIONS))
    (ids / "relation2id.txt").write_text(f"{len(RELATIONS)}\n{names}")
    for split, triples in SPLITS.items():
        rows = "".join(f"{head} {tail} {relation}\n" for head, relation, tail in triples)
        (ids / f"{split}2id.txt").write_text(f"{len(triples)}\n{rows}")
    (graph / "more").mkdir()
    (graph / "more" / "extra.tsv").write_text("e1\tnext\te5\n")
    (folder / "own_reader.py").write_text(OWN_READER)
    return graph
