"""Files of named triples as they come: with headers, in other orders, under other names, packed, with odd spellings."""

import gzip

import pytest
import torch

from dhns.errors import InputError
from dhns.graph.readers import read_edge_list, read_tsv
from dhns.graph.readers.columns import parse_columns
from dhns.graph.readers.header import columns_of

TRIPLES = {
    "train": [("Paris", "part of", "France"), ("New York", "part of", "USA"), ("France", "capital", "Paris")],
    "valid": [("Paris", "part of", "USA")],
    "test": [("USA", "capital", "New York")],
}


def text(rows, separator="\t"):
    return "".join(f"{separator.join(row)}\n" for row in rows)


def write(folder, files=None, header=None, order=(0, 1, 2)):
    """The triples as TSV files, and others; returns the folder."""
    for split, rows in TRIPLES.items():
        lines = [[row[column] for column in order] for row in ([header] if header else []) + rows]
        (folder / f"{split}.tsv").write_text(text(lines))
    for name, content in (files or {}).items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def named(graph, split):
    keys = (graph.entities.keys, graph.relations.keys, graph.entities.keys)
    return [tuple(names[i] for names, i in zip(keys, row, strict=True)) for row in graph.split(split).tolist()]


def check(graph):
    assert {split: named(graph, split) for split in TRIPLES} == TRIPLES
    assert graph.num_entities == 4


# --- headers -------------------------------------------------------------------------------------------------------

HEADERS = [
    "Head Relation Tail",
    "HEAD RELATION TAIL",
    "subject predicate object",
    "h r t",
    "s p o",
    "source relation target",
    "Source Edge Target",
    "from rel to",
    "head_id relation_id tail_id",
    "headEntity relationType tailEntity",
    ":START_ID :TYPE :END_ID",
    "subj pred obj",
    "node1 label node2",
]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_in_other_words_is_left_out_and_told(tmp_path, header):
    graph = read_tsv(write(tmp_path, header=header.split()), "x")
    check(graph)
    (note,) = graph.notes
    assert note.startswith(f"train.tsv, valid.tsv, test.tsv: the first row, '{header}', was taken for a header")
    assert "dataset.header=false keeps it" in note


def test_the_documented_header_needs_no_note(tmp_path):
    graph = read_tsv(write(tmp_path, header=["head", "relation", "tail"]), "x")
    check(graph)
    assert graph.notes == ()


def test_a_header_of_unknown_words_that_all_files_share_is_left_out_and_told(tmp_path):
    graph = read_tsv(write(tmp_path, header=["Gen", "Wirkung", "Krankheit"]), "x")
    check(graph)
    assert "'Gen Wirkung Krankheit', was taken for a header" in graph.notes[0]


def test_a_header_in_one_file_alone(tmp_path):
    graph = read_tsv(write(tmp_path, {"valid.tsv": f"Subject\tPredicate\tObject\n{text(TRIPLES['valid'])}"}), "x")
    check(graph)
    assert graph.notes[0].startswith("valid.tsv: the first row, 'Subject Predicate Object'")


@pytest.mark.parametrize("file", ["train.tsv", "test.tsv"])
def test_a_triple_that_reads_like_a_header_is_kept_and_told(tmp_path, file):
    rows = [("h", "r", "t"), ("a", "r", "b")] if file == "train.tsv" else [("h", "r", "t")]
    more = {} if file == "train.tsv" else {"train.tsv": text([*TRIPLES["train"], ("t", "part of", "France")])}
    graph = read_tsv(write(tmp_path, {file: text(rows), **more}), "x")
    assert named(graph, file.removesuffix(".tsv"))[0] == ("h", "r", "t")
    assert graph.notes == (
        f"{file}: the first row, 'h r t', reads like a header but has names of other rows, and was kept "
        "(dataset.header=true leaves it out)",
    )


def test_a_first_triple_is_no_header_of_unknown_words_unless_all_files_have_it(tmp_path):
    once = [("p", "q", "s")]
    graph = read_tsv(
        write(tmp_path, {name: text(once + TRIPLES[name[:-4]]) for name in ("train.tsv", "test.tsv")}), "x"
    )
    assert [len(graph.split(split)) for split in TRIPLES] == [4, 1, 2]
    assert graph.notes == ()


