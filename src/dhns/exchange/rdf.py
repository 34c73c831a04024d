"""RDF files: N-Triples, N-Quads, Turtle, TriG, N3, RDF/XML, JSON-LD, read as a stream by pyoxigraph."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dhns.errors import InputError
from dhns.exchange.gathering import Gathering, is_image
from dhns.exchange.literals import add_literal
from dhns.exchange.opening import opened, require_text, unpacking
from dhns.exchange.options import ReadingOptions
from dhns.extras import optional

FORMATS = {
    "nt": "N_TRIPLES",
    "nq": "N_QUADS",
    "ttl": "TURTLE",
    "trig": "TRIG",
    "n3": "N3",
    "rdf": "RDF_XML",
    "owl": "RDF_XML",
    "xml": "RDF_XML",
    "jsonld": "JSON_LD",
}
"""By the ending of a file."""
_PLACE = re.compile(r"^Parser error [^:]*: ")


def read_rdf(path: Path, kind: str, gathering: Gathering, options: ReadingOptions) -> None:
    """Add the statements of a file.

    An object that is an IRI is an entity, unless its address ends as an image does. Literals become values, see
    `add_literal`. Blank nodes are entities, numbered in the order of the file: their names mean nothing outside of it.
    Named graphs are read as one graph.

    Args:
        path: of the file, packed (``.gz``) or not.
        kind: of `FORMATS`.
        gathering: takes them.
        options: ``language`` and ``categories`` count.

    Raises:
        InputError: pyoxigraph is not installed, or the file is malformed; the message names the line.
    """
    rdf = optional("pyoxigraph", "reading RDF", "exchange")
    with opened(path) as file:
        require_text(path, file)
    with opened(path) as file, unpacking(path):
        try:
            _add(rdf, rdf.parse(file, format=getattr(rdf.RdfFormat, FORMATS[kind])), gathering, options)
        except SyntaxError as error:
            line = f", line {error.lineno}" if error.lineno else ""
            if "LoadDocumentCallback" in str(error.msg):
                raise InputError(
                    f"{path}: its @context lies on the web, and nothing is fetched; put the context into the file, or "
                    "convert it to N-Triples"
                ) from None
            raise InputError(
                f"{path}{line}: {_PLACE.sub('', str(error.msg))}; expected {FORMATS[kind].replace('_', '-')}"
            ) from None


def _add(rdf: Any, statements: Any, gathering: Gathering, options: ReadingOptions) -> None:
    iri, literal, blank = rdf.NamedNode, rdf.Literal, rdf.BlankNode
    numbers: dict[str, str] = {}

    def name(node: Any) -> str | None:
        if type(node) is iri:
            return str(node.value)
        if type(node) is blank:
            if node.value not in numbers:
                gathering.blank_nodes += 1
                numbers[node.value] = f"_:b{gathering.blank_nodes}"
            return numbers[node.value]
        return None

    for statement in statements:
        target, relation = statement.object, statement.predicate.value
        if (subject := name(statement.subject)) is None:
            gathering.statements += 1
            gathering.leave_out("statements about statements")
        elif type(target) is literal:
            add_literal(gathering, options, subject, relation, target)
        elif (entity := name(target)) is None:
            gathering.statements += 1
            gathering.leave_out("statements about statements")
        elif is_image(entity):
            gathering.value("image", subject, relation, entity)
        else:
            gathering.triple(subject, relation, entity)
