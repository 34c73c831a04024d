"""One graph in the files of other programs."""

import csv
import gzip
import io
import json

import numpy as np

ENTITIES = [f"http://example.org/resource/E_{index:02}" for index in range(10)]
RELATIONS = ["http://example.org/ontology/next", "http://example.org/ontology/knows"]
TRIPLES = [(ENTITIES[i], RELATIONS[0], ENTITIES[(i + 1) % 10]) for i in range(10)]
TRIPLES += [(ENTITIES[i], RELATIONS[1], ENTITIES[(3 * i + 2) % 10]) for i in range(10)]


def n_triples(rows=TRIPLES):
    return "".join(f"<{head}> <{relation}> <{tail}> .\n" for head, relation, tail in rows)


def turtle(rows=TRIPLES):
    local = [tuple(part.rpartition("/")[2] for part in row) for row in rows]
    prefixes = "@prefix e: <http://example.org/resource/> . @prefix o: <http://example.org/ontology/> .\n"
    return prefixes + "".join(f"e:{head} o:{relation} e:{tail} .\n" for head, relation, tail in local)


def rdf_xml(rows=TRIPLES):
    lines = "".join(
        f'<rdf:Description rdf:about="{h}"><o:{r.rpartition("/")[2]} rdf:resource="{t}"/></rdf:Description>\n'
        for h, r, t in rows
    )
    spaces = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:o="http://example.org/ontology/"'
    return f"<?xml version='1.0'?>\n<rdf:RDF {spaces}>\n{lines}</rdf:RDF>\n"


def delimited(rows=TRIPLES, separator=",", header=("subject", "predicate", "object")):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows([header, *rows] if header else rows)
    return text.getvalue()


def json_lines(rows=TRIPLES):
    return "".join(json.dumps(dict(zip(("h", "r", "t"), row, strict=True))) + "\n" for row in rows)


def parquet(path, rows=TRIPLES, names=("source", "type", "target")):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(dict(zip(names, zip(*rows, strict=True), strict=True))), path)


def saved(folder, *pieces, names=("source", "type", "target"), classes=None):
    """As ``Dataset.save_to_disk`` of Hugging Face's ``datasets`` writes it (read with 5.2.0)."""
    import pyarrow
    import pyarrow.ipc

    folder.mkdir(parents=True)
    features = {name: {"dtype": "string", "_type": "Value"} for name in names}
    if classes:
        features[names[1]] = {"names": classes, "_type": "ClassLabel"}
        pieces = [[(h, classes.index(r), t) for h, r, t in rows] for rows in pieces]
    files = [f"data-{number:05}-of-{len(pieces):05}.arrow" for number in range(len(pieces))]
    for name, rows in zip(files, pieces, strict=True):
        table = pyarrow.table(dict(zip(names, zip(*rows, strict=True), strict=True)))
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        with pyarrow.ipc.new_stream(str(folder / name), table.schema) as file:
            file.write_table(table)
    state = {"_data_files": [{"filename": name} for name in files], "_fingerprint": "0" * 16, "_format_columns": None}
    state |= {"_format_kwargs": {}, "_format_type": None, "_output_all_columns": False, "_split": None}
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    about = {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
    (folder / "dataset_info.json").write_text(json.dumps(about), encoding="utf-8")


def arrow(path, rows=TRIPLES, names=("source", "type", "target"), stream=False):
    import pyarrow
    import pyarrow.ipc

    table = pyarrow.table(dict(zip(names, zip(*rows, strict=True), strict=True)))
    table = table.set_column(1, names[1], table.column(1).dictionary_encode())
    opened = pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file
    with opened(str(path), table.schema) as file:
        file.write_table(table, max_chunksize=7)


def ids(rows, entities=ENTITIES, relations=RELATIONS):
    return np.array([(entities.index(h), relations.index(r), entities.index(t)) for h, r, t in rows])


def packed(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))


def pykeen_factory(folder, rows=TRIPLES):
    """As ``TriplesFactory.to_path_binary`` writes it, less its pickle."""
    for kind, names in (("entity", ENTITIES), ("relation", RELATIONS)):
        packed(
            folder / f"{kind}_to_id.tsv.gz", "id\tlabel\n" + "".join(f"{i}\t{name}\n" for i, name in enumerate(names))
        )
    numbers = "".join("\t".join(map(str, row)) + "\n" for row in ids(rows).tolist())
    packed(folder / "numeric_triples.tsv.gz", f"head\trelation\ttail\n{numbers}")


def ogb(folder, splits=None):
    """As ogbl-wikikg2 lies on disk, with arrays in the place of its pickles."""
    for file, header, names in (
        ("nodeidx2entityid", "node idx,entity id", ENTITIES),
        ("reltype2relid", "reltype,rel id", RELATIONS),
    ):
        packed(
            folder / "mapping" / f"{file}.csv.gz", f"{header}\n" + "".join(f"{i},{n}\n" for i, n in enumerate(names))
        )
    for split, rows in (splits or {}).items():
        (folder / "split" / "time").mkdir(parents=True, exist_ok=True)
        head, relation, tail = ids(rows).T
        arrays = {
            "head": head,
            "relation": relation,
            "tail": tail,
            "tail_neg": np.zeros((len(rows), 3), dtype=np.int64),
        }
        np.savez(folder / "split" / "time" / f"{split}.npz", **arrays)
    triples = ids(TRIPLES).tolist()
    packed(folder / "raw" / "edge.csv.gz", "".join(f"{head},{tail}\n" for head, _, tail in triples))
    packed(folder / "raw" / "edge_reltype.csv.gz", "".join(f"{relation}\n" for _, relation, _ in triples))
