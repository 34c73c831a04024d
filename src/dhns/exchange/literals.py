"""What an RDF literal is worth to a model: a label, a text, a number, or nothing."""

from __future__ import annotations

import re
from typing import Any

from dhns.exchange.gathering import Gathering, is_image
from dhns.exchange.options import ReadingOptions
from dhns.graph.attributes import to_number

_XSD = "http://www.w3.org/2001/XMLSchema#"
_TEXTS = frozenset({f"{_XSD}string", "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"})
_DATES = frozenset(f"{_XSD}{name}" for name in ("date", "dateTime", "dateTimeStamp", "gYear", "gYearMonth"))
_BOOLEANS = {"true": "1", "1": "1", "false": "0", "0": "0"}
_ZONE = re.compile(r"(?<=.)(?:Z|[+-]\d\d:\d\d)$")
_UNIT = re.compile(r"[^/#]+$")
LABELS = frozenset(
    {
        "http://www.w3.org/2000/01/rdf-schema#label",
        "http://www.w3.org/2004/02/skos/core#prefLabel",
        "http://xmlns.com/foaf/0.1/name",
        "http://schema.org/name",
        "https://schema.org/name",
    }
)
"""Properties that name a thing; what they say is a text, too."""


def add_literal(gathering: Gathering, options: ReadingOptions, entity: str, attribute: str, literal: Any) -> None:
    """Add a literal of pyoxigraph as the value that it is, or count why not."""
    value, datatype, language = literal.value, literal.datatype.value, literal.language
    if attribute in options.categories:
        gathering.of_values.add(attribute)
        gathering.value("category", entity, attribute, value)
    elif datatype in _TEXTS:
        if language is not None and not _is_of(language, options.language):
            gathering.statements += 1
            gathering.leave_out(f"texts in another language than {options.language}", language)
        elif is_image(value):
            gathering.value("image", entity, attribute, value)
        else:
            gathering.value("label" if attribute in LABELS else "text", entity, attribute, value)
    elif (number := _number(value, datatype)) is not None:
        if not datatype.startswith(_XSD) and (unit := _UNIT.search(datatype)):
            # one attribute in two units would be no number
            attribute = f"{attribute} ({unit[0]})"
        gathering.value("number", entity, attribute, number)
    elif datatype == f"{_XSD}anyURI" and is_image(value):
        gathering.value("image", entity, attribute, value)
    else:
        gathering.statements += 1
        gathering.leave_out("literals that are neither text nor number", datatype.removeprefix(_XSD))


def _is_of(language: str, wanted: str | None) -> bool:
    """By basic filtering (RFC 4647): ``en-GB`` is of ``en``."""
    return wanted is None or f"{language.lower()}-".startswith(f"{wanted.lower()}-")


def _number(value: str, datatype: str) -> str | None:
    """The number in words that `to_number` reads, of whatever type that a schema has for numbers, dates or units."""
    if datatype == f"{_XSD}boolean":
        return _BOOLEANS.get(value.strip())
    text = _ZONE.sub("", value.strip()) if datatype in _DATES else value.strip()
    return None if to_number(text) is None else text
