/* Polygons cut into triangles, by clipping ears: a corner that turns left and has no other corner
   inside goes first. Holes are joined to the outer ring by a bridge from their easternmost corner to a
   corner of the ring that sees it. Blocks have few corners, so the plain way is the fast one. */
(function () {
  "use strict";
  const plan = window.wangge.plan;

  const cross = (ax, ay, bx, by, cx, cy) => (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);

  /* Whether p lies in the triangle a b c (counter-clockwise), its border included. */
  function inTriangle(x, y, a, b, c, p) {
    return (
      cross(x[a], y[a], x[b], y[b], x[p], y[p]) >= 0 &&
      cross(x[b], y[b], x[c], y[c], x[p], y[p]) >= 0 &&
      cross(x[c], y[c], x[a], y[a], x[p], y[p]) >= 0
    );
  }

  function meets(x, y, a, b, c, d) {
    const one = cross(x[a], y[a], x[b], y[b], x[c], y[c]) > 0 !== cross(x[a], y[a], x[b], y[b], x[d], y[d]) > 0;
    return one && cross(x[c], y[c], x[d], y[d], x[a], y[a]) > 0 !== cross(x[c], y[c], x[d], y[d], x[b], y[b]) > 0;
  }

  /* The ring with the hole sewn in. */
  function sew(x, y, ring, hole) {
    let east = 0;
    for (let k = 1; k < hole.length; k++) if (x[hole[k]] > x[hole[east]]) east = k;
    const from = hole[east];
    const order = ring.map((v, k) => k).sort((a, b) => far(ring[a]) - far(ring[b]));
    function far(v) {
      return (x[v] - x[from]) ** 2 + (y[v] - y[from]) ** 2;
    }
    const sees = (v) => {
      for (const line of [ring, hole]) {
        for (let k = 0; k < line.length; k++) {
          const [a, b] = [line[k], line[(k + 1) % line.length]];
          if (a === v || b === v || a === from || b === from) continue;
          if (meets(x, y, from, v, a, b)) return false;
        }
      }
      return true;
    };
    const at = order.find((k) => sees(ring[k]));
    const to = at === undefined ? order[0] : at;
    return [...ring.slice(0, to + 1), ...hole.slice(east), ...hole.slice(0, east + 1), ...ring.slice(to)];
  }

  function clip(x, y, ring, out) {
    const left = ring.slice();
    let k = 0;
    let since = 0;
    while (left.length > 3 && since <= left.length) {
      const n = left.length;
      const [a, b, c] = [left[(k + n - 1) % n], left[k % n], left[(k + 1) % n]];
      let ear = cross(x[a], y[a], x[b], y[b], x[c], y[c]) > 0;
      for (let j = 0; ear && j < n; j++) {
        const p = left[j];
        if (p === a || p === b || p === c) continue;
        const same = (q) => x[p] === x[q] && y[p] === y[q];
        if (inTriangle(x, y, a, b, c, p) && !same(a) && !same(b) && !same(c)) ear = false;
      }
      if (ear) {
        out.push(a, b, c);
        left.splice(k % n, 1);
        since = 0;
        k %= left.length;
      } else {
        k = (k + 1) % n;
        since++;
      }
    }
    // Corners on one straight line leave no ear; what is left has no area, or is drawn as it comes.
    for (let j = 1; j + 1 < left.length; j++) out.push(left[0], left[j], left[j + 1]);
  }

  /* Triangles of one block as vertex numbers, three by three; `keep` leaves out the other vertices. */
  plan.triangles = function (i, keep) {
    const { x, y } = plan.g;
    const out = [];
    const g = plan.g;
    const kept = (ring) => {
      const all = Array.from(ring);
      return keep ? all.filter((v) => keep[v]) : all;
    };
    if (g.blockRing[i + 1] - g.blockRing[i] === 1) {
      const r = g.blockRing[i];
      clip(x, y, kept(g.ring.subarray(g.ringStart[r], g.ringStart[r + 1])), out);
      return out;
    }
    const rings = plan.rings(i).map(kept);
    const outer = rings.filter((ring) => plan.signed(ring) > 0);
    const holes = rings.filter((ring) => plan.signed(ring) <= 0);
    const inRing = (ring, v) => {
      let inside = false;
      for (let k = 0; k < ring.length; k++) {
        const [p, q] = [ring[k], ring[(k + 1) % ring.length]];
        if (y[p] > y[v] !== y[q] > y[v] && x[v] < ((x[q] - x[p]) * (y[v] - y[p])) / (y[q] - y[p]) + x[p]) inside = !inside;
      }
      return inside;
    };
    for (const ring of outer) {
      const mine = holes.filter((hole) => outer.length === 1 || inRing(ring, hole[0]));
      mine.sort((a, b) => Math.max(...b.map((v) => x[v])) - Math.max(...a.map((v) => x[v])));
      clip(x, y, mine.reduce((sewn, hole) => sew(x, y, sewn, hole), ring), out);
    }
    return out;
  };
})();
