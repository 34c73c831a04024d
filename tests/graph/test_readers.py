import pytest
import torch
from safetensors.torch import save_file

from dhns.errors import InputError
from dhns.graph.readers import read_edge_list, read_openke, read_tsv

OPENKE = {
    "entity2id.txt": "4\nParis 0\nFrance 1\nNew York\t2\nUSA 3\n",
    "relation2id.txt": "2\ncapital 0\npart_of 1\n",
    "train2id.txt": "3\n0 1 1\n1 0 0\n2 3 1\n",
    "valid2id.txt": "1\n0 1 0\n",
    "test2id.txt": "1\n2 3 0\n",
}
TSV = {
    "train.tsv": "Paris\tpart of\tFrance\nNew York\tpart of\tUSA\nFrance\tcapital\tParis\n",
    "valid.tsv": "Paris\tpart of\tUSA\n",
    "test.tsv": "USA\tcapital\tNew York\n",
}


def write(folder, files):
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_openke_turns_head_tail_relation_into_head_relation_tail(tmp_path):
    graph = read_openke(write(tmp_path, OPENKE), "toy")
    assert graph.entities.keys == graph.entities.labels == ("Paris", "France", "New York", "USA")
    assert graph.train.tolist() == [[0, 1, 1], [1, 0, 0], [2, 1, 3]]
    assert graph.train.dtype == torch.int64
    assert graph.describe((2, 1, 3)) == "New York - part_of - USA"


def test_openke_ids_need_not_be_in_file_order(tmp_path):
    files = OPENKE | {"relation2id.txt": "2\npart_of 1\ncapital 0\n"}
    assert read_openke(write(tmp_path, files), "toy").relations.keys == ("capital", "part_of")


def test_openke_labels(tmp_path):
    labels = "id\tlabel\tkind\n1\tthe Republic\tx\n0\tParis, France\tx\n2\tNYC\tx\n3\t\tx\n"
    graph = read_openke(write(tmp_path, OPENKE | {"entity_labels.tsv": labels}), "toy")
    assert graph.entities.labels == ("Paris, France", "the Republic", "NYC", "USA")


@pytest.mark.parametrize("text", ["0\n", "", "\n"])
def test_openke_empty_held_out_sets(tmp_path, text):
    graph = read_openke(write(tmp_path, OPENKE | {"valid2id.txt": text, "test2id.txt": text}), "toy")
    for triples in (graph.valid, graph.test):
        assert triples.shape == (0, 3)
        assert triples.dtype == torch.int64


def test_openke_in_another_order_of_columns(tmp_path):
    turned = OPENKE | {f"{split}2id.txt": "1\n1 2 3\n" for split in ("train", "valid", "test")}
    write(tmp_path, turned | {"relation2id.txt": "3\nr 0\ns 1\nt 2\n"})
    assert read_openke(tmp_path, "toy", columns=["relation", "head", "tail"]).train.tolist() == [[2, 1, 3]]
    assert read_openke(tmp_path, "toy", columns=["head", "relation", "tail"]).train.tolist() == [[1, 2, 3]]


def test_openke_columns_that_are_left_out_hold_anything(tmp_path):
    weighted = OPENKE | {f"{split}2id.txt": "2\n0 1 0.5 1\n2 3 high 0\n" for split in ("train", "valid", "test")}
    write(tmp_path, weighted)
    message = (
        r"line 2: 4 columns, expected 3 \(head tail relation\); dataset\.columns=\[head,tail,relation,_\] leaves out"
    )
    with pytest.raises(InputError, match=message):
        read_openke(tmp_path, "toy")
    graph = read_openke(tmp_path, "toy", columns=["head", "tail", "_", "relation"])
    assert graph.test.tolist() == [[0, 1, 1], [2, 0, 3]]


def test_openke_files_of_names_may_lack_their_number_of_rows(tmp_path):
    graph = read_openke(write(tmp_path, OPENKE | {"relation2id.txt": "part_of 1\ncapital 0\n"}), "toy")
    assert graph.relations.keys == ("capital", "part_of")


def test_openke_labels_by_name(tmp_path):
    texts = "France\tthe Republic\nParis\tcapital\tof fashion\n"
    graph = read_openke(write(tmp_path, OPENKE | {"entity2text.txt": texts}), "toy")
    assert graph.entities.labels == ("capital", "the Republic", "New York", "USA")
    assert graph.notes == ("entity2text.txt has no text of 2 of 4 entities; their keys are their labels",)


