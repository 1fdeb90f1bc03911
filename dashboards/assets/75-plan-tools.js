/* What the planner's tools share: their switches in a bar on the map, who stands at a vertex, and the figures of
   what would be. Snapping is in 75-plan-snap.js, what moved vertices would do in 75-plan-trial.js, the tools
   themselves in 76-*.js. Metres are those of `plan.g` (around the middle of the plan). */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const c = w.cases;
  const h = c.h;
  const g = w.planGeometry;
  const t = (w.planTools = w.planTools || {});
  const word = (t.word = (key, values) => plan.words("tools." + key, values));

  /* --- what a person switched, kept by the browser ------------------------------------------------------ */

  const FIRST = { snap: true, follow: false, reach: 12, through: false, share: "area", what: "grid" };
  t.options = { ...FIRST, ...(c.kept("plan-tools") || {}) };
  t.set = function (name, value) {
    t.options[name] = value;
    c.keep("plan-tools", t.options);
    t.bar();
    if (t.changed) t.changed();
  };

  /* --- metres --------------------------------------------------------------------------------------------- */

  t.metres = (lon, lat) => [(lon - plan.g.lon0) * plan.g.kx, (lat - plan.g.lat0) * plan.g.ky];
  t.degrees = (p) => [plan.g.lon0 + p[0] / plan.g.kx, plan.g.lat0 + p[1] / plan.g.ky];
  t.at = (v) => [plan.g.x[v], plan.g.y[v]];
  t.lonlat = (v) => [plan.g.vertices[2 * v], plan.g.vertices[2 * v + 1]];
  t.perPixel = function () {
    const [lon, lat] = plan.unproject(0, 0);
    const [lon2, lat2] = plan.unproject(100, 0);
    return plan.metres(lon, lat, lon2, lat2) / 100;
  };
  t.ringsOf = (i) => plan.rings(i).map((ring) => Array.from(ring, t.at));
  /* The border of a grid as rings of metres, the ground of the grid on their left. */
  t.outlineOf = function (row) {
    const edges = [];
    plan.eachBorder(row, (tail, head) => edges.push([tail, head]));
    return g.chain(edges).map((ring) => ring.map(t.at));
  };
  /* Rings of metres as one shape: those that run counter-clockwise are outer ones, the others their holes. */
  t.shape = function (rings) {
    const closed = (ring) => [...ring, ring[0]].map(t.degrees);
    const outer = rings.filter((ring) => g.area(ring) > 0);
    const holes = rings.filter((ring) => g.area(ring) <= 0);
    const own = (ring) => holes.filter((hole) => outer.length === 1 || g.inside(hole[0], [ring]));
    return { type: "MultiPolygon", coordinates: outer.map((ring) => [ring, ...own(ring)].map(closed)) };
  };
  t.line = (places) => ({ type: "LineString", coordinates: places.map(t.degrees) });
  t.point = (p) => ({ type: "Point", coordinates: t.degrees(p) });
  t.collection = (shapes) => ({ type: "FeatureCollection", features: shapes.map((geometry) => ({ type: "Feature", properties: {}, geometry })) });

  /* An overlay gets its looks when it is first there, so one that never was is not taken away. */
  const known = new Set();
  t.over = function (id, shape, style) {
    if (shape) known.add(id);
    if (known.has(id)) plan.overlay(id, shape, style);
  };
  /* What would be another grid, over its fill: whole blocks, or a shape where blocks are cut. */
  const NEW = { line: "accent", width: 1, fill: "accent", fillOpacity: 0.3, before: "plan-lines" };
  let newKey = "";
  t.showNew = function (blocks) {
    const key = (blocks || []).join();
    if (key === newKey) return;
    newKey = key;
    t.over("pt-new", key ? t.collection(blocks.map((i) => plan.block(i))) : null, NEW);
  };
  t.showNewShape = function (shape) {
    newKey = "shape";
    t.over("pt-new", shape, NEW);
  };

  /* --- who stands at a vertex -------------------------------------------------------------------------------- */

  let corners = null;
  function cornersOf() {
    if (corners && corners.g === plan.g && corners.ring === plan.g.ring) return corners;
    const { ring, x, of } = plan.g;
    const start = new Int32Array(x.length + 1);
    for (let e = 0; e < ring.length; e++) start[ring[e] + 1]++;
    for (let v = 0; v < x.length; v++) start[v + 1] += start[v];
    const fill = start.slice();
    const block = new Int32Array(ring.length);
    for (let e = 0; e < ring.length; e++) block[fill[ring[e]]++] = of[e];
    return (corners = { g: plan.g, ring, start, block });
  }
  t.blocksAt = function (v) {
    const { start, block } = cornersOf();
    return [...new Set(block.subarray(start[v], start[v + 1]))];
  };
  t.isLockedVertex = (v) => plan.s.lockedEdges.some(([a, b]) => a === v || b === v);
  /* Why a vertex may not move: a key of the words, or null. */
  t.held = function (v) {
    if (plan.g.fixed[v]) return "held.fixed";
    if (t.isLockedVertex(v)) return "held.border";
    if (t.blocksAt(v).some((i) => plan.s.grids[plan.s.label[i]].locked)) return "held.grid";
    return null;
  };

  /* --- the bar: switches and figures of the tool in hand --------------------------------------------------- */

  let controls = null;
  t.bar = function (make) {
    if (make !== undefined) controls = make;
    const place = bar();
    if (!place) return;
    place.hidden = !controls;
    const kept = document.activeElement && place.contains(document.activeElement) ? document.activeElement.dataset.pt : null;
    place.querySelector(".pt-controls").replaceChildren(...(controls ? controls() : []));
    const again = kept && place.querySelector('[data-pt="' + kept + '"]');
    if (again) again.focus();
  };
  function bar() {
    const old = document.getElementById("pt-bar");
    const map = document.querySelector("#planner-page .map-canvas") || document.querySelector(".map-canvas");
    if (old || !map) return old;
    const made = h("div", { id: "pt-bar", class: "pt-bar", role: "group", "aria-label": word("bar") },
      h("div", { class: "pt-controls" }), h("div", { class: "pt-preview", id: "pt-preview" }));
    for (const kind of ["pointerdown", "pointerup", "pointermove", "dblclick", "wheel", "click"]) made.addEventListener(kind, (event) => event.stopPropagation());
    made.hidden = true;
    map.parentElement.append(made);
    return made;
  }
  t.choice = (name, key, values) =>
    h("span", { class: "pt-choice", role: "group", "aria-label": word(key) },
      values.map((value) => h("button", {
        type: "button", "data-pt": name + value, "aria-pressed": String(t.options[name] === value), onclick: () => t.set(name, value),
      }, word(key + "." + value))));
  t.flag = (name, key, held) =>
    h("button", { type: "button", class: "pt-flag", role: "switch", "data-pt": name, "aria-checked": String(t.options[name]), onclick: () => t.set(name, !t.options[name]) },
      h("i", { "aria-hidden": "true" }), word(key), held ? h("kbd", { title: word(key + ".held") }, held) : null);
  t.action = (key, run, more) =>
    h("button", { type: "button", class: "inc-button" + (more && more.main ? " is-main" : ""), "data-pt": key, disabled: Boolean(more && more.off), onclick: () => { run(); plan.focusMap(); } },
      word(key), more && more.key ? h("kbd", {}, more.key) : null);
  t.snapping = () => [
    t.flag("snap", "snap", "Alt"),
    t.options.snap
      ? h("label", { class: "pt-reach" }, h("input", {
          type: "number", class: "inc-input", min: 2, max: 60, step: 1, value: t.options.reach, "data-pt": "reach", "aria-label": word("reach"),
          onchange: (event) => t.set("reach", Math.min(60, Math.max(2, Math.round(Number(event.target.value)) || FIRST.reach))),
        }), word("pixels"))
      : null,
  ].filter(Boolean);

  const percent = (n) => n.toFixed(2);
  t.ratio = percent;
  t.whole = (n) => Math.round(n).toLocaleString("en-US");
  t.areaText = (m2) => word("m2", { n: t.whole(m2) });

  /* What would be: rows of {key, name, households, people, area, compactness, banded}; `note` says it in words,
     `nearly` that only the server knows it exactly, `wrong` that it cannot be. */
  t.preview = function (rows, note) {
    bar();
    const place = document.getElementById("pt-preview");
    if (!place) return;
    const sign = note && note.nearly ? word("nearly") : "";
    const quiet = (value, text) => h("span", { class: "pt-quiet" }, value === undefined || value === null ? "" : sign + text(value));
    place.replaceChildren(
      ...(rows || []).map((one) =>
        h("div", { class: "pt-side", "data-side": one.key || "" },
          h("i", { class: "pt-key is-" + (one.key || "none"), "aria-hidden": "true" }),
          h("b", { title: one.name }, one.name),
          h("span", { class: "pt-n" }, sign + plan.text(one.households), h("small", {}, word("households"))),
          quiet(one.people, (n) => word("people", { n: plan.text(n) })),
          quiet(one.area, t.areaText),
          quiet(one.compactness, (n) => word("compact", { n: percent(n) })),
          one.banded === false ? h("span", {}) : plan.bandChip(one.households))),
      ...(note && note.text ? [h("p", { class: "pt-note" + (note.wrong ? " is-wrong" : "") }, note.text)] : [])
    );
  };
  t.clear = function () {
    t.preview(null);
    t.showSnap(null);
    t.showNew(null);
    for (const id of ["pt-line", "pt-point", "pt-area", "pt-drag", "pt-handles", "pt-chosen", "pt-bad", "pt-knot"]) t.over(id, null);
  };
  /* A sentence of why not, with the place on the map. */
  t.refuse = function (key, at, values) {
    plan.say(word("bad." + key, values), { kind: "wrong", seconds: 8 });
    if (at) plan.flash(t.point(at));
  };

  /* --- asking the server what an edit would do --------------------------------------------------------------- */

  let turn = 0;
  t.tryEdit = async function (edit) {
    const mine = ++turn;
    const answer = await c.post("/plan/" + encodeURIComponent(plan.s.id) + "/try", { edit });
    return mine === turn ? answer.body : null;
  };
  t.forget = () => void ++turn;

  /* Is a key meant for the map, and not for a button of the page? */
  t.onMap = (event) => !(event.target.closest && event.target.closest("button, a, input, select, textarea, [role=tab], [role=row]"));
  t.readOnly = function () {
    if (!plan.s) return true;
    if (plan.s.readOnly) plan.say(word("readonly"), { kind: "wrong", seconds: 6 });
    return Boolean(plan.s.readOnly);
  };
})();
