"""JSON lines: an object a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dhns.errors import InputError
from dhns.exchange.columns import required_places
from dhns.exchange.gathering import Gathering
from dhns.exchange.opening import opened, require_text, unpacking
from dhns.exchange.options import ReadingOptions
from dhns.graph.readers.columns import STANDARD
from dhns.graph.text_files import is_text

FORMATS = ("jsonl", "ndjson")


def read_json_lines(path: Path, gathering: Gathering, options: ReadingOptions) -> None:
    """Add the triples of objects such as ``{"head": "Oslo", "relation": "capital of", "tail": "Norway"}``.

    A tail that is a number though the head is a text is a value; other numbers are names. The first line tells which
    keys are head, relation and tail.

    Raises:
        InputError: a line is no such object; the message names it.
    """
    keys: list[str] = []
    with opened(path) as file:
        require_text(path, file)
    with opened(path) as file, unpacking(path):
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            content = _object(where, line)
            if not keys:
                names = list(content)
                keys = [names[place] for place in required_places(where, names, options)]
            head, relation, tail = (_part(where, content, key, part) for key, part in zip(keys, STANDARD, strict=True))
            measured = isinstance(tail, int | float) and isinstance(head, str)
            if measured or relation in options.literals:
                gathering.value_of_table(str(head), str(relation), _words(tail), options.categories)
            else:
                gathering.triple(str(head), str(relation), str(tail))


def _object(where: str, line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 (byte 0x{line[error.start]:02x}); save it in UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: no JSON: {error}; each line holds one object") from None
    if not isinstance(content, dict):
        raise InputError(f"{where}: {type(content).__name__}; expected an object with head, relation and tail")
    return content


def _part(where: str, content: dict[str, Any], key: str, part: str) -> str | int | float:
    value = content.get(key)
    if isinstance(value, str) and not is_text(value):
        raise InputError(f"{where}: '{key}' is {value!a}, which is no text: a surrogate stands alone in it")
    if isinstance(value, str | int | float) and str(value).strip() and value == value:
        return value
    raise InputError(f"{where}: '{key}' is {json.dumps(value)}; expected the name of the {part}")


def _words(value: str | int | float) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