def test_windows_line_ends_and_byte_order_mark(tmp_path):
    files = {name: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() for name, text in OPENKE.items()}
    graph = read_openke(write(tmp_path, files), "toy")
    assert graph.entities.keys == ("Paris", "France", "New York", "USA")
    assert len(graph.train) == 3


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("train2id.txt", "4\n0 1 1\n1 0 0\n2 3 1\n", r"train2id\.txt, line 1: says 4 rows, but 3 follow"),
        ("train2id.txt", "0 1 1\n1 0 0\n", r"train2id\.txt, line 1: '0 1 1' is not a number"),
        ("train2id.txt", "2\n0 1 1\n1 0\n", r"train2id\.txt, line 3: 2 columns, expected 3 \(head tail relation\)"),
        ("train2id.txt", "2\n0 1 1\n\n1 0 0\n", r"train2id\.txt, line 3: the line is blank; remove it"),
        ("train2id.txt", "2\n0 1 1\n1 x 0\n", r"train2id\.txt, line 3: 'x' is not an integer id"),
        ("train2id.txt", "1\n0 1 99999999999999999999\n", r"line 2: '99999999999999999999' is not an integer id"),
        ("train2id.txt", "2\n0 1 1\n1 4 0\n", r"train2id\.txt, line 3: tail id 4 is out of range; .* 0 to 3"),
        (
            "train2id.txt",
            "2\n0 1 1\n0 1 2\n",
            r"line 3: relation id 2 .* 0 to 1\. The columns are head, tail, relation; ",
        ),
        ("train2id.txt", "1\n-1 1 1\n", r"line 2: head id -1 is out of range"),
        ("train2id.txt", "0\n", r"train2id\.txt: no training triples"),
        ("train2id.txt", "", r"train2id\.txt: the file is empty"),
        ("valid2id.txt", b"1\n0 1 \xff\n", r"valid2id\.txt, line 2: not UTF-8"),
        ("entity2id.txt", "4\nA 0\nB 1\nC 2\nA 3\n", r"line 5: entity name 'A' already stands on line 2"),
        ("entity2id.txt", "4\nA 0\nB 1\nC 2\nD 2\n", r"line 5: entity id '2' already stands on line 4"),
        ("entity2id.txt", "4\nA 1\nB 2\nC 3\nD 4\n", r"line 5: entity id 4 is out of range; .* 0 to 3"),
        ("entity2id.txt", "4\nA 0\nB 1\nC 2\n3\n", r"entity2id\.txt, line 5: 1 column, expected 2 \(name id\)"),
        ("entity_labels.tsv", "0\tA\n", r"entity_labels\.tsv, line 1: .* the header must be 'id<TAB>label'"),
        ("entity_labels.tsv", "id\tlabel\n0 A\n", r"entity_labels\.tsv, line 2: '0 A' has no tab"),
        ("entity_labels.tsv", "id\tlabel\n0\tA\n", r"entity_labels\.tsv: 1 labels, but entity2id\.txt has 4 rows"),
        ("relation_labels.tsv", "id\tlabel\n0\tA\n0\tB\n", r"relation_labels\.tsv, line 3: id '0' already stands"),
        ("relation_labels.tsv", "id\tlabel\n0\tA\n2\tB\n", r"relation_labels\.tsv, line 3: relation id 2 is out"),
    ],
)
def test_openke_names_the_bad_line(tmp_path, file, text, message):
    with pytest.raises(InputError, match=message):
        read_openke(write(tmp_path, OPENKE | {file: text}), "toy")


def test_openke_missing_files(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such folder.*entity2id\.txt.*DHNS_DATA"):
        read_openke(tmp_path / "nowhere", "toy")
    write(tmp_path, OPENKE)
    (tmp_path / "test2id.txt").unlink()
    message = r"test2id\.txt not found; the folder needs entity2id\.txt, relation2id\.txt.* has the one line 0"
    with pytest.raises(InputError, match=message):
        read_openke(tmp_path, "toy")
    (tmp_path / "entity2id.txt").unlink()
    with pytest.raises(InputError, match=r"entity2id\.txt, test2id\.txt not found.*; it holds relation2id\.txt"):
        read_openke(tmp_path, "toy")
    (tmp_path / "train.txt").touch()
    with pytest.raises(InputError, match="dataset=tsv reads triples of names"):
        read_openke(tmp_path, "toy")


def test_modalities(tmp_path):
    write(tmp_path, OPENKE)
    torch.save(torch.tensor([[1.0], [0.0], [2.0], [3.0]]), tmp_path / "text.pth")
    save_file({"features": torch.ones(1, 2), "index": torch.tensor([2])}, tmp_path / "image.safetensors")
    sources = {
        "textual": {"path": "text.pth", "missing": "zero_rows"},
        "visual": str(tmp_path / "image.safetensors"),
        "audio": None,
    }
    graph = read_openke(tmp_path, "toy", sources)
    assert set(graph.modalities) == {"textual", "visual"}
    assert graph.modalities["textual"].present.tolist() == [True, False, True, True]
    assert graph.modalities["visual"].present.tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gone.pth", r"gone\.pth: no such feature file.*null"),
        ({"missing": "index"}, "modality 'visual': no path"),
        (
            {"path": "x.pth", "mising": "index"},
            "modality 'visual': unknown key 'mising'; the keys are path and missing",
        ),
        ({"path": "x.pth", "missing": "some"}, "missing is 'some'; expected index, zero_rows or none"),
    ],
)
def test_bad_modality_sources(tmp_path, source, message):
    with pytest.raises(InputError, match=message):
        read_openke(write(tmp_path, OPENKE), "toy", {"visual": source})


