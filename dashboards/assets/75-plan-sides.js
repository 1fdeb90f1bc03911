/* Plane geometry, second part: the two sides of a drawn line, and what lies inside a drawn ring. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const g = w.planGeometry;
  const turn = g.turn;
  // So small a shift of a drawn line decides which side what lies on it exactly belongs to.
  const NUDGE_M = 1e-5;

  /* --- the two sides of a drawn line -------------------------------------------------------------------- */

  const nudged = (line) => line.map((p, k) => [p[0] + NUDGE_M * Math.sin(1.7 * k + 0.6), p[1] + NUDGE_M * Math.cos(2.3 * k + 0.2)]);

  /* All places where a line crosses rings: {ring, edge, t, along, left, at}, in the order of the line;
     `along` is part + share of the part, `left` whether the ring goes over to the left of the line. */
  function crossings(line, rings) {
    const found = [];
    for (let k = 0; k + 1 < line.length; k++) {
      for (let r = 0; r < rings.length; r++) {
        const ring = rings[r];
        for (let e = 0; e < ring.length; e++) {
          const a = ring[e];
          const b = ring[(e + 1) % ring.length];
          const hit = g.crossing(line[k], line[k + 1], a, b);
          if (hit) found.push({ ring: r, edge: e, t: hit.u, along: k + hit.t, left: turn(line[k], line[k + 1], b) > 0, at: hit.at });
        }
      }
    }
    return found.sort((one, two) => one.along - two.along);
  }
  g.crossings = crossings;

  const cross = (a, b) => a[0] * b[1] - b[0] * a[1];

  /* Places of a line from one crossing to the next. */
  function stretch(line, from, to) {
    const places = [from.at];
    for (let k = Math.floor(from.along) + 1; k <= Math.floor(to.along); k++) places.push(line[k]);
    places.push(to.at);
    return places;
  }

  /* Share of rings that lies left of a line which begins and ends outside of them; null if untouched.
     Its border is what of the rings lies left, and the line inside, forward (Green's theorem). */
  g.shareLeft = function (line, rings) {
    const hits = crossings(line, rings);
    if (!hits.length) return null;
    let twice = 0;
    for (let k = 0; k + 1 < hits.length; k += 2) {
      const places = stretch(line, hits[k], hits[k + 1]);
      for (let m = 0; m + 1 < places.length; m++) twice += cross(places[m], places[m + 1]);
    }
    for (let r = 0; r < rings.length; r++) {
      const ring = rings[r];
      const mine = hits.filter((hit) => hit.ring === r).sort((one, two) => one.edge - two.edge || one.t - two.t);
      if (!mine.length) {
        if (isLeft(line, hits, ring[0])) twice += 2 * g.area(ring);
        continue;
      }
      mine.forEach((hit, k) => {
        if (!hit.left) return;
        const stop = mine[(k + 1) % mine.length];
        let at = hit.at;
        let edge = hit.edge;
        const once = stop.edge === edge && (mine.length > 1 ? stop.t > hit.t : false);
        if (!once) {
          do {
            edge = (edge + 1) % ring.length;
            twice += cross(at, ring[edge]);
            at = ring[edge];
          } while (edge !== stop.edge);
        }
        twice += cross(at, stop.at);
      });
    }
    return Math.min(1, Math.max(0, twice / 2 / g.areaOf(rings)));
  };

  /* Does a place that the line does not touch lie left of what of it is inside? By the nearest part. */
  function isLeft(line, hits, p) {
    const part = g.nearest(p, stretch(line, hits[0], hits[hits.length - 1]));
    const places = stretch(line, hits[0], hits[hits.length - 1]);
    return turn(places[part.part], places[part.part + 1], p) > 0;
  }

  /* How a line splits ground (`outline`, rings) that is made of blocks (rings of each):
     {problem: "no_line" | "line_crosses_itself" | "line_misses" | "many_parts" | null, at, parts,
      left: share of each block that lies left of the line, halves: [rings of the left, rings of the right],
      unsure: only the server can tell}. */
  g.sides = function (line, outline, blocks) {
    const refuse = (problem, at, parts) => ({ problem, at, parts: parts || 1, left: null, halves: null, unsure: false });
    if (line.length < 2 || g.length(line) === 0) return refuse("no_line", line[0] || null);
    const knot = g.selfCrossing(line);
    if (knot) return refuse("line_crosses_itself", knot);
    const drawn = nudged(line);
    const hits = crossings(drawn, outline);
    const first = g.inside(drawn[0], outline);
    const last = g.inside(drawn[drawn.length - 1], outline);
    const chords = [];
    for (let k = first ? 1 : 0; k + 1 < hits.length; k += 2) chords.push([hits[k], hits[k + 1]]);
    const parts = countParts(chords, outline.length);
    if (parts < 2) return refuse("line_misses", last && !first ? line[line.length - 1] : line[0]);
    if (parts > 2) return refuse("many_parts", hits[2] ? hits[2].at : line[0], parts);
    if (chords.length > 1) return { problem: null, at: null, parts, left: null, halves: null, unsure: true };
    const halves = halvesOf(drawn, chords[0], outline);
    return { problem: null, at: null, parts, left: sharesOf(drawn, chords[0], outline, blocks), halves, unsure: false };
  };

  /* A chord between two rings joins them, one within a ring makes one part more. */
  function countParts(chords, rings) {
    const root = Array.from({ length: rings }, (_, k) => k);
    const find = (k) => (root[k] === k ? k : (root[k] = find(root[k])));
    let parts = 1;
    for (const [from, to] of chords) {
      const [a, b] = [find(from.ring), find(to.ring)];
      if (a === b) parts++;
      else root[a] = b;
    }
    return parts;
  }

  /* Places along a ring from where one crossing is to another one. */
  function onward(ring, from, to) {
    const places = [];
    if (from.edge === to.edge && to.t > from.t) return places;
    let edge = from.edge;
    do {
      edge = (edge + 1) % ring.length;
      places.push(ring[edge]);
    } while (edge !== to.edge);
    return places;
  }

  /* Both sides of one chord as rings, ground on the left of each. A chord that begins and ends on the border of
     a hole makes one side inside out: its loop is a hole of the other's. */
  function halvesOf(line, [enter, leave], outline) {
    const ring = outline[enter.ring];
    const chord = stretch(line, enter, leave);
    const loops = [[...chord, ...onward(ring, leave, enter)], [...chord.slice().reverse(), ...onward(ring, enter, leave)]];
    const sides = loops.map((loop) => [loop]);
    const whole = g.area(loops[0]) > 0 ? 0 : 1;
    outline.forEach((other, r) => {
      if (r !== enter.ring) sides[g.inside(other[0], [loops[whole]]) ? whole : 1 - whole].push(other);
    });
    return sides.map((rings) => rings.sort((one, two) => g.area(two) - g.area(one)));
  }

  function sharesOf(line, [enter, leave], outline, blocks) {
    // The left side: along the line, then along the ring back to where it came in.
    const ring = outline[enter.ring];
    const chord = stretch(line, enter, leave);
    const loop = [...chord, ...onward(ring, leave, enter)];
    // What lies in the chord only: outside, the line may pass through blocks of others.
    const overshoot = (a, b) => [b[0] + (b[0] - a[0]) * 1e-9, b[1] + (b[1] - a[1]) * 1e-9];
    const cut = [overshoot(chord[1], chord[0]), ...chord.slice(1, -1), overshoot(chord[chord.length - 2], chord[chord.length - 1])];
    return blocks.map((rings) => {
      const share = g.shareLeft(cut, rings);
      return share === null ? (g.inside(g.innerPoint(rings), [loop]) ? 1 : 0) : share;
    });
  }

  /* Share of rings that lies inside a drawn ring that does not cross itself: over its fan of triangles,
     each clipped off (Sutherland and Hodgman 1974, whose areas are right for any shape). */
  g.shareInside = function (drawn, rings) {
    let sum = 0;
    for (let k = 1; k + 1 < drawn.length; k++) {
      const sign = turn(drawn[0], drawn[k], drawn[k + 1]);
      if (sign === 0) continue;
      const triangle = sign > 0 ? [drawn[0], drawn[k], drawn[k + 1]] : [drawn[0], drawn[k + 1], drawn[k]];
      for (const ring of rings) sum += Math.sign(sign) * g.area(clip(ring, triangle));
    }
    return Math.min(1, Math.abs(sum) / g.areaOf(rings));
  };
  function clip(ring, triangle) {
    let left = ring;
    for (let k = 0; k < 3 && left.length; k++) {
      const a = triangle[k];
      const b = triangle[(k + 1) % 3];
      const next = [];
      left.forEach((p, m) => {
        const q = left[(m + 1) % left.length];
        const one = turn(a, b, p);
        const two = turn(a, b, q);
        if (one >= 0) next.push(p);
        if (one >= 0 !== two >= 0) {
          const s = one / (one - two);
          next.push([p[0] + s * (q[0] - p[0]), p[1] + s * (q[1] - p[1])]);
        }
      });
      left = next;
    }
    return left;
  }
})();
