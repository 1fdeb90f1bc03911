/* What goes into the buffers of 72-plan-gl.js, at two levels of detail. The coarse one keeps the vertices at
   which borders meet or turn sharply; since both sides of a border drop the same ones, it has no gaps either.
   Both are sorted by stretches of ground, so that only what can be seen is drawn. The fine one is made when
   somebody first looks that near. */
(function () {
  "use strict";
  const plan = window.wangge.plan;
  const SHARP = Math.cos((30 * Math.PI) / 180);
  const STRETCHES = 14; // a side

  /* Which vertices the coarse level keeps, and how far it is off (metres, of all but the worst hundredth). */
  function keepers(g) {
    const count = g.x.length;
    const met = new Uint16Array(count);
    const rim = new Uint8Array(count);
    const keep = new Uint8Array(count);
    for (let e = 0; e < g.ring.length; e++) {
      met[g.ring[e]]++;
      if (g.twin[e] < 0) rim[g.ring[e]] = rim[g.head[e]] = 1;
    }
    for (let v = 0; v < count; v++) keep[v] = met[v] > 2 || (rim[v] && met[v] > 1) ? 1 : 0;
    const rings = g.ringStart.length - 1;
    for (let r = 0; r < rings; r++) {
      const [from, to] = [g.ringStart[r], g.ringStart[r + 1]];
      for (let e = from; e < to; e++) {
        const [a, b, c] = [g.ring[e > from ? e - 1 : to - 1], g.ring[e], g.head[e]];
        const [ux, uy, vx, vy] = [g.x[b] - g.x[a], g.y[b] - g.y[a], g.x[c] - g.x[b], g.y[c] - g.y[b]];
        if (ux * vx + uy * vy < SHARP * Math.sqrt((ux * ux + uy * uy) * (vx * vx + vy * vy))) keep[b] = 1;
      }
    }
    for (let r = 0; r < rings; r++) {
      let kept = 0;
      for (let e = g.ringStart[r]; e < g.ringStart[r + 1]; e++) kept += keep[g.ring[e]];
      if (kept < 3) for (let e = g.ringStart[r]; e < g.ringStart[r + 1]; e++) keep[g.ring[e]] = 1;
    }
    const off = [];
    eachChain(g, keep, (e, chain) => {
      if (chain.length < 3) return;
      const [a, b] = [chain[0], chain[chain.length - 1]];
      const [dx, dy] = [g.x[b] - g.x[a], g.y[b] - g.y[a]];
      const far = Math.hypot(dx, dy) || 1;
      let most = 0;
      for (const v of chain) most = Math.max(most, Math.abs((g.x[v] - g.x[a]) * dy - (g.y[v] - g.y[a]) * dx) / far);
      off.push(most);
    });
    off.sort((a, b) => a - b);
    return { keep, offM: off.length ? off[Math.floor(off.length * 0.99)] : 0 };
  }

  /* Runs of edges from one kept vertex to the next, each border once. */
  function eachChain(g, keep, run) {
    const rings = g.ringStart.length - 1;
    for (let r = 0; r < rings; r++) {
      const [from, to] = [g.ringStart[r], g.ringStart[r + 1]];
      for (let e = from; e < to; e++) {
        if (!keep[g.ring[e]]) continue;
        const chain = [g.ring[e]];
        let k = e;
        let first = g.twin[e] < 0 || e < g.twin[e];
        while (!keep[g.head[k]]) {
          chain.push(g.head[k]);
          k = k + 1 < to ? k + 1 : from;
          if (g.twin[k] >= 0 && g.twin[k] < e) first = false;
        }
        chain.push(g.head[k]);
        if (first) run(e, chain);
      }
    }
  }

  plan.levels = function () {
    const { keep, offM } = keepers(plan.g);
    return [{ keep, offM, coarse: true, cuts: [] }, { keep: null, offM: 0, cuts: [] }];
  };

  /* Some blocks are other ones: the coarse level keeps all their vertices, where borders may now meet. Triangles
     of the rest are known; the level is put together when it is next drawn. */
  plan.swapLevel = function (level, blocks) {
    const g = plan.g;
    level.built = false;
    level.cuts.length = Math.min(level.cuts.length, g.n);
    for (const i of blocks) level.cuts[i] = undefined;
    if (!level.keep) return;
    const keep = new Uint8Array(g.x.length);
    keep.set(level.keep.subarray(0, Math.min(level.keep.length, keep.length)));
    const other = new Uint8Array(g.x.length);
    for (const i of blocks) {
      for (let e = g.ringStart[g.blockRing[i]]; e < g.ringStart[g.blockRing[i + 1]]; e++) {
        if (!keep[g.ring[e]]) keep[g.ring[e]] = other[g.ring[e]] = 1;
      }
    }
    for (let e = 0; e < g.ring.length; e++) if (other[g.ring[e]]) level.cuts[g.of[e]] = undefined;
    level.keep = keep;
  };

  function stretch(g, lon, lat) {
    const hold = (share) => Math.min(STRETCHES - 1, Math.max(0, Math.floor(share * STRETCHES)));
    const [west, south, east, north] = g.bounds;
    return hold((lat - south) / (north - south || 1)) * STRETCHES + hold((lon - west) / (east - west || 1));
  }
  /* Starts of the stretches and the order of `count` things by theirs. */
  function sorted(count, of) {
    const starts = new Int32Array(STRETCHES * STRETCHES + 1);
    for (let k = 0; k < count; k++) starts[of(k) + 1]++;
    for (let k = 0; k < STRETCHES * STRETCHES; k++) starts[k + 1] += starts[k];
    const fill = starts.slice();
    const order = new Int32Array(count);
    for (let k = 0; k < count; k++) order[fill[of(k)]++] = k;
    return { starts, order };
  }

  plan.buildLevel = function (level, at) {
    const g = plan.g;
    const keep = level.keep || new Uint8Array(g.x.length).fill(1);
    const place = new Int32Array(g.n);
    for (let i = 0; i < g.n; i++) place[i] = stretch(g, g.middle[2 * i], g.middle[2 * i + 1]);
    const boxes = new Float32Array(4 * STRETCHES * STRETCHES);
    for (let k = 0; k < boxes.length; k += 4) boxes.set([9, 9, -9, -9], k);
    level.corners = new Float32Array(3 * g.ring.length);
    let corners = 0;
    level.slot = new Int32Array(g.ring.length).fill(-1);
    const { starts, order } = sorted(g.n, (i) => place[i]);
    level.triangleStarts = new Int32Array(starts.length);
    let size = 0;
    let room = new Uint32Array(Math.max(1024, g.ring.length * 3));
    const slotOf = new Int32Array(g.x.length);
    let stretchNow = 0;
    for (let k = 0; k < g.n; k++) {
      while (k >= starts[stretchNow + 1]) level.triangleStarts[++stretchNow] = size;
      const i = order[k];
      const b = 4 * place[i];
      const [first, end] = [g.ringStart[g.blockRing[i]], g.ringStart[g.blockRing[i + 1]]];
      for (let e = first; e < end; e++) {
        const v = g.ring[e];
        if (!keep[v]) continue;
        const [x, y] = [at[2 * v], at[2 * v + 1]];
        level.corners[3 * corners] = x;
        level.corners[3 * corners + 1] = y;
        level.corners[3 * corners + 2] = i;
        level.slot[e] = slotOf[v] = corners++;
        if (x < boxes[b]) boxes[b] = x;
        if (y < boxes[b + 1]) boxes[b + 1] = y;
        if (x > boxes[b + 2]) boxes[b + 2] = x;
        if (y > boxes[b + 3]) boxes[b + 3] = y;
      }
      const found = level.cuts[i] || (level.cuts[i] = plan.triangles(i, level.keep));
      if (size + found.length > room.length) {
        const larger = new Uint32Array(room.length * 2);
        larger.set(room);
        room = larger;
      }
      for (let t = 0; t < found.length; t++) room[size++] = slotOf[found[t]];
    }
    while (stretchNow < starts.length - 1) level.triangleStarts[++stretchNow] = size;
    level.triangles = room.subarray(0, size);
    level.corners = level.corners.subarray(0, 3 * corners);
    level.boxes = boxes;
    buildLines(level, keep, place, at);
    level.built = level.stale = true;
  };

  /* Four vertices a line: its two ends, and the block on either side, -1 outside. */
  function buildLines(level, keep, place, at) {
    const g = plan.g;
    const edge = [];
    const ends = [];
    eachChain(g, keep, (e, chain) => {
      edge.push(e);
      ends.push(chain[0], chain[chain.length - 1]);
    });
    const { starts, order } = sorted(edge.length, (k) => place[g.of[edge[k]]]);
    level.lineStarts = starts;
    level.ends = new Int32Array(2 * edge.length);
    level.lines = new Float32Array(24 * edge.length);
    order.forEach((k, line) => {
      const e = edge[k];
      level.ends[2 * line] = ends[2 * k];
      level.ends[2 * line + 1] = ends[2 * k + 1];
      setLine(level, line, at);
      const other = g.twin[e] < 0 ? -1 : g.of[g.twin[e]];
      for (let c = 0; c < 4; c++) {
        level.lines[24 * line + 6 * c + 4] = g.of[e];
        level.lines[24 * line + 6 * c + 5] = other;
      }
    });
  }
  function setLine(level, line, at) {
    const [p, q] = [2 * level.ends[2 * line], 2 * level.ends[2 * line + 1]];
    for (let c = 0; c < 4; c++) {
      const to = 24 * line + 6 * c;
      level.lines[to] = at[p];
      level.lines[to + 1] = at[p + 1];
      level.lines[to + 2] = at[q];
      level.lines[to + 3] = at[q + 1];
    }
  }

  /* Vertices of some blocks moved: their corners and every line that ends at one of them. */
  plan.moveLevel = function (level, blocks, at) {
    const g = plan.g;
    const moved = new Uint8Array(g.x.length);
    for (const i of blocks) {
      for (let e = g.ringStart[g.blockRing[i]]; e < g.ringStart[g.blockRing[i + 1]]; e++) {
        moved[g.ring[e]] = 1;
        const slot = level.slot[e];
        if (slot >= 0) {
          level.corners[3 * slot] = at[2 * g.ring[e]];
          level.corners[3 * slot + 1] = at[2 * g.ring[e] + 1];
        }
      }
    }
    for (let line = 0; line < level.ends.length / 2; line++) {
      if (moved[level.ends[2 * line]] || moved[level.ends[2 * line + 1]]) setLine(level, line, at);
    }
    // A block that was bent far may need other triangles: the level is put together when it is next drawn.
    if (!level.coarse) {
      for (const i of blocks) level.cuts[i] = undefined;
      level.built = false;
    }
    level.stale = true;
  };
})();
