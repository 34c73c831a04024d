"""Graphs in the files of other programs, imported and read."""

import gzip
import json
import re

import pytest

from dhns.errors import InputError
from dhns.exchange.importing import Splitting, import_graph
from dhns.exchange.options import ReadingOptions
from dhns.graph.readers import read_tsv
from exchange import writers
from exchange.writers import ENTITIES, RELATIONS, TRIPLES

TURNED = [(tail, head, relation) for head, relation, tail in TRIPLES]
WEIGHTED = [(*row, "1.0") for row in TRIPLES]
SPLITS = {"train": TRIPLES[:14], "valid": TRIPLES[14:17], "test": TRIPLES[17:]}
TEXTS = {
    "graph.nt": writers.n_triples(),
    "graph.ttl": writers.turtle(),
    "graph.rdf": writers.rdf_xml(),
    "graph.nq": writers.n_triples().replace(" .\n", " <http://example.org/graph> .\n"),
    "graph.trig": writers.turtle().replace("\n", "\n<http://example.org/graph> {", 1) + "}",
    "graph.n3": writers.turtle(),
    "graph.jsonld": json.dumps([{"@id": h, r: {"@id": t}} for h, r, t in TRIPLES]),
    "graph.csv": writers.delimited(),
    "bare.csv": writers.delimited(header=None),
    "graph.tsv": writers.delimited(separator="\t"),
    "graph.txt": writers.delimited(separator="\t", header=None),
    "graph.jsonl": writers.json_lines(),
}


def named(graph, *splits):
    triples = graph.triples(*splits).tolist()
    return sorted((graph.entities.keys[h], graph.relations.keys[r], graph.entities.keys[t]) for h, r, t in triples)


def imported(source, out, **options):
    made = import_graph(source, out, options=ReadingOptions(**options))
    return made, read_tsv(out, "mine")


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("name", TEXTS)
def test_every_text_format_comes_back_as_the_graph_that_it_was(tmp_path, name, pack):
    path = tmp_path / (f"{name}.gz" if pack else name)
    path.write_bytes(gzip.compress(TEXTS[name].encode()) if pack else TEXTS[name].encode())
    made, graph = imported(path, tmp_path / "out")
    assert named(graph, "train", "valid", "test") == sorted(TRIPLES)
    assert made.triples == {"train": 16, "valid": 2, "test": 2}
    assert graph.seen_entities.all()
    assert graph.entities.labels[0] == "E 00"
    assert not [note for note in graph.notes if "header" in note]


@pytest.mark.parametrize("kind", ["parquet", "arrow", "stream"])
def test_columnar_files_come_back(tmp_path, kind):
    path = tmp_path / ("graph.parquet" if kind == "parquet" else "graph.arrow")
    if kind == "parquet":
        writers.parquet(path)
    else:
        writers.arrow(path, stream=kind == "stream")
    _, graph = imported(path, tmp_path / "out")
    assert named(graph, "train", "valid", "test") == sorted(TRIPLES)


@pytest.mark.parametrize("layout", ["pykeen", "ogb", "files"])
def test_splits_of_the_source_are_kept(tmp_path, layout):
    source = tmp_path / "source"
    if layout == "pykeen":
        for split, folder in (("train", "training"), ("valid", "validation"), ("test", "testing")):
            writers.pykeen_factory(source / folder, SPLITS[split])
    elif layout == "ogb":
        writers.ogb(source, SPLITS)
    else:
        source.mkdir()
        for split, rows in SPLITS.items():
            (source / f"{split}.csv").write_text(writers.delimited(rows), encoding="utf-8")
        (source / "README.csv").write_text("not,a\n", encoding="utf-8")
    made, graph = imported(source, tmp_path / "out")
    for split, rows in SPLITS.items():
        assert named(graph, split) == sorted(rows)
    assert not any("split by seed" in note for note in made.notes)