@pytest.mark.parametrize("rows", [[("a", "r", "a")], [("a", "r", "b"), ("a", "r", "c")], [("a", "r", "b")]])
def test_what_all_files_begin_with_is_no_header_if_its_names_recur_or_nothing_follows(tmp_path, rows):
    graph = read_tsv(write(tmp_path, {f"{split}.tsv": text(rows) for split in TRIPLES}), "x")
    assert all(named(graph, split) == rows for split in TRIPLES)


def test_header_by_setting(tmp_path):
    write(tmp_path, header=["Head", "Relation", "Tail"])
    assert len(read_tsv(tmp_path, "x", header=False).train) == 4
    write(tmp_path)
    graph = read_tsv(tmp_path, "x", header=True)
    assert [len(graph.split(split)) for split in TRIPLES] == [2, 0, 0]
    assert graph.notes == ()


def test_header_of_an_edge_list(tmp_path):
    (tmp_path / "x.tsv").write_text(text([("From", "Type", "To"), *(row for rows in TRIPLES.values() for row in rows)]))
    graph = read_edge_list(tmp_path / "x.tsv", "x", 0, 0)
    assert len(graph.train) == 5
    assert "x.tsv: the first row, 'From Type To', was taken for a header" in graph.notes[0]


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (("target", "source", "type"), ("tail", "head", "relation")),
        (("head", "tail", "rel", "weight"), ("head", "tail", "relation", "_")),
        (("head", "tail"), None),
        (("head", "relation", "object", "tail"), None),
        (("Paris", "part of", "France"), None),
    ],
)
def test_columns_of_headers(row, columns):
    assert columns_of(row) == columns


# --- columns -------------------------------------------------------------------------------------------------------


def people(order, bipartite=False):
    """60 rows of 30 people or of 30 people and 120 things, and three relations."""
    tails = [f"thing {i}" if bipartite else f"p{(7 * i + 1 + i // 30) % 30}" for i in range(120)]
    return [tuple((f"p{i % 30}", f"r{i % 3}", tails[i])[column] for column in order) for i in range(120)]


@pytest.mark.parametrize("bipartite", [False, True])
@pytest.mark.parametrize(("order", "names"), [((0, 2, 1), "head,tail,relation"), ((1, 0, 2), "relation,head,tail")])
def test_an_unlikely_order_of_columns_is_refused(tmp_path, order, names, bipartite):
    rows = people(order, bipartite)
    if bipartite and names.startswith("relation"):
        rows = [(relation, tail, head) for relation, head, tail in rows]
    (tmp_path / "x.tsv").write_text(text(rows))
    message = rf"the second column has \d+ different names .* only 3.*dataset\.columns=\[{names}\] if it does, or "
    with pytest.raises(InputError, match=message):
        read_edge_list(tmp_path / "x.tsv", "x")


def test_ids_in_an_unlikely_order_are_refused(tmp_path):
    (tmp_path / "x.tsv").write_text("".join(f"{i % 30}\t{(7 * i + 1) % 30}\t{i % 3}\n" for i in range(120)))
    with pytest.raises(InputError, match=r"dataset\.columns=\[head,tail,relation\] if it does"):
        read_edge_list(tmp_path / "x.tsv", "x")


@pytest.mark.parametrize("bipartite", [False, True])
def test_the_usual_order_is_likely(tmp_path, bipartite):
    (tmp_path / "x.tsv").write_text(text(people((0, 1, 2), bipartite)))
    assert read_edge_list(tmp_path / "x.tsv", "x", 0, 0).num_relations == 3


def test_columns_by_setting(tmp_path):
    check(read_tsv(write(tmp_path, order=(2, 0, 1)), "x", columns=["tail", "head", "relation"]))
    (tmp_path / "x.tsv").write_text(text(people((0, 2, 1))))
    assert read_edge_list(tmp_path / "x.tsv", "x", 0, 0, columns=["head", "tail", "relation"]).num_relations == 3
    assert read_edge_list(tmp_path / "x.tsv", "x", 0, 0, columns=["head", "relation", "tail"]).num_relations == 30


