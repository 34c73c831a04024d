"""Pages as a reader without a browser sees them."""

from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

VOID = frozenset({"meta", "img", "br", "hr", "link", "input"})
DRAWN = frozenset({"line", "circle", "path"})


class Page(HTMLParser):
    """What a page holds.

    Attributes:
        elements: tag and attributes of each, in order.
        headings: level and text.
        tables: of each table its rows, header first, as lists of cells.
        sections: ids of sections.
        text: all that is to be read.
    """

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.source = source
        self.elements, self.headings, self.tables, self.sections = [], [], [], []
        self._open, self._texts, self._within = [], [], []
        self.feed(source)
        self.close()
        assert not self._open, f"never closed: {self._open}"
        self.text = " ".join(" ".join(self._texts).split())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), f"an attribute of {tag} stands twice"
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("h1", "h2", "h3", "h4", "h5"):
            self.headings.append([int(tag[1]), ""])
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag == "section":
            self.sections.append(attributes["id"])

    def handle_startendtag(self, tag, attrs):
        assert tag in DRAWN, f"<{tag}/> is no HTML"
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if "style" in self._open:
            return
        self._texts.append(data)
        if self._open:
            self._within.append((self._open[-1], data))
        if self._open and self._open[-1] in ("td", "th", "span", "i") and {"td", "th"} & {*self._open}:
            self.tables[-1][-1][-1] += data.strip()
        if self.headings and any(tag in ("h1", "h2", "h3", "h4", "h5") for tag in self._open):
            self.headings[-1][1] += data

    def attributes(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def text_of(self, tag):
        """What stands in each element of a kind, less what stands within that."""
        return [text for name, text in self._within if name == tag]

    def rows(self, *columns):
        """By first cell, the rows of the table that has these headings."""
        (table,) = (table for table in self.tables if set(columns) <= {*table[0]})
        return {row[0]: dict(zip(table[0], row, strict=True)) for row in table[1:]}


def read_page(path):
    """The page, of which everything that holds for each of them is asserted: it is whole, alone and in order."""
    page = Page(Path(path).read_text(encoding="utf-8"))
    _needs_nothing_else(page)
    _is_accessible(page)
    return page


def _needs_nothing_else(page):
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert {"http-equiv": "Content-Security-Policy", "content": page_policy()} in page.attributes("meta")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len({*ids})
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{tag} has {name}"
            if name == "href":
                assert value.removeprefix("#") in ids, f"{value} leads nowhere on the page"
            if name in ("src", "srcset", "poster", "data"):
                assert value.startswith("data:image/png;base64,")
            if name == "style":
                assert "url" not in value
    assert "url(" not in page.source
    assert "@import" not in page.source


def page_policy():
    """What a browser is told that the page may fetch: nothing."""
    return "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def _is_accessible(page):
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), page.headings
    assert all("alt" in attributes for attributes in page.attributes("img"))
    assert all(attributes.get("aria-label") for attributes in page.attributes("svg"))
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.attributes("th"))
    assert len(page.attributes("caption")) == len(page.tables)
    assert ("html", {"lang": "en"}) in page.elements
