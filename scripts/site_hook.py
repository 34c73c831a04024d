"""A hook of mkdocs: pages may link to files of the repository, which then come with the site."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

LINK = re.compile(r"\]\(\.\./([^)#]+)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the files outside of docs/ that pages link to."""
    root = Path(config.docs_dir).parent
    pages = [Path(file.abs_src_path) for file in files.documentation_pages() if file.abs_src_path]
    linked = {name for page in pages for name in LINK.findall(page.read_text(encoding="utf-8"))}
    for name in sorted(linked):
        if (root / name).is_file():  # of others mkdocs warns
            extra = File.generated(config, f"repository/{name}", abs_src_path=str(root / name))
            extra.inclusion = InclusionLevel.NOT_IN_NAV
            files.append(extra)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point to them."""
    return LINK.sub(r"](repository/\1", markdown)