@pytest.mark.parametrize("layout", ["save_to_disk", "of the hub", "in data/"])
def test_data_sets_of_hugging_face_come_back_in_their_splits(tmp_path, layout):
    source, words = tmp_path / "source", {"train": "train", "valid": "validation", "test": "test"}
    source.mkdir()
    if layout == "save_to_disk":
        (source / "dataset_dict.json").write_text(json.dumps({"splits": list(words.values())}), encoding="utf-8")
    for split, rows in SPLITS.items():
        if layout == "save_to_disk":
            writers.saved(source / words[split], rows[:1], rows[1:])
            continue
        for number, piece in enumerate((rows[:1], rows[1:])):
            path = source / ("data" if "/" in layout else "") / f"{words[split]}-{number:05}-of-00002.parquet"
            path.parent.mkdir(exist_ok=True)
            writers.parquet(path, piece)
    _, graph = imported(source, tmp_path / "out")
    for split, rows in SPLITS.items():
        assert named(graph, split) == sorted(rows)


def test_one_data_set_of_hugging_face_is_split_here_and_damage_is_told(tmp_path):
    one = tmp_path / "one"
    writers.saved(one, TRIPLES)
    made, graph = imported(one, tmp_path / "out")
    assert named(graph, "train", "valid", "test") == sorted(TRIPLES)
    assert any("split by seed" in note for note in made.notes)
    for content, message in {
        "{}": "names no splits",
        '{"splits": ["train"]}': r"train.state\.json: does not list the files of the split",
        '{"splits": []}': "no file ends in",
    }.items():
        (one / "dataset_dict.json").write_text(content, encoding="utf-8")
        if "[]" in content:
            (one / "data-00000-of-00001.arrow").unlink()
        with pytest.raises(InputError, match=message):
            import_graph(one, tmp_path / "none")
    (one / "dataset_dict.json").unlink()
    (one / "state.json").unlink()
    writers.parquet(one / "extra-00000-of-00001.parquet")
    with pytest.raises(InputError, match="a split is called 'extra'"):
        import_graph(one, tmp_path / "none")