def test_columns_of_a_header_are_taken_and_told(tmp_path):
    graph = read_tsv(write(tmp_path, header=["Subject", "Predicate", "Object"], order=(0, 2, 1)), "x")
    check(graph)
    assert graph.notes[1] == (
        "columns as in the header: head, tail, relation (dataset.columns=[head,relation,tail] takes another order)"
    )
    graph = read_tsv(tmp_path, "x", columns=["head", "relation", "tail"])
    assert named(graph, "test") == [("USA", "New York", "capital")]


def test_headers_that_differ_are_refused(tmp_path):
    write(tmp_path, header=["s", "p", "o"])
    (tmp_path / "test.tsv").write_text("s\to\tp\nUSA\tNew York\tcapital\n")
    with pytest.raises(InputError, match=r"test\.tsv: its header says head, tail, relation, that of .*train\.tsv says"):
        read_tsv(tmp_path, "x")


def test_further_columns_are_refused_with_advice_and_can_be_left_out(tmp_path):
    weighted = {f"{split}.tsv": text([(*row, "0.5", "2020") for row in rows]) for split, rows in TRIPLES.items()}
    write(tmp_path, weighted)
    with pytest.raises(InputError, match=r"train\.tsv, line 1: 5 columns, expected 3 \(head relation tail\)") as error:
        read_tsv(tmp_path, "x")
    assert "dataset.columns=[head,relation,tail,_,_] leaves out what follows" in str(error.value)
    check(read_tsv(tmp_path, "x", columns=["head", "relation", "tail", "_", "_"]))


def test_further_columns_of_a_header_are_refused_with_advice(tmp_path):
    for split, rows in TRIPLES.items():
        (tmp_path / f"{split}.tsv").write_text(text([("i", "s", "o", "p"), *(("0", h, t, r) for h, r, t in rows)]))
    with pytest.raises(InputError, match=r"4 columns, expected 3 .*; dataset\.columns=\[_,head,tail,relation\] takes"):
        read_tsv(tmp_path, "x")
    check(read_tsv(tmp_path, "x", columns=["_", "head", "tail", "relation"]))


def test_columns_that_are_left_out_may_be_blank(tmp_path):
    for split, rows in TRIPLES.items():
        (tmp_path / f"{split}.tsv").write_text(text([("", "head", "relation", "tail"), *(("", *row) for row in rows)]))
    columns = ["_", "head", "relation", "tail"]
    check(read_tsv(tmp_path, "x", columns=columns))
    (tmp_path / "test.tsv").write_text("0\tUSA\t\tNew York\n")
    with pytest.raises(InputError, match=r"test\.tsv, line 1: column 3 \(relation\) is empty"):
        read_tsv(tmp_path, "x", columns=columns)


BAD_COLUMNS = ["head", ["head", "tail"], ["head", "head", "relation", "tail"], ["h", "r", "t"], []]


@pytest.mark.parametrize("columns", BAD_COLUMNS)
def test_bad_columns(columns):
    with pytest.raises(InputError, match=r"dataset\.columns is .*; expected auto, or head, relation and tail"):
        parse_columns(columns)


# --- names of files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".tsv", ".txt", ".csv", ".tsv.gz", ".txt.gz", ".csv.gz"])
@pytest.mark.parametrize("valid", ["valid", "val", "dev"])
def test_names_under_which_graphs_are_published(tmp_path, suffix, valid):
    for split, rows in TRIPLES.items():
        content = text(rows, "," if ".csv" in suffix else "\t").encode()
        name = (valid if split == "valid" else split) + suffix
        (tmp_path / name).write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    graph = read_tsv(tmp_path, "x")
    check(graph)
    assert graph.notes == (() if valid == "valid" else (f"{valid}{suffix} was taken for the valid triples",))


