/* What an edit of shapes would do to the grids, worked out while a hand moves: areas, borders and compactness
   (4 pi A / P2, Polsby and Popper 1991, as geo.plan has it) before and after, and whether a block would fold. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const h = w.cases.h;
  const t = (w.planTools = w.planTools || {});
  const g = w.planGeometry;

  t.compactness = (area, perimeter) => (perimeter > 0 ? (4 * Math.PI * area) / perimeter ** 2 : 0);
  /* Area and compactness of ground given as rings. */
  t.figuresOf = function (rings) {
    const area = g.areaOf(rings);
    return { area, compactness: t.compactness(area, g.around(rings)) };
  };

  const edgesOf = (i, run) => {
    const { ringStart, blockRing } = plan.g;
    for (let e = ringStart[blockRing[i]]; e < ringStart[blockRing[i + 1]]; e++) run(e);
  };
  const behind = (e) => (plan.g.twin[e] < 0 ? -1 : plan.g.of[plan.g.twin[e]]);
  const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

  /* Area and compactness of whole blocks that are to be one grid. */
  t.figuresOfBlocks = function (blocks) {
    const mine = new Set(blocks);
    const { ring, head, area } = plan.g;
    let perimeter = 0;
    for (const i of blocks) edgesOf(i, (e) => { if (!mine.has(behind(e))) perimeter += far(t.at(ring[e]), t.at(head[e])); });
    const sum = blocks.reduce((total, i) => total + area[i], 0);
    return { area: sum, compactness: t.compactness(sum, perimeter) };
  };

  /* What moving vertices to places (metres) would do; a vertex whose place is null is taken out.
     {problem, block, at, grids: [{row, area: [before, after], compactness: [before, after]}]}. */
  t.trial = function (vertices, places) {
    const to = new Map(vertices.map((v, k) => [v, places[k]]));
    const now = (v) => (to.has(v) ? to.get(v) : t.at(v));
    const out = places.includes(null);
    const near = new Set();
    for (const v of vertices) for (const i of t.blocksAt(v)) near.add(i);
    const change = new Map();
    for (const i of near) {
      const rings = plan.rings(i);
      const left = rings.map((ring) => Array.from(ring).filter((v) => now(v) !== null));
      if (left.some((ring) => ring.length < 3)) return { problem: "vanishes", block: i, at: t.at(vertices[0]), grids: [] };
      const before = rings.map((ring) => Array.from(ring, t.at));
      const after = left.map((ring) => ring.map(now));
      const found = g.folded(before, after, left.map((ring) => ring.map((v) => to.has(v) || out)));
      if (found) return { ...found, block: i, grids: [] };
      const row = plan.s.label[i];
      const kept = change.get(row) || { area: 0, perimeter: 0 };
      kept.area += g.areaOf(after) - g.areaOf(before);
      kept.perimeter += borderChange(i, to, now);
      change.set(row, kept);
    }
    const grids = [...change].map(([row, by]) => {
      const { area, perimeter } = plan.s.grids[row];
      return { row, area: [area, area + by.area], compactness: [t.compactness(area, perimeter), t.compactness(area + by.area, perimeter + by.perimeter)] };
    });
    return { problem: null, block: -1, at: null, grids };
  };
  /* By how many metres the border of its grid changes along one block. */
  function borderChange(i, to, now) {
    const { ring, head } = plan.g;
    const { label } = plan.s;
    let sum = 0;
    edgesOf(i, (e) => {
      const j = behind(e);
      if (j >= 0 && label[j] === label[i]) return;
      const [a, b] = [ring[e], head[e]];
      if (!to.has(a) && !to.has(b)) return;
      const [p, q] = [now(a), now(b)];
      sum -= far(t.at(a), t.at(b));
      if (p && q) sum += far(p, q);
      // Where a vertex is taken out, its neighbours are joined: the edge that leaves it stands for both.
      else if (!p) sum += far(now(before(e)), q);
    });
    return sum;
  }
  /* The vertex before an edge in its ring. */
  function before(e) {
    const { ring, ringStart, blockRing, of } = plan.g;
    for (let r = blockRing[of[e]]; r < blockRing[of[e] + 1]; r++) {
      if (e < ringStart[r] || e >= ringStart[r + 1]) continue;
      return ring[e === ringStart[r] ? ringStart[r + 1] - 1 : e - 1];
    }
    return ring[e];
  }

  /* Area and compactness of every grid that a hand changes, before and now, beside one another. */
  t.previewShapes = function (grids, note) {
    t.preview(null, note);
    const place = document.getElementById("pt-preview");
    if (!place || !grids.length) return;
    const sign = (by, text) => (Math.abs(by) < 1e-9 ? "±" : by > 0 ? "+" : "−") + text;
    const row = ({ row: at, area, compactness }) => {
      const [more, rounder] = [area[1] - area[0], Number((compactness[1] - compactness[0]).toFixed(2))];
      return h("tr", { "data-grid": plan.s.grids[at].id },
        h("th", { scope: "row" }, plan.gridName(at)),
        h("td", {}, t.whole(area[0])), h("td", { class: "pt-now" }, t.whole(area[1])), h("td", { class: "pt-by" }, sign(Math.round(more), t.whole(Math.abs(more)))),
        h("td", {}, t.ratio(compactness[0])), h("td", { class: "pt-now" }, t.ratio(compactness[1])),
        h("td", { class: "pt-by is-" + (rounder > 0 ? "more" : rounder < 0 ? "less" : "same") }, sign(rounder, t.ratio(Math.abs(rounder)))));
    };
    const head = (text, span) => h("th", { scope: "colgroup", colspan: String(span) }, text);
    place.prepend(h("table", { class: "pt-shapes" },
      h("thead", {}, h("tr", {}, h("td", {}), head(t.word("shapes.area"), 3), head(t.word("shapes.compact"), 3))),
      h("tbody", {}, grids.map(row))));
  };
})();