def test_what_is_missing_of_a_data_set_of_hugging_face_is_told_and_a_split_may_be_empty(tmp_path):
    both, pieces = tmp_path / "both", tmp_path / "pieces"
    writers.saved(both / "train", TRIPLES[:10], TRIPLES[10:])
    writers.saved(both / "test")
    (both / "dataset_dict.json").write_text('{"splits": ["train", "test"]}', encoding="utf-8")
    made, graph = imported(both, tmp_path / "out")
    assert named(graph, "train") == sorted(TRIPLES)
    assert "no test triples in the source" in made.notes
    with pytest.raises(InputError, match="a data set without rows"):
        import_graph(both / "test", tmp_path / "none")
    (both / "train" / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(InputError, match=r"data-00001-of-00002\.arrow: no such file, and .*state\.json names it"):
        import_graph(both, tmp_path / "none")
    pieces.mkdir()
    writers.parquet(pieces / "train-00000-of-00002.parquet")
    with pytest.raises(InputError, match="'train' is in 2 pieces, and train-00001-of-00002 is not there; fetch all"):
        import_graph(pieces, tmp_path / "none")
    writers.parquet(pieces / "train-00000-of-00001.parquet")
    with pytest.raises(InputError, match="'train' is there in 1 and 2 pieces; leave one of these sets"):
        import_graph(pieces, tmp_path / "none")


def test_classes_of_hugging_face_are_names_and_not_their_numbers(tmp_path):
    writers.saved(tmp_path / "both" / "train", SPLITS["train"], classes=RELATIONS)
    writers.saved(tmp_path / "both" / "test", SPLITS["test"], classes=RELATIONS[::-1])
    (tmp_path / "both" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}', encoding="utf-8")
    _, graph = imported(tmp_path / "both", tmp_path / "out")
    assert named(graph, "train") == sorted(SPLITS["train"])
    assert named(graph, "test") == sorted(SPLITS["test"])


def test_one_triples_factory_and_raw_edges_of_ogb_are_split_here(tmp_path):
    writers.pykeen_factory(tmp_path / "factory")
    writers.ogb(tmp_path / "ogb")
    for name in ("factory", "ogb"):
        _, graph = imported(tmp_path / name, tmp_path / f"{name}-out")
        assert named(graph, "train", "valid", "test") == sorted(TRIPLES)


def test_the_pickles_of_ogb_are_not_loaded(tmp_path):
    writers.ogb(tmp_path / "ogb")
    (tmp_path / "ogb" / "split" / "time").mkdir(parents=True)
    (tmp_path / "ogb" / "split" / "time" / "train.pt").write_bytes(b"a pickle")
    with pytest.raises(InputError, match=r"train\.pt: a pickle, which could run code .*numpy\.savez"):
        import_graph(tmp_path / "ogb", tmp_path / "out")


def test_the_files_depend_on_triples_and_seed_alone(tmp_path):
    for name, rows in (("a", TRIPLES), ("b", TRIPLES[::-1]), ("c", TRIPLES)):
        (tmp_path / f"{name}.nt").write_text(writers.n_triples(rows), encoding="utf-8")
        import_graph(tmp_path / f"{name}.nt", tmp_path / name, splitting=Splitting(seed=int(name == "c")))
    files = {name: {p.name: p.read_bytes() for p in sorted((tmp_path / name).glob("*.tsv"))} for name in "abc"}
    assert files["a"] == files["b"]
    assert files["a"] != files["c"]


def test_a_folder_of_pieces_is_one_graph(tmp_path):
    (tmp_path / "pieces").mkdir()
    (tmp_path / "pieces" / "1.nt").write_text(writers.n_triples(TRIPLES[:12]), encoding="utf-8")
    (tmp_path / "pieces" / "2.ttl").write_text(writers.turtle(TRIPLES[10:]), encoding="utf-8")
    (tmp_path / "pieces" / "README.md").write_text("of two pieces", encoding="utf-8")
    made, graph = imported(tmp_path / "pieces", tmp_path / "out")
    assert named(graph, "train", "valid", "test") == sorted(TRIPLES)
    assert made.duplicates == 2
    described = json.loads((tmp_path / "out" / "import.json").read_text())
    assert described["sha256"].keys() == {"1.nt", "2.ttl"}
    assert described["settings"]["language"] == "en"
    assert described["settings"]["seed"] == 0


LITERALS = """
@prefix e: <http://example.org/resource/> . @prefix o: <http://example.org/ontology/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
e:E_00 rdfs:label "Oslo"@en , "Oslo (ville)"@fr ; o:abstract "The capital\\n of  Norway."@en-GB , "Die Hauptstadt"@de ;
    o:people 709037 ; o:founded "1048-07-01"^^xsd:date ; o:since "1048Z"^^xsd:gYear ; o:coastal true ;
    o:area "454.1"^^<http://dbpedia.org/datatype/squareKilometre> ; o:shape "x"^^o:polygon ;
    o:flag <http://example.org/flags/oslo.png> ; o:photo "photos/oslo.JPG" ; o:empty "  " ; o:code "N1" .
e:E_99 o:people 5 .
o:next rdfs:label "comes before"@en .
e:E_01 o:near [ o:knows e:E_02 ] .
"""


def test_literals_become_texts_numbers_and_images_and_the_rest_is_counted(tmp_path):
    (tmp_path / "graph.ttl").write_text(LITERALS + writers.turtle(), encoding="utf-8")
    made, graph = imported(tmp_path / "graph.ttl", tmp_path / "out", categories=frozenset({f"{ONTOLOGY}code"}))
    folder, oslo = tmp_path / "out", ENTITIES[0]
    assert lines(folder / "texts.tsv") == [
        ["entity", "text", "attribute"],
        [oslo, "Oslo", "http://www.w3.org/2000/01/rdf-schema#label"],
        [oslo, "The capital of Norway.", f"{ONTOLOGY}abstract"],
    ]
    assert lines(folder / "attributes.tsv") == [
        ["entity", "attribute", "value"],
        [oslo, f"{ONTOLOGY}people", "709037"],
        [oslo, f"{ONTOLOGY}founded", "1048-07-01"],
        [oslo, f"{ONTOLOGY}since", "1048"],
        [oslo, f"{ONTOLOGY}coastal", "1"],
        [oslo, f"{ONTOLOGY}area (squareKilometre)", "454.1"],
        [oslo, f"{ONTOLOGY}code", "N1"],
    ]
    images = [row[1] for row in lines(folder / "images.tsv")]
    assert images == ["image", "http://example.org/flags/oslo.png", "photos/oslo.JPG"]
    assert made.left_out == {
        "texts in another language than en": {"de": 1, "fr": 1},
        "empty texts": {"": 1},
        "literals that are neither text nor number": {f"{ONTOLOGY}polygon": 1},
        "values of what stands in no triple": {"": 1},
    }
    assert graph.entities.labels[graph.entities.ids[oslo]] == "Oslo"
    assert graph.relations.labels[graph.relations.ids[RELATIONS[0]]] == "comes before"
    assert "_:b1" in graph.entities.keys
    assert made.blank_nodes == 1
    rows = dict(made.rows())
    assert rows["entities"] == "11, 1 blank nodes"
    assert rows["left out: texts in another language than en"] == "2 (de 1, fr 1)"
    assert made.statements == 20 + 18


ONTOLOGY = "http://example.org/ontology/"


def lines(path):
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def test_other_languages_can_be_asked_for(tmp_path):
    (tmp_path / "graph.ttl").write_text(LITERALS + writers.turtle(), encoding="utf-8")
    imported(tmp_path / "graph.ttl", tmp_path / "de", language="de")
    assert [row[1] for row in lines(tmp_path / "de" / "texts.tsv")] == ["text", "Die Hauptstadt", "N1"]
    made, _ = imported(tmp_path / "graph.ttl", tmp_path / "all", language=None)
    assert made.values["texts.tsv"] == (5, 1)


def test_attributes_of_a_table_become_values(tmp_path):
    extra = [(ENTITIES[0], "people", "12"), (ENTITIES[1], "people", "7"), (ENTITIES[0], "colour", "red")]
    extra += [
        (ENTITIES[0], "note", 'two\nlines, "quoted"'),
        (ENTITIES[0], "photo", "a.png"),
        (ENTITIES[2], "class", "3"),
    ]
    (tmp_path / "graph.csv").write_text(writers.delimited([*TRIPLES, *extra]), encoding="utf-8")
    options = {
        "attributes": frozenset({"people", "note", "photo"}),
        "categories": frozenset({"colour", "class"}),
    }
    made, graph = imported(tmp_path / "graph.csv", tmp_path / "out", **options)
    assert named(graph, "train", "valid", "test") == sorted(TRIPLES)
    assert made.values == {"texts.tsv": (1, 1), "attributes.tsv": (4, 3), "images.tsv": (1, 1)}
    assert lines(tmp_path / "out" / "attributes.tsv")[3:] == [
        [ENTITIES[0], "colour", "red"],
        [ENTITIES[2], "class", "value 3"],
    ]
    assert lines(tmp_path / "out" / "texts.tsv")[1] == [ENTITIES[0], 'two lines, "quoted"', "note"]
    graph = read_tsv(tmp_path / "out", "mine", {"numeric": "attributes.tsv"})
    assert graph.modalities["numeric"].present.sum() == 2


def test_relations_to_numbers_are_pointed_out(tmp_path):
    rows = [*TRIPLES, (ENTITIES[0], "people", "12"), (ENTITIES[1], "people", "1905-06-07")]
    (tmp_path / "graph.tsv").write_text(writers.delimited(rows, "\t"), encoding="utf-8")
    made, _ = imported(tmp_path / "graph.tsv", tmp_path / "out")
    assert any("attributes=[people] makes them features" in note for note in made.notes)
    rows = [(str(i), "r", str(i + 1)) for i in range(9)] + [(str(i), "leads to", str(20 + i)) for i in range(9)]
    (tmp_path / "ids.tsv").write_text(writers.delimited(rows, "\t"), encoding="utf-8")
    made = import_graph(tmp_path / "ids.tsv", tmp_path / "ids", splitting=Splitting(0, 0))
    assert not any("attributes=" in note for note in made.notes)


def test_numbers_in_json_lines_are_values_and_ids_are_names(tmp_path):
    text = writers.json_lines() + json.dumps({"h": ENTITIES[0], "r": "people", "t": 12.5}) + "\n"
    (tmp_path / "graph.jsonl").write_text(text, encoding="utf-8")
    made, _ = imported(tmp_path / "graph.jsonl", tmp_path / "out")
    assert made.values == {"attributes.tsv": (1, 1)}
    rows = "".join(json.dumps({"head": i, "relation": 0, "tail": (i + 1) % 6}) + "\n" for i in range(6))
    (tmp_path / "ids.jsonl").write_text(rows + rows.replace('"relation": 0', '"relation": 1'), encoding="utf-8")
    import_graph(tmp_path / "ids.jsonl", tmp_path / "ids", splitting=Splitting(0, 0))
    graph = read_tsv(tmp_path / "ids", "ids")
    assert graph.entities.keys == ("0", "1", "2", "3", "4", "5")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (writers.delimited(header=("a", "b", "c")), {"head": "a", "relation": "b", "tail": "c"}),
        (writers.delimited(TURNED, header=None), {"head": "2", "relation": "3", "tail": "1"}),
        (writers.delimited(TURNED, header=("object", "subject", "predicate")), {}),
        (writers.delimited(WEIGHTED, header=("from", "kind", "to", "weight")), {"relation": "kind"}),
        (writers.delimited(header=("x", "y", "z")), {"header": True, "head": "1", "relation": "2", "tail": "3"}),
    ],
)
def test_columns_are_found_by_words_names_and_numbers(tmp_path, text, options):
    (tmp_path / "graph.csv").write_text(text, encoding="utf-8")
    _, graph = imported(tmp_path / "graph.csv", tmp_path / "out", **options)
    assert named(graph, "train", "valid", "test") == sorted(TRIPLES)