def test_csv_is_read_with_its_quotes(tmp_path):
    (tmp_path / "train.csv").write_text('"Paris, France",r,"say ""hi"""\nb,r,c\n')
    assert named(read_tsv(tmp_path, "x"), "train") == [("Paris, France", "r", 'say "hi"'), ("b", "r", "c")]
    (tmp_path / "train.csv").write_text('a,r,b\n"a,r,b\n')
    with pytest.raises(InputError, match=r"train\.csv, line 2: unexpected end of data; each row stands on one line"):
        read_tsv(tmp_path, "x")
    (tmp_path / "train.csv").write_text("a,r,b,\n")
    with pytest.raises(InputError, match=r"train\.csv, line 1: a comma too many at the end of the line"):
        read_tsv(tmp_path, "x")
    (tmp_path / "train.csv").write_text("a;r;b\n")
    with pytest.raises(InputError, match=r"line 1: columns separated by semicolons; separate the 3 .* by commas"):
        read_tsv(tmp_path, "x")


def test_two_files_of_one_split_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"valid\.tsv and dev\.txt are both valid triples by their names; leave one"):
        read_tsv(write(tmp_path, {"dev.txt": "a\tr\tb\n"}), "x")


@pytest.mark.parametrize("split", ["valid", "test"])
@pytest.mark.parametrize("content", [None, "", "\n \n", "head\trelation\ttail\n", "Subject\tPredicate\tObject\n"])
def test_only_train_must_hold_triples(tmp_path, split, content):
    write(tmp_path)
    (tmp_path / f"{split}.tsv").unlink()
    if content is not None:
        (tmp_path / f"{split}.tsv").write_text(content)
    graph = read_tsv(tmp_path, "x")
    assert graph.split(split).shape == (0, 3)
    assert graph.split(split).dtype == torch.int64
    told = f"no {split}.tsv, {split}.txt or {split}.csv in the folder: no {split} triples" in graph.notes
    assert told == (content is None)


def test_what_is_not_there_is_told_with_what_is(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such folder; .*train\.tsv, valid\.tsv, test\.tsv"):
        read_tsv(tmp_path / "nowhere", "x")
    with pytest.raises(InputError, match=r"no train\.tsv, train\.txt or train\.csv, it is empty"):
        read_tsv(tmp_path, "x")
    for index in range(9):
        (tmp_path / f"{index}.txt").touch()
    with pytest.raises(InputError, match=r"it holds 0\.txt, .*, 7\.txt, \.\.\. \(9 in all\)$"):
        read_tsv(tmp_path, "x")
    (tmp_path / "train2id.txt").touch()
    with pytest.raises(InputError, match="dataset=openke reads such a folder"):
        read_tsv(tmp_path, "x")


def test_a_folder_and_a_file_in_each_others_place(tmp_path):
    write(tmp_path)
    with pytest.raises(InputError, match=r"a folder, it holds test\.tsv, .*; dataset=tsv dataset\.folder=.* reads"):
        read_edge_list(tmp_path, "x")
    with pytest.raises(InputError, match=r"train\.tsv: a file; dataset=edges dataset\.path=.*train\.tsv reads it"):
        read_tsv(tmp_path / "train.tsv", "x")


# --- files of names ------------------------------------------------------------------------------------------------

ROWS = "USA\tUnited States\nParis\t \nFrance\tFrance\nNew York\tNYC\nMars\tMars\n"


@pytest.mark.parametrize("header", ["", "key\tlabel\n", "id\tname\n", "Entity ID\tLabel\textra\n"])
def test_the_header_of_a_table_of_names_may_lack(tmp_path, header):
    graph = read_tsv(write(tmp_path, {"entities.tsv": header + ROWS}), "x")
    assert graph.entities.keys == ("USA", "Paris", "France", "New York", "Mars")
    assert graph.entities.labels == ("United States", "Paris", "France", "NYC", "Mars")
    assert len(graph.notes) == (0 if header in ("", "key\tlabel\n") else 1)
    assert all("entities.tsv: the first row, " in note for note in graph.notes)


def test_a_name_of_the_graph_is_no_header(tmp_path):
    rows = text([("name", "part of", "id")])
    files = {"entities.tsv": "name\tlabel\nid\tID\n", "train.tsv": rows, "valid.tsv": rows, "test.tsv": rows}
    assert read_tsv(write(tmp_path, files), "x").entities.keys == ("name", "id")


@pytest.mark.parametrize("counted", ["4\n", ""])
def test_ids_follow_the_file_of_ids(tmp_path, counted):
    ids = f"{counted}Paris 3\nNew York 2\nFrance\t1\nUSA 0\n"
    graph = read_tsv(write(tmp_path, {"entity2id.txt": ids, "relation2id.txt": "capital 1\npart of 0\n"}), "x")
    assert graph.entities.keys == ("USA", "France", "New York", "Paris")
    assert graph.relations.keys == ("part of", "capital")
    assert named(graph, "valid") == TRIPLES["valid"]


def test_texts_are_labels_and_fix_no_ids(tmp_path):
    texts = "USA\tUnited States\nAtlantis\tlost\nParis\tcity\nFrance\tcountry\nNew York\tcity\n"
    graph = read_tsv(write(tmp_path, {"entity2text.txt": texts, "relation2text.txt": "capital\thas capital\n"}), "x")
    assert graph.entities.keys == ("France", "New York", "Paris", "USA")
    assert graph.entities.labels == ("country", "city", "city", "United States")
    assert graph.relations.labels == ("has capital", "part of")
    assert graph.notes == ("relation2text.txt has no text of 1 of 2 relations; their keys are their labels",)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("entities.tsv", "USA United States\n", r"line 1: 'USA United States' has no tab; expected 'key<TAB>label'"),
        ("entities.tsv", "USA\tx\n\ty\n", r"line 2: '<TAB>y' has no key"),
        ("entities.tsv", "USA\tx\nUSA\ty\n", r"line 2: key 'USA' already stands on line 1"),
        ("entity2text.txt", "USA\tx\nParis\n", r"line 2: 'Paris' has no tab; expected 'key<TAB>text'"),
        ("entity2id.txt", "USA 0\nParis 2\n", r"line 2: entity id 2 is out of range; the ids of 2 rows go from 0 to 1"),
        ("entity2id.txt", "2\nUSA 0\n", r"line 1: says 2 rows, but 1 follow"),
        (
            "entity2id.txt",
            "USA 0\n",
            r"train\.tsv, line 1: entity 'Paris' is not in the file",
        ),
    ],
)
def test_bad_files_of_names(tmp_path, file, content, message):
    with pytest.raises(InputError, match=message):
        read_tsv(write(tmp_path, {file: content}), "x")


