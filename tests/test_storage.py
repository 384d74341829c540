"""JSONL on disk: rows appended and read, what a kill leaves, and the lock that keeps two writers apart."""

import errno
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpkl_lib._storage import CheckpointError, append_row, locked, read_json, read_rows, repair, write_rows

ROWS = [{"a": 1}, {"b": "ä"}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def test_what_is_written_at_once_or_row_by_row_is_read_again(path: Path):
    for row in ROWS:
        append_row(path, row)
    once = path.with_name("once.jsonl")
    write_rows(once, ROWS)
    assert path.read_bytes() == once.read_bytes() == '{"a": 1}\n{"b": "ä"}\n'.encode()
    assert read_rows(path) == read_rows(path, unfinished=True) == ROWS
    write_rows(path, [])
    assert read_rows(path) == []


def test_a_last_line_cut_short_is_taken_off_and_shown(path: Path):
    append_row(path, {"a": 1})
    append_row(path, {"b": "ä"})
    whole = path.read_bytes()
    for cut in range(1, len(whole) - len(b'{"a": 1}\n')):
        path.write_bytes(whole[:-cut])
        lost = repair(path)
        assert lost is not None
        assert lost.encode(errors="replace")[:5] == whole[9:-cut].decode(errors="replace").encode()[:5]
        assert read_rows(path) == [{"a": 1}]
        assert repair(path) is None
    assert repair(path.with_name("none.jsonl")) is None


def test_an_unfinished_last_line_is_left_out_on_request_and_an_error_otherwise(path: Path):
    path.write_text('{"a": 1}\n{"b": ')
    assert read_rows(path, unfinished=True) == [{"a": 1}]
    with pytest.raises(ValueError, match=r"rows\.jsonl:2: expected one JSON object"):
        read_rows(path)
    path.write_text('{"a": 1}\n{"b": 2}')
    assert read_rows(path) == [{"a": 1}, {"b": 2}]
    assert read_rows(path, unfinished=True) == [{"a": 1}]


@pytest.mark.parametrize("unfinished", [False, True])
def test_a_line_that_is_no_object_is_named(path: Path, unfinished: bool):
    path.write_text("{}\n[1]\n")
    with pytest.raises(ValueError, match=r"rows\.jsonl:2: .*list"):
        read_rows(path, unfinished=unfinished)


def test_a_line_separator_inside_a_text_does_not_end_the_row(path: Path):
    append_row(path, {"tokens": ["a\u2028b", "\x85"]})
    assert read_rows(path) == [{"tokens": ["a\u2028b", "\x85"]}]


def test_nan_is_no_json(path: Path):
    with pytest.raises(ValueError, match="JSON"):
        append_row(path, {"f1": math.nan})
    with pytest.raises(ValueError, match="JSON"):
        write_rows(path, [{"f1": math.inf}])
    assert not path.exists()


@pytest.mark.parametrize("text", ['{"a": ', "[1]", b"\xff"])
def test_a_damaged_json_file_is_named(tmp_path: Path, text: str | bytes):
    file = tmp_path / "config.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CheckpointError, match=r"config\.json is damaged: "):
        read_json(file)
    file.write_text('{"a": 1}')
    assert read_json(file) == {"a": 1}
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json")


def test_a_full_disk_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for write in (lambda: append_row(path, {}), lambda: write_rows(path, [])):
        with pytest.raises(CheckpointError, match=r"cannot write .*rows\.jsonl: No space left on device"):
            write()


def test_a_lock_keeps_others_out_until_it_is_let_go(tmp_path: Path):
    lock = tmp_path / "runs/lock"
    other = "import sys, pathlib, gpkl_lib._storage as s\nwith s.locked(pathlib.Path(sys.argv[1])): pass"
    for process in (False, True):
        with locked(lock):
            if process:
                answer = subprocess.run([sys.executable, "-c", other, lock], capture_output=True, text=True)
                assert answer.returncode == 1
                assert answer.stderr.splitlines()[-1].startswith("BlockingIOError: ")
            else:
                with pytest.raises(BlockingIOError, match="another process holds the lock"), locked(lock):
                    pass
    with pytest.raises(KeyError), locked(lock):
        raise KeyError
    with locked(lock):
        pass