def test_tsv_numbers_sorted_names(tmp_path):
    graph = read_tsv(write(tmp_path, TSV), "toy")
    assert graph.entities.keys == ("France", "New York", "Paris", "USA")
    assert graph.relations.keys == ("capital", "part of")
    assert graph.describe(tuple(graph.test[0].tolist())) == "USA - capital - New York"


def test_tsv_header_line_is_no_triple(tmp_path):
    graph = read_tsv(write(tmp_path, TSV | {"valid.tsv": "head\trelation\ttail\nParis\tpart of\tUSA\n"}), "toy")
    assert len(graph.valid) == 1
    assert graph.num_entities == 4


def test_tsv_vocabulary_files_fix_ids_and_add_entities(tmp_path):
    keys = "key\tlabel\nUSA\tUnited States\nParis\t\nFrance\tFrance\nNew York\tNYC\nMars\tMars\n"
    graph = read_tsv(write(tmp_path, TSV | {"entities.tsv": keys}), "toy")
    assert graph.entities.keys == ("USA", "Paris", "France", "New York", "Mars")
    assert graph.entities.labels == ("United States", "Paris", "France", "NYC", "Mars")
    assert graph.valid.tolist() == [[1, 1, 0]]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "train.tsv",
            "A\tr\tB\nA r C\n",
            r"train\.tsv, line 2: columns separated by spaces",
        ),
        ("train.tsv", "A\tr\tB\nA\t\tC\n", r"train\.tsv, line 2: column 2 \(relation\) is empty"),
        ("train.tsv", "head\trelation\ttail\n", r"train\.tsv: no triples after the header"),
        ("train.tsv", "\n", r"train\.tsv: the file is empty"),
        ("entities.tsv", "key\tlabel\nUSA\tUSA\n", r"train\.tsv, line 1: entity 'Paris' is not in the file"),
        ("relations.tsv", "key\tlabel\npart of\tx\n", r"train\.tsv, line 3: relation 'capital' is not in the file"),
        ("relations.tsv", "key\tlabel\nr\tx\nr\ty\n", r"relations\.tsv, line 3: key 'r' already stands on line 2"),
    ],
)
def test_tsv_names_the_bad_line(tmp_path, file, text, message):
    with pytest.raises(InputError, match=message):
        read_tsv(write(tmp_path, TSV | {file: text}), "toy")


def test_edge_list_is_split_the_same_whatever_the_order_of_its_rows(tmp_path):
    rows = [f"a{i}\tr{j}\ta{(i * j + i + 1) % 20}" for i in range(20) for j in range(1, 5)]
    (tmp_path / "one.tsv").write_text("\n".join(rows))
    (tmp_path / "two.tsv").write_text("\n".join(rows[::-1] + rows[:3]) + "\n")
    one, two = read_edge_list(tmp_path / "one.tsv", "x"), read_edge_list(tmp_path / "two.tsv", "x")
    for split in ("train", "valid", "test"):
        assert torch.equal(one.split(split), two.split(split))
    assert len(one.valid) == len(one.test) == 8
    assert two.notes[0] == "3 duplicate rows of two.tsv dropped"
    assert two.notes[1] == "split by seed 0 into 64 train, 8 valid and 8 test triples"
    assert len(one.notes) == 1


def test_edge_list_bad_input(tmp_path):
    with pytest.raises(InputError, match=r"none\.tsv: no such file"):
        read_edge_list(tmp_path / "none.tsv", "x")
    (tmp_path / "x.tsv").write_text("a\tr\tb\na,r,b\n")
    with pytest.raises(InputError, match=r"x\.tsv, line 2: columns separated by commas"):
        read_edge_list(tmp_path / "x.tsv", "x")


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("DB15K", (12842, 279, 79222, 9904, 9902)),
        ("MKG-W", (15000, 169, 34196, 4276, 4274)),
        ("MKG-Y", (15000, 28, 21310, 2665, 2663)),
    ],
)
def test_benchmarks(benchmarks, name, counts):
    graph = read_openke(benchmarks / name, name)
    splits = (len(graph.train), len(graph.valid), len(graph.test))
    assert (graph.num_entities, graph.num_relations, *splits) == counts