# --- spelling ------------------------------------------------------------------------------------------------------


def test_names_that_read_alike_stay_apart_and_are_told(tmp_path):
    more = text([*TRIPLES["train"], ("Paris ", "part  of", "Zu\u0308rich"), ("Z\u00fcrich", "capital", "Paris\u200b")])
    graph = read_tsv(write(tmp_path, {"train.tsv": more}), "x")
    assert graph.num_entities == 8
    assert graph.notes == (
        "5 entity names differ from another only in spacing or Unicode form, such as 'Paris' and 'Paris '; they count "
        "as different (dataset.normalize=true makes them one)",
        "2 relation names differ from another only in spacing or Unicode form, such as 'part  of' and 'part of'; they "
        "count as different (dataset.normalize=true makes them one)",
    )


def test_names_that_look_the_same_are_shown_by_their_codes(tmp_path):
    graph = read_tsv(write(tmp_path, {"test.tsv": text([("Zu\u0308rich", "part of", "Z\u00fcrich")])}), "x")
    assert r"such as 'Zu\u0308rich' and 'Z\xfcrich'" in graph.notes[0]


def test_normalized_names_are_one_and_told(tmp_path):
    more = text([*TRIPLES["train"], ("Paris ", "part  of", "Zu\u0308rich"), ("Z\u00fcrich", "capital", "Paris\u200b")])
    keys = " Paris\tCity\nFrance\tF\nUSA\tU\nNew York\tN\nZu\u0308rich\tZ\n"
    graph = read_tsv(write(tmp_path, {"train.tsv": more, "entities.tsv": keys}), "x", normalize=True)
    assert graph.entities.keys == ("Paris", "France", "USA", "New York", "Z\u00fcrich")
    assert named(graph, "train")[3:] == [("Paris", "part of", "Z\u00fcrich"), ("Z\u00fcrich", "capital", "Paris")]
    (note,) = graph.notes
    assert note.startswith("4 names were spelled otherwise, such as 'Paris ' and 'Paris' (dataset.normalize=false")
