/* What moving tools share: one vertex in the hand, or the whole border between two grids. The neighbours follow in an
   overlay while the hand moves; what would fold a block is refused where it would, and the plan changes
   when the hand lets go (or with Enter after the arrow keys). Households stay with their blocks. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const t = w.planTools;
  const g = w.planGeometry;
  const word = t.word;
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  /* --- what is in the hand: vertices, where they were, where they would be ------------------------------- */

  let hand = null; // {vertices, from, good, dirty, problem, links}
  function take(vertices) {
    const from = vertices.map(t.at);
    hand = { vertices, from, good: from, dirty: false, problem: null, links: linksOf(vertices) };
    showHand();
  }
  /* Edges that follow: pairs [index in hand or -1, place or null] for both ends. */
  function linksOf(vertices) {
    const place = new Map(vertices.map((v, k) => [v, k]));
    const found = [];
    const seen = new Set();
    for (const v of vertices) {
      for (const i of t.blocksAt(v)) {
        for (const ring of plan.rings(i)) {
          for (let k = 0; k < ring.length; k++) {
            const [a, b] = [ring[k], ring[(k + 1) % ring.length]];
            if (a !== v && b !== v) continue;
            const key = Math.min(a, b) + "." + Math.max(a, b);
            if (seen.has(key)) continue;
            seen.add(key);
            found.push([a, b].map((u) => [place.has(u) ? place.get(u) : -1, t.at(u)]));
          }
        }
      }
    }
    return found;
  }
  function showHand() {
    if (!hand) {
      for (const id of ["pt-drag", "pt-chosen", "pt-bad"]) t.over(id, null);
      return;
    }
    const at = ([k, place]) => t.degrees(k < 0 ? place : hand.good[k]);
    const lines = { type: "MultiLineString", coordinates: hand.links.map((ends) => ends.map(at)) };
    t.over("pt-drag", hand.dirty ? lines : null, { line: "accent", width: 3, dash: [2, 1] });
    t.over("pt-chosen", hand.vertices.length > 60 ? lines : t.collection(hand.good.map(t.point)), { line: "accent", width: 5, circle: 7 });
  }
  /* Try places; keeps the last that hold. */
  function attempt(places) {
    const told = t.trial(hand.vertices, places);
    hand.problem = told.problem;
    if (told.problem) {
      const i = told.block;
      t.over("pt-bad", plan.block(i), { line: "late", width: 2, fill: "late", fillOpacity: 0.16 });
      t.preview(null, { text: word("bad." + told.problem, { block: plan.s.blocks.ids[i] }), wrong: true });
      return false;
    }
    t.over("pt-bad", null);
    hand.good = places;
    hand.dirty = true;
    t.preview(null, { text: t.areasText(told.areas) });
    showHand();
    return true;
  }
  async function commit() {
    if (!hand || !hand.dirty || t.readOnly()) return false;
    const { vertices, good } = hand;
    const far = Math.max(...vertices.map((_, k) => g.distance(hand.from[k], good[k])));
    drop();
    const told = await plan.send({ do: "move", vertices: Array.from(vertices), xy: good.map(t.degrees) });
    if (told.ok) plan.say(word(vertices.length > 1 ? "done.border" : "done.move", { n: vertices.length, m: far.toFixed(1) }), { kind: "good", seconds: 6 });
    return told.ok;
  }
  function drop() {
    hand = null;
    t.showSnap(null);
    t.preview(null);
    showHand();
  }
  function nudge(event) {
    const step = STEPS[event.key];
    if (!hand || !step) return false;
    const far = event.shiftKey ? 10 : 1;
    const places = hand.good.map((p) => [p[0] + step[0] * far, p[1] + step[1] * far]);
    if (attempt(places)) {
      const moved = g.distance(hand.from[0], hand.good[0]);
      plan.say(word("nudged", { m: moved.toFixed(1) }));
    } else plan.say(word("bad." + hand.problem, { block: "" }), { kind: "wrong" });
    return true;
  }

  t.hand = { now: () => hand, take, attempt, commit, drop, nudge };
})();
