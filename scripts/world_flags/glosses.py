"""What WordNet adds: glosses, places, kinds and language families."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .facts import Draft, Entity
from .sources import ascii_key
from .wordnet import Synset, WordNet

# Where a sense may come from, by kind of entity.
ALLOWED_FILES = {
    "country": {"location", "object"},
    "region": {"location", "object"},
    "subdivision": {"location", "object"},
    "capital city": {"location"},
    "language": {"communication"},
    "script": {"communication"},
    "currency": {"quantity", "possession"},
    "colour": {"attribute"},
    "union": {"group", "location"},
}

# Names that WordNet knows a country by, where CLDR's differ.
ALIASES = {
    "CD": "Democratic Republic of the Congo",
    "CG": "Republic of the Congo",
    "CI": "Cote d'Ivoire",
    "CZ": "Czech Republic",
    "MK": "Macedonia",
    "MM": "Myanmar",
    "PS": "Palestine",
    "RU": "Russian Federation",
    "SZ": "Swaziland",
    "TL": "East Timor",
    "TR": "Turkey",
    "VA": "Holy See",
    "VC": "Saint Vincent and the Grenadines",
    "VI": "United States Virgin Islands",
}

# "national_capital" is no state: Kuwait is the name of a country and of its capital.
STATE = re.compile("country|nation(?!al)|republic|kingdom|sultanate|emirate|principality|monarchy|Baltic_State")

# One part holonym is enough for these; other new places need two.
LANDSCAPE = frozenset({"river", "lake", "sea", "strait", "gulf", "bay", "canal", "waterfall", "port"})
LANDSCAPE |= {"island", "archipelago", "peninsula", "mountain_peak", "range", "volcano", "desert", "national_park"}
# A state may bear the name of its river or its capital, which WordNet lists first.
NO_SUBDIVISION = frozenset(["river", "city", "town", "port", "provincial_capital", "state_capital", "national_capital"])
PAST = re.compile(r"\b(ancient|former|formerly|historic|historical|Biblical|defunct)\b")

# Too general to be a language family.
FAMILY_STOPS = frozenset({"natural_language", "language", "artificial_language", "dialect", "creole", "pidgin"})


def add_wordnet(draft: Draft, wordnet: WordNet) -> None:
    """Give entities their glosses; add places, kinds and language families."""
    synset_of = _map_entities(draft, wordnet)
    for name, synset in synset_of.items():
        draft.entities[name].gloss = synset.definition
    _add_places(draft, wordnet, synset_of)
    _add_families(draft, wordnet, synset_of)


def _map_entities(draft: Draft, wordnet: WordNet) -> dict[str, Synset]:
    mapped: dict[str, Synset] = {}
    for entity in draft.of_kind("country"):
        if synset := _country_sense(entity, wordnet):
            mapped[entity.key] = synset
    if len({s.offset for s in mapped.values()}) < len(mapped):
        raise SystemExit("two countries on one synset: add an alias")

    home = {h: t for h, r, t in draft.triples if r == "subdivision_of"}
    home |= {t: h for h, r, t in draft.triples if r == "capital"}
    taken = {s.offset for s in mapped.values()}
    for entity in draft.of_kind(*ALLOWED_FILES.keys() - {"country"}):
        for synset in _senses(entity, wordnet):
            # One sense for one entity: Washington is a capital first, so the state gets the next sense.
            if synset.offset in taken:
                continue
            # Without this, the American Georgia would be in the Caucasus.
            if entity.key not in home or _lies_in(synset, mapped.get(home[entity.key]), wordnet):
                mapped[entity.key] = synset
                taken.add(synset.offset)
                break
    return mapped


def _senses(entity: Entity, wordnet: WordNet) -> Iterator[Synset]:
    """Allowed senses of the entity's label, most frequent first."""
    for spelling in _spellings(entity):
        for synset in wordnet.senses(ascii_key(spelling)):
            if synset.file in ALLOWED_FILES[entity.kind] and not (
                entity.kind == "subdivision" and NO_SUBDIVISION & _kinds(synset, wordnet)
            ):
                yield synset


