"""From runs to one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dhns import __version__
from dhns.config.composition import told
from dhns.errors import InputError
from dhns.files import write_text
from dhns.reporting.model_parts import Model, why_no_model
from dhns.reporting.one_run import one_run
from dhns.reporting.several import several_runs
from dhns.results.places import require_out
from dhns.results.store import find_results

TEMPLATES = Path(__file__).with_name("templates")
SUFFIXES = (".html", ".htm")


def write_report(
    runs: Path | Sequence[Path],
    out: Path,
    load: Callable[[Path], Model],
    *,
    against: str | None = None,
    data: Path | None = None,
    images: Path | None = None,
    texts: Path | None = None,
) -> int:
    """Write the report of the results that lie under some folders: of one run where there is one, else of all of them.

    Args:
        runs: a folder, or several.
        out: the file, which is replaced.
        load: of a run's folder its model, which may raise `InputError`: then the report says so and goes without.
        against: of several: the system that the others differ from; the first where it is None.
        data: folder of published data sets, for the names of relations of older results.
        images: of one: a folder of images by entity, for examples.
        texts: of one: a table of texts by entity, for examples.

    Returns:
        How many runs it is about.

    Raises:
        InputError: there is no usable result, ``out`` is no place for a page, or what is named is not there.
    """
    require_page(out)
    found = _results(runs)
    split = "test" if all(result["metrics"].get("test") for _, result in found) else "valid"
    if len(found) > 1:
        page = several_runs(found, split, against, data)
        write_text(out, _rendered("several.html.jinja", page))
        return len(found)
    ((path, result),) = found
    folder = path.parent
    model: Model | InputError
    try:
        with told():  # what the loading of a graph raises stems from others
            model = load(folder)
    except InputError as error:
        model = why_no_model(folder, result, error)
    write_text(out, _rendered("one.html.jinja", one_run(folder, result, split, model, data, images, texts)))
    return 1


def require_page(out: Path) -> None:
    """Refuse a place that is none for a page, before anything is computed.

    Raises:
        InputError: its name ends in none of `SUFFIXES`, or it is a folder; see also `require_out`.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(f"out={out}: the name of a report ends in .html")
    if out.is_dir():
        raise InputError(f"out={out} is a folder; give a file")
    require_out(out)


def only_run(run: Path) -> list[Path]:
    """The run as `write_report` takes it.

    Raises:
        InputError: under the folder lie several results, or none.
    """
    if len(found := _results(run)) > 1:
        raise InputError(f"under {run} lie {len(found)} results; give the folder of one, or compare them: runs={run}")
    return [run]


def _results(runs: Path | Sequence[Path]) -> list[tuple[Path, dict[str, Any]]]:
    """Test results of the runs; where none of them has any, those of validation."""
    try:
        return find_results(runs, "test")
    except InputError:
        try:
            return find_results(runs, "valid")
        except InputError:
            pass
        raise


def _rendered(template: str, page: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,  # names, labels and texts are a user's, and never markup
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(page=page, version=__version__)
