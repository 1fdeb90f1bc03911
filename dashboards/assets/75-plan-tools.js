/* What the planner's tools share: their switches in a bar on the map, snapping to vertices and streets,
   who stands at a vertex, whether moved vertices fold a block, and the figures of what would be. Tools
   themselves are in 76-*.js. Metres are those of `plan.g` (around the middle of the plan). */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const c = w.cases;
  const h = c.h;
  const g = w.planGeometry;
  const t = (w.planTools = {});
  const TILE_ZOOM = 14; // as dashboards.plan_snap_routes
  const MOST_TILES = 16;
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
  t.line = (places) => ({ type: "LineString", coordinates: places.map(t.degrees) });
  t.point = (p) => ({ type: "Point", coordinates: t.degrees(p) });
  t.collection = (shapes) => ({ type: "FeatureCollection", features: shapes.map((geometry) => ({ type: "Feature", properties: {}, geometry })) });

  /* An overlay gets its looks when it is first there, so one that never was is not taken away. */
  const known = new Set();
  t.over = function (id, shape, style) {
    if (shape) known.add(id);
    if (known.has(id)) plan.overlay(id, shape, style);
  };
  /* The blocks that would be another grid, over their fill. */
  let newKey = "";
  t.showNew = function (blocks) {
    const key = (blocks || []).join();
    if (key === newKey) return;
    newKey = key;
    t.over("pt-new", key ? t.collection(blocks.map((i) => plan.block(i))) : null, { line: "accent", width: 1, fill: "accent", fillOpacity: 0.3, before: "plan-lines" });
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

  /* What moving vertices to places (metres) would do: {problem, block, areas: [[row, before, after]]}. */
  t.trial = function (vertices, places) {
    const to = new Map(vertices.map((v, k) => [v, places[k]]));
    const near = new Set();
    for (const v of vertices) for (const i of t.blocksAt(v)) near.add(i);
    const change = new Map();
    for (const i of near) {
      const rings = plan.rings(i);
      const before = rings.map((ring) => Array.from(ring, t.at));
      const after = rings.map((ring) => Array.from(ring, (v) => to.get(v) || t.at(v)));
      const problem = g.fold(before, after, rings.map((ring) => Array.from(ring, (v) => to.has(v))));
      if (problem) return { problem, block: i, areas: [] };
      const row = plan.s.label[i];
      change.set(row, (change.get(row) || 0) + g.areaOf(after) - g.areaOf(before));
    }
    const areas = [...change].map(([row, by]) => [row, plan.s.grids[row].area, plan.s.grids[row].area + by]);
    return { problem: null, block: -1, areas };
  };

  const whole = (n) => Math.round(n).toLocaleString("en-US");
  t.areaText = function (m2) {
    return word("m2", { n: whole(m2) });
  };
  t.areasText = (areas) =>
    areas.map(([row, before, after]) => word("area.change", { grid: plan.gridName(row), before: whole(before), after: t.areaText(after), by: (after < before ? "−" : "+") + whole(Math.abs(after - before)) })).join(word("comma"));

  /* --- streets to snap to ---------------------------------------------------------------------------------- */

  const tiles = new Map();
  function tile(x, y) {
    const key = x + "/" + y;
    if (!tiles.has(key)) {
      const kept = { lines: null };
      tiles.set(key, kept);
      c.get("/plan/snap/streets/" + key + ".json").then((answer) => {
        // Without an answer it is asked for again with the next move.
        if (!answer.ok) return void tiles.delete(key);
        kept.lines = answer.body.lines;
        kept.of = null;
      });
    }
    const kept = tiles.get(key);
    if (kept.lines && kept.of !== plan.g) {
      kept.metres = kept.lines.map((flat) => {
        const line = [];
        for (let k = 0; k < flat.length; k += 2) line.push(t.metres(flat[k], flat[k + 1]));
        const xs = line.map((p) => p[0]);
        const ys = line.map((p) => p[1]);
        return { line, box: [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] };
      });
      kept.of = plan.g;
    }
    return kept;
  }
  function streetsNear(p, reach) {
    const n = 2 ** TILE_ZOOM;
    const [west, south] = t.degrees([p[0] - reach, p[1] - reach]);
    const [east, north] = t.degrees([p[0] + reach, p[1] + reach]);
    const column = (lon) => Math.floor(((lon + 180) / 360) * n);
    const row = (lat) => Math.floor(w.mercatorY(lat) * n);
    const found = [];
    let asked = 0;
    for (let x = column(west); x <= column(east); x++) {
      for (let y = row(north); y <= row(south) && asked < MOST_TILES; y++, asked++) {
        for (const { line, box } of tile(x, y).metres || []) {
          if (box[0] <= p[0] + reach && box[2] >= p[0] - reach && box[1] <= p[1] + reach && box[3] >= p[1] - reach) found.push(line);
        }
      }
    }
    return found;
  }
  t.loadStreets = () => plan.g && streetsNear(t.metres(...plan.unproject(...middleOfMap())), 500);
  const middleOfMap = () => {
    const box = document.querySelector(".map-canvas");
    return [box.clientWidth / 2, box.clientHeight / 2];
  };

  /* Where a place of the map goes: {at, to, vertex}. A vertex that is dragged goes to streets and their
     bends only: put onto another vertex it would fold a block. */
  t.snap = function (lon, lat, dragged) {
    const p = t.metres(lon, lat);
    if (!t.options.snap) return { at: p, to: "", vertex: -1 };
    const reach = t.options.reach * t.perPixel() * w.scale();
    const numbers = [];
    const places = [];
    const near = streetsNear(p, reach);
    if (dragged) {
      const found = g.snap(p, near.flat(), near, reach);
      return { at: found.at, to: found.to && "street", vertex: -1 };
    }
    const seen = new Set();
    const [west, south] = t.degrees([p[0] - reach, p[1] - reach]);
    const [east, north] = t.degrees([p[0] + reach, p[1] + reach]);
    plan.blocksNear(west, south, east, north, (i) => {
      for (const ring of plan.rings(i)) {
        for (const v of ring) {
          if (seen.has(v) || Math.abs(plan.g.x[v] - p[0]) > reach || Math.abs(plan.g.y[v] - p[1]) > reach) continue;
          seen.add(v);
          numbers.push(v);
          places.push(t.at(v));
        }
      }
    });
    const found = g.snap(p, places, near, reach);
    return { at: found.at, to: found.to, vertex: found.to === "vertex" ? numbers[found.row] : -1 };
  };
  /* A ring on the map where the hand was drawn to. */
  t.showSnap = function (found) {
    const to = found && found.to;
    t.over("pt-snap-vertex", to === "vertex" ? t.point(found.at) : null, { line: "accent", width: 2.5, circle: 8 });
    t.over("pt-snap-street", to === "street" ? t.point(found.at) : null, { line: "soon", width: 2.5, circle: 6 });
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
  t.flag = (name, key) =>
    h("button", { type: "button", class: "pt-flag", role: "switch", "data-pt": name, "aria-checked": String(t.options[name]), onclick: () => t.set(name, !t.options[name]) },
      h("i", { "aria-hidden": "true" }), word(key));
  t.action = (key, run, more) =>
    h("button", { type: "button", class: "inc-button" + (more && more.main ? " is-main" : ""), "data-pt": key, disabled: Boolean(more && more.off), onclick: () => { run(); plan.focusMap(); } },
      word(key), more && more.key ? h("kbd", {}, more.key) : null);
  t.snapping = () => [
    t.flag("snap", "snap"),
    t.options.snap
      ? h("label", { class: "pt-reach" }, h("input", {
          type: "number", class: "inc-input", min: 2, max: 60, step: 1, value: t.options.reach, "data-pt": "reach", "aria-label": word("reach"),
          onchange: (event) => t.set("reach", Math.min(60, Math.max(2, Math.round(Number(event.target.value)) || FIRST.reach))),
        }), word("pixels"))
      : null,
  ].filter(Boolean);

  /* What would be: rows of {name, households, people, area, row} with the band; `about` stands for surely or nearly. */
  t.preview = function (rows, note) {
    bar();
    const place = document.getElementById("pt-preview");
    if (!place) return;
    const sign = note && note.nearly ? word("nearly") : "";
    place.replaceChildren(
      ...(rows || []).map((one) =>
        h("div", { class: "pt-side", "data-side": one.key || "" },
          h("i", { class: "pt-key is-" + (one.key || "none"), "aria-hidden": "true" }),
          h("b", {}, one.name),
          h("span", { class: "pt-n" }, sign + plan.text(one.households), h("small", {}, word("households"))),
          one.people === undefined ? null : h("span", { class: "pt-quiet" }, sign + word("people", { n: plan.text(one.people) })),
          one.area === undefined ? null : h("span", { class: "pt-quiet" }, t.areaText(one.area)),
          one.banded === false ? null : plan.bandChip(one.households))),
      ...(note && note.text ? [h("p", { class: "pt-note" + (note.wrong ? " is-wrong" : "") }, note.text)] : [])
    );
  };
  t.clear = function () {
    t.preview(null);
    t.showSnap(null);
    t.showNew(null);
    for (const id of ["pt-line", "pt-point", "pt-area", "pt-drag", "pt-handles", "pt-chosen", "pt-bad"]) t.over(id, null);
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
