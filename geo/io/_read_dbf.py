"""The attribute table of a shapefile: its encoding, and names of columns that were cut.

A name has room for ten bytes. Writers cut longer ones there, in UTF-8 often in the middle of a
character, and GDAL then reads no row at all. Here the broken character is dropped and the name ends
in `…`, by which `geo.io.fields` knows that it is the beginning of a longer one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geo.io import _read_text

CUT = "…"
_HEAD, _FIELD, _NAME = 32, 32, 11
_END = 0x0D


def find_encoding(path: Path, name: str, told: str | None) -> tuple[str | None, str]:
    """The encoding of the attribute table; a note where it had to be found out.

    None leaves it to GDAL, which goes by the `.cpg` or finds nothing but ASCII.
    """
    if told is not None:
        return told, f"{name}: text read as {told}, as told"
    table = _table_of(path)
    if table is None:
        return None, ""
    data = table.read_bytes()
    start = int.from_bytes(data[8:10], "little") if len(data) > 10 else 0
    body = b" ".join(_whole(field) for field in _names_in(data)) + b" " + data[start:]
    if body.isascii():
        return None, ""
    found, how = _read_text.detect_encoding(body.replace(b"\x00", b" "))
    stated = next(
        (p.read_text("ascii", "ignore").strip() for p in (path.with_suffix(".cpg"),) if p.exists()),
        "",
    )
    if stated and _same_encoding(stated, found):
        return None, ""
    if stated and not (how == "" and found == "utf-8") and not _is_utf8(stated):
        return None, ""
    if stated:
        return found, f"{name}: says it is {stated} but its text is {found}"
    return found, f"{name}: no .cpg, text read as {found} {how}".rstrip()


@contextmanager
def whole_names(path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """The shapefile with names that can be read, and what names that were cut are called now.

    Where no name was cut within a character this is the file itself; else one beside it in a
    folder for the time, whose other parts are links.
    """
    table = _table_of(path)
    names = _names_in(_read_head(table)) if table else []
    cut = {k: _whole(one) for k, one in enumerate(names) if _whole(one) != one}
    if table is None or not cut:
        yield path, {}
        return
    with tempfile.TemporaryDirectory(prefix="wangge-") as folder:
        for part in path.parent.glob(f"{path.stem}.*"):
            if part != table:
                (Path(folder) / part.name).symlink_to(part.resolve())
        mended = Path(folder) / table.name
        shutil.copyfile(table, mended)
        with mended.open("r+b") as file:
            for k, whole in cut.items():
                file.seek(_HEAD + k * _FIELD)
                file.write(whole.ljust(_NAME, b"\x00"))
        told = {whole.decode("utf-8"): whole.decode("utf-8") + CUT for whole in cut.values()}
        yield Path(folder) / path.name, told


def _table_of(path: Path) -> Path | None:
    found = (path.with_suffix(suffix) for suffix in (".dbf", ".DBF"))
    return next((one for one in found if one.exists()), None)


def _read_head(table: Path) -> bytes:
    with table.open("rb") as file:
        start = file.read(_HEAD)
        length = int.from_bytes(start[8:10], "little") if len(start) == _HEAD else 0
        return start + file.read(max(length - _HEAD, 0))


def _names_in(data: bytes) -> list[bytes]:
    """Names of the columns as they stand in a table's head."""
    length = int.from_bytes(data[8:10], "little") if len(data) > 10 else 0
    out = []
    for at in range(_HEAD, min(length, len(data)) - _FIELD + 1, _FIELD):
        if data[at] == _END:
            break
        out.append(data[at : at + _NAME].split(b"\x00")[0])
    return out


def _whole(name: bytes) -> bytes:
    """A name without the part of a UTF-8 character at its end; others as they are."""
    try:
        name.decode("utf-8")
    except UnicodeDecodeError as error:
        is_cut = error.reason == "unexpected end of data" and len(name) >= _NAME - 1
        return name[: error.start] if is_cut and error.start else name
    return name


def _is_utf8(stated: str) -> bool:
    return stated.lower().replace("-", "") in ("utf8", "65001")


def _same_encoding(stated: str, found: str) -> bool:
    low = stated.lower().replace("-", "").replace(" ", "").removeprefix("ansi")
    return low == found.replace("-", "") or (_is_utf8(stated) and found == "utf-8")
