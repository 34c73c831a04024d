"""The recipes for labels, descriptions and numbers in docs/data.md make what they say."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from dhns.sources.obtain import published
from dhns.sources.source import check_file

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data.md"


def run_recipe(number, folder, *arguments):
    recipes = re.findall(r"<<'END'\n(.*?)\n    END\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(recipes) == 3
    subprocess.run([sys.executable, "-c", textwrap.dedent(recipes[number]), *arguments], check=True, cwd=folder)


def make_labels(folder):
    run_recipe(0, folder, folder)
    return folder / "entity_labels.tsv"


def test_descriptions_are_joined_by_freebase_ids(tmp_path):
    (tmp_path / "data" / "DB15K").mkdir(parents=True)
    (tmp_path / "data" / "DB15K" / "entity2id.txt").write_text("3\n<d/A> 0\n<d/B> 1\n<d/C> 2\n", encoding="utf-8")
    (tmp_path / "DB15K_SameAsLink.txt").write_text("/m/2 <SameAs> <d/B> .\n/m/1 <SameAs> <d/A> .\n", encoding="utf-8")
    texts = '/m/1\tA -- says \\"a\\".\\nThen more.\n/m/2\tB -- a  b\n/m/9\tother\n'
    (tmp_path / "fb-entity2text-new.txt").write_text(texts, encoding="utf-8")
    run_recipe(1, tmp_path)
    found = (tmp_path / "descriptions.tsv").read_text(encoding="utf-8")
    assert found == 'id\ttext\n0\tA -- says "a". Then more.\n1\tB -- a b\n'


def test_numbers_are_joined_by_freebase_ids(tmp_path):
    (tmp_path / "data" / "DB15K").mkdir(parents=True)
    (tmp_path / "data" / "DB15K" / "entity2id.txt").write_text("2\n<d/A> 0\n<d/B> 1\n", encoding="utf-8")
    (tmp_path / "DB15K_SameAsLink.txt").write_text("/m/2 <SameAs> <d/B> .\n/m/3 <SameAs> <d/C> .\n", encoding="utf-8")
    numbers = "".join(f"/m/{mid}\t<http://rdf.freebase.com/ns/place.area>\t{mid}.5\n" for mid in (1, 2, 3))
    (tmp_path / "FB15K_NumericalTriples.txt").write_text(numbers, encoding="utf-8")
    run_recipe(2, tmp_path)
    found = (tmp_path / "data" / "DB15K" / "numbers-freebase.tsv").read_text(encoding="utf-8")
    assert found == "entity\tattribute\tvalue\n<d/B>\tplace.area\t2.5\n"


def test_labels_are_names_that_a_person_reads(tmp_path):
    names = ["<http://dbpedia.org/resource/AC/DC>", "<http://dbpedia.org/resource/Who_is_it%3F_>", "Gilles_Mbang_Ondo"]
    rows = "".join(f"{name} {number}\n" for number, name in enumerate(names))
    (tmp_path / "entity2id.txt").write_text(f"3\n{rows}", encoding="utf-8")
    text = "id\tlabel\n0\tAC/DC\n1\tWho is it?\n2\tGilles Mbang Ondo\n"
    assert make_labels(tmp_path).read_text(encoding="utf-8") == text


@pytest.mark.parametrize(("choice", "name"), [("db15k", "DB15K"), ("mkg_y", "MKG-Y")])
def test_those_of_the_benchmarks_are_the_published_ones(benchmarks, tmp_path, choice, name):
    (tmp_path / "entity2id.txt").write_bytes((benchmarks / name / "entity2id.txt").read_bytes())
    source = published(choice, OmegaConf.create({"name": name}))
    (file,) = (file for file in source.files if file.name == "entity_labels.tsv")
    assert check_file(file, make_labels(tmp_path)).status == "ok"
