"""What patrols, cameras and assets reach: parts of streets, ground, things, and what nobody does.

Streets are cut into straight pieces of at most 25 m and where grids meet; each belongs to the grid
of its middle (on a border see `geo.locate`), so the metres of all grids add up to the city's. What
is within a distance of a walk or an asset, or in a camera's view, is a set of intervals of pieces
(`Reach`), exact up to rounding (`geo._reach_cover`); joining and inverting such sets answers what
both, either or neither reaches. Ground is counted in dots on level lines (`geo._reach_area`), each
dot of at most one grid.
"""

from __future__ import annotations

import pandas as pd

from geo._fixes_tracks import Floats
from geo._reach_days import WalkedDays as WalkedDays
from geo._reach_days import date_walks as date_walks
from geo._reach_days import find_unwalked as find_unwalked
from geo._reach_days import join_walked as join_walked
from geo._reach_measure import REACH_M as REACH_M
from geo._reach_measure import Covered as Covered
from geo._reach_measure import cover_walks as cover_walks
from geo._reach_measure import join_covered as join_covered
from geo._reach_measure import lay_lines as lay_lines
from geo._reach_measure import measure_coverage as measure_coverage
from geo._reach_measure import measure_coverage_by as measure_coverage_by
from geo._reach_measure import measure_covered as measure_covered
from geo._reach_measure import measure_reach as measure_reach
from geo._reach_measure import reach_walks as reach_walks
from geo._reach_patrol import PATROL_COLUMNS as PATROL_COLUMNS
from geo._reach_patrol import count_minutes as count_minutes
from geo._reach_patrol import count_patrols as count_patrols
from geo._reach_patrol import infer_posts as infer_posts
from geo._reach_patrol import measure_patrols as measure_patrols
from geo._reach_pieces import PIECE_M as PIECE_M
from geo._reach_pieces import WALKED as WALKED
from geo._reach_pieces import Reach as Reach
from geo._reach_pieces import StreetPieces as StreetPieces
from geo._reach_pieces import cut_streets as cut_streets
from geo._reach_pieces import invert_reach as invert_reach
from geo._reach_pieces import join_reach as join_reach
from geo._reach_pieces import reached_m as reached_m
from geo._reach_seen import Sightings as Sightings
from geo._reach_seen import find_seen as find_seen
from geo._reach_seen import join_sightings as join_sightings
from geo._reach_seen import sight_assets as sight_assets
from geo._reach_walks import GAP_S as GAP_S
from geo._reach_walks import MOST_KMH as MOST_KMH
from geo._reach_walks import Walks as Walks
from geo._reach_walks import find_walks as find_walks


def find_paths(fixes: pd.DataFrame, *, gap_s: float = GAP_S, most_kmh: float = MOST_KMH) -> Floats:
    """Find the straight steps between clean fixes of the same worker; a lone fix stands alone.

    Parameters
    ----------
    fixes
        `worker_id`, `time`, `x`, `y` in metres, and where known `accuracy_m` and `mock`; cleaned
        by `geo.fixes.clean_fixes` first.

    Returns
    -------
    ndarray
        x, y of both ends of each step, (n, 4); a lone fix has twice the same. Only sizes above
        some millions are worth `find_walks`, which `measure_coverage` takes as well.
    """
    return find_walks(fixes, gap_s=gap_s, most_kmh=most_kmh).steps
