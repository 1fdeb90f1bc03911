/* Plane geometry of the planner's tools: crossings, sides of a drawn line, folds, snapping. Nothing here
   knows of the page or of plans. Places are [x, y] in metres around the place of the work (`frame`),
   rings list their places once, outer rings run counter-clockwise and holes clockwise.
   What decides is the server (geo.redraw); this says the same at once, so that a hand is led. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const g = (w.planGeometry = {});
  const DEGREE_M = 111319.49079327358; // of the equator of WGS-84
  const LEAST_M2 = 1; // as in geo._redraw_shapes

  /* Metres around a latitude: near enough over a city for what is shown while a hand moves. */
  g.frame = function (lon0, lat0) {
    const kx = DEGREE_M * Math.cos((lat0 * Math.PI) / 180);
    return {
      to: (lon, lat) => [(lon - lon0) * kx, (lat - lat0) * DEGREE_M],
      back: (x, y) => [lon0 + x / kx, lat0 + y / DEGREE_M],
      kx,
      ky: DEGREE_M,
    };
  };

  /* --- segments and lines ---------------------------------------------------------------------------- */

  /* Twice the area of a triangle; positive if c lies left of the way from a to b. */
  const turn = (a, b, c) => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
  g.turn = turn;

  /* Where two segments cross: {t, u, at}, with t along the first and u along the second; ends count.
     null if they do not meet or lie along one another. */
  g.crossing = function (a, b, c, d) {
    const rx = b[0] - a[0];
    const ry = b[1] - a[1];
    const sx = d[0] - c[0];
    const sy = d[1] - c[1];
    const cross = rx * sy - ry * sx;
    if (cross === 0) return null;
    const t = ((c[0] - a[0]) * sy - (c[1] - a[1]) * sx) / cross;
    const u = ((c[0] - a[0]) * ry - (c[1] - a[1]) * rx) / cross;
    if (t < 0 || t > 1 || u < 0 || u > 1) return null;
    return { t, u, at: [a[0] + t * rx, a[1] + t * ry] };
  };

  const between = (a, b, p) =>
    Math.min(a[0], b[0]) <= p[0] && p[0] <= Math.max(a[0], b[0]) && Math.min(a[1], b[1]) <= p[1] && p[1] <= Math.max(a[1], b[1]);

  /* Do two segments have any place in common, ends and overlaps included? */
  g.meet = function (a, b, c, d) {
    const one = turn(a, b, c);
    const two = turn(a, b, d);
    const three = turn(c, d, a);
    const four = turn(c, d, b);
    if (((one > 0 && two < 0) || (one < 0 && two > 0)) && ((three > 0 && four < 0) || (three < 0 && four > 0))) return true;
    return (
      (one === 0 && between(a, b, c)) || (two === 0 && between(a, b, d)) ||
      (three === 0 && between(c, d, a)) || (four === 0 && between(c, d, b))
    );
  };

  g.distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

  g.length = function (line) {
    let sum = 0;
    for (let k = 1; k < line.length; k++) sum += g.distance(line[k - 1], line[k]);
    return sum;
  };

  /* The nearest place of a line: {at, away, part, t}; null for a line without a place. */
  g.nearest = function (p, line) {
    let best = null;
    for (let k = 0; k + 1 < line.length; k++) {
      const a = line[k];
      const b = line[k + 1];
      const dx = b[0] - a[0];
      const dy = b[1] - a[1];
      const square = dx * dx + dy * dy;
      const t = square ? Math.min(1, Math.max(0, ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / square)) : 0;
      const at = [a[0] + t * dx, a[1] + t * dy];
      const away = g.distance(p, at);
      if (!best || away < best.away) best = { at, away, part: k, t };
    }
    return best;
  };

  /* Where a line meets itself, or null; of a closed one the last place is followed by the first. */
  g.selfCrossing = function (line, closed) {
    const n = closed ? line.length : line.length - 1;
    const at = (k) => line[k % line.length];
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        const next = j === i + 1;
        const around = closed && i === 0 && j === n - 1;
        if (!next && !around) {
          if (g.meet(at(i), at(i + 1), at(j), at(j + 1))) {
            const found = g.crossing(at(i), at(i + 1), at(j), at(j + 1));
            return found ? found.at : at(j);
          }
          continue;
        }
        // Neighbours share an end; they meet elsewhere only if the line runs back along itself.
        const [a, b, c] = next ? [at(i), at(j), at(j + 1)] : [at(j), at(i), at(i + 1)];
        if (turn(a, b, c) === 0 && (a[0] - b[0]) * (c[0] - b[0]) + (a[1] - b[1]) * (c[1] - b[1]) > 0) return b;
      }
    }
    return null;
  };

  /* Fewer places, none farther than `tolerance` from what is left (Douglas and Peucker 1973). */
  g.simplify = function (line, tolerance) {
    if (line.length < 3) return line.slice();
    const keep = new Uint8Array(line.length);
    keep[0] = keep[line.length - 1] = 1;
    const stack = [[0, line.length - 1]];
    while (stack.length) {
      const [from, to] = stack.pop();
      let far = tolerance;
      let at = -1;
      for (let k = from + 1; k < to; k++) {
        const away = g.nearest(line[k], [line[from], line[to]]).away;
        if (away > far) [far, at] = [away, k];
      }
      if (at < 0) continue;
      keep[at] = 1;
      stack.push([from, at], [at, to]);
    }
    return line.filter((_, k) => keep[k]);
  };

  /* --- rings --------------------------------------------------------------------------------------------- */

  /* Square metres, positive counter-clockwise. */
  g.area = function (ring) {
    let sum = 0;
    const [x0, y0] = ring.length ? ring[0] : [0, 0];
    for (let k = 0; k < ring.length; k++) {
      const a = ring[k];
      const b = ring[(k + 1) % ring.length];
      sum += (a[0] - x0) * (b[1] - y0) - (b[0] - x0) * (a[1] - y0);
    }
    return sum / 2;
  };

  g.areaOf = (rings) => rings.reduce((sum, ring) => sum + g.area(ring), 0);

  /* Metres of border, holes included. */
  g.around = (rings) => rings.reduce((sum, ring) => sum + g.length(ring) + (ring.length ? g.distance(ring[ring.length - 1], ring[0]) : 0), 0);

  /* Does a place lie inside rings, by the even-odd rule? */
  g.inside = function (p, rings) {
    let is = false;
    for (const ring of rings) {
      for (let k = 0, j = ring.length - 1; k < ring.length; j = k++) {
        const a = ring[k];
        const b = ring[j];
        if (a[1] > p[1] !== b[1] > p[1] && p[0] < ((b[0] - a[0]) * (p[1] - a[1])) / (b[1] - a[1]) + a[0]) is = !is;
      }
    }
    return is;
  };

  /* A place well inside rings: the middle of the widest stretch of a level line half way up. */
  g.innerPoint = function (rings) {
    let low = Infinity;
    let high = -Infinity;
    for (const ring of rings) {
      for (const p of ring) {
        low = Math.min(low, p[1]);
        high = Math.max(high, p[1]);
      }
    }
    let best = null;
    for (const share of [0.5, 0.37, 0.61]) {
      const y = low + (high - low) * share;
      const cuts = [];
      for (const ring of rings) {
        for (let k = 0, j = ring.length - 1; k < ring.length; j = k++) {
          const a = ring[k];
          const b = ring[j];
          if (a[1] > y !== b[1] > y) cuts.push(((b[0] - a[0]) * (y - a[1])) / (b[1] - a[1]) + a[0]);
        }
      }
      cuts.sort((one, two) => one - two);
      for (let k = 0; k + 1 < cuts.length; k += 2) {
        const wide = cuts[k + 1] - cuts[k];
        if (!best || wide > best.wide) best = { wide, at: [(cuts[k] + cuts[k + 1]) / 2, y] };
      }
      if (best && best.wide > 0) break;
    }
    return best ? best.at : rings[0][0];
  };

  /* Rings out of directed edges [[from, to], …] of numbers; edges that never close are left out. */
  g.chain = function (edges) {
    const next = new Map();
    for (const [from, to] of edges) {
      if (!next.has(from)) next.set(from, []);
      next.get(from).push(to);
    }
    const rings = [];
    for (const start of next.keys()) {
      while (next.get(start).length) {
        const ring = [start];
        let at = next.get(start).pop();
        while (at !== start && next.has(at) && next.get(at).length) {
          ring.push(at);
          at = next.get(at).pop();
        }
        if (at === start) rings.push(ring);
      }
    }
    return rings;
  };

  /* --- folds ---------------------------------------------------------------------------------------------- */

  /* Why moved places would break a block, and where: {problem: "folds" | "vanishes", at} or null. `rings` as they
     would be, `before` as they are, `moved[r][k]` tells which places have moved; only edges at those are looked at. */
  g.folded = function (before, rings, moved) {
    let area = 0;
    let turned = null;
    for (let r = 0; r < rings.length; r++) {
      const now = g.area(rings[r]);
      if (now > 0 !== g.area(before[r]) > 0) turned = turned || rings[r][Math.max(0, moved[r].indexOf(true))];
      area += now;
    }
    for (let r = 0; r < rings.length; r++) {
      const ring = rings[r];
      for (let k = 0; k < ring.length; k++) {
        const to = (k + 1) % ring.length;
        const at = (moved[r][k] || moved[r][to]) && edgeMeets(rings, r, k, ring[k], ring[to]);
        if (at) return { problem: "folds", at };
      }
    }
    if (turned || area <= 0) return { problem: "folds", at: turned || rings[0][0] };
    return area < LEAST_M2 ? { problem: "vanishes", at: g.innerPoint(rings) } : null;
  };
  g.fold = function (before, rings, moved) {
    const found = g.folded(before, rings, moved);
    return found && found.problem;
  };

  /* The place where an edge meets another of the same block, or null. */
  function edgeMeets(rings, r, k, a, b) {
    const where = (c, d) => (g.crossing(a, b, c, d) || { at: c }).at;
    const n = rings[r].length;
    for (let q = 0; q < rings.length; q++) {
      const other = rings[q];
      for (let m = 0; m < other.length; m++) {
        const c = other[m];
        const d = other[(m + 1) % other.length];
        if (q !== r) {
          if (g.meet(a, b, c, d)) return where(c, d);
          continue;
        }
        if (m === k) continue;
        const [isNext, isBefore] = [m === (k + 1) % n, m === (k + n - 1) % n];
        if (!isNext && !isBefore) {
          if (g.meet(a, b, c, d)) return where(c, d);
        } else if (n > 2) {
          // Edges that share an end may meet only there.
          const [one, mid, two] = isNext ? [a, b, d] : [b, a, c];
          const ahead = (one[0] - mid[0]) * (two[0] - mid[0]) + (one[1] - mid[1]) * (two[1] - mid[1]);
          if (turn(one, mid, two) === 0 && ahead > 0) return mid;
        }
      }
    }
    return null;
  }

  /* A whole number shared so that the parts add up to it (largest remainder, Hamilton). */
  g.shareWhole = function (total, shares) {
    const sum = shares.reduce((a, b) => a + b, 0) || 1;
    const wanted = shares.map((share) => (total * share) / sum);
    const parts = wanted.map(Math.floor);
    const order = wanted.map((value, k) => [parts[k] - value, k]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const left = total - parts.reduce((a, b) => a + b, 0);
    for (let k = 0; k < left; k++) parts[order[k][1]]++;
    return parts;
  };

  /* --- snapping, as geo.snap does it ------------------------------------------------------------------- */

  /* {at, to: "vertex" | "street" | "", row}: a vertex in reach before a street, of equals the first. */
  g.snap = function (p, vertices, lines, within) {
    let best = null;
    for (let k = 0; k < vertices.length; k++) {
      const away = g.distance(p, vertices[k]);
      if (away <= within && (!best || away < best.away)) best = { away, at: vertices[k], to: "vertex", row: k };
    }
    if (best) return best;
    for (let k = 0; k < lines.length; k++) {
      const found = g.nearest(p, lines[k]);
      if (found && found.away <= within && (!best || found.away < best.away)) best = { away: found.away, at: found.at, to: "street", row: k };
    }
    return best || { away: 0, at: p, to: "", row: -1 };
  };
})();
