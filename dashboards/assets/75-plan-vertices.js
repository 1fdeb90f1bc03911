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

  const REST_MS = 260;
  let hand = null; // {vertices, from, good, dirty, problem, links, weld}
  let rest = 0;
  function take(vertices) {
    const from = vertices.map(t.at);
    hand = { vertices, from, good: from, dirty: false, problem: null, links: linksOf(vertices), weld: false };
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
      for (const id of ["pt-drag", "pt-chosen", "pt-bad", "pt-knot"]) t.over(id, null);
      return;
    }
    const at = ([k, place]) => t.degrees(k < 0 ? place : hand.good[k]);
    const lines = { type: "MultiLineString", coordinates: hand.links.map((ends) => ends.map(at)) };
    t.over("pt-drag", hand.dirty ? lines : null, { line: "accent", width: 3, dash: [2, 1] });
    t.over("pt-chosen", hand.vertices.length > 60 ? lines : t.collection(hand.good.map(t.point)), { line: "accent", width: 5, circle: 7 });
  }
  /* Try places; keeps the last that hold. With `weld` the one vertex is taken out instead. */
  function attempt(places, weld) {
    window.clearTimeout(rest);
    t.forget();
    const told = t.trial(hand.vertices, weld ? [null] : places);
    hand.problem = told.problem;
    if (told.problem) {
      flag(told.block, told.at);
      t.previewShapes([], { text: word("bad." + told.problem, { block: plan.s.blocks.ids[told.block] }), wrong: true });
      return false;
    }
    flag(-1, null);
    Object.assign(hand, { good: places, dirty: true, weld: Boolean(weld) });
    t.previewShapes(told.grids);
    showHand();
    const mine = hand;
    rest = window.setTimeout(() => hand === mine && !hand.problem && askServer(mine), REST_MS);
    return true;
  }
  /* The block that would fold, and the place where it would cross itself. */
  function flag(block, at) {
    t.over("pt-bad", block < 0 ? null : plan.block(block), { line: "late", width: 2, fill: "late", fillOpacity: 0.16 });
    t.over("pt-knot", at ? t.point(at) : null, { line: "late", width: 3, circle: 9 });
  }
  const editOf = ({ vertices, good, weld }) =>
    weld ? { do: "remove", vertex: vertices[0] } : { do: "move", vertices: Array.from(vertices), xy: good.map(t.degrees) };
  /* A hand that rests is told what the server would say, before it lets go. */
  async function askServer(mine) {
    const told = await t.tryEdit(editOf(mine));
    if (!told || hand !== mine || told.ok || !told.error) return;
    hand.problem = "server";
    hand.said = told.error;
    t.over("pt-knot", told.place || null, { line: "late", width: 3, circle: 9 });
    t.previewShapes([], { text: told.error, wrong: true });
  }
  async function commit() {
    if (!hand || !hand.dirty || t.readOnly()) return false;
    const { vertices, good, weld } = hand;
    const far = Math.max(...vertices.map((_, k) => g.distance(hand.from[k], good[k])));
    const edit = editOf(hand);
    drop();
    const told = await plan.send(edit);
    const done = weld ? "done.weld" : vertices.length > 1 ? "done.border" : "done.move";
    if (told.ok) plan.say(word(done, { n: vertices.length, m: far.toFixed(1) }), { kind: "good", seconds: 6 });
    return told.ok;
  }
  function drop() {
    window.clearTimeout(rest);
    t.forget();
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
    } else plan.say(why(), { kind: "wrong" });
    return true;
  }

  /* What is to be said of why the hand could go no farther; "" if it could. */
  const why = () => (!hand || !hand.problem ? "" : hand.problem === "server" ? hand.said : word("bad." + hand.problem, { block: "" }));

  t.hand = { now: () => hand, take, attempt, commit, drop, nudge, why };
})();