def test_a_header_whose_names_are_those_of_other_rows_is_a_triple(tmp_path):
    rows = [("source", "type", "target"), ("target", "type", "source"), ("source", "type", "source")]
    (tmp_path / "graph.tsv").write_text(writers.delimited(rows, "\t", header=None), encoding="utf-8")
    made = import_graph(tmp_path / "graph.tsv", tmp_path / "out", splitting=Splitting(0, 0))
    assert made.triples["train"] == 3
    assert "and was kept (header=true leaves it out)" in made.notes[0]


def test_quotes_of_tsv_are_part_of_names_unless_asked_for(tmp_path):
    rows = [(f'"{head}"', relation, tail) for head, relation, tail in TRIPLES]
    text = "".join("\t".join(row) + "\n" for row in rows)
    (tmp_path / "graph.tsv").write_text(text, encoding="utf-8")
    _, graph = imported(tmp_path / "graph.tsv", tmp_path / "kept")
    assert f'"{ENTITIES[0]}"' in graph.entities.keys
    _, graph = imported(tmp_path / "graph.tsv", tmp_path / "read", quotes=True)
    assert named(graph, "train", "valid", "test") == sorted(TRIPLES)


def test_names_with_line_ends_are_told(tmp_path):
    rows = [("a\nb", "r", "c"), ("c", "r", "a\nb"), ("c", "r", "c")]
    (tmp_path / "graph.csv").write_text(writers.delimited(rows), encoding="utf-8")
    made = import_graph(tmp_path / "graph.csv", tmp_path / "out", splitting=Splitting(0, 0))
    assert "a b" in read_tsv(tmp_path / "out", "mine").entities.keys
    assert any(note.startswith("1 names have tabs or line ends") for note in made.notes)


