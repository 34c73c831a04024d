"""Models on the Hugging Face hub, or on one that works alike (``HF_ENDPOINT``)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dhns.errors import InputError
from dhns.extras import optional

_ADDRESS = re.compile(r"hf:/{1,2}(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


def fetched(run: str | Path) -> Path:
    """The folder of a run; that of ``hf://USER/NAME`` or ``hf://USER/NAME@REVISION`` once it has been downloaded.

    Only files that a pack consists of are fetched, into the cache of huggingface_hub.

    Raises:
        InputError: there is no such model, it cannot be reached, huggingface_hub is not installed, or ``run`` is
            neither a text nor a path.
    """
    if not isinstance(run, str | os.PathLike):
        raise InputError(f"{run!r} is no run; expected its folder, a checkpoint file, or hf://USER/NAME")
    if not str(run).startswith("hf:/"):
        return Path(run).expanduser()
    if (address := _ADDRESS.fullmatch(str(run))) is None:
        raise InputError(f"{run} is no address of a model; expected hf://USER/NAME or hf://USER/NAME@REVISION")
    hub = optional("huggingface_hub", str(run), "hub")
    with _told(str(run)):
        # patterns with a star match within folders too
        folder = hub.snapshot_download(
            address["repository"],
            revision=address["revision"],
            allow_patterns=_allowed(),
            endpoint=os.environ.get("HF_ENDPOINT"),
        )
    return Path(folder)


def _allowed() -> list[str]:
    from dhns.sharing.pack import ALLOWED  # imports all that trains, which a run on this machine does not need

    return list(ALLOWED)


def address_of(repository: str) -> str:
    """What `fetched` takes for a repository.

    Raises:
        InputError: its name is no ``USER/NAME``.
    """
    if not _ADDRESS.fullmatch(f"hf://{repository}") or "@" in repository:
        raise InputError(f"to is '{repository}'; expected USER/NAME")
    return f"hf://{repository}"


def push(folder: Path, repository: str, private: bool = True) -> str:
    """Upload a pack, in place of an earlier one; the repository is made if it is not there.

    Returns:
        The address that `fetched` takes.

    Raises:
        InputError: the name is no ``USER/NAME``, the hub refuses, or huggingface_hub is not installed.
    """
    address = address_of(repository)
    library = optional("huggingface_hub", address, "hub")
    with _told(address):
        hub = library.HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
        hub.create_repo(repository, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=_allowed(),
            delete_patterns=_allowed(),  # features of an earlier upload, that this one leaves out on purpose
            commit_message="A model of dhns",
        )
    return address


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of the hub, of the network below it, of a file system
        reason = " ".join((str(error).strip() or type(error).__name__).split())
        raise InputError(f"{what}: {reason[:300]} (a private model needs a token: HF_TOKEN)") from None
