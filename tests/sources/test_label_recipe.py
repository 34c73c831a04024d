"""The recipe for labels in docs/data.md makes what it says."""

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


def make_labels(folder):
    (code,) = re.findall(r"<<'END'\n(.*?)\n    END\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), folder], check=True)
    return folder / "entity_labels.tsv"


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
