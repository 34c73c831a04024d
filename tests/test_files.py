"""What is written is whole or not there, lies where it was meant to, and takes nothing away that was read."""

from pathlib import Path

import pytest

from dhns.errors import InputError
from dhns.files import remove_unfinished, replacing, replacing_folder, require_apart, require_place, write_text
from dhns.results.places import require_out


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_folder_is_whole_or_not_there(tmp_path):
    with pytest.raises(FileNotFoundError), replacing_folder(tmp_path / "new") as folder:
        (folder / "a").rename(folder / "b")
    assert names(tmp_path) == []
    with replacing_folder(tmp_path / "deep" / "new") as folder:
        (folder / "a").write_text("x", encoding="utf-8")
        assert not (tmp_path / "deep" / "new").exists()
    assert names(tmp_path) == ["deep", "deep/new", "deep/new/a"]


def test_a_folder_takes_the_place_of_a_former_one_but_for_what_is_kept(tmp_path, monkeypatch):
    (tmp_path / "here" / ".git").mkdir(parents=True)
    (tmp_path / "here" / "old").write_text("x", encoding="utf-8")
    (tmp_path / "link").symlink_to("here")
    monkeypatch.chdir(tmp_path / "here")
    for place in (tmp_path / "link", tmp_path / "here", Path()):
        with replacing_folder(place, keep=lambda path: path.name == ".git") as folder:
            (folder / "a").write_text(str(place), encoding="utf-8")
        assert sorted(map(str, Path().iterdir())) == [".git", "a"]  # also for whoever is in the folder
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "link"]


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "latest.txt").symlink_to("there/first.txt")
    for text in ("new", "again"):  # the file is absent at first
        write_text(tmp_path / "latest.txt", text)
        assert (tmp_path / "latest.txt").is_symlink()
        assert (tmp_path / "there" / "first.txt").read_text(encoding="utf-8") == text
    assert names(tmp_path) == ["latest.txt", "there", "there/first.txt"]


def test_what_is_unfinished_is_known_while_it_is(tmp_path):
    with replacing_folder(tmp_path / "folder") as folder, (folder / "a").open("w", encoding="utf-8"):
        remove_unfinished()
        assert names(tmp_path) == []
        folder.mkdir()
    with replacing(tmp_path / "file") as file:
        file.write(b"x")
    remove_unfinished()
    assert "file" in names(tmp_path)


@pytest.mark.parametrize("place", ["file/x", "file/deep/x"])
def test_nothing_lies_in_a_file(tmp_path, place):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="file is a file, and nothing lies in a file"):
        require_place(tmp_path / place)
    with pytest.raises(OSError, match=r"/x'") as caught, replacing(tmp_path / place):
        pass
    assert caught.value.filename == str(tmp_path / place), "not the name of a temporary file"


def test_what_is_read_and_what_a_run_consists_of_are_not_written_over(tmp_path):
    run = tmp_path / "run"
    parts = ["result.json", "ranks.npz", "graph.safetensors", "checkpoints/best.ckpt", "features/text.safetensors"]
    for name in parts:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("x", encoding="utf-8")
        with pytest.raises(InputError, match="part of a trained run"):
            require_out(run / name)
    (run / "mine.npz").write_text("x", encoding="utf-8")
    require_out(run / "mine.npz")
    require_out(run / "features" / "new.npz")
    (tmp_path / "link").symlink_to("run")
    with pytest.raises(InputError, match="which is read and would be lost"):
        require_apart(tmp_path / "link" / "mine.npz", run / "mine.npz")
