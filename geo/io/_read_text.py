"""Text files: which encoding, which delimiter, where the header is, and the rows as text.

Every value stays text, so codes keep their zeros. Line ends may be LF, CRLF or CR alone. The
header is the first record, among the first 30, that is about as wide as the rows below it and
holds words rather than numbers; records above it (titles, dates of export) are named in a note.
A record with more or fewer values than the header is not guessed at: it comes back as bad.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as pa_csv

from geo.errors import InputError
from geo.io.read import Source, no_bad_rows

_HEAD_CHARS = 256 * 1024
_HEADER_AMONG = 30
_DELIMITERS = (",", "\t", ";", "|")
_BLOCK = 8 * 2**20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NUMBER = re.compile(r"^\s*[-+]?[\d.,\s]*\d[\d.,\s%]*(e[-+]?\d+)?\s*$", re.I)


def decode_start(head: bytes) -> str | None:
    """The first bytes of a file as text, or None if they are not text."""
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return head.decode(encoding, errors="ignore")
    if b"\x00" in head:
        wide = _wide_encoding(head)
        return head.decode(wide, errors="ignore") if wide else None
    strange = sum(byte < 9 or 14 <= byte < 27 for byte in head)
    if strange > len(head) * 0.01:
        return None
    return head.decode("latin-1")


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of plain text is zero."""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    if odd > 0.3 * len(data) / 2 and even < odd / 10:
        return "utf-16-le"
    if even > 0.3 * len(data) / 2 and odd < even / 10:
        return "utf-16-be"
    return None


