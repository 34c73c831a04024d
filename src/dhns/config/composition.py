"""Settings composed outside of a command: in a notebook, in a program."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from dhns.compat import composing_quickly, own_hydra
from dhns.config.renamed import key_of_today
from dhns.config.resolvers import register_resolvers
from dhns.errors import InputError
from dhns.resources import conf_dir, conf_dirs, conf_files

_UNTUNED = re.compile(
    r"Could not find 'experiment/tuned/([^/']+)/([^/']+)/([^/']+)'\s+Available options in '.+':((?:\n\t.+)+)"
)
_NO_CHOICE = re.compile(r"Could not find '(.+)/([^/']+)'\s+Available options in '.+':((?:\n\t.+)+)")
_LAID_OVER_EACH_OTHER = frozenset({"features", "experiment"})
"""Groups of which one may choose several: ``features=[label,shuffled]``."""
_NO_CHOICE_OF_SEVERAL = re.compile(r"Could not load '(.+)/([^/']+)'()")  # of a list, such as logger=[csv,wandb]


def composed(command: str, choices: Mapping[str, str], settings: Mapping[str, Any]) -> DictConfig:
    """The configuration of a command.

    Args:
        command: its file in ``conf/``.
        choices: files by group, such as ``{"model": "rotate"}``.
        settings: values by dotted key, such as ``{"scorer.dim": 64}``; plain values, not text in Hydra's grammar.

    Raises:
        InputError: a choice or a setting does not exist.
    """
    for group, choice in choices.items():
        if choice is None:
            raise InputError(f"{group}=None chooses no file of conf/{group}; leave it out for the default, or name one")
    chosen = [f"{group}={choice}" for group, choice in choices.items()]
    require_plain_choices(chosen)
    register_resolvers()
    try:
        with (
            own_hydra(),
            composing_quickly(),
            initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"),
        ):
            config = compose(command, [*chosen, *own_files()])
    except (HydraException, OmegaConfBaseException) as error:
        text = str(error)
        said = of_no_choice(text) or " ".join(text.partition("Config search path:")[0].split())
        raise InputError(said) from None
    for key, value in settings.items():
        if now := key_of_today(key):
            raise InputError(f"there is no setting '{key}'; it is called '{now}' now")
        holder, _, name = key.rpartition(".")
        node = OmegaConf.select(config, holder) if holder else config
        try:
            if not isinstance(node, DictConfig):
                raise InputError(f"there is no setting '{key}': '{holder}' holds none")
            # what a _target_ takes beyond its file is compared with its signature later
            with open_dict(node):
                if name not in node and "_target_" not in node:
                    raise InputError(
                        f"there is no setting '{key}'; {holder or command} has {', '.join(map(str, node))}"
                    )
                node[name] = value
        except OmegaConfBaseException as error:
            raise InputError(f"{key}: {' '.join(str(error).split())}") from None
    return config


@contextmanager
def told() -> Iterator[None]:
    """An `InputError` for errors of settings and data that Hydra or OmegaConf wrap in, or tell by, one of their own."""
    try:
        yield
    except MissingMandatoryValue as error:
        raise InputError(f"{error.full_key} is not given, and has no default") from None
    except (HydraException, OmegaConfBaseException) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, InputError):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        raise InputError(str(cause)) from None


def groups() -> frozenset[str]:
    """Names of the groups of choices in ``conf/``, ours and the user's."""
    return frozenset(path.name for folder in conf_dirs() for path in folder.iterdir() if path.is_dir())


def require_plain_choices(arguments: Iterable[str]) -> None:
    """Hydra lays the files of a list (``model=[rotate,transe]``) one over the other, which few groups are made for.

    Raises:
        InputError: an argument chooses a list of a group that is of alternatives, or a part of an experiment.
    """
    alternatives = {path.name for path in conf_dir().iterdir() if path.is_dir()} - _LAID_OVER_EACH_OTHER
    for argument in arguments:
        group, _, value = argument.partition("=")
        if group in alternatives and value.startswith("["):
            names = [name.strip(" '\"") for name in value.strip("[]").split(",")]
            each = f"; {group}={','.join(names)} --multirun is a run of each" if len(names) > 1 else ""
            raise InputError(f"{argument} is a list, and {group} takes one name: {group}={names[0] or 'NAME'}{each}")
        whole, slash, _ = value.partition("/")
        if group == "experiment" and slash and (conf_dir() / group / f"{value}.yaml").is_file():
            raise InputError(f"{argument} is a part of one that chooses it itself: experiment={whole}")


def own_files() -> list[str]:
    """Overrides by which a composition also finds the files of a user's own folder; none without one."""
    return [f"hydra.searchpath=[{in_quotes(f'file://{folder}')}]" for folder in conf_dirs()[1:]]


def in_quotes(text: str, reference: str = "") -> str:
    """A text in Hydra's quotes, which reaches its setting as it is.

    Args:
        text: of any characters.
        reference: what must not follow ``${`` where that is text, as a regular expression.
    """
    # Hydra and OmegaConf unescape backslashes only before a quote, the end, and an interpolation
    text = re.sub(rf"(\\*)\$\{{{reference}", r"\1\1\\${", text)
    text = re.sub(r"(\\*)'", r"\1\1\\'", text)
    text = re.sub(r"(\\+)\Z", r"\1\1", text)
    return f"'{text}'"


def of_no_choice(text: str) -> str | None:
    """What to say of an error of Hydra about a choice that a group does not have; None of another error."""
    if found := _UNTUNED.search(text):
        dataset, group, name, there = found.groups()
        return (
            f"experiment=tuned has no settings of {group}={name} on {dataset}, only of {' and '.join(there.split())}; "
            "leave experiment=tuned out, and give settings of your own"
        )
    if (found := _NO_CHOICE.search(text) or _NO_CHOICE_OF_SEVERAL.search(text)) is None:
        return None
    group, name, listed = found.groups()
    choices = [file.stem for file in conf_files(group)] or listed.split()
    if near := difflib.get_close_matches(name, choices, n=3):
        return f"Could not find '{group}/{name}'; did you mean {' or '.join(near)}?"
    return f"Could not find '{group}/{name}' Available options in '{group}': {' '.join(choices)}"
