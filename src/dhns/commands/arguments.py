"""Arguments as a user types them, in the words of Hydra."""

from __future__ import annotations

import functools
import os
import re
import types
import typing
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hydra.utils import get_object
from omegaconf import OmegaConf

from dhns.config.composition import groups, in_quotes, require_plain_choices
from dhns.config.own_settings import OWN
from dhns.config.signatures import Signature, imported, written
from dhns.config.values import alternatives
from dhns.resources import conf_files

_BY_NAME = {"table": str, "dataset.modalities.*.path": Path, "dataset.modalities.*": Path | None}
"""Tables are named by numbers; a modality is a file or, in braces, a mapping."""
_IN_QUOTES = re.compile(r"'([^'\\]|\\.)*'|\"([^\"\\]|\\.)*\"", re.DOTALL)
_CHOICE = re.compile(rf"(?:^|,)((?:{_IN_QUOTES.pattern})(?=,|$)|[^,]*)", re.DOTALL)
_WORD = re.compile(r"(?:[A-Za-z_]|\.{0,2}/)[\w./-]*", re.ASCII)
_CONFIG_DIR = ("--config-dir", "-cd")
_NO_WORDS = frozenset({"true", "false", "null", "nan", "inf"})


def in_words_of_hydra(arguments: Sequence[str], first: str | None = None) -> list[str]:
    """Flags before settings, wherever they stood, and texts in quotes.

    Args:
        arguments: after the name of the command.
        first: the setting that a leading bare word is the value of.

    Raises:
        InputError: a list where one name is to be chosen.
    """
    settings = [argument for argument in arguments if _is_setting(argument)]
    require_plain_choices(settings)
    others = [argument for argument in arguments if not _is_setting(argument)]
    if first and others and not others[0].startswith("-"):
        settings = [f"{first}={others.pop(0)}", *settings]
    sweep = "--multirun" in others or "-m" in others
    return [*others, *(quoted(argument, sweep) for argument in settings)]


def without_config_dir(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """The arguments but for Hydra's ``--config-dir``, and the folder that it names."""
    rest, folder = list(arguments), None
    for place, argument in reversed(list(enumerate(rest))):
        flag, equals, value = argument.partition("=")
        if flag in _CONFIG_DIR and (equals or place + 1 < len(rest)):
            folder = folder or (value if equals else rest.pop(place + 1))
            rest.pop(place)
    return rest, folder


def quoted(argument: str, sweep: bool = False) -> str:
    """Put a text in quotes, so that it reaches its setting as it was typed, whatever characters it holds.

    A text is the value of a setting whose annotation says so, or an item of a list of texts, in which commas outside of
    quotes part one from the next. What stands in quotes already is left to Hydra, and so is
    null where the setting may be null. In a sweep, commas outside of quotes part one choice from the next. A path may
    begin with ``~``, and refer to settings as files of ``conf/`` do: ``${paths.data}/mine``. A text ``???`` counts as
    missing: that is how OmegaConf spells it.
    """
    key, _, value = argument.partition("=")
    name = key.lstrip("+")
    is_mapping = name.startswith("dataset.modalities.") and value.startswith("{") and value.endswith("}")
    if (kinds := _kinds_of_items(name)) and not sweep and value.startswith("[") and value.endswith("]"):
        items = [match[1].strip() for match in _CHOICE.finditer(value[1:-1])] if value[1:-1].strip() else []
        return f"{key}=[{','.join(_quoted(item, kinds) for item in items)}]"
    if is_mapping or not (kinds := _kinds(name)):
        return argument
    choices = [match[1] for match in _CHOICE.finditer(value)] if sweep else [value]
    return f"{key}={','.join(_quoted(choice, kinds) for choice in choices)}"


def escaped(text: str) -> str:
    """A text for a configuration, in which it holds no reference."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def _is_setting(argument: str) -> bool:
    return not argument.startswith("-") and ("=" in argument or argument.startswith("~"))


def _quoted(value: str, kinds: set[Any]) -> str:
    if _IN_QUOTES.fullmatch(value) or (value == "null" and types.NoneType in kinds):
        return value
    if Path in kinds:
        value = os.path.expanduser(value)  # noqa: PTH111  # the shell does so at the start of a word only
    if _WORD.fullmatch(value) and value.lower() not in _NO_WORDS:
        return value
    return in_quotes(value, _not_a_reference(groups()) if Path in kinds else "")


@functools.cache
def _not_a_reference(groups: frozenset[str]) -> str:
    """What follows ``${`` where it refers to no setting and no resolver."""
    names = "|".join(sorted({*groups, *(key.partition(".")[0] for key in OWN)}))
    return rf"(?!(?:(?:oc|dhns)\.\w+:|(?:{names})[.}}]).*\}})"


def _kinds(key: str) -> set[Any]:
    """What the setting may be, where that is a text, or a list of some instead; empty where it is anything else."""
    by_name = [kind for pattern, kind in _BY_NAME.items() if fnmatchcase(key, pattern)]
    for annotation in by_name or ([OWN[key]] if key in OWN else _of_targets(key)):
        kinds = {kind for kind in alternatives(annotation) if not _is_list_of_texts(kind)}
        if kinds & {str, Path} and kinds <= {str, Path, types.NoneType}:
            return kinds
    return set()


def _is_list_of_texts(kind: Any) -> bool:
    return typing.get_origin(kind) is Sequence and set(typing.get_args(kind)) <= {str, Path}


def _kinds_of_items(key: str) -> set[Any]:
    """What an item of the setting may be, where that is a list of texts; empty where it is anything else."""
    items = {item for kind in alternatives(OWN.get(key)) for item in typing.get_args(kind)}
    return items if items <= {str, Path} else set()


def _of_targets(key: str) -> Iterator[Any]:
    """The annotations of an argument in all files of its group, such as ``dataset.folder``."""
    if not re.fullmatch(r"\w+(\.\w+)+", key):
        return
    group, *path, name = key.split(".")
    for file in conf_files(group):
        target = _target(file, file.stat().st_mtime_ns, ".".join([*path, "_target_"]))
        if isinstance(target, str) and (signature := _signature(target)):
            yield signature.hints.get(name)


@functools.cache
def _target(file: Path, changed: int, key: str) -> Any:
    """What a file of the given time of change holds under a key."""
    return OmegaConf.select(_content(file, changed), key, throw_on_resolution_failure=False)


@functools.cache
def _content(file: Path, changed: int) -> Any:
    return OmegaConf.load(file)


@functools.cache
def _signature(target: str) -> Signature | None:
    """What an object takes; of another package, as far as it can be imported."""
    if target.startswith("dhns."):
        return written(target)
    try:
        return imported(get_object(target))
    except Exception:  # whatever the import of a module raises, which is told where the object is made
        return None
