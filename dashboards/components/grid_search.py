"""Find grids by what people know of them: a name, the end of a code, a community."""

from __future__ import annotations

import pandas as pd

from dashboards.figures import Snapshot

MOST_FOUND = 12


def find_grids(snapshot: Snapshot, text: str, grid_id: str | None) -> list[dict[str, str]]:
    """Grids whose name, code or community contains `text`, at most a dozen; the chosen one too."""
    city = snapshot.city
    wanted = text.strip().casefold()
    rows: list[int] = []
    if wanted:
        communities = city.places.get("community", pd.Series("", index=city.grids.index))
        texts = zip(city.grids.index, city.names, communities.fillna(""), strict=True)
        for row, (code, name, community) in enumerate(texts):
            if wanted in f"{name} {code} {community}".casefold():
                rows.append(row)
                if len(rows) == MOST_FOUND:
                    break
    if grid_id in city.position and city.position[grid_id] not in rows:
        rows.append(city.position[grid_id])
    return [
        {"value": str(city.grids.index[row]), "label": search_label(snapshot, row)} for row in rows
    ]


def search_label(snapshot: Snapshot, row: int) -> str:
    """Name, community and code: all that a search may have matched."""
    code = str(snapshot.city.grids.index[row])
    community = snapshot.city.places.get("community")
    above = community.iloc[row] if community is not None else None
    parts = [snapshot.city.names[row], above if isinstance(above, str) else "", code]
    return " · ".join(dict.fromkeys(part for part in parts if part))
