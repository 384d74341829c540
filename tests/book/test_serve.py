"""The server of the built book: what is asked in a way that no file is called gets an answer, and the server lives."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path


def test_a_path_with_a_nul_is_not_found(tmp_path: Path) -> None:
    import serve_book

    (tmp_path / "index.html").write_text("the book")
    with serve_book.server(tmp_path) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        answers = []
        for path in ("/a%00b", "/%00", "/index.html"):
            connection = http.client.HTTPConnection("127.0.0.1", running.server_port, timeout=60)
            connection.request("GET", path)
            answers.append(connection.getresponse().status)
            connection.close()
        running.shutdown()
    assert answers == [404, 404, 200]
