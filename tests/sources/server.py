"""A web server on this machine that serves a folder, and misbehaves as it is told."""

import contextlib
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


@dataclass
class Server:
    """What is served, and how. ``requests`` collects (path, Range header)."""

    folder: Path
    url: str = ""
    ranges: bool = True  # answers a Range header
    break_after: int | None = None  # bytes of each answer after which the connection breaks off
    status: int | None = None  # answered in place of the file
    shift: int = 0  # added to the first byte that Content-Range names
    chunked: bool = False  # says no length
    delay: float = 0  # seconds before each answer
    requests: list = field(default_factory=list)


@contextlib.contextmanager
def serving(folder, **behaviour):
    """Serve a folder while the context lasts."""
    server = Server(Path(folder), **behaviour)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            server.requests.append((unquote(self.path), wanted))
            time.sleep(server.delay)
            path = server.folder / unquote(self.path).lstrip("/")
            if server.status or not path.is_file():
                self.send_error(server.status or 404)
                return
            content, start = path.read_bytes(), 0
            if wanted and server.ranges:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                self.send_response(206)
                first, total = start + server.shift, len(content)
                self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
            else:
                self.send_response(200)
            if not server.chunked:
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:][: server.break_after])

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
