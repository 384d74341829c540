"""The bytes of a file and the lines in them: encodings, and what a file is that holds no text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain

from gpkl_lib.corpora.corpus import CorpusError

PIECE = 1 << 20  # bytes decoded at a time: a text in memory takes up to four times its file
PACKED = {
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\x00": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"PK\x03\x04": "a zip archive (or a spreadsheet)",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"%PDF": "a PDF",
}
EAST_ASIAN = {
    "gb18030": "simplified Chinese",
    "big5": "traditional Chinese",
    "shift_jis": "Japanese",
    "euc_jp": "Japanese",
    "euc_kr": "Korean",
}


@dataclass
class Source:
    """A file in memory.

    Attributes:
        name: for messages.
        data: its bytes.
        encoding: a name that Python knows, or cesu-8: surrogates written as UTF-8, as some Java tools do.
        progress: told how many bytes of how many are read, where it is given.

    Raises:
        CorpusError: bytes that are no text, or text in another encoding; with the place and what the file may be.
    """

    name: str
    data: bytes
    encoding: str = "utf-8"
    progress: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        self.sha256 = sha256(self.data).hexdigest()
        binary = re.search(rb"[\x00-\x08]", self.data[:4096])
        kind = next((kind for magic, kind in PACKED.items() if binary and self.data.startswith(magic)), None)
        if kind:
            raise CorpusError(f"{self.name}: expected text, found {kind}; unpack it first")
        if self.encoding.lower() in ("cesu-8", "cesu8"):
            try:
                text = self.data.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass")
                self.data, self.encoding = text.decode("utf-16-le").encode(), "utf-8"
            except UnicodeDecodeError as error:
                raise CorpusError(f"{self.name}: expected {self.encoding}: {error.reason}") from None
        try:
            "".encode(self.encoding)
            self._decoder = codecs.getincrementaldecoder(self.encoding)
            self._decoder().decode(b"")
        except (LookupError, UnicodeError, ValueError, TypeError):
            raise CorpusError(f"{self.name}: unknown encoding {self.encoding!r}") from None
        wide = _without_mark(self.data)
        if wide and codecs.lookup(self.encoding).name == "utf-8":
            raise CorpusError(
                f"{self.name}:1: expected utf-8, found {wide} without a mark: encoding={wide!r} (--encoding {wide})"
            )
        self.marked = self._decoder("replace").decode(self.data[:8]).startswith("\ufeff")
        self.only_cr = b"\r" in self.data and b"\n" not in self.data and b"\0" not in self.data

    def start(self) -> str:
        """The first thousands of characters, as far as they can be read."""
        text = self._decoder("replace").decode(self.data[: 1 << 16])
        return text.removeprefix("\ufeff").replace("\r", "\n" if self.only_cr else "\r")

    def text(self) -> str:
        """All of it, without the byte-order mark; ends of lines that are CR alone are LF here."""
        return "".join(self._pieces())

    def lines(self) -> Iterator[str]:
        """Its lines, without LF: decoded piece by piece."""
        return chain.from_iterable(self._lines())

    def _lines(self) -> Iterator[list[str]]:
        rest = ""
        for piece in self._pieces():
            lines = (rest + piece).split("\n")
            rest = lines.pop()
            yield lines
        yield [rest]

    def _pieces(self) -> Iterator[str]:
        decoder, skip = self._decoder(), self.marked
        for start in range(0, max(len(self.data), 1), PIECE):
            piece = self.data[start : start + PIECE]
            try:
                text = decoder.decode(piece, start + PIECE >= len(self.data))
            except UnicodeError:
                raise self._wrong() from None
            if skip and text:
                text, skip = text[1:], False
            yield text.replace("\r", "\n") if self.only_cr else text
            if self.progress:
                self.progress(min(start + PIECE, len(self.data)), len(self.data))

    def _wrong(self) -> CorpusError:
        """The error for bytes in another encoding: the place, and the encoding that they look like."""
        try:
            self.data.decode(self.encoding)
        except UnicodeDecodeError as error:
            line, at = self.data.count(b"\n", 0, error.start) + 1, error.start
            return CorpusError(
                f"{self.name}:{line}: expected {self.encoding}, found byte 0x{self.data[at]:02x} at offset {at} "
                f"({error.reason}); {_looks_like(self.data, at)}"
            )
        except UnicodeError as error:
            return CorpusError(f"{self.name}: expected {self.encoding}: {error}")
        return CorpusError(f"{self.name}: expected {self.encoding}, found other bytes")


def _without_mark(data: bytes) -> str:
    """The name of UTF-16 where half of the first bytes are NUL, all at even or all at odd offsets; else ""."""
    start = b"" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else data[:4096]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) < 2 or max(even, odd) * 8 < len(start) or min(even, odd) * 8 > max(even, odd):
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _looks_like(data: bytes, at: int) -> str:
    """What to do about bytes that are not UTF-8, from `at` on."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "give the file's encoding, encoding='utf-16' (--encoding utf-16)"
    if data[at] == 0xED and data[at + 1 : at + 2] >= b"\xa0":
        return (
            "these are surrogates written as UTF-8, as some Java tools do: give encoding='cesu-8' (--encoding cesu-8)"
        )
    runs = re.findall(rb"[\x80-\xff]+", data[: 1 << 20])
    high = sum(map(len, runs))
    if 4 * sum(len(run) for run in runs if len(run) % 2 == 0) > 3 * high:  # letters of two bytes come in pairs
        able = [f"{name} if it is {language}" for name, language in EAST_ASIAN.items() if _decodes(data, name)]
        if able:
            return f"give the file's encoding (--encoding): {', '.join(able)}"
    if any(byte in data for byte in range(9)) or data.count(b"\0"):
        return "the file holds control bytes and may be no text at all"
    return "give the file's encoding, such as encoding='latin-1' (--encoding latin-1) for Western Europe's letters"


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