def detect_encoding(data: bytes) -> tuple[str, str]:
    """The encoding of a text and how sure we are, in words.

    In this order: byte order mark; UTF-8 if every byte fits, or nearly every (then the strange
    bytes show as U+FFFD); among the rest GB18030, Big5 and Windows-1252 by how their bytes fall:
    characters of GB 2312 have a high second byte, Big5 has a low one in four of ten, and western
    letters stand alone between plain ones.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return encoding, "by its mark"
    if b"\x00" in data and (wide := _wide_encoding(data)):
        return wide, "without a mark"
    text = data.decode("utf-8", errors="replace")
    lost = text.count("\ufffd")
    if lost == 0:
        return "utf-8", ""
    good = sum(1 for c in text if c > "\x7f") - lost
    if lost == 1 and text.endswith("\ufffd"):
        return "utf-8", "cut off inside a character"
    if good > 20 * lost:
        return "utf-8", "though some bytes are not, shown as \ufffd"
    return _detect_old_encoding(data)


def _detect_old_encoding(data: bytes) -> tuple[str, str]:
    runs = [m.group() for m in re.finditer(rb"[\x80-\xff]+", data)]
    high = sum(map(len, runs))
    alone = sum(len(r) for r in runs if len(r) == 1)
    pairs = re.findall(rb"[\x81-\xfe][\x40-\xfe]", data)
    full = sum(p[1] >= 0xA1 for p in pairs)
    letters = len(re.findall(rb"[A-Za-z][\xc0-\xff](?![\x80-\xff])", data))
    if alone and letters > 0.6 * alone and alone > 0.6 * high:
        return "cp1252", "by its letters"
    if _decodes(data, "gb18030") and (full >= 0.9 * len(pairs) or not _decodes(data, "big5")):
        return "gb18030", "by its characters"
    if _decodes(data, "big5hkscs"):
        return "big5hkscs", "by its characters"
    # One broken pair in a large file must not turn all its Chinese into accents.
    lost = data.decode("gb18030", errors="replace").count("\ufffd")
    if high > 50 and lost < 0.01 * high and full >= 0.9 * len(pairs):
        return "gb18030", "though some bytes are not, shown as \ufffd"
    return "cp1252", "for want of a better fit"


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start >= len(data) - 4
    return True


def encoding_of(path: Path, encoding: str | None, name: str) -> tuple[str, str]:
    """The encoding to read a file in and a note about it, empty for plain UTF-8."""
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise InputError(
                f"no encoding is called {encoding}: say utf-8, gb18030, big5 …"
            ) from None
        return encoding, f"{name}: text read as {encoding}, as told"
    found, how = _detect_file(path)
    plain = found == "utf-8" and not how
    return found, "" if plain else f"{name}: text read as {found} {how}".rstrip()


def _detect_file(path: Path) -> tuple[str, str]:
    """Detect by the whole of a file; a large one is first tried as UTF-8 in pieces."""
    if path.stat().st_size <= 64 * 2**20:
        return detect_encoding(path.read_bytes())
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        start = file.read(64 * 2**20)
        file.seek(0)
        try:
            while piece := file.read(_BLOCK):
                decoder.decode(piece)
        except UnicodeDecodeError:
            return detect_encoding(start)
    return detect_encoding(start[:_BLOCK].rsplit(b"\n", 1)[0])


def find_delimiter(lines: Sequence[str]) -> str:
    """The character that splits most lines into the same number of values, more than one.

    Ties go to the one that gives more values, then to comma, tab, semicolon, bar.
    """
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        widths = Counter(len(r) for r in csv.reader(lines, delimiter=delimiter) if r)
        widths.pop(1, None)
        if not widths:
            continue
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        score = (round(count / max(len(lines), 1), 1), width)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def find_header(records: Sequence[Sequence[str]], name: str) -> int:
    """Position of the header among the first records.

    Raises
    ------
    InputError
        If no record looks like names of columns.
    """
    widths = [sum(bool(str(v).strip()) for v in r) for r in records]
    if not any(widths):
        raise InputError(f"{name} is empty")
    # Three in four rows are at most this wide: titles and half-empty rows do not count.
    usual = int(np.quantile([w for w in widths if w], 0.75, method="higher"))
    for at, record in enumerate(records[:_HEADER_AMONG]):
        values = [str(v).strip() for v in record if str(v).strip()]
        words = sum(not _NUMBER.match(v) for v in values)
        if len(values) >= max(1, 0.5 * usual) and words > 0.5 * len(values):
            return at
    first = ", ".join(str(v) for v in records[0][:6])
    raise InputError(
        f"{name} has no line with the names of its columns (it begins with {first}): add one"
    )


def clean_names(names: Sequence[Any]) -> list[str]:
    """Names of columns without line breaks, marks and doubled blanks; repeats get a number."""
    seen: Counter[str] = Counter()
    out = []
    for number, raw in enumerate(names, start=1):
        text = "" if raw is None else str(raw).replace("\ufeff", "").replace("\u200b", "")
        text = re.sub(r"\s+", " ", text).strip() or f"column {number}"
        seen[text] += 1
        out.append(text if seen[text] == 1 else f"{text} ({seen[text]})")
    return out


def read_csv(
    path: Path, name: str, encoding: str | None, chunk_rows: int | None
) -> Iterator[Source]:
    """Read delimited text, whole or in pieces, every column as text."""
    found, note = encoding_of(path, encoding, name)
    notes = [note] if note else []
    with (
        path.open("rb") as raw,
        io.TextIOWrapper(raw, encoding=found, errors="replace", newline=None) as text,
    ):
        head = text.read(_HEAD_CHARS)
        columns, start, delimiter, more = _read_head(head, name, is_whole=len(head) < _HEAD_CHARS)
        notes += more
        rest = _Utf8(head[start:], text)
        yield from _read_pieces(rest, name, columns, delimiter, notes, chunk_rows)


def _read_head(head: str, name: str, *, is_whole: bool) -> tuple[list[str], int, str, list[str]]:
    """Columns, where the data begin, the delimiter, and notes."""
    notes: list[str] = []
    told = re.match(r"sep=(.)\n", head, re.I)
    skip = told.end() if told else 0
    body = head[skip:] if is_whole else head[skip:].rpartition("\n")[0] + "\n"
    # Not str.splitlines: it also splits at characters that may stand inside a value.
    lines = list(io.StringIO(body))[:200]
    delimiter = told.group(1) if told else find_delimiter(lines)
    records, ends = [], []
    position = skip

    def counted() -> Iterator[str]:
        nonlocal position
        for line in io.StringIO(body):
            position += len(line)
            yield line

    try:
        for record in csv.reader(counted(), delimiter=delimiter):
            records.append(record)
            ends.append(position)
            if len(records) >= 200:
                break
    except csv.Error as error:
        raise InputError(f"{name} cannot be read as a table: {error}") from error
    at = find_header(records, name)
    if at:
        titles = sum(any(v.strip() for v in r) for r in records[:at])
        if titles:
            notes.append(f"{name}: {titles} line(s) above the header left out")
    header = records[at]
    if len(header) == 1 and delimiter == "," and len(records) > at + 1 and not is_whole:
        raise InputError(f"{name} is no table: no delimiter splits its lines")
    below = Counter(len(r) for r in records[at + 1 :] if r)
    usual = below.most_common(1)[0][0] if below else len(header)
    if usual == len(header) + 1:
        last_empty = all(not r[-1].strip() for r in records[at + 1 :] if len(r) == usual)
        # A delimiter at the end of every row, or row names without a heading (as R writes).
        header = [*header, ""] if last_empty else ["", *header]
    if delimiter != ",":
        shown = {"\t": "tab", ";": "semicolon", "|": "bar"}.get(delimiter, delimiter)
        notes.append(f"{name}: values are separated by {shown}")
    return clean_names(header), ends[at], delimiter, notes


class _Utf8(io.RawIOBase):
    """The rest of a text as UTF-8 bytes, for Arrow."""

    def __init__(self, head: str, rest: io.TextIOBase) -> None:
        self._waiting = head.encode("utf-8")
        self._rest = rest
        self.quotes = self._waiting.count(b'"')

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._waiting) < size:
            piece = self._rest.read(_BLOCK)
            if not piece:
                break
            data = piece.encode("utf-8")
            self.quotes += data.count(b'"')
            self._waiting += data
        if size < 0:
            size = len(self._waiting)
        out, self._waiting = self._waiting[:size], self._waiting[size:]
        return out


def _read_pieces(
    rest: _Utf8,
    name: str,
    columns: list[str],
    delimiter: str,
    notes: list[str],
    chunk_rows: int | None,
) -> Iterator[Source]:
    bad: list[tuple[int, int]] = []

    def note_bad(row: Any) -> str:
        bad.append((int(row.number or 0), int(row.actual_columns)))
        return "skip"

    try:
        reader = pa_csv.open_csv(
            pa.PythonFile(rest, mode="r"),
            read_options=pa_csv.ReadOptions(
                column_names=columns, block_size=_BLOCK, use_threads=False
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note_bad
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types={c: pa.string() for c in columns}, strings_can_be_null=False
            ),
        )
        done = 0
        waiting: list[pa.RecordBatch] = []
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                break
            waiting.append(batch)
            if chunk_rows is not None and sum(b.num_rows for b in waiting) >= chunk_rows:
                source = _to_source(waiting, name, columns, bad, notes, done)
                done, waiting, notes = done + source.read, [], []
                bad.clear()
                yield source
        if waiting or bad or not done:
            last = _to_source(waiting, name, columns, bad, notes, done)
            if rest.quotes % 2:
                _refuse_open_quote(last)
            yield last
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            yield Source(name, pd.DataFrame(columns=columns, dtype="str"), _numbers(0))
            return
        line = " ".join(str(error).split())[:160]
        raise InputError(f"{name} cannot be read as a table: {line}") from error


def _refuse_open_quote(source: Source) -> None:
    """An odd mark (say inches) does no harm, unless it swallowed the lines behind it."""
    if len(source.frame) and source.frame.iloc[-1].str.contains("\n", regex=False).any():
        raise InputError(
            f"{source.name}: a quotation mark in row {source.rows[-1]} is never closed and swallows"
            " the rest: correct that row"
        )


def _to_source(
    batches: list[pa.RecordBatch],
    name: str,
    columns: list[str],
    bad: list[tuple[int, int]],
    notes: list[str],
    done: int,
) -> Source:
    if batches:
        frame = pa.Table.from_batches(batches).to_pandas()
    else:
        frame = pd.DataFrame(columns=columns, dtype="str")
    total = len(frame) + len(bad)
    rows = np.arange(done + 1, done + total + 1)
    if not bad:
        return Source(name, frame, rows, notes=tuple(notes), guarded=True)
    # Arrow numbers the rows of the whole stream from 1; where it gives none they come last.
    numbers = np.array([n if done < n <= done + total else 0 for n, _ in bad])
    if (numbers == 0).any() or len(set(numbers.tolist())) < len(numbers):
        numbers = rows[len(frame) :]
    good = np.setdiff1d(rows, numbers)
    detail = [f"{actual} values, the header has {len(columns)}" for _, actual in bad]
    table = pd.DataFrame(
        {"row": numbers, "reason": "row does not fit the header", "detail": detail},
        columns=no_bad_rows().columns,
    )
    return Source(name, frame, good, notes=tuple(notes), bad=table, guarded=True)


def _numbers(count: int) -> Any:
    return np.arange(1, count + 1)
