"""Serve one file over HTTP with range requests, and how many of its bytes were asked for.

A process of its own, because GDAL waits for an answer without releasing Python's lock. It prints its
address, and stops when its standard input closes. ``/served`` answers with the bytes served so far.
"""

from __future__ import annotations

import http.server
import re
import sys
import threading
from pathlib import Path
from typing import ClassVar


class RangeHandler(http.server.BaseHTTPRequestHandler):
    """Answers HEAD and GET for ``/scene.tif``, whole or in part."""

    content: ClassVar[bytes] = b""
    served: ClassVar[int] = 0

    def do_HEAD(self) -> None:
        self.respond(body=False)

    def do_GET(self) -> None:
        self.respond(body=True)

    def respond(self, body: bool) -> None:
        if self.path == "/served":
            self.answer(200, str(RangeHandler.served).encode())
        elif self.path != "/scene.tif":
            self.send_error(404)
        else:
            wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first = int(wanted[1]) if wanted else 0
            last = int(wanted[2]) if wanted and wanted[2] else len(self.content) - 1
            part = self.content[first : last + 1]
            if body:
                RangeHandler.served += len(part)
            place = f"bytes {first}-{first + len(part) - 1}/{len(self.content)}" if wanted else None
            self.answer(206 if wanted else 200, part, place, body)

    def answer(self, status: int, part: bytes, place: str | None = None, body: bool = True) -> None:
        self.send_response(status)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        if place:
            self.send_header("Content-Range", place)
        self.end_headers()
        if body:
            self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    RangeHandler.content = Path(sys.argv[1]).read_bytes()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RangeHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
