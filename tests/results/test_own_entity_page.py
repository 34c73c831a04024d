"""The table of docs/own-entity.md is that of stored runs."""

import own_entity


def test_the_page_has_the_table_of_its_runs():
    page = own_entity.PAGE.read_text(encoding="utf-8")
    assert own_entity.updated(page) == page, "run python scripts/own_entity.py"
