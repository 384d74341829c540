"""A short campaign of files; the whole one is `make campaign`."""

from __future__ import annotations

import pytest
from files import faults, run


def test_no_file_is_misread_crashes_or_hangs() -> None:
    reports: list[str] = []
    counts = run(400, seed=1, report=reports.append)
    assert faults(counts) == 0, "\n\n".join(reports)
    assert counts["valid, read"] == 200
    assert counts["converted, written"] > 50
    assert min(counts["damaged, read"], counts["damaged, refused"]) > 20


def test_the_campaign_sees_a_reader_that_drops_a_span(monkeypatch: pytest.MonkeyPatch) -> None:
    import files

    def forgetful(*arguments: object, **options: object) -> object:
        corpus = read(*arguments, **options)
        corpus.sentences = [type(s)(s.tokens, s.spans[:1]) for s in corpus]
        return corpus

    read = files.read_corpus
    monkeypatch.setattr(files, "read_corpus", forgetful)
    assert faults(run(40, seed=2, report=lambda _: None)) > 0
