"""A package index on loopback, on a day when everything that a lock names has a newer release."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NEWER = "9999"
_ENTRY = re.compile(
    r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)((?:.|\n)*?)(?=^[A-Za-z0-9]|\Z)", re.MULTILINE
)


@dataclass
class Index:
    """Tiny wheels by the names and versions of real locks, each asking for what it really needs.

    And each for an extra of it, which the lock does not pin: an old pip resolves that anew.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    def mirror(self, lock: str) -> str:
        """Put a lock's packages and newer ones into the index; give the lock of what is there."""
        entries = _ENTRY.findall(lock)
        needs: dict[str, list[str]] = {name: [] for name, _, _ in entries}
        for name, _, comments in entries:
            for parent in re.findall(r"^    # {1,3}(?:via )?([\w.-]+)$", comments, re.MULTILINE):
                if parent in needs:
                    needs[parent].append(name)
        lines = []
        for name, version, _ in entries:
            self._add(name, NEWER, needs[name])
            digest = self._add(name, version, needs[name])
            lines.append(f"{name}=={version} --hash=sha256:{digest}\n")
        return "".join(lines)

    def _add(self, name: str, version: str, needs: list[str]) -> str:
        stem = f"{re.sub(r'[-_.]+', '_', name)}-{version}"
        asks = "".join(f"Requires-Dist: {need}[more]\n" for need in needs)
        told = (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: more\n{asks}"
        )
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as wheel:
            for path, text in (
                ("METADATA", told),
                ("WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
                ("RECORD", ""),
            ):
                info = zipfile.ZipInfo(f"{stem}.dist-info/{path}")
                wheel.writestr(info, text)
        content = buffer.getvalue()
        self.files[f"{stem}-py3-none-any.whl"] = content
        return hashlib.sha256(content).hexdigest()

    def page(self, name: str) -> str:
        stem = re.sub(r"[-_.]+", "_", name) + "-"
        return "".join(
            f'<a href="/files/{file}#sha256={hashlib.sha256(content).hexdigest()}">{file}</a><br>'
            for file, content in self.files.items()
            if file.lower().startswith(stem)
        )

    @contextmanager
    def served(self) -> Iterator[str]:
        """Answer on loopback; give the index's address."""
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, _, name = self.path.strip("/").partition("/")
                if kind == "files":
                    index.asked.add(name)
                    body, told = index.files[name], "application/octet-stream"
                else:
                    body, told = index.page(name).encode(), "text/html"
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", told)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        finally:
            server.shutdown()
            server.server_close()


def locked_versions(lock: str) -> dict[str, str]:
    return {name: version for name, version, _ in _ENTRY.findall(lock)}


def installed_versions(site: Path) -> dict[str, str]:
    found = [path.name.removesuffix(".dist-info") for path in site.glob("*.dist-info")]
    return dict(name.rsplit("-", 1) for name in found)
