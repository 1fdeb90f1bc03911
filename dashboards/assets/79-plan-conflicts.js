/* A conflict on the map: both wishes over one another, each with its own colour and hatch, and a card that says whose
   they are and takes the decision. What waits leans to the right, what stands now to the left; keys 1 and 2 decide. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const plan = w.plan;
  const word = (key, values) => plan.words("versions.wish." + key, values);
  const at = (id) => document.getElementById(id);
  const SPACE_PX = 9;
  const MOST_LINES = 1200;
  const SIDES = { waiting: { colour: "accent", lean: 1 }, standing: { colour: "soon", lean: -1 } };
  const t = { list: [], seq: null, told: null, busy: false, closed: "" };
  plan.wishes = t;

  /* --- hatch ----------------------------------------------------------------------------------------------- */

  /* Lines that lean by half a right angle over a shape, `space` metres apart (even-odd over its rings). */
  function hatch(shape, space, lean) {
    const polygons = shape.type === "Polygon" ? [shape.coordinates] : shape.type === "MultiPolygon" ? shape.coordinates : [];
    const r = Math.SQRT1_2;
    const turn = ([lon, lat]) => {
      const [x, y] = [(lon - plan.g.lon0) * plan.g.kx, (lat - plan.g.lat0) * plan.g.ky];
      return [r * (x + lean * y), r * (y - lean * x)];
    };
    const back = ([x, y]) => [plan.g.lon0 + (r * (x - lean * y)) / plan.g.kx, plan.g.lat0 + (r * (y + lean * x)) / plan.g.ky];
    const found = [];
    for (const rings of polygons.map((one) => one.map((ring) => ring.map(turn)))) {
      const ys = rings[0].map((p) => p[1]);
      const high = Math.max(...ys);
      for (let y = Math.ceil(Math.min(...ys) / space) * space; y < high && found.length < MOST_LINES; y += space) {
        const cuts = [];
        for (const ring of rings) {
          for (let k = 0; k + 1 < ring.length; k++) {
            const [a, b] = [ring[k], ring[k + 1]];
            if (a[1] > y !== b[1] > y) cuts.push(((b[0] - a[0]) * (y - a[1])) / (b[1] - a[1]) + a[0]);
          }
        }
        cuts.sort((one, two) => one - two);
        for (let k = 0; k + 1 < cuts.length; k += 2) found.push([back([cuts[k], y]), back([cuts[k + 1], y])]);
      }
    }
    return found;
  }
  plan.hatch = hatch;

  const known = new Set();
  function over(id, shape, style) {
    if (shape) known.add(id);
    if (known.has(id)) plan.overlay(id, shape, style);
  }
  function draw() {
    // The plan may be there before the map is; it is drawn when that is ready.
    if (!w.s.map) return;
    const told = t.told && plan.s && current() ? t.told : null;
    const [west] = told ? plan.unproject(0, 0) : [0];
    const [east] = told ? plan.unproject(100, 0) : [0];
    const space = told ? ((SPACE_PX * w.scale()) / 100) * (east - west) * plan.g.kx : 1;
    for (const [side, { colour, lean }] of Object.entries(SIDES)) {
      const grids = told ? told[side].grids : [];
      const shapes = grids.map((one) => ({ type: "Feature", properties: {}, geometry: one.shape }));
      over("wish-" + side, grids.length ? { type: "FeatureCollection", features: shapes } : null, { line: colour, width: 3, fill: colour, fillOpacity: 0.1 });
      const lines = grids.flatMap((one) => hatch(one.shape, space, lean));
      over("wish-hatch-" + side, lines.length ? { type: "MultiLineString", coordinates: lines } : null, { line: colour, width: 1.5 });
    }
  }

  /* --- whose ------------------------------------------------------------------------------------------------ */

  const current = () => t.list.find((one) => one.seq === t.seq) || null;
  const isMe = (by) => Boolean(c.me && c.viewer().by === by);
  const others = (one) => (t.told && t.told.standing.by.length ? t.told.standing.by : [...new Set(one.theirs.map((row) => row.by))]);
  /* How each side is called by who looks: mine, theirs, or by name. */
  function names(one) {
    const standing = others(one);
    const both = plan.words("and");
    if (isMe(one.by) && !standing.some(isMe)) return { waiting: word("mine"), standing: word("theirs"), who: standing.join(both) };
    if (!isMe(one.by) && standing.some(isMe)) return { waiting: word("theirs"), standing: word("mine"), who: one.by };
    return { waiting: word("of", { by: one.by }), standing: standing.length ? word("of", { by: standing.join(both) }) : word("now"), who: "" };
  }

  /* --- the card ----------------------------------------------------------------------------------------------- */

  function side(one, name, key, called) {
    const told = t.told ? t.told[name] : null;
    const by = name === "waiting" ? [one.by] : others(one);
    const did = name === "waiting" ? [plan.did(one.wish)] : one.theirs.map((row) => plan.did(row));
    const grid = (g) => h("li", {}, h("b", {}, g.name), h("span", {}, word("part", { households: plan.text(g.households), people: plan.text(g.people) })),
      h("span", { class: "pw-total" }, word("total", { households: plan.text(g.total) })), plan.bandChip(g.total));
    return h("section", { class: "pw-side is-" + name, "aria-label": called },
      h("h4", {}, h("i", { class: "pw-swatch is-" + name, "aria-hidden": "true" }), called, h("span", { class: "inc-quiet" }, by.join(plan.words("and")))),
      h("p", {}, did.length ? did.join(plan.words("and")) : word("now")),
      told ? h("ul", {}, told.grids.slice(0, 3).map(grid)) : null,
      h("button", { type: "button", class: "inc-button" + (name === "waiting" ? " is-main" : ""), id: "pw-" + name, disabled: t.busy || plan.s.readOnly, onclick: () => decide(name) },
        word("use", { who: called }), h("kbd", {}, key)));
  }
  function show() {
    const one = plan.s && t.closed !== plan.s.id ? current() : null;
    const old = at("pw-card");
    if (!one) {
      if (old) old.remove();
      return;
    }
    const map = document.querySelector("#planner-page .map-canvas");
    if (!map) return;
    const held = old && old.contains(document.activeElement) ? document.activeElement.id : "";
    const called = names(one);
    const place = t.list.indexOf(one) + 1;
    const card = h("div", { id: "pw-card", class: "pw-card", role: "dialog", "aria-label": word("title") },
      h("header", {}, h("b", {}, word("title")), h("span", { class: "inc-quiet" }, word("count", { k: place, n: t.list.length })),
        h("span", { class: "pw-why" }, one.why),
        h("button", { type: "button", class: "inc-button is-small", id: "pw-goto", onclick: goTo }, plan.words("conflict.show")),
        t.list.length > 1 ? h("button", { type: "button", class: "inc-button is-small", id: "pw-next", onclick: () => choose(t.list[place % t.list.length].seq, true) }, word("next")) : null,
        h("button", { type: "button", class: "inc-close", "aria-label": c.say("close"), onclick: () => { t.closed = plan.s.id; t.told = null; draw(); show(); plan.focusMap(); } }, "×")),
      h("div", { class: "pw-sides" }, side(one, "waiting", "1", called.waiting), side(one, "standing", "2", called.standing)));
    for (const kind of ["pointerdown", "pointerup", "pointermove", "dblclick", "wheel", "click"]) card.addEventListener(kind, (event) => event.stopPropagation());
    if (old) old.replaceWith(card);
    else map.parentElement.append(card);
    if (held && at(held)) at(held).focus();
  }
  function goTo() {
    const one = current();
    if (!one) return;
    if (one.blocks.length) plan.goTo({ blocks: one.blocks });
    if (one.place) plan.flash({ type: "Point", coordinates: one.place });
  }
  async function choose(seq, going) {
    t.seq = seq;
    t.told = null;
    show();
    draw();
    if (going) goTo();
    const id = plan.s.id;
    const answer = await c.get("/plan/" + encodeURIComponent(id) + "/conflicts/" + seq);
    if (!answer.ok || !plan.s || plan.s.id !== id || t.seq !== seq) return;
    t.told = answer.body;
    show();
    draw();
  }
  async function decide(name) {
    const one = current();
    if (!one || t.busy || !plan.mayEdit()) return;
    t.busy = true;
    const called = names(one)[name];
    show();
    const told = await plan.settle(one.seq, name === "waiting");
    t.busy = false;
    show();
    if (told.ok) plan.say(word("done", { who: called }), { kind: "good", seconds: 6 });
  }

  /* --- follow the plan ------------------------------------------------------------------------------------------ */

  function follow(list) {
    const fresh = list.some((one) => !t.list.some((old) => old.seq === one.seq));
    t.list = list.slice();
    if (fresh && plan.s) t.closed = "";
    if (!list.length) {
      Object.assign(t, { seq: null, told: null });
      draw();
      return show();
    }
    if (current() && t.told) return show();
    choose(current() ? t.seq : list[0].seq, false);
  }
  plan.on("conflict", follow);
  plan.on("load", () => follow(plan.s.conflicts));
  plan.onBegin(() => {
    w.map.onReady(() => t.told && draw());
    w.map.onMove(() => t.told && draw());
    c.on("me", show);
  });
  window.addEventListener("keydown", (event) => {
    const name = { 1: "waiting", 2: "standing" }[event.key];
    if (!name || !at("pw-card") || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.closest && event.target.closest("input, textarea, select, [contenteditable], dialog, .ag-root")) return;
    event.preventDefault();
    decide(name);
  });
})();
