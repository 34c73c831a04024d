"""What this project uses of other packages that they do not document: here alone, each with a test of its own.

Names are imported when they are first used, as some take seconds. Where a new version of a package has moved one,
`tests/test_compat.py` says which.
"""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydra._internal.config_repository import IConfigRepository
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.default_element import InputDefault
    from hydra.core.utils import JobReturn
    from hydra.plugins.config_source import ConfigResult, ConfigSource
    from omegaconf import DictConfig
    from omegaconf.base import Box, Metadata
    from pytorch_lightning.strategies.launchers.multiprocessing import _MultiProcessingLauncher as SpawningLauncher
    from torch import Tensor
    from torch._dynamo.exc import FailOnRecompileLimitHit as CompiledTooOften
    from torch._dynamo.exc import TorchDynamoException as CompilerFailure

__all__ = ["BasicSweeper", "CompiledTooOften", "CompilerFailure", "SpawningLauncher"]

_HOMES = {
    # splits choices into jobs
    "BasicSweeper": ("hydra._internal.core_plugins.basic_sweeper", "BasicSweeper"),
    # what torch.compile raises where a function has met more sizes than it keeps code for; a plain exception
    "CompiledTooOften": ("torch._dynamo.exc", "FailOnRecompileLimitHit"),
    # what torch.compile raises where it does not work; torch.compiler names no such class
    "CompilerFailure": ("torch._dynamo.exc", "TorchDynamoException"),
    # what starts the processes of one training, and can end them
    "SpawningLauncher": ("pytorch_lightning.strategies.launchers.multiprocessing", "_MultiProcessingLauncher"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dhns.compat' has no attribute '{name}'")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def product_of_int8(left: Tensor, right: Tensor) -> Tensor:
    """``(N, M)`` int32 product of int8 matrices ``(N, D)`` and ``(D, M)``.

    Raises:
        RuntimeError: this machine, or these sizes, have none.
    """
    import torch

    product: Tensor = torch._int_mm(left, right)
    return product


def rows_and_values(sparse: Tensor) -> tuple[Tensor, Tensor]:
    """``(n,)`` rows and ``(n, ...)`` values of a sparse tensor as it is, in any order; its own would coalesce it."""
    return sparse._indices()[0], sparse._values()


def keep_compiled_graphs() -> None:
    """Have compiled functions keep what they saved for backward, so that one graph can be gone through twice."""
    from torch._functorch import config

    config.donated_buffer = False


def failure_of(job: JobReturn) -> str:
    """Why a job of a sweep failed; the public property prints its exception and raises it."""
    return str(job._return_value)


@contextmanager
def composing_once() -> Iterator[None]:
    """Within it `hydra.main` composes a command's settings once.

    It would compose them beforehand to look up ``hydra.mode``, which no file of ours sets: a fifth of a second at each
    start. It still does where an argument or a folder of one's own could set it.
    """
    from hydra._internal.hydra import Hydra

    look_up = Hydra.get_mode

    def get_mode(self: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        own_files = any(argument.startswith(("--config-dir", "-cd")) for argument in sys.argv[1:])
        if own_files or any("hydra" in override for override in overrides):
            return look_up(self, config_name, overrides)
        return None

    Hydra.get_mode = get_mode  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = look_up  # type: ignore[method-assign]


_parsed: dict[tuple[str, str, str], tuple[tuple[int, ...], ConfigResult]] = {}
"""Of each file of settings that Hydra has read: its state then, and what was found."""


@contextmanager
def composing_quickly() -> Iterator[None]:
    """Within it Hydra parses a file of settings once per process, and again once it has changed; a reference too.

    Left alone, it parses all files at each composition, each ``${reference}`` whenever it is followed, makes a
    configuration of each list of defaults, even where nothing in it refers to another choice, goes through all that is
    composed so far, in a roundabout way, with each file that it adds, and copies all that has been registered in its
    store, 250 times for a help. That is more than half of the time of a composition, of which a table of the paper has
    up to 90, and most of the time of a help.
    """
    try:
        parts = _quicker_parts()
    except (ImportError, AttributeError):  # another version of either: as slow as it is, and no less right
        yield
        return
    before = [(owner, name, getattr(owner, name, None)) for owner, name, _ in parts]
    if any(getattr(part, "__module__", None) == __name__ for _, _, part in before):  # within another
        yield
        return
    for owner, name, part in parts:
        setattr(owner, name, part)
    try:
        yield
    finally:
        for owner, name, part in before:
            delattr(owner, name) if part is None else setattr(owner, name, part)


def _quicker_parts() -> list[tuple[Any, str, Any]]:
    """Functions of Hydra and OmegaConf, by owner and name, with one that does the same in less time.

    Raises:
        ImportError, AttributeError: this version of them has no such function.
    """
    from hydra._internal import defaults_list
    from hydra._internal.config_repository import CachingConfigRepository
    from hydra.core.plugins import Plugins
    from omegaconf import OmegaConf, base

    Plugins.instance()  # whose search, the first time, makes the classes of sources anew
    from hydra._internal.core_plugins.file_config_source import FileConfigSource
    from hydra._internal.core_plugins.importlib_resources_config_source import ImportlibResourcesConfigSource

    from_file, from_package = FileConfigSource.load_config, ImportlibResourcesConfigSource.load_config
    choices_so_far, adopt_others = defaults_list._create_interpolation_map, base.Box._re_parent
    parsers = [importlib.import_module(f"omegaconf.{name}") for name in ("base", "_utils")]
    parse = lru_cache(maxsize=4096)(parsers[0].parse)  # trees that nobody changes

    def once(source: ConfigSource, name: str, state: tuple[int, ...], load: Callable[[], ConfigResult]) -> ConfigResult:
        file = (source.provider, source.path, name)
        if file not in _parsed or _parsed[file][0] != state:
            _parsed[file] = (state, load())
        found = _parsed[file][1]
        # a composition takes nodes over, and changes them
        return replace(found, config=copy.deepcopy(found.config), header=dict(found.header))

    def load_file(self: FileConfigSource, config_path: str) -> ConfigResult:
        load = partial(from_file, self, config_path)
        try:
            found = Path(self.path, self._normalize_file_name(config_path)).stat()
        except OSError:
            return load()
        return once(self, config_path, (found.st_ino, found.st_size, found.st_mtime_ns), load)

    def load_from_package(self: ImportlibResourcesConfigSource, config_path: str) -> ConfigResult:
        return once(self, config_path, (), partial(from_package, self, config_path))

    def choices_where_needed(overrides: Any, defaults_list: list[InputDefault], self_added: bool) -> DictConfig:
        if any(each.is_interpolation() for each in defaults_list if not each.is_self()):
            return choices_so_far(overrides, defaults_list, self_added)
        return OmegaConf.create({})

    def start_repository(self: CachingConfigRepository, delegate: IConfigRepository) -> None:
        # a composition gives the copy other sources, and leaves those that there are as they are
        self.delegate, self.cache = copy.copy(delegate), {}

    def copy_metadata(self: Metadata, memo: dict[int, Any]) -> Metadata:
        # types and names, which are never changed, and two dictionaries
        copied = copy.copy(self)
        copied.flags = None if self.flags is None else dict(self.flags)
        copied.resolver_cache = copy.deepcopy(self.resolver_cache, memo)
        return copied

    def adopt(self: Box) -> None:
        content = self.__dict__["_content"]
        if not isinstance(content, dict | list):
            adopt_others(self)
            return
        for child in content.values() if isinstance(content, dict) else content:
            if child is not None:
                child.__dict__.update(_parent=self, _flags_cache=None)
                if isinstance(child, base.Box):
                    child._re_parent()

    return [
        (FileConfigSource, "load_config", load_file),
        (ImportlibResourcesConfigSource, "load_config", load_from_package),
        (CachingConfigRepository, "__init__", start_repository),
        (defaults_list, "_create_interpolation_map", choices_where_needed),
        (base.Metadata, "__deepcopy__", copy_metadata),
        (base.Box, "_re_parent", adopt),
        *((module, "parse", parse) for module in parsers),
    ]


@contextmanager
def own_hydra() -> Iterator[None]:
    """Within it Hydra is not initialised; at its end it is as it was, for a program that is a Hydra app itself."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.singleton import Singleton

    state = Singleton.get_state()
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        Singleton.set_state(state)
