"""Entities and triples from CLDR, Natural Earth and countries-list."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import Any

from .sources import Sources, ascii_key

Triple = tuple[str, str, str]

# Natural Earth draws these without an ISO number of their own.
UNNUMBERED = {"Kosovo": "XK", "Somaliland": "SO", "N. Cyprus": "CY"}


@dataclass
class Entity:
    """What is known of an entity besides its triples."""

    key: str
    label: str
    kind: str
    gloss: str = ""


@dataclass
class Draft:
    """The graph while it is being put together."""

    entities: dict[str, Entity] = field(default_factory=dict)
    triples: set[Triple] = field(default_factory=set)

    def entity(self, kind: str, key: str, label: str) -> str:
        """Add an entity unless it is known, and give its id string."""
        name = f"{kind.replace(' ', '_')}/{key}"
        self.entities.setdefault(name, Entity(name, label, kind))
        return name

    def add(self, head: str, relation: str, tail: str) -> None:
        """Add a triple (head, relation, tail)."""
        if head != tail:
            self.triples.add((head, relation, tail))

    def of_kind(self, *kinds: str) -> list[Entity]:
        """The entities of these kinds, in the order they came."""
        return [e for e in self.entities.values() if e.kind in kinds]


def country(code: str) -> str:
    """Id string of a country."""
    return f"country/{code}"


def add_world(draft: Draft, sources: Sources) -> None:
    """Everything but flag colours and WordNet."""
    for code, name in sources.countries.items():
        draft.entity("country", code, name)
    _add_regions(draft, sources)
    _add_borders(draft, sources)
    _add_languages(draft, sources)
    _add_currencies(draft, sources)
    _add_time_zones(draft, sources)
    for code, name in sources.capitals.items():
        # Keyed by country: Jamaica and Norfolk Island both have a Kingston.
        draft.add(country(code), "capital", draft.entity("capital city", f"{code}_{ascii_key(name)}", name))
    for stem, name, code in sources.subdivisions():
        draft.add(draft.entity("subdivision", stem.upper(), name), "subdivision_of", country(code))


def _add_regions(draft: Draft, sources: Sources) -> None:
    names = sources.names("territories")
    containment = sources.supplemental("territoryContainment")["territoryContainment"]
    regions = {key for key, entry in containment.items() if re.fullmatch(r"\d{3}", key) and "_grouping" not in entry}
    for region in sorted(regions - {"001"}):
        parent = draft.entity("region", region, names[region])
        for member in containment[region]["_contains"]:
            if member in sources.countries:
                draft.add(country(member), "located_in", parent)
            elif member in regions:
                draft.add(draft.entity("region", member, names[member]), "part_of", parent)
    for key in ("EU", "EZ"):
        union = draft.entity("union", key, names[key])
        for member in containment[key]["_contains"]:
            draft.add(country(member), "member_of", union)


def _add_borders(draft: Draft, sources: Sources) -> None:
    mappings = sources.supplemental("codeMappings")["codeMappings"]
    by_number = {m["_numeric"]: code for code, m in mappings.items() if "_numeric" in m and code in sources.countries}
    users = defaultdict(set)
    for shape in sources.load("world-atlas/countries-10m.json")["objects"]["countries"]["geometries"]:
        code = by_number.get(shape["id"]) if "id" in shape else UNNUMBERED.get(shape["properties"]["name"])
        if code:
            for arc in _flatten(shape["arcs"]):
                # TopoJSON writes an arc that is run through backwards as its complement.
                users[max(arc, ~arc)].add(code)
    for codes in users.values():
        for one, other in combinations(codes, 2):
            draft.add(country(one), "shares_border_with", country(other))
            draft.add(country(other), "shares_border_with", country(one))


def _flatten(arcs: int | list[Any]) -> Iterable[int]:
    return [arcs] if isinstance(arcs, int) else chain.from_iterable(map(_flatten, arcs))


def _add_languages(draft: Draft, sources: Sources) -> None:
    names = sources.names("languages")
    territories = sources.supplemental("territoryInfo")["territoryInfo"]
    ranks = ("official_language", "regional_language", "spoken_language")
    for code in sources.countries:
        found: dict[str, set[str]] = defaultdict(set)
        for locale, usage in territories.get(code, {}).get("languagePopulation", {}).items():
            language, relation = locale.split("_")[0], _language_relation(usage)
            if relation and language in names:
                found[language].add(relation)
        for language, relations in found.items():
            # One relation for each pair: the strongest.
            relation = next(r for r in ranks if r in relations)
            draft.add(country(code), relation, draft.entity("language", language, names[language]))
    _add_scripts(draft, sources)


def _language_relation(usage: dict[str, str]) -> str | None:
    status = usage.get("_officialStatus")
    if status in ("official", "de_facto_official"):
        return "official_language"
    if status == "official_regional":
        return "regional_language"
    return "spoken_language" if float(usage["_populationPercent"]) >= 1 else None


def _add_scripts(draft: Draft, sources: Sources) -> None:
    names = sources.names("scripts")
    data = sources.supplemental("languageData")["languageData"]
    likely = sources.supplemental("likelySubtags")["likelySubtags"]
    for language in draft.of_kind("language"):
        code = language.key.split("/")[1]
        scripts = data.get(code, {}).get("_scripts")
        if not scripts and code in likely:
            scripts = [likely[code].split("-")[1]]
        for script in scripts or ():
            name = names.get(f"{script}-alt-stand-alone", names.get(script))
            draft.add(language.key, "written_in", draft.entity("script", script, f"{name} script"))


def _add_currencies(draft: Draft, sources: Sources) -> None:
    names = sources.load("cldr-numbers-full/main/en/currencies.json")["main"]["en"]["numbers"]["currencies"]
    regions = sources.supplemental("currencyData")["currencyData"]["region"]
    for code in sources.countries:
        current, former = _currencies(regions.get(code, ()))
        for relation, currencies in (("currency", current), ("former_currency", former - current)):
            for currency in sorted(currencies):
                entity = draft.entity("currency", currency, names[currency]["displayName"])
                draft.add(country(code), relation, entity)


def _currencies(entries: Iterable[dict[str, dict[str, str]]]) -> tuple[set[str], set[str]]:
    """Current and former currencies; test and fund codes and what ended before 1950 are left out."""
    current: set[str] = set()
    former: set[str] = set()
    for entry in entries:
        for code, period in entry.items():
            if period.get("_tender") == "false" or period.get("_to", "9") < "1950":
                continue
            (former if "_to" in period else current).add(code)
    return current, former


def _add_time_zones(draft: Draft, sources: Sources) -> None:
    metazones = sources.supplemental("metaZones")["metaZones"]["metazoneInfo"]["timezone"]
    current = dict(_current_metazones(metazones, ""))
    for entry in sources.supplemental("windowsZones")["windowsZones"]["mapTimezones"]:
        code = entry["mapZone"]["_territory"]
        if code not in sources.countries:
            continue
        for zone in entry["mapZone"]["_type"].split():
            if meta := current.get(zone):
                label = f"{meta.replace('_', ' ')} Time"
                draft.add(country(code), "time_zone", draft.entity("time zone", meta, label))


def _current_metazones(node: dict[str, Any] | list[Any], path: str) -> Iterator[tuple[str, str]]:
    """``(IANA zone, metazone)`` for every zone that has one today."""
    if isinstance(node, dict):
        for name, child in node.items():
            yield from _current_metazones(child, f"{path}/{name}" if path else name)
        return
    for use in node:
        if "_to" not in use["usesMetazone"]:
            yield path, use["usesMetazone"]["_mzone"]
