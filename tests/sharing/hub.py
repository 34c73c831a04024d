"""A stand-in for the Hugging Face hub on this machine: repositories in memory, one revision each."""

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "a" * 40


@contextmanager
def serving():
    """Yields the address of a hub, and its content: files by repository."""
    repositories = {}

    class Hub(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        @property
        def here(self):
            return f"http://127.0.0.1:{server.server_port}"

        def answer(self, content=b"", status=200, **headers):
            self.send_response(status)
            for name, value in {"Content-Length": len(content), "X-Repo-Commit": COMMIT, **headers}.items():
                self.send_header(name.replace("_", "-"), str(value))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def say(self, content, **headers):
            self.answer(json.dumps(content).encode(), Content_Type="application/json", **headers)

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = self.path.split("?")[0].strip("/").split("/")
            if parts[:3] == ["api", "repos", "create"]:
                asked = json.loads(body)
                name = f"{asked.get('organization') or 'me'}/{asked['name']}"
                repositories.setdefault(name, {})
                return self.say({"url": f"{self.here}/{name}", "name": name})
            if parts[1:] == ["validate-yaml"]:
                return self.say({"errors": [], "warnings": []})
            name = "/".join(parts[2:4])
            if "preupload" in parts:
                files = json.loads(body)["files"]
                return self.say(
                    {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
                )
            if "commit" in parts:
                for line in body.splitlines():
                    if (entry := json.loads(line))["key"] == "file":
                        repositories[name][entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
                    elif entry["key"] == "deletedFile":
                        del repositories[name][entry["value"]["path"]]
                return self.say({"commitUrl": f"{self.here}/{name}/commit/{COMMIT}", "commitOid": COMMIT})
            return self.answer(status=404)

        def do_GET(self):
            parts = self.path.split("?")[0].strip("/").split("/")
            name = "/".join(parts[2:4]) if parts[0] == "api" else "/".join(parts[:2])
            if name not in repositories:
                return self.answer(b"{}", 401, X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")
            files = repositories[name]
            if "tree" in parts:
                found = [{"type": "file", "path": p, "size": len(c), "oid": COMMIT} for p, c in files.items()]
                return self.say(found)
            if parts[0] == "api":
                siblings = [{"rfilename": path} for path in files]
                return self.say({"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "private": False})
            content = files.get("/".join(parts[4:]))
            if content is None:
                return self.answer(status=404, X_Error_Code="EntryNotFound")
            return self.answer(content, ETag=f'"{hashlib.sha256(content).hexdigest()}"')

        do_HEAD = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", repositories
    finally:
        server.shutdown()
        server.server_close()
