"""Images and texts find their entities, and what belongs to none is told."""

import pytest

from dhns.errors import InputError
from dhns.features.images import on_white, read_image
from dhns.features.material import EntityNames, ImageFolder, ImageTable, TextTable
from dhns.graph.knowledge_graph import Vocabulary
from features.material import COLOURS, ENTITIES, paint


def table(path, *rows):
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_images_are_named_by_key_label_or_id(tmp_path):
    for name in ("c/red.png", "Green.jpg", "blue/1.png", "blue/2.gif", "3.webp"):
        paint(tmp_path / name, "red")
    folder = ImageFolder(tmp_path, ENTITIES)
    found = [(item.entity, item.content.relative_to(tmp_path).as_posix()) for item in folder.items]
    assert found == [(0, "c/red.png"), (1, "Green.jpg"), (2, "blue/1.png"), (2, "blue/2.gif"), (3, "3.webp")]
    assert folder.unknown == []


def test_files_of_no_entity_are_told_and_hidden_ones_passed_over(tmp_path):
    for name in ("Red.png", "pink.png", "pink/1.png", ".cache/Red.png", ".Blue.png"):
        paint(tmp_path / name, "red")
    (tmp_path / "Green.txt").write_text("no image")
    folder = ImageFolder(tmp_path, ENTITIES)
    assert [item.entity for item in folder.items] == [0]
    assert folder.unknown == ["Green.txt", "pink/1.png", "pink.png"]


def test_numbers_are_ids_only_where_no_key_is_one():
    numbered = EntityNames(Vocabulary("entity", ("10", "1"), ("ten", "one")))
    assert [numbered.find(name, "x") for name in ("10", "1", "0", "ten")] == [0, 1, None, 0]
    named = EntityNames(ENTITIES)
    assert [named.find(name, "x") for name in ("2", "4", "c/blue", "BLUE")] == [2, None, 2, 2]


def test_a_name_of_two_entities_is_refused(tmp_path):
    twins = Vocabulary("entity", ("Q1", "Q2"), ("Georgia", "Georgia"))
    paint(tmp_path / "Georgia.png", "red")
    with pytest.raises(InputError, match=r"Georgia.png: entity 'Georgia' is ambiguous: Q1, Q2; give the key"):
        ImageFolder(tmp_path, twins)


def test_texts_by_name_longest_first(tmp_path):
    rows = ("c/red\t-\tlike blood", "Blue\t-\tlike the sky", "pink\t-\tunknown", "None", "Green\t-\t")
    texts = TextTable(table(tmp_path / "texts.tsv", "entity\tnote\ttext", *rows), ENTITIES)
    assert list(texts.items) == [(2, "like the sky"), (0, "like blood")]
    assert texts.unknown == ["line 4 (pink)"]


def test_texts_by_id_take_numbers_for_ids_even_if_keys_are_numbers(tmp_path):
    entities = Vocabulary("entity", ("1", "0"), ("one", "zero"))
    texts = TextTable(table(tmp_path / "texts.tsv", "id\ttext", "0\tof key 1", "7\tof none"), entities)
    assert list(texts.items) == [(0, "of key 1")]
    assert texts.unknown == ["line 3 (7)"]


BAD_TABLES = {
    "no text column": (["entity\tlabel", "Red\tx"], "texts.tsv, line 1: .* must be 'entity<TAB>text'"),
    "columns": (["entity\ttext", "Red\tx", "Blue\tx\ty"], "texts.tsv, line 3: 3 columns, expected 2"),
    "nobody": (["entity\ttext", "pink\tx"], r"texts.tsv: no row has a text .*line 2 \(pink\)"),
}


@pytest.mark.parametrize(("rows", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_tables(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        TextTable(table(tmp_path / "texts.tsv", *rows), ENTITIES)


def test_bad_folders(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        ImageFolder(tmp_path / "nowhere", ENTITIES)
    paint(tmp_path / "pink.png", "red")
    with pytest.raises(InputError, match=r"no image is named as an entity .*: pink.png"):
        ImageFolder(tmp_path, ENTITIES)


def test_the_fingerprint_follows_content_and_entity_but_not_the_folder(tmp_path):
    def fingerprint(folder, **images):
        for name, colour in images.items():
            paint(tmp_path / folder / f"{name}.png", COLOURS[colour])
        return ImageFolder(tmp_path / folder, ENTITIES).fingerprint(ENTITIES)

    first = fingerprint("a", red="red", blue="blue")
    assert fingerprint("b", red="red", blue="blue") == first
    assert fingerprint("c", red="blue", blue="red") != first
    assert fingerprint("d", red="red", green="blue") != first


@pytest.mark.parametrize("content", [b"", b"no image", None], ids=["empty", "text", "cut short"])
def test_unreadable_images_are_named(tmp_path, content):
    path = tmp_path / "Red.png"
    paint(path, "red", size=(300, 300))
    path.write_bytes(path.read_bytes()[:150] if content is None else content)
    with pytest.raises(InputError, match=r"Red.png: cannot be read as an image: .*when_unreadable=skip"):
        read_image(path)


def test_what_is_transparent_is_white(tmp_path):
    paint(tmp_path / "x.png", (255, 0, 0))
    image = read_image(tmp_path / "x.png")
    image.putpixel((0, 0), (0, 255, 0, 0))
    assert [on_white(image).getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (255, 0, 0)]


def test_a_table_of_images_names_files_and_addresses(tmp_path):
    paint(tmp_path / "photos" / "r 1.png", COLOURS["red"])
    rows = ["c/red\tphotos/r 1.png\tflag", f"Red\tfile://{tmp_path}/photos/r%201.png\tflag", "c/green\thttps://a/g.png"]
    images = ImageTable(table(tmp_path / "images.tsv", "entity\timage\tattribute", *rows, "Nobody\tx.png"), ENTITIES)
    assert images.entities.tolist() == [0, 0, 1]
    assert [images.load(item).getpixel((0, 0))[:3] for item in range(2)] == [COLOURS["red"]] * 2
    assert images.unknown == ["line 5 (Nobody)"]
    with pytest.raises(InputError, match=r"https://a/g\.png: an address, .* when_unreadable=skip"):
        images.load(2)
    before = images.fingerprint(ENTITIES)
    paint(tmp_path / "photos" / "r 1.png", COLOURS["blue"])
    assert images.fingerprint(ENTITIES) != before
    with pytest.raises(InputError, match="the header must be 'entity<TAB>image'"):
        ImageTable(table(tmp_path / "other.tsv", "entity\ttext", "c/red\tx"), ENTITIES)