def _kinds(synset: Synset, wordnet: WordNet) -> set[str]:
    """What the sense is an instance of, by first word."""
    return {kind.words[0] for kind in wordnet.follow(synset, "@i")}


def _spellings(entity: Entity) -> list[str]:
    label = entity.label
    if entity.kind == "script":
        return [label, re.sub("script$", "alphabet", label)]
    if entity.kind != "country":
        return [label]
    alias = ALIASES.get(entity.key.removeprefix("country/"))
    if alias:
        return [alias]
    variants = [label, label.replace("&", "and"), label.replace("St.", "Saint")]
    variants.append(variants[1].replace("St.", "Saint"))
    variants += [re.split(r" \(| - ", label)[0], label.removesuffix(" Islands")]
    return list(dict.fromkeys(variants))


def _country_sense(entity: Entity, wordnet: WordNet) -> Synset | None:
    def score(synset: Synset) -> int:
        return 2 * any(map(STATE.search, _kinds(synset, wordnet))) + (synset.file == "location")

    senses = [s for s in _senses(entity, wordnet) if _kinds(s, wordnet) - {"American_state"}]
    return max(senses, key=score, default=None)


def _lies_in(synset: Synset, whole: Synset | None, wordnet: WordNet) -> bool:
    near = wordnet.follow(synset, "#p")
    far = [further for step in near for further in wordnet.follow(step, "#p")]
    return whole is not None and whole in near + far


def _add_places(draft: Draft, wordnet: WordNet, synset_of: dict[str, Synset]) -> None:
    whole_kinds, located_kinds = ("country", "subdivision", "region"), ("country", "capital city", "subdivision")
    wholes = {s.offset: name for name, s in synset_of.items() if _kind(draft, name) in whole_kinds}
    located = {name: s for name, s in synset_of.items() if _kind(draft, name) in located_kinds}
    taken = {s.offset for s in synset_of.values()}
    for synset in wordnet.synsets.values():
        if synset.offset not in taken and _is_place(synset, wordnet, wholes):
            name = draft.entity("place", f"{ascii_key(synset.words[0])}_{synset.offset}", synset.label)
            draft.entities[name].gloss = synset.definition
            located[name] = synset
    said = {frozenset((h, t)) for h, r, t in draft.triples if r in ("located_in", "subdivision_of", "capital")}
    for name, synset in located.items():
        for offset in synset.targets("#p"):
            whole = wholes.get(offset)
            if whole and frozenset((name, whole)) not in said:
                draft.add(name, "part_of", whole)
        for kind in wordnet.follow(synset, "@i"):
            entity = draft.entity("kind", ascii_key(kind.words[0]), kind.label)
            draft.entities[entity].gloss = kind.definition
            draft.add(name, "instance_of", entity)


def _kind(draft: Draft, name: str) -> str:
    return draft.entities[name].kind


def _is_place(synset: Synset, wordnet: WordNet, wholes: Iterable[str]) -> bool:
    kinds = _kinds(synset, wordnet)
    if not kinds or synset.file not in ("location", "object") or PAST.search(synset.gloss):
        return False
    count = sum(offset in wholes for offset in synset.targets("#p"))
    return count >= 2 or (count == 1 and bool(kinds & LANDSCAPE))


def _add_families(draft: Draft, wordnet: WordNet, synset_of: dict[str, Synset]) -> None:
    languages = {s.offset: name for name, s in synset_of.items() if _kind(draft, name) == "language"}
    for language in draft.of_kind("language"):
        synset = synset_of.get(language.key)
        below, relation = language.key, "language_family"
        while synset and (synset := _family(synset, wordnet)):
            if synset.offset in languages:
                # A language that others come from, such as Latin; it tells its own family.
                draft.add(below, relation, languages[synset.offset])
                break
            family = draft.entity("language family", ascii_key(synset.words[0]), f"{synset.label} languages")
            draft.entities[family].gloss = synset.definition
            draft.add(below, relation, family)
            below, relation = family, "branch_of"


def _family(synset: Synset, wordnet: WordNet) -> Synset | None:
    for parent in wordnet.follow(synset, "@", "@i"):
        if parent.file == "communication" and not FAMILY_STOPS & set(parent.words):
            return parent
    return None
