"""The order of the entities, written for those who make features by place."""

from __future__ import annotations

from pathlib import Path

from dhns.errors import InputError
from dhns.graph.knowledge_graph import Vocabulary


def write_ids(path: Path, vocabulary: Vocabulary) -> None:
    """A file ``key<TAB>label`` with a row for each id, as ``dataset=tsv`` takes it for ``entities.tsv``.

    Raises:
        InputError: the file is there already, cannot be written, or a name has a tab or a line end in it.
    """
    rows = ["key\tlabel", *(f"{key}\t{label}" for key, label in zip(vocabulary.keys, vocabulary.labels, strict=True))]
    odd = next((row for row in rows if row.count("\t") != 1 or "\n" in row or "\r" in row), None)
    if odd is not None:
        raise InputError(f"{odd!r} has a tab or a line end in a name, so {path} could not be read again")
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{row}\n" for row in rows)
    except FileExistsError:
        raise InputError(f"{path} is there already; give another file, or move it away") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
