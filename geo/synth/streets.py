"""Draw the lines of a city on a flat sheet: arterials, river, railway, and the streets between.

Arterials form an uneven lattice with pieces left out; a river with two banks and a railway run
through it in gaps that are kept wide for them, so no sliver can arise. Each face between them is
then halved again and again, by main streets first, minor ones next and paths last, until the
pieces are blocks. The sheet is straight; `geo.synth.bend` makes it a city.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely

Reals = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.str_]

SNAP_M = 0.01
"""Lines are noded on a lattice of one centimetre, so that ends meet exactly."""


SMALLEST_PIECE = 0.12
"""No cut may leave a piece smaller than this share of its cell."""


@dataclass
class Sheet:
    """Lines with their class and street, and the cells that they enclose."""

    lines: Shapes
    classes: Words
    """arterial, main, minor, path, river (its middle), rail, none (a cut without a street)."""
    streets: npt.NDArray[np.int64]
    """Number of the street that a line belongs to; lines of one street share a name."""
    ring: Bools
    cells: Shapes
    uses: Words
    """Of each cell: land, park or water."""
    reach_m: float


class _Pen:
    """Collects lines while the sheet is drawn."""

    def __init__(self) -> None:
        self.lines: list[shapely.LineString] = []
        self.classes: list[str] = []
        self.streets: list[int] = []
        self.ring: list[bool] = []
        self.next_street = 0

    def street(self) -> int:
        self.next_street += 1
        return self.next_street - 1

    def draw(self, points: object, kind: str, street: int, ring: bool = False) -> None:
        self.lines.append(shapely.LineString(points))
        self.classes.append(kind)
        self.streets.append(street)
        self.ring.append(ring)


def _uneven(rng: np.random.Generator, reach_m: float, spacing_m: float) -> Reals:
    """Positions across the sheet, closer in the middle than at the rim."""
    out = [0.0]
    for sign in (1, -1):
        at = 0.0
        while at < reach_m * 1.6:
            at += spacing_m * rng.uniform(0.75, 1.3) * (1 + 0.5 * at / reach_m)
            out.append(sign * at)
    return np.sort(np.array(out)) + rng.uniform(-0.5, 0.5) * spacing_m


def _widen(at: Reals, gap: int, least_m: float) -> Reals:
    """Shift the positions above a gap so that it is at least so wide."""
    extra = max(0.0, least_m - (at[gap + 1] - at[gap]))
    out = at.copy()
    out[gap + 1 :] += extra
    out -= extra / 2
    return out


@dataclass(frozen=True)
class _Course:
    """A river or railway: where it runs across, as a wave along the other direction."""

    middle: float
    swing: float
    wave_m: float
    phase: float
    width: float = 0.0

    def across(self, along: Reals | float) -> Reals:
        t = 2 * np.pi * np.asarray(along, dtype=float) / self.wave_m + self.phase
        return self.middle + self.swing * (0.75 * np.sin(t) + 0.25 * np.sin(2.3 * t + 1))


def draw_sheet(
    rng: np.random.Generator, *, area_m2: float, block_m2: float, sprawl: float
) -> Sheet:
    """Draw a city of about that area with blocks of about that size in its middle.

    `sprawl` is by how much blocks at the rim exceed those in the middle, as a factor less one.
    """
    reach = float(np.sqrt(area_m2 / np.pi))
    pen = _Pen()
    river = _draw_arterials(rng, pen, reach)
    faces, wet = _keep_city(rng, pen, river, reach, area_m2)
    cells, uses = _halve(rng, pen, faces[~wet], reach, block_m2, sprawl)
    return Sheet(
        lines=np.array(pen.lines, dtype=object),
        classes=np.array(pen.classes),
        streets=np.array(pen.streets),
        ring=np.array(pen.ring),
        cells=np.concatenate([cells, faces[wet]]),
        uses=np.concatenate([uses, np.full(int(wet.sum()), "water")]),
        reach_m=reach,
    )


def _draw_arterials(rng: np.random.Generator, pen: _Pen, reach: float) -> _Course:
    spacing = float(np.clip(reach * 0.42, 170.0, 820.0))
    us, vs = _uneven(rng, reach, spacing), _uneven(rng, reach, spacing)
    width = float(np.clip(reach * 0.05, 26.0, 150.0))
    shore = max(55.0, 0.16 * spacing)
    wet = int(np.searchsorted(vs, rng.choice([-1, 1]) * reach * rng.uniform(0.25, 0.5))) - 1
    vs = _widen(vs, wet, width + 2 * shore + 0.25 * spacing)
    track = int(np.searchsorted(us, rng.choice([-1, 1]) * reach * rng.uniform(0.45, 0.65))) - 1
    us = _widen(us, track, 2 * shore + 0.2 * spacing)
    room = (vs[wet + 1] - vs[wet] - width) / 2 - shore
    river = _Course(
        (vs[wet] + vs[wet + 1]) / 2, room, max(2.2 * reach, 700.0), rng.uniform(0, 6), width
    )
    room = (us[track + 1] - us[track]) / 2 - shore
    rail = _Course(
        (us[track] + us[track + 1]) / 2, room, max(3.0 * reach, 900.0), rng.uniform(0, 6)
    )
    _draw_lattice(rng, pen, us, vs, wet, track, river, reach)
    _draw_river(rng, pen, us, river, rail)
    along = np.arange(vs[0], vs[-1], 60.0)
    pen.draw(np.column_stack([rail.across(along), along]), "rail", pen.street())
    return river


def _draw_lattice(
    rng: np.random.Generator,
    pen: _Pen,
    us: Reals,
    vs: Reals,
    wet: int,
    track: int,
    river: _Course,
    reach: float,
) -> None:
    ring_u = {int(np.argmin(np.abs(us - s * 0.62 * reach))) for s in (-1, 1)}
    ring_v = {int(np.argmin(np.abs(vs - s * 0.62 * reach))) for s in (-1, 1)}
    low_u, high_u, low_v, high_v = min(ring_u), max(ring_u), min(ring_v), max(ring_v)
    ring_street = pen.street()
    for i, u in enumerate(us):
        street, bridge = pen.street(), i in ring_u or rng.random() < 0.6
        for j in range(len(vs) - 1):
            ring = i in ring_u and low_v <= j < high_v and reach > 900
            if j == wet:
                banks = [float(river.across(u)) + s * river.width / 2 for s in (-1, 1)]
                kind = street if not ring else ring_street
                if bridge:
                    pen.draw([(u, vs[j]), (u, vs[j + 1])], "arterial", kind, ring)
                else:
                    pen.draw([(u, vs[j]), (u, banks[0])], "arterial", kind, ring)
                    pen.draw([(u, banks[1]), (u, vs[j + 1])], "arterial", kind, ring)
            elif ring or rng.random() > 0.16:
                pen.draw(
                    [(u, vs[j]), (u, vs[j + 1])], "arterial", ring_street if ring else street, ring
                )
    for j, v in enumerate(vs):
        street = pen.street()
        for i in range(len(us) - 1):
            ring = j in ring_v and low_u <= i < high_u and reach > 900
            if ring or i == track or j in (wet, wet + 1) or rng.random() > 0.16:
                pen.draw(
                    [(us[i], v), (us[i + 1], v)], "arterial", ring_street if ring else street, ring
                )
    _draw_avenue(rng, pen, us, vs, wet, track, reach)


def _draw_avenue(
    rng: np.random.Generator, pen: _Pen, us: Reals, vs: Reals, wet: int, track: int, reach: float
) -> None:
    """One avenue that cuts corners: across cells from node to node, clear of river and railway."""
    if reach < 1200:
        return
    street, i, j = pen.street(), int(np.argmin(np.abs(us))), int(np.argmin(np.abs(vs)))
    di, dj = (1 if track < i else -1), (1 if wet < j else -1)
    i, j = i - di, j
    for _ in range(3):
        cell_i, cell_j = min(i, i + di), min(j, j + dj)
        inside = 0 <= cell_i < len(us) - 1 and 0 <= cell_j < len(vs) - 1
        if inside and cell_i != track and cell_j != wet:
            pen.draw([(us[i], vs[j]), (us[i + di], vs[j + dj])], "main", street)
        i, j = i + di, j + dj
        if not (0 <= i < len(us) and 0 <= j < len(vs)):
            return


def _draw_river(
    rng: np.random.Generator, pen: _Pen, us: Reals, river: _Course, rail: _Course
) -> None:
    along = np.unique(np.concatenate([np.arange(us[0], us[-1], 45.0), us]))
    middle = river.across(along)
    pen.draw(np.column_stack([along, middle]), "river", pen.street())
    for side in (-1, 1):
        pen.draw(np.column_stack([along, middle + side * river.width / 2]), "main", pen.street())
    for left, right in pairwise(us):
        for share in np.linspace(0, 1, max(2, int((right - left) / 260) + 1), endpoint=False):
            u = left + share * (right - left)
            if abs(u - float(rail.across(river.middle))) < 60 + river.width:
                continue
            v = float(river.across(u))
            ends = [(u, v - river.width / 2), (u, v + river.width / 2)]
            pen.draw(ends, "none", -1)


def _keep_city(
    rng: np.random.Generator, pen: _Pen, river: _Course, reach: float, area_m2: float
) -> tuple[Shapes, Bools]:
    """Faces that make up the city and which of them are water; lines elsewhere are rubbed out."""
    lines = np.array(pen.lines, dtype=object)
    noded = shapely.get_parts(shapely.unary_union(lines, grid_size=SNAP_M))
    faces = shapely.get_parts(shapely.polygonize(noded))
    inside = shapely.point_on_surface(faces)
    wet = np.abs(shapely.get_y(inside) - river.across(shapely.get_x(inside))) < river.width / 2
    dry = _notch_rim(rng, pen, faces[~wet], reach)
    city, kept, water = _choose(rng, dry, faces[wet], area_m2)
    lines = np.array(pen.lines, dtype=object)
    noded = shapely.get_parts(shapely.unary_union(lines, grid_size=SNAP_M))
    halfway = shapely.line_interpolate_point(noded, 0.5, normalized=True)
    shapely.prepare(city)
    inside = shapely.dwithin(city, halfway, 2 * SNAP_M)
    nearest = shapely.STRtree(lines).query_nearest(halfway[inside], all_matches=False)[1]
    pen.lines = list(noded[inside])
    pen.classes = [pen.classes[k] for k in nearest]
    pen.streets = [pen.streets[k] for k in nearest]
    pen.ring = [pen.ring[k] for k in nearest]
    return np.concatenate([kept, water]), np.arange(len(kept) + len(water)) >= len(kept)


def _notch_rim(rng: np.random.Generator, pen: _Pen, faces: Shapes, reach: float) -> Shapes:
    """Halve the faces about the rim, so that the city need not end at an arterial."""
    for _ in range(3):
        middle = shapely.centroid(faces)
        far = np.hypot(shapely.get_x(middle), shapely.get_y(middle)) / reach
        size = np.sqrt(shapely.area(faces)) / reach
        rim = (far > 0.65) & (far < 1.5) & (size > 0.16) & (shapely.area(faces) > 45_000)
        if not rim.any():
            break
        cuts, fair, pieces = _cut(rng, faces[rim])
        _draw_cuts(pen, cuts[fair], faces[rim][fair], np.full(int(fair.sum()), "main"))
        faces = np.concatenate([faces[~rim], faces[rim][~fair], pieces])
    return faces


def _choose(
    rng: np.random.Generator, dry: Shapes, wet: Shapes, area_m2: float
) -> tuple[shapely.Polygon, Shapes, Shapes]:
    """The faces nearest to the middle, as seen in a wavy outline, and the water between them."""
    middle = shapely.centroid(dry)
    x, y = shapely.get_x(middle), shapely.get_y(middle)
    angle = np.arctan2(y, x)
    a, b = rng.uniform(0, 2 * np.pi, 2)
    rim = 1 + 0.15 * np.sin(2 * angle + a) + 0.09 * np.sin(3 * angle + b)
    order = np.argsort(np.hypot(x, y) / rim, kind="stable")
    upto = int(np.searchsorted(np.cumsum(shapely.area(dry)[order]), area_m2 * 0.95)) + 1
    land = shapely.unary_union(dry[order[:upto]], grid_size=SNAP_M)
    shapely.prepare(land)
    # Water belongs to the city along its banks only.
    shore = shapely.length(shapely.intersection(shapely.boundary(wet), shapely.buffer(land, 0.05)))
    beside = wet[shore > 0.25 * shapely.length(wet)]
    city = shapely.unary_union([land, *beside], grid_size=SNAP_M)
    city = max(shapely.get_parts(city), key=lambda part: part.area)
    city = shapely.Polygon(city.exterior)
    shapely.prepare(city)
    # A face that touches the rest only at a corner has fallen away with the smaller parts.
    return (
        city,
        dry[shapely.contains(city, shapely.point_on_surface(dry))],
        wet[shapely.contains(city, shapely.point_on_surface(wet))],
    )


def _draw_cuts(pen: _Pen, cuts: Shapes, cells: Shapes, kinds: Words) -> None:
    """Draw the part of each cut that lies in its cell, as a street of its own."""
    for piece, kind in zip(shapely.intersection(cuts, cells), kinds, strict=True):
        street = pen.street()
        for part in shapely.get_parts(piece):
            if part.length > 1.0:
                pen.draw(part.coords, str(kind), street)


def _cut(rng: np.random.Generator, cells: Shapes) -> tuple[Shapes, Bools, Shapes]:
    """Cuts, which of them are fair, and the pieces of the cells with a fair one.

    A cut that would leave a sliver is drawn again; after some tries its cell stays whole.
    """
    cuts = _cuts(rng, cells)
    for _ in range(6):
        noded = shapely.union(shapely.boundary(cells), cuts)
        faces = shapely.polygonize(noded[:, None])
        pieces, owner = shapely.get_parts(faces, return_index=True)
        area, whole = shapely.area(pieces), shapely.area(cells)
        fair = np.bincount(owner, minlength=len(cells)) >= 2
        fair[owner[area < SMALLEST_PIECE * whole[owner]]] = False
        if fair.all():
            break
        cuts[~fair] = _cuts(rng, cells[~fair])
    return cuts, fair, pieces[fair[owner]]


def _halve(
    rng: np.random.Generator,
    pen: _Pen,
    faces: Shapes,
    reach: float,
    block_m2: float,
    sprawl: float,
) -> tuple[Shapes, Words]:
    """Halve faces until they are blocks, all faces of a generation at once."""
    done: list[Shapes] = []
    uses: list[npt.NDArray[np.str_]] = []
    cells = faces
    while len(cells):
        middle = shapely.centroid(cells)
        far = np.hypot(shapely.get_x(middle), shapely.get_y(middle)) / reach
        target = block_m2 * (1 + sprawl * np.clip(far, 0, 1.3) ** 2)
        target = target * np.exp(rng.normal(0, 0.22, len(cells)))
        area = shapely.area(cells)
        park = (area > 2.2 * target) & (area < 7 * target) & (rng.random(len(cells)) < 0.025)
        small = (area < 1.45 * target) | park
        done.append(cells[small])
        uses.append(np.where(park[small], "park", "land"))
        cells, size, target = cells[~small], area[~small], target[~small]
        if not len(cells):
            break
        cuts, fair, pieces = _cut(rng, cells)
        done.append(cells[~fair])
        uses.append(np.full(int((~fair).sum()), "land"))
        kinds = np.where(
            (size > 9 * target) & (size > 60_000),
            "main",
            np.where(size > 3.2 * target, "minor", "path"),
        )
        kinds = np.where((kinds == "path") & (rng.random(len(cells)) < 0.35), "minor", kinds)
        _draw_cuts(pen, cuts[fair], cells[fair], kinds[fair])
        cells = pieces
    return np.concatenate(done), np.concatenate(uses)


def _cuts(rng: np.random.Generator, cells: Shapes) -> Shapes:
    """A gently curved line across each cell, at right angles to its longer side."""
    n = len(cells)
    corners = shapely.get_coordinates(shapely.oriented_envelope(cells)).reshape(n, 5, 2)
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1]
    long_first = np.hypot(*one.T) >= np.hypot(*two.T)
    along = np.where(long_first[:, None], one, two)
    across = np.where(long_first[:, None], two, one)
    centre = corners[:, :4].mean(axis=1) + along * rng.uniform(-0.09, 0.09, n)[:, None]
    tilt = rng.normal(0, 0.07, n)[:, None]
    across = across + along * tilt
    sag = rng.normal(0, 0.05, n)[:, None]
    normal = np.column_stack([-across[:, 1], across[:, 0]])
    t = np.array([-0.56, -0.3, 0.0, 0.3, 0.56])
    points = (
        centre[:, None, :]
        + t[None, :, None] * across[:, None, :]
        + (0.25 - t**2)[None, :, None] * (sag * normal)[:, None, :]
    )
    return np.asarray(shapely.linestrings(points))
