/* Snapping: to vertices, to borders of communities, grids and blocks, and to streets, within the pixels that a
   person set. What was snapped to is marked and named on the map. Alt suspends it. A vertex or border that is
   dragged goes only where no block would fold, so it is offered fewer places than a line that is drawn. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const c = w.cases;
  const h = c.h;
  const t = (w.planTools = w.planTools || {});
  const g = w.planGeometry;
  const TILE_ZOOM = 14; // as dashboards.plan_snap_routes
  const MOST_TILES = 16;
  const MOST_TRIES = 6; // of a dragged vertex, nearest first
  const LINES = ["community", "grid", "street", "straight", "block"]; // of equally near ones the first

  /* --- streets ------------------------------------------------------------------------------------------ */

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

  /* --- what is in reach ----------------------------------------------------------------------------------- */

  /* What a border is: of the highest rank that it parts. */
  function rank(i, j) {
    const { label, blocks } = plan.s;
    if (j < 0 || blocks.community[i] !== blocks.community[j]) return "community";
    return label[i] === label[j] ? "block" : "grid";
  }
  /* Vertices and borders of the plan in reach; `held` are vertices in the hand, which they leave out. */
  function planNear(p, reach, held) {
    const { x, y, ring, ringStart, blockRing, head, twin, of } = plan.g;
    const [west, south] = t.degrees([p[0] - reach, p[1] - reach]);
    const [east, north] = t.degrees([p[0] + reach, p[1] + reach]);
    const vertices = new Map();
    const borders = [];
    plan.blocksNear(west, south, east, north, (i) => {
      for (let e = ringStart[blockRing[i]]; e < ringStart[blockRing[i + 1]]; e++) {
        const [a, b] = [ring[e], head[e]];
        if (!held.has(a) && Math.hypot(x[a] - p[0], y[a] - p[1]) <= reach) vertices.set(a, { to: "vertex", at: t.at(a), vertex: a });
        if (twin[e] >= 0 && twin[e] < e) continue; // told from its other side
        if (held.has(a) || held.has(b)) continue;
        const line = [t.at(a), t.at(b)];
        const found = g.nearest(p, line);
        if (found.away <= reach) borders.push({ to: rank(i, twin[e] < 0 ? -1 : of[twin[e]]), at: found.at, line });
      }
    });
    return { vertices: [...vertices.values()], borders };
  }
  const onStreets = (p, streets, reach) =>
    streets.map((line) => ({ line, found: g.nearest(p, line) })).filter(({ found }) => found && found.away <= reach)
      .map(({ line, found }) => ({ to: "street", at: found.at, line: line.slice(found.part, found.part + 2) }));
  const nearest = (p, list) =>
    list.map((one) => ({ ...one, away: g.distance(p, one.at) })).sort((a, b) => a.away - b.away || LINES.indexOf(a.to) - LINES.indexOf(b.to));

  /* Where a hand's place goes: {at, to, vertex, line}; `to` is "" if it goes nowhere. `p` has lon, lat and alt. With
     `drag` = {vertices, places(at)} only places where no block folds; {at, to, weld} if a vertex joins the next. */
  t.snap = function (p, drag) {
    const at = t.metres(p.lon, p.lat);
    const free = { at, to: "", vertex: -1 };
    if (!t.options.snap || p.alt) return free;
    const reach = t.options.reach * t.perPixel() * w.scale();
    const streets = streetsNear(at, reach);
    const near = planNear(at, reach, new Set(drag ? drag.vertices : []));
    const lines = [...near.borders, ...onStreets(at, streets, reach)];
    if (!drag) {
      // A line that follows streets has to lie on one.
      const follow = t.options.follow ? nearest(at, lines.filter((one) => one.to === "street")) : [];
      const [first] = [...follow, ...nearest(at, near.vertices), ...nearest(at, lines)];
      return first ? { vertex: -1, ...first } : free;
    }
    const bends = streets.flat().filter((q) => g.distance(at, q) <= reach).map((q) => ({ to: "street", at: q }));
    const straight = straightOf(drag.vertices, at, reach);
    const spots = nearest(at, [...near.vertices, ...bends]);
    const offers = [...spots.slice(0, MOST_TRIES), ...nearest(at, [...lines, ...straight]).slice(0, MOST_TRIES)];
    for (const offer of offers) {
      if (offer.vertex !== undefined && drag.vertices.length === 1 && joins(drag.vertices[0], offer.vertex)) {
        if (!t.trial(drag.vertices, [null]).problem) return { ...offer, weld: true };
      } else if (!t.trial(drag.vertices, drag.places(offer.at)).problem) return { vertex: -1, ...offer };
    }
    return free;
  };
  /* The two vertices before and after one that only one border runs through. */
  function besides(v) {
    const found = new Set();
    for (const i of t.blocksAt(v)) {
      for (const own of plan.rings(i)) {
        const k = own.indexOf(v);
        if (k < 0) continue;
        found.add(own[(k + 1) % own.length]);
        found.add(own[(k + own.length - 1) % own.length]);
      }
    }
    return found.size === 2 ? [...found] : [];
  }
  /* Dropped onto the next vertex of its border, a vertex is one with it: it is taken out. */
  const joins = (v, onto) => besides(v).includes(onto);
  function straightOf(vertices, p, reach) {
    const ends = vertices.length === 1 ? besides(vertices[0]) : [];
    if (!ends.length) return [];
    const line = ends.map(t.at);
    const found = g.nearest(p, line);
    return found.away <= reach && found.t > 0 && found.t < 1 ? [{ to: "straight", at: found.at, line }] : [];
  }

  /* --- the mark ---------------------------------------------------------------------------------------------- */

  const MARKS = { vertex: "vertex", community: "border", grid: "border", block: "border", straight: "border", street: "street" };
  const LOOKS = {
    vertex: { line: "accent", width: 2.5, circle: 8 },
    border: { line: "accent", width: 5, circle: 6 },
    street: { line: "soon", width: 5, circle: 6 },
  };
  t.showSnap = function (found) {
    const kind = found && MARKS[found.to];
    for (const [name, looks] of Object.entries(LOOKS)) {
      const shapes = name === kind ? [...(found.line && found.line.length > 1 ? [t.line(found.line)] : []), t.point(found.at)] : null;
      t.over("pt-snap-" + name, shapes && t.collection(shapes), looks);
    }
    tag(kind ? found : null);
  };
  function tag(found) {
    const map = document.querySelector("#planner-page .map-canvas");
    let place = document.getElementById("pt-snap-tag");
    if (!found || !map) {
      if (place) place.hidden = true;
      return;
    }
    if (!place) map.parentElement.append((place = h("div", { id: "pt-snap-tag", class: "pt-snap-tag", "aria-hidden": "true" })));
    const text = t.word(found.weld ? "snap.weld" : "snap." + found.to);
    if (place.textContent !== text) place.textContent = text;
    const at = plan.project(...t.degrees(found.at));
    place.hidden = false;
    place.style.transform = "translate(" + Math.round(at.x) + "px," + Math.round(at.y) + "px)";
  }

  /* Alt alone would put the focus on the browser's menu. */
  const snapping = () => plan.s && document.querySelector('#pt-bar:not([hidden]) [data-pt="snap"]');
  function held(event) {
    if (event.key !== "Alt") return;
    const flag = snapping();
    if (!flag) return;
    event.preventDefault();
    flag.classList.toggle("is-held", event.type === "keydown");
    if (event.type === "keydown") t.showSnap(null);
  }
  window.addEventListener("keydown", held, true);
  window.addEventListener("keyup", held, true);
})();
