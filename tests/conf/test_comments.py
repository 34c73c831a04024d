"""Every setting is explained where it is declared."""

import re

from dhns.resources import conf_dir

KEY = re.compile(r"\s*(?!_target_|_partial_|_convert_|defaults)[A-Za-z_][\w.@]*: *[^ #]")
VALUES_ALONE = ("experiment", "table")
"""Folders whose files give values to settings that are declared elsewhere; their first lines say which."""


def without_comment(text):
    """Lines with a key and its value, neither explained there nor in the line above.

    Entries of lists, which begin with ``- ``, are explained once, above the list.
    """
    lines, entry = text.splitlines(), None
    for number, line in enumerate(lines, 1):
        indent = len(line) - len(line.lstrip())
        if line.lstrip().startswith("- "):
            entry = indent
        elif entry is not None and line.strip() and indent <= entry:
            entry = None
        above = lines[number - 2].strip() if number > 1 else ""
        if entry is None and KEY.match(line) and " # " not in line and not above.startswith("#"):
            yield number, line.strip()


def test_every_key_has_a_comment():
    files = [file for file in conf_dir().rglob("*.yaml") if file.relative_to(conf_dir()).parts[0] not in VALUES_ALONE]
    bare = [
        f"{file.relative_to(conf_dir())}:{number}: {line}"
        for file in sorted(files)
        for number, line in without_comment(file.read_text(encoding="utf-8"))
    ]
    assert len(files) > 100
    assert not bare, "\n".join(bare)


def test_files_of_values_alone_begin_with_a_comment():
    files = [file for folder in VALUES_ALONE for file in (conf_dir() / folder).glob("*.yaml")]
    assert len(files) > 5
    assert not [file for file in files if not re.match("(# @package _global_\n)?# ", file.read_text(encoding="utf-8"))]


def test_a_key_without_a_comment_is_found():
    text = "# of a file\na: 1\nb: 2\nc: 3 # told\nd:\n  e: '#'\nf: # entries\n  - name: x\n    size: 3\ng: 4\n"
    assert [number for number, _ in without_comment(text)] == [3, 6, 10]
