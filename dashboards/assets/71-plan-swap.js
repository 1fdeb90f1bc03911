/* The ground of a plan after an edit that made or took away blocks or vertices: what the server names is put
   in place, all the rest is taken over. The answer is a ground of its own, as if it had been read anew; what
   others keep of the old one (by `plan.g`) is out of date by itself. */
(function () {
  "use strict";
  const plan = window.wangge.plan;

  function grown(values, length) {
    const made = new values.constructor(length);
    made.set(values.length > length ? values.subarray(0, length) : values);
    return made;
  }

  /* `swap`, `vertices` and `places` as dashboards/plan_pack.py tells them; gives {ground, moved}: the blocks
     that have another shape. */
  plan.swapGround = function (old, swap, vertices, places) {
    const [n, count] = [swap.blocks, swap.vertices];
    const g = { ...old, n, ids: old.ids.slice(0, n), otherOf: undefined, seen: new Int32Array(n), mark: 0 };
    for (const [name, size] of [["vertices", 2], ["fixed", 1], ["x", 1], ["y", 1]]) g[name] = grown(old[name], size * count);
    for (const [name, size] of [["households", 1], ["people", 1], ["community", 1], ["area", 1], ["perimeter", 1], ["box", 4], ["middle", 2]]) {
      g[name] = grown(old[name], size * n);
    }
    vertices.forEach((v, k) => plan.ground.place(g, v, places[2 * k], places[2 * k + 1]));
    swap.fixed.forEach((v, k) => (g.fixed[v] = swap.isFixed[k]));
    const at = new Int32Array(n).fill(-1); // where a block stands in the swap
    swap.rows.forEach((row, k) => {
      at[row] = k;
      g.ids[row] = swap.ids[k];
      for (const name of ["households", "people", "community"]) g[name][row] = swap[name][k];
    });
    const shift = layRings(g, old, swap, at);
    findTwins(g, old, at, shift);
    plan.ground.pairs(g);
    const moved = new Set(swap.rows);
    const elsewhere = new Set(vertices.filter((v) => v < old.x.length));
    if (elsewhere.size) for (let e = 0; e < g.ring.length; e++) if (elsewhere.has(g.ring[e])) moved.add(g.of[e]);
    for (const row of moved) plan.ground.measure(g, row);
    plan.ground.index(g);
    g.meanArea = g.area.reduce((sum, a) => sum + a, 0) / Math.max(n, 1);
    return { ground: g, moved };
  };

  /* Rings in the order of blocks; gives by how many places the edges of each block went along. */
  function layRings(g, old, swap, at) {
    let rings = 0;
    let edges = 0;
    for (let i = 0; i < g.n; i++) {
      if (at[i] >= 0) {
        for (const ring of swap.rings[at[i]]) {
          rings++;
          edges += ring.length;
        }
        continue;
      }
      rings += old.blockRing[i + 1] - old.blockRing[i];
      edges += old.ringStart[old.blockRing[i + 1]] - old.ringStart[old.blockRing[i]];
    }
    for (const name of ["ring", "head", "of", "twin"]) g[name] = new Int32Array(edges);
    g.ringStart = new Int32Array(rings + 1);
    g.blockRing = new Int32Array(g.n + 1);
    const shift = new Int32Array(g.n);
    let r = 0;
    let e = 0;
    for (let i = 0; i < g.n; i++) {
      const begun = e;
      if (at[i] >= 0) {
        for (const ring of swap.rings[at[i]]) {
          g.ringStart[r++] = e;
          for (let k = 0; k < ring.length; k++) {
            g.ring[e] = ring[k];
            g.head[e++] = ring[(k + 1) % ring.length];
          }
        }
      } else {
        const [from, to] = [old.blockRing[i], old.blockRing[i + 1]];
        const [first, end] = [old.ringStart[from], old.ringStart[to]];
        shift[i] = e - first;
        for (let k = from; k < to; k++) g.ringStart[r++] = old.ringStart[k] + shift[i];
        g.ring.set(old.ring.subarray(first, end), e);
        g.head.set(old.head.subarray(first, end), e);
        e += end - first;
      }
      g.of.fill(i, begun, e);
      g.blockRing[i + 1] = r;
    }
    g.ringStart[rings] = edges;
    return shift;
  }

  /* Edges between blocks that stayed keep their other side; the rest is matched anew. */
  function findTwins(g, old, at, shift) {
    const alone = [];
    for (let i = 0; i < g.n; i++) {
      const [first, end] = [g.ringStart[g.blockRing[i]], g.ringStart[g.blockRing[i + 1]]];
      for (let e = first; e < end; e++) {
        const was = at[i] < 0 ? old.twin[e - shift[i]] : -1;
        const j = was < 0 ? -1 : old.of[was];
        if (j >= 0 && j < g.n && at[j] < 0) g.twin[e] = was + shift[j];
        else {
          g.twin[e] = -1;
          if (at[i] >= 0 || was >= 0) alone.push(e);
        }
      }
    }
    const count = g.x.length;
    const byEnds = new Map(alone.map((e) => [g.ring[e] * count + g.head[e], e]));
    for (const e of alone) {
      const twin = byEnds.get(g.head[e] * count + g.ring[e]);
      if (twin !== undefined) g.twin[e] = twin;
    }
  }
})();
