"""Show the built site on this computer: a free port of localhost, the site's own 404 page, a quiet terminal."""

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SITE = Path(__file__).parents[2] / "_build" / "html"


class Pages(SimpleHTTPRequestHandler):
    """Serves a folder, and its ``404.html`` for what is not there."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript", ".woff": "font/woff"}  # noqa: RUF012

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def send_head(self) -> Any:
        """Open the file, or answer that there is none: no path holds a NUL."""
        try:
            return super().send_head()
        except ValueError:
            self.send_error(404)
            return None

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send the site's 404 page where it has one."""
        page = Path(self.directory) / "404.html"
        if code != 404 or not page.is_file():
            super().send_error(code, message, explain)
            return
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of the folder, on a free port unless one is named."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Pages, directory=str(folder)))


def main() -> int:
    """Serve until interrupted."""
    if not (SITE / "index.html").is_file():
        print(f"There is no built site in {SITE}. `make book` builds it.", file=sys.stderr)
        return 1
    with server(SITE) as running:
        print(f"The book is at http://127.0.0.1:{running.server_port}/   (Ctrl+C ends this)", flush=True)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
