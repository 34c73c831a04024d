"""MMRNS's HDF5 packs: each row reaches the entity of its name, and what has none is reported."""

import numpy as np
import pytest

from dhns.errors import InputError
from dhns.sources.feature_packs import read_links, read_pack

h5py = pytest.importorskip("h5py", reason="needs the extra hdf5")

WIKIDATA = [
    "http://www.wikidata.org/entity/Q1",
    "http://www.wikidata.org/entity/Q2",
    "http://www.wikidata.org/entity/Q3",
]
DBPEDIA = [f"<http://dbpedia.org/resource/{name}>" for name in ("Oslo", "AC/DC", "Rome", "Lima")]
TOKENS = np.array([[1.0, 2.0], [3.0, 6.0]], dtype=np.float32)
MEAN = [2.0, 4.0]


def pack(path, content):
    with h5py.File(path, "w") as file:
        for name, rows in content.items():
            file[name] = np.asarray(rows, dtype=np.float32)
    return path


def test_names_reach_entities_over_the_links(tmp_path):
    links = tmp_path / "ent_links"
    rows = [
        f"http://dbpedia.org/resource/{name}\t{entity}"
        for name, entity in zip(("Oslo", "AC/DC"), WIKIDATA[1:], strict=True)
    ]
    links.write_text("\n".join(rows) + "\n", encoding="utf-8")
    matching = read_pack(
        pack(tmp_path / "a.h5", {"AC/DC": TOKENS, "Oslo": TOKENS[:1], "Unheard_of": TOKENS}),
        WIKIDATA,
        read_links(links),
    )
    assert matching.modality.present.tolist() == [False, True, True]
    assert matching.modality.features.tolist() == [[0, 0], [1, 2], MEAN]
    assert matching.unknown == ["Unheard_of"]
    assert dict(matching.rows()) == {
        "entities with features": "2",
        "entities without": "1",
        "names of no entity": "1: Unheard_of",
        "left out: several entities, or several names": "0",
        "left out: no rows": "0",
    }


def test_articles_are_found_without_links(tmp_path):
    matching = read_pack(pack(tmp_path / "a.h5", {"Rome": TOKENS, "AC/DC": TOKENS}), DBPEDIA, {})
    assert matching.modality.present.tolist() == [False, True, True, False]


def test_freebase_ids_are_found_over_db15k_s_links(tmp_path):
    links = tmp_path / "DB15K_SameAsLink.txt"
    links.write_text(f"/m/05l64 SameAs {DBPEDIA[0]} .\n/m/06c62 SameAs {DBPEDIA[2]} .\n", encoding="utf-8")
    matching = read_pack(
        pack(tmp_path / "a.h5", {"m.06c62": TOKENS, "m.05l64": TOKENS[:1]}), DBPEDIA, read_links(links)
    )
    assert matching.modality.features.tolist() == [[1, 2], [0, 0], MEAN, [0, 0]]


def test_what_is_ambiguous_or_empty_is_left_out_and_reported(tmp_path):
    links = {"One": WIKIDATA[0], "Another": WIKIDATA[0], "Several": None, "Empty": WIKIDATA[1], "Fine": WIKIDATA[2]}
    content = dict.fromkeys(("One", "Another", "Several", "Fine"), TOKENS) | {"Empty": np.zeros((0, 2))}
    matching = read_pack(pack(tmp_path / "a.h5", content), WIKIDATA, links)
    assert matching.modality.present.tolist() == [False, False, True]
    assert sorted(matching.ambiguous) == ["Another", "One", "Several"]
    assert matching.empty == ["Empty"]


def test_a_name_linked_twice_is_ambiguous(tmp_path):
    (tmp_path / "links").write_text("x\tQ1\nx\tQ2\ny\tQ1\ny\tQ1\n", encoding="utf-8")
    assert read_links(tmp_path / "links") == {"x": None, "y": "Q1"}


def test_a_pack_of_another_graph_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"names like 'Oslo', the graph like 'http.*Q1'.*links=FILE"):
        read_pack(pack(tmp_path / "a.h5", {"Oslo": TOKENS}), WIKIDATA, {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"Oslo": [[1.0, np.nan]]}, "'Oslo' holds NaN"),
        ({"Oslo": TOKENS, "Rome": [[1.0, 2.0, 3.0]]}, "rows have 2, 3 columns"),
        ({"Oslo": np.zeros((1, 1, 2))}, r"'Oslo' is float32 of shape \(1, 1, 2\)"),
    ],
)
def test_rows_that_fit_nothing_are_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_pack(pack(tmp_path / "a.h5", content), DBPEDIA, {})


def test_a_file_that_is_no_hdf5_is_refused(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"not HDF5")
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        read_pack(tmp_path / "a.h5", DBPEDIA, {})


def test_data_in_other_files_is_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(TOKENS.tobytes())
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("Oslo", (2, 2), "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
    with pytest.raises(InputError, match="'Oslo' refers to data in other files"):
        read_pack(tmp_path / "a.h5", DBPEDIA, {})


def test_links_to_other_files_are_not_followed(tmp_path):
    pack(tmp_path / "other.h5", {"Rome": TOKENS})
    with h5py.File(pack(tmp_path / "a.h5", {"Oslo": TOKENS}), "a") as file:
        file["Rome"] = h5py.ExternalLink("other.h5", "/Rome")
    assert read_pack(tmp_path / "a.h5", DBPEDIA, {}).modality.present.tolist() == [True, False, False, False]


def test_a_line_of_links_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "links").write_text("a\tb\nalone\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2: 'alone'"):
        read_links(tmp_path / "links")
