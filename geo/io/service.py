"""How far assets serve: our table, overlaid by the city's `rules/service_distances.csv`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from geo._classes import read_packaged
from geo.errors import InputError

FILE = "service_distances.csv"


def read_service_distances(workspace: Path | None = None) -> pd.DataFrame:
    """Distances by class.

    Parameters
    ----------
    workspace
        Folder of a city; a line of its `rules/service_distances.csv` replaces ours of that class.

    Returns
    -------
    DataFrame
        Indexed by `class_code` (`*`: all others): `distance_m`, `zh`, `en`, `source`.

    Raises
    ------
    InputError
        If the file has no such columns or a distance is no number above 0; it names the line.
    """
    table = read_packaged("service_distances")
    file = None if workspace is None else workspace / "rules" / FILE
    if file is not None and file.is_file():
        try:
            own = pd.read_csv(file, dtype="str", encoding="utf-8-sig")
        except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise InputError(f"{file} cannot be read: {error}") from error
        missing = {"class_code", "distance_m"} - set(own.columns)
        if missing:
            raise InputError(f"{file} lacks {', '.join(sorted(missing))}: it has {list(own)}")
        own = own.dropna(subset="class_code").set_index("class_code").reindex(columns=table.columns)
        table = pd.concat([own, table[~table.index.isin(own.index)]])
    metres = pd.to_numeric(table["distance_m"], errors="coerce")
    bad = table.index[~((metres > 0) & (metres < float("inf")))]
    if len(bad):
        told = table.loc[bad[0], "distance_m"]
        raise InputError(f"{FILE}, class {bad[0]}: distance_m is {told!r}, write metres above 0")
    return table.assign(distance_m=metres.astype("float64"))
