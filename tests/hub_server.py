"""A hub of its own for tests: a local HTTP server with as much of the hub's interface as a download needs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "org/tiny"


class Hub:
    """One repository, org/tiny, whose files are those of a folder; `commits` by branch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commits = {"main": COMMIT}
        self.downloaded: list[str] = []
        self.broken: str | None = None  # a file whose connection breaks in the middle
        self.altered: str | None = None  # a file whose content is not that of its hash
        self.url = ""

    def commit(self, revision: str) -> str | None:
        return revision if revision in self.commits.values() else self.commits.get(revision)

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def tree(self) -> list[dict[str, Any]]:
        entries = []
        for name in self.files():
            data = (self.folder / name).read_bytes()
            entry: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": git_hash(data)}
            if is_large(name):
                entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 130}
            entries.append(entry)
        return entries


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".bin"))


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = self.path.partition("?")[0]
            info = re.fullmatch(rf"/api/models/{NAME}(?:/(revision|tree)/([^/]+))?(?:/.*)?", path)
            file = re.fullmatch(rf"/{NAME}/resolve/([^/]+)/(.+)", path)
            if info:
                commit = hub.commit(info[2] or "main")
                value: Any = hub.tree() if info[1] == "tree" else {"id": NAME, "sha": commit, "siblings": []}
                self.send(json.dumps(value).encode() if commit else None, {}, body=body)
            elif file and hub.commit(file[1]) and file[2] in hub.files():
                self.send_file(file[2], str(hub.commit(file[1])), body=body)
            else:
                self.send(None, {}, body=body)

        def send_file(self, name: str, commit: str, *, body: bool) -> None:
            data = (hub.folder / name).read_bytes()
            tag = sha256(data) if is_large(name) else git_hash(data)
            if body:
                hub.downloaded.append(name)
            if name == hub.altered:
                data = data[:-1] + bytes([data[-1] ^ 1])
            self.send(
                data, {"ETag": f'"{tag}"', "X-Repo-Commit": commit}, body=body, breaks=name == hub.broken
            )

        def send(
            self, data: bytes | None, headers: dict[str, str], *, body: bool, breaks: bool = False
        ) -> None:
            self.send_response(200 if data is not None else 404)
            if data is None:
                headers, data = {"X-Error-Code": "RevisionNotFound"}, b"{}"
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(data[: len(data) // 2] if breaks else data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
