"""Where the bytes of a file are read from: the web, a folder, or an archive."""

from __future__ import annotations

import functools
import http.client
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol
from urllib.parse import quote, urlsplit

from dhns import __version__
from dhns.errors import InputError
from dhns.sources.archives import READ_ERRORS, Archive
from dhns.sources.source import PublishedFile

BROKEN = (OSError, http.client.HTTPException, *READ_ERRORS)
"""What reading raises when a connection breaks off or a medium is damaged."""
_TIMEOUT = 10  # seconds to connect, and without a byte
_IMPATIENT = 1.0  # seconds to connect, for one who did not ask for a download
_WEB = ("https://", "http://")


class Unavailable(Exception):
    """An origin has a reason not to give a file; trying again at once would not help."""


class Absent(Unavailable):
    """An origin does not have a file."""


@dataclass(frozen=True)
class Incoming:
    """An open stream whose first byte is byte ``start`` of the file."""

    stream: IO[bytes]
    start: int


class Origin(Protocol):
    """A place that has files."""

    def open(self, file: PublishedFile, offset: int) -> AbstractContextManager[Incoming]:
        """The file's bytes from ``offset`` on, or from an earlier place where the origin cannot skip.

        Raises:
            Unavailable: it does not give the file.
        """


class Web:
    """Files at their published addresses, or below the address of a mirror as ``<data set>/<file>``.

    A host that cannot be reached is not asked again, so that a machine without a network learns so at once.
    """

    # urllib, for pooch verifies but cannot resume, and a Range header needs no dependency

    def __init__(self, dataset: str, mirror: str | None = None) -> None:
        self.dataset = dataset
        self.mirror = mirror
        self._unreachable: dict[str, str] = {}

    def url(self, file: PublishedFile) -> str | None:
        """The address of a file."""
        if self.mirror is None:
            return file.url
        return f"{self.mirror.rstrip('/')}/{quote(self.dataset)}/{quote(file.name)}"

    def servers(self, files: Iterable[PublishedFile]) -> list[str]:
        """Where files come from: ``https://HOST``, each once."""
        urls = [url for file in files if (url := self.url(file))]
        return list(dict.fromkeys("/".join(url.split("/")[:3]) for url in urls))

    @contextmanager
    def open(self, file: PublishedFile, offset: int) -> Iterator[Incoming]:
        url = self.url(file)
        if url is None:
            raise Absent("not published at an address that is known, see docs/data.md")
        headers = {"User-Agent": f"dhns/{__version__}", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        host = urlsplit(url).netloc
        if host in self._unreachable:
            raise Unavailable(self._unreachable[host])
        try:
            response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            error.close()
            kind = Absent if error.code in (404, 410) else Unavailable
            raise kind(f"{url} answers {error.code} {error.reason}") from None
        except (urllib.error.URLError, ValueError) as error:
            reason = getattr(error, "reason", error)
            self._unreachable[host] = f"{host} cannot be reached: {getattr(reason, 'strerror', None) or reason}"
            raise Unavailable(self._unreachable[host]) from None
        with response:
            start, total = _extent(response)
            if total not in (None, file.bytes):
                raise Unavailable(f"{url} has {total:,} bytes, expected {file.bytes:,}: it is another file")
            yield Incoming(response, start)


def _extent(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Where an answer starts in its file, and how long the file is, if the server says so."""
    if response.status != http.client.PARTIAL_CONTENT:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    # https://www.rfc-editor.org/rfc/rfc9110#field.content-range
    extent = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if extent is None:
        raise Unavailable(f"{response.url} sends a part of the file without saying which")
    return int(extent[1]), int(extent[2]) if extent[2] != "*" else None


class Folder:
    """Files in a folder, as ``<data set>/<file>`` or side by side."""

    def __init__(self, dataset: str, folder: Path) -> None:
        self.dataset = dataset
        self.folder = folder

    @contextmanager
    def open(self, file: PublishedFile, offset: int) -> Iterator[Incoming]:
        places = (self.folder / self.dataset / file.name, self.folder / file.name)
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise Absent(f"neither {places[0]} nor {places[1]} is there")
        start = offset if offset <= path.stat().st_size else 0
        with path.open("rb") as content:
            content.seek(start)
            yield Incoming(content, start)


class ArchivedFiles:
    """Files in an archive, wherever in it they lie: ``<data set>/<file>`` if there is such a member."""

    def __init__(self, dataset: str, path: Path) -> None:
        self.dataset = dataset
        self.archive = Archive(path)

    @contextmanager
    def open(self, file: PublishedFile, offset: int) -> Iterator[Incoming]:
        with self.archive.open(self._member(file)) as content:
            yield Incoming(content, 0)

    def _member(self, file: PublishedFile) -> PurePosixPath:
        named = [member for member in self.archive.members if member.name == file.name]
        found = [member for member in named if member.parent.name == self.dataset] or named
        if not found:
            raise Absent(f"{self.archive.path} has no member {file.name}")
        if len(found) > 1:
            raise Unavailable(f"{self.archive.path} has {_some(found)}; which of them is meant cannot be told")
        return found[0]


def origin(dataset: str, mirror: str | None) -> Origin:
    """The origin that a ``mirror`` names: an address, a folder or an archive; None for where files are published.

    Raises:
        InputError: it is none of these, or an archive that cannot be read or trusted.
    """
    if mirror is None or mirror.startswith(_WEB):
        return Web(dataset, mirror)
    path = Path(mirror).expanduser()
    if path.is_dir():
        return Folder(dataset, path)
    if path.is_file():
        return ArchivedFiles(dataset, path)
    raise InputError(f"mirror={mirror} is no folder, no archive and no address that starts with https:// or http://")


@functools.cache
def unreachable(server: str) -> str | None:
    """Why there is no connection to a server such as ``https://HOST``, known within a second; None if there is one.

    None as well where a proxy makes the connections.
    """
    parts = urlsplit(server)
    host = parts.hostname or ""
    if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        return None
    failure: str | None = f"{parts.netloc} did not answer within {_IMPATIENT:g} s; dhns data download waits longer"

    def connect() -> None:
        nonlocal failure
        try:
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
            socket.create_connection((host, port), timeout=_IMPATIENT).close()
            failure = None
        except (OSError, ValueError) as error:
            failure = f"{parts.netloc} cannot be reached: {getattr(error, 'strerror', None) or error}"

    # in a thread, for the system's look-up of names knows no limit of time
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_IMPATIENT)
    return failure


def _some(members: Sequence[PurePosixPath]) -> str:
    return ", ".join(map(str, members[:3])) + (", ..." if len(members) > 3 else "")
