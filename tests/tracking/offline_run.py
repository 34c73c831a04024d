"""Reads the ``.wandb`` file that an offline run leaves: a log of LevelDB's format that holds protobuf records."""

import json
import struct

from wandb.proto.wandb_internal_pb2 import Record

BLOCK = 32768


def read(folder):
    """The records of the only offline run under a folder, by kind."""
    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    return records(path)


def records(path):
    found = {}
    for payload in _payloads(path.read_bytes()):
        record = Record()
        record.ParseFromString(payload)
        kind = record.WhichOneof("record_type")
        found.setdefault(kind, []).append(getattr(record, kind))
    return found


def items(updates):
    """Key and value of the items of history, summary and config; nested keys joined by a blank."""
    return {" ".join(item.nested_key) or item.key: json.loads(item.value_json) for item in updates}


def history(found):
    return [items(row.item) for row in found["history"]]


def config(found):
    return {key: value for record in found["config"] for key, value in items(record.update).items()}


def summary(found):
    return {key: value for record in found["summary"] for key, value in items(record.update).items()}


def _payloads(data):
    assert data[:4] == b":W&B"
    position, parts = 7, []
    while position + 7 <= len(data):
        left = BLOCK - position % BLOCK
        if left < 7:
            position += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        parts.append(data[position + 7 : position + 7 + length])
        position += 7 + length
        if kind in (1, 4):  # whole, or the last of several fragments
            yield b"".join(parts)
            parts = []