BAD = {
    "broken.nt": ("<a:a> <a:b> <a:c> .\n<a:a> <a:b> .\n", r"broken\.nt, line 2: .*expected N-TRIPLES"),
    "broken.ttl": ("@prefix : <http://x/> .\n:a :b :c ;;; x .\n", r"broken\.ttl, line 2: .*expected TURTLE"),
    "broken.rdf": ("<rdf:RDF>\n<nothing", r"broken\.rdf.*expected RDF-XML"),
    "short.csv": ("head,relation,tail\na,r,b\na,r\n", r"short\.csv, line 3: 2 columns, expected 3"),
    "empty.csv": ("head,relation,tail\na,r,\n", r"empty\.csv, line 2: column 3 \(tail\) is empty"),
    "open.csv": ('head,relation,tail\na,r,"b\n', r"open\.csv, line 2: unexpected end of data"),
    "wide.tsv": ("a\tr\tb\tc\n", r"wide\.tsv, line 1: which of the columns a, r, b, c .* head=a relation=r tail=b"),
    "commas.tsv": ("a,r,b\n", r"commas\.tsv, line 1: one column; separate the fields by tabs, not by ','"),
    "latin.csv": (b"a,r,\xe9\n", r"latin\.csv, line 1: not UTF-8 \(byte 0xe9\); save"),
    "none.csv": ("head,relation,tail\n", r"none\.csv: no triples between two entities: it holds no st"),
    "late.csv": (
        b"a,r,b\n" * 9999 + b"\xe9,r,b\n",
        r"late\.csv, line 10000: not UTF-8 \(byte 0xe9\); save it in UTF-8",
    ),
    "wide.jsonl": ('["a"]\n'.encode("utf-16"), r"wide\.jsonl: the file is in UTF-16; save it in UTF-8"),
    "wide.nt": ("<a:a> <a:b> <a:c> .\n".encode("utf-16-le"), r"wide\.nt: the file is in UTF-16; save it in UTF-8"),
    "packed.csv": (gzip.compress(b"a,r,b\n"), r"packed\.csv: the file is packed by gzip; unpack it, or end its name"),
    "latin.jsonl": (b'{"h": "\xe9"}\n', r"latin\.jsonl, line 1: not UTF-8 \(byte 0xe9\); save it in UTF-8"),
    "deep.jsonl": ("[" * 99999, r"deep\.jsonl, line 1: no JSON: maximum recursion depth"),
    "nan.jsonl": ('{"h": "a", "r": "r", "t": NaN}\n', r"nan\.jsonl, line 1: 't' is NaN; expected the name of the tail"),
    "half.jsonl": ('{"h": "\\ud800", "r": "r", "t": "b"}\n', r"half\.jsonl, line 1: 'h' is .*ud800', which is no text"),
    "tie.csv": (
        "a,r,b\nc,r,d\n",
        r"tie\.csv: no triple of 2 could be held out .* valid_fraction and test_fraction",
    ),
    "long.csv": ('a,r,b\n"a,r,b\na,r,b\n', r"long\.csv, lines 2 to 3: unexpected end of data; a quoted field ends"),
    "web.jsonld": ('{"@context": "http://schema.org/", "name": "b"}', r"web\.jsonld: its @context lies on the web"),
    "twice.csv": ("head,relation,tail,head\na,r,b,c\n", r"twice\.csv, line 1: .* Say it: head=NUMBER relation=NUMBER"),
    "bad.jsonl": (
        '{"h": 1, "r": 2, "t": 3}\n{"h": 1}\n',
        r"bad\.jsonl, line 2: 'r' is null; expected the name of the rel",
    ),
    "list.jsonl": ("[1]\n", r"list\.jsonl, line 1: list; expected an object"),
    "text.jsonl": ("a r b\n", r"text\.jsonl, line 1: no JSON"),
    "graph.doc": ("", r"graph\.doc: unknown ending; expected one of \.nt, .*format=nt"),
    "graph.nt.gz": ("plain", r"graph\.nt\.gz: its name says gzip, but it cannot be unpacked"),
    "graph.csv.gz": ("plain", r"graph\.csv\.gz: its name says gzip, but it cannot be unpacked"),
    "graph.parquet": ("plain", r"graph\.parquet: cannot be read as Parquet"),
    "graph.arrow": ("plain", r"graph\.arrow: cannot be read as Arrow"),
    "graph.parquet.gz": ("plain", r"graph\.parquet\.gz: Parquet and Arrow files are read unpacked"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_named_with_their_line(tmp_path, name):
    content, complaint = BAD[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=complaint):
        import_graph(tmp_path / name, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == [name]  # nothing is left of the attempt


def test_a_column_is_not_guessed_where_several_are_called_so_or_others_are_named(tmp_path):
    import pyarrow
    from pyarrow import parquet

    names, rows = ("head", "relation", "tail", "head"), [(*row, "else") for row in TRIPLES]
    (tmp_path / "graph.csv").write_text(writers.delimited(rows, header=names), encoding="utf-8")
    columns = [pyarrow.array(column) for column in zip(*rows, strict=True)]
    parquet.write_table(pyarrow.Table.from_arrays(columns, names=list(names)), tmp_path / "graph.parquet")
    for file in ("graph.csv", "graph.parquet"):
        with pytest.raises(InputError, match="head=head names 2 columns; give the number of one, from 1"):
            import_graph(tmp_path / file, tmp_path / "none", options=ReadingOptions("head", "relation", "tail"))
        _, graph = imported(tmp_path / file, tmp_path / f"{file}.out", head="1", relation="2", tail="3")
        assert named(graph, "train", "valid", "test") == sorted(TRIPLES)
        last = ReadingOptions("4", "2", "3")
        import_graph(tmp_path / file, tmp_path / f"{file}.last", options=last, splitting=Splitting(0, 0))
        assert {head for head, _, _ in named(read_tsv(tmp_path / f"{file}.last", "last"), "train")} == {"else"}
    (tmp_path / "bare.csv").write_text("x,y,z\na,r,b\n", encoding="utf-8")
    with pytest.raises(InputError, match="which of the columns x, y, z are head, relation and tail"):
        import_graph(tmp_path / "bare.csv", tmp_path / "none", options=ReadingOptions(head="z"))


def test_a_first_row_whose_names_stand_nowhere_else_is_told(tmp_path):
    for header, noted in ((("foo", "bar", "baz"), True), (None, False)):
        (tmp_path / "graph.csv").write_text(writers.delimited(header=header), encoding="utf-8")
        made = import_graph(tmp_path / "graph.csv", tmp_path / str(noted))
        assert any("'foo bar baz', was taken for a triple" in note for note in made.notes) == noted


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "g.csv",
            {"attributes": frozenset({"knows"})},
            r"attributes=\[knows\]: nothing in .* no relation is called so",
        ),
        ("g.nt", {"categories": frozenset({RELATIONS[0]})}, "it leads to things, not to literals"),
        ("g.nt", {"head": "subject"}, "head=subject names a column, and .* has none; leave it out"),
    ],
)
def test_settings_that_nothing_would_follow_are_refused(tmp_path, name, options, message):
    (tmp_path / name).write_text(writers.delimited() if name == "g.csv" else writers.n_triples(), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        import_graph(tmp_path / name, tmp_path / "out", options=ReadingOptions(**options))


def test_files_of_a_folder_that_are_no_splits_are_told_and_splits_without_train_are_refused(tmp_path):
    for name, rows in {"test.csv": TRIPLES[17:], "more.csv": TRIPLES[:3]}.items():
        (tmp_path / name).write_text(writers.delimited(rows), encoding="utf-8")
    with pytest.raises(InputError, match=r"test\.csv by name, and no train; add the training triples"):
        import_graph(tmp_path, tmp_path / "none")
    (tmp_path / "train.csv").write_text(writers.delimited(TRIPLES[:17]), encoding="utf-8")
    made = import_graph(tmp_path, tmp_path / "out")
    assert "not read, as no split is called so: more.csv" in made.notes


@pytest.mark.parametrize("name", ["graph.nt.gz", "graph.csv.gz", "graph.jsonl.gz"])
def test_a_packed_file_that_is_cut_short_is_told(tmp_path, name):
    text = TEXTS[name.removesuffix(".gz")] * 50
    (tmp_path / name).write_bytes(gzip.compress(text.encode())[:-20])
    with pytest.raises(InputError, match="its name says gzip, but it cannot be unpacked"):
        import_graph(tmp_path / name, tmp_path / "out")


def test_bad_columns_of_parquet_are_named(tmp_path):
    path = tmp_path / "graph.parquet"
    for rows, options, complaint in (
        (TRIPLES, {"head": "origin"}, r"head=origin names no column; there are source, type, target"),
        ([("a", "r", 1.5)], {}, r"column 'target' is of type double; expected text or integers for the tail"),
        ([("a", "r", "b"), ("a", None, "b")], {}, r"row 2: column 'type' is null; expected the name of the relation"),
        ([("a", "r", "b"), (" ", "r", "b")], {}, r"row 2: column 'source' is empty"),
    ):
        writers.parquet(path, rows)
        with pytest.raises(InputError, match=complaint):
            import_graph(path, tmp_path / "out", options=ReadingOptions(**options))
    writers.parquet(path, names=("x", "y", "z"))
    with pytest.raises(InputError, match="which of the columns x, y, z are head, relation and tail"):
        import_graph(path, tmp_path / "out")


def test_bad_numbers_of_other_layouts_are_named(tmp_path):
    writers.ogb(tmp_path / "ogb", {"train": TRIPLES})
    writers.packed(tmp_path / "ogb" / "mapping" / "reltype2relid.csv.gz", "reltype,rel id\n0,r\n")
    with pytest.raises(InputError, match=r"train\.npz, row 11: relation id 1 is out of range"):
        import_graph(tmp_path / "ogb", tmp_path / "out")
    writers.pykeen_factory(tmp_path / "factory")
    writers.packed(tmp_path / "factory" / "numeric_triples.tsv.gz", "head\trelation\ttail\n0\t0\tx\n")
    with pytest.raises(InputError, match=r"numeric_triples\.tsv\.gz: .*'x'.* expected 3 integer ids a row"):
        import_graph(tmp_path / "factory", tmp_path / "out")
    writers.packed(tmp_path / "factory" / "entity_to_id.tsv.gz", "id\tlabel\n0\ta\n0\tb\n")
    with pytest.raises(InputError, match=r"entity_to_id\.tsv\.gz, line 3: .* expected a number, once, and a name"):
        import_graph(tmp_path / "factory", tmp_path / "out")


def test_folders_that_are_taken_or_hold_nothing_are_refused(tmp_path):
    (tmp_path / "graph.nt").write_text(writers.n_triples(), encoding="utf-8")
    (tmp_path / "out").mkdir()
    import_graph(tmp_path / "graph.nt", tmp_path / "out")  # that is empty
    with pytest.raises(InputError, match="is there already; give another folder"):
        import_graph(tmp_path / "graph.nt", tmp_path / "out")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match=re.escape("no file ends in .nt")):
        import_graph(tmp_path / "nothing", tmp_path / "new")
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file"):
        import_graph(tmp_path / "nowhere.csv", tmp_path / "new")
    with pytest.raises(InputError, match="format is 'xls'; expected auto, nt"):
        import_graph(tmp_path / "graph.nt", tmp_path / "new", kind="xls")
    for name in ("train.csv", "training.tsv"):
        (tmp_path / "nothing" / name).write_text("a,r,b\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"train\.csv and training\.tsv are both train triples by their names"):
        import_graph(tmp_path / "nothing", tmp_path / "new")


def test_without_the_extra_the_message_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyoxigraph", None)
    (tmp_path / "graph.nt").write_text(writers.n_triples(), encoding="utf-8")
    with pytest.raises(InputError, match=r"reading RDF needs pyoxigraph: pip install 'dhns\[exchange\]'"):
        import_graph(tmp_path / "graph.nt", tmp_path / "out")
