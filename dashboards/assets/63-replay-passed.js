/* "Who passed here": an area by two clicks, by corners, or by choosing a grid; a span of the day; a table of
   who came, when, how long and how near, and of whom it is not known. Corners may be set by keyboard too:
   Enter on the map clicks at the cross in its middle. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const c = w.cases;
  const h = c.h;
  const k = w.workers;
  const r = k.replay;
  const d = r.draw;
  const id = (name) => document.getElementById("replay-" + name);
  const say = k.say;
  const KINDS = ["box", "circle", "poly"];
  const METRES = 111_320; // of a degree of latitude, for the drawing only; the server measures
  let corners = [];
  let grids = null;

  const place = () => id("passed");
  const far = (a, b) => Math.hypot((b[0] - a[0]) * Math.cos((a[1] * Math.PI) / 180), b[1] - a[1]) * METRES;
  const round = (n) => Math.round(n * 1e6) / 1e6;

  /* --- shapes ------------------------------------------------------------------------------------------ */

  function ring(lon, lat, radius) {
    const points = [];
    for (let i = 0; i <= 64; i++) {
      const a = (i / 64) * 2 * Math.PI;
      points.push([lon + (Math.cos(a) * radius) / METRES / Math.cos((lat * Math.PI) / 180), lat + (Math.sin(a) * radius) / METRES]);
    }
    return points;
  }
  const polygon = (points) => ({ type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [points] } });
  function shapeOf(text) {
    const [kind, told] = [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 1)];
    const n = told.split(/[,;]/).map(Number);
    if (kind === "box") return polygon([[n[0], n[1]], [n[2], n[1]], [n[2], n[3]], [n[0], n[3]], [n[0], n[1]]]);
    if (kind === "circle") return polygon(ring(n[0], n[1], n[2]));
    if (kind === "poly") {
      const points = [];
      for (let i = 0; i + 1 < n.length; i += 2) points.push([n[i], n[i + 1]]);
      return polygon([...points, points[0]]);
    }
    return null;
  }
  /* The area of the address on the map; a grid is outlined as everywhere. */
  function show() {
    const grid = (r.area || "").startsWith("grid:") ? r.area.slice(5) : null;
    if (w.map.select) w.map.select(grid);
    d.showArea(r.area && !grid ? shapeOf(r.area) : null);
  }

  /* --- drawing ------------------------------------------------------------------------------------------- */

  r.draw_ = function (kind) {
    r.drawing = kind;
    corners = [];
    r.side("passed");
    d.showArea(null);
    if (w.map.select) w.map.select(null);
    note(kind + ".0");
    marks();
    if (s.map) s.map.getCanvas().focus({ preventScroll: true });
  };
  r.stopDrawing = function () {
    r.drawing = null;
    corners = [];
    note(null);
    marks();
    show();
  };
  function note(key) {
    const text = id("draw-note");
    text.hidden = !key;
    text.replaceChildren(...(key ? [h("span", {}, say("draw." + key)),
      corners.length >= 3 ? h("button", { type: "button", class: "inc-button is-small is-main", id: "replay-draw-done", onclick: finish }, say("draw.done")) : null,
      h("button", { type: "button", class: "inc-button is-small", onclick: r.stopDrawing }, say("draw.stop"))].filter(Boolean) : []));
  }
  function marks() {
    document.querySelectorAll("[data-draw]").forEach((b) => b.setAttribute("aria-pressed", String(r.drawing === b.dataset.draw)));
  }
  r.point = function (event) {
    const at = [round(event.lon), round(event.lat)];
    const kind = r.drawing;
    if (kind === "poly") {
      const near = corners.length >= 3 && s.map && pixels(corners[0], at) < 10 * w.scale();
      if (near) return finish();
      corners.push(at);
      note("poly." + (corners.length >= 3 ? "2" : "1"));
      return r.hover({ lng: at[0], lat: at[1] });
    }
    corners.push(at);
    if (corners.length < 2) {
      note(kind + ".1");
      return d.showArea({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: at } });
    }
    finish();
  };
  function pixels(a, b) {
    const [p, q] = [s.map.project(a), s.map.project(b)];
    return Math.hypot(p.x - q.x, p.y - q.y);
  }
  r.hover = function (lngLat) {
    if (!corners.length) return;
    const at = [lngLat.lng, lngLat.lat];
    const features = corners.map((p) => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: p } }));
    if (r.drawing === "poly") {
      const line = [...corners, at];
      features.push(line.length > 2 ? polygon([...line, line[0]]) : { type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: line } });
    } else features.push(shapeOf(text([corners[0], at])));
    d.showArea({ type: "FeatureCollection", features });
  };
  function text(points) {
    const [a, b] = points;
    if (r.drawing === "circle") return "circle:" + [a[0], a[1], Math.max(1, Math.round(far(a, b)))].join(",");
    if (r.drawing === "box") return "box:" + [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])].map(round).join(",");
    return "poly:" + points.map((p) => p.join(",")).join(";");
  }
  function finish() {
    const [kind, points] = [r.drawing, corners];
    if (kind === "poly" ? points.length < 3 : points.length < 2) return;
    const told = text(points);
    r.drawing = null;
    corners = [];
    note(null);
    marks();
    choose(told);
  }
  function choose(told) {
    r.area = told;
    show();
    r.ask();
  }

  /* --- asking ------------------------------------------------------------------------------------------------- */

  let turn = 0;
  r.ask = async function () {
    r.writeAddress();
    r.drawScrub();
    show();
    if (!r.day || !r.area) return;
    r.side("passed");
    const result = id("passed-result");
    if (!r.day.may) return result.replaceChildren(h("div", { class: "ws-state" }, h("p", {}, r.day.why)));
    const [from, to] = [r.seconds(r.since), r.seconds(r.until)];
    if (from === null || to === null || from >= to) return result.replaceChildren(h("p", { class: "inc-problem" }, say("passed.span")));
    result.setAttribute("aria-busy", "true");
    if (!result.querySelector("table")) result.replaceChildren(h("p", { class: "inc-empty" }, say("loading")));
    const mine = ++turn;
    const answer = await k.get("/replay/passed", { day: r.date, area: r.area, from, to });
    if (mine !== turn) return;
    result.removeAttribute("aria-busy");
    if (!answer.ok || answer.status === 202) return result.replaceChildren(h("p", { class: "inc-problem" }, answer.status === 202 ? say("loading") : c.trouble(answer)));
    tell(answer.body);
  };

  function tell(found) {
    const rows = new Set(found.rows.map((one) => (r.byId.get(one[0]) || [-1])[0]));
    r.passedRows = rows.size ? rows : null;
    document.querySelector("#replay-tab-passed .inc-count").textContent = found.total.toLocaleString("en-US");
    const span = r.since + "–" + r.until;
    const head = found.name ? say("passed.grid", { name: found.name, span, n: found.total }) : say("passed.area", { span, n: found.total });
    const minutes = (n) => (n < 1 ? say("passed.seconds", { n: Math.round(n * 60) }) : say("passed.minutes", { n: n < 10 ? n.toFixed(1) : Math.round(n) }));
    const table = h("table", { class: "rp-table" },
      h("thead", {}, h("tr", {}, ["who", "first", "last", "inside", "near"].map((name) => h("th", { class: name === "who" ? null : "is-number", scope: "col", title: say("passed." + name + ".help") }, say("passed." + name))))),
      h("tbody", {}, found.rows.map((one) => h("tr", { "data-worker": one[0] },
        h("td", {}, h("button", { type: "button", class: "inc-link", onclick: () => go(one[0], one[2]) }, one[1])),
        h("td", { class: "is-number" }, r.clock(one[2])), h("td", { class: "is-number" }, r.clock(one[3])),
        h("td", { class: "is-number" }, minutes(one[4])), h("td", { class: "is-number" }, Math.round(one[5]) + " m")))));
    const maybe = found.unknown_total ? h("details", { class: "inc-more rp-unknown" },
      h("summary", {}, h("i", { class: "mark mark-diamond state-unknown", "aria-hidden": "true" }), " " + say("passed.unknown", { n: found.unknown_total })),
      h("p", { class: "inc-quiet" }, say("passed.unknown.why")),
      h("ul", {}, found.unknown.map((one) => h("li", {}, h("button", { type: "button", class: "inc-link", onclick: () => go(one[0], r.seconds(r.since)) }, one[1]),
        h("span", { class: "inc-quiet" }, " " + say("passed.silent", { n: Math.round(one[2]), far: one[3] === null ? "–" : one[3] >= 1000 ? (one[3] / 1000).toFixed(1) + " km" : one[3] + " m" })))))) : null;
    id("passed-result").replaceChildren(
      h("p", { class: "rp-passed-head", role: "status" }, head),
      ...(found.total ? [table] : [h("p", { class: "inc-empty" }, say("passed.none"))]),
      ...(found.total > found.rows.length ? [h("p", { class: "inc-quiet rp-note" }, say("passed.more", { n: found.rows.length }))] : []),
      ...(maybe ? [maybe] : []),
      ...(found.note ? [h("p", { class: "inc-quiet rp-note" }, found.note)] : []),
      h("p", { class: "inc-quiet rp-note" }, say("passed.noted")));
    highlight(found.rows.slice(0, 12));
    r.tick();
  }

  /* The ways of the first of them within the span, as they were when they passed. */
  async function highlight(rows) {
    const mine = turn;
    const [from, to] = [r.seconds(r.since), r.seconds(r.until)];
    const features = [];
    for (const one of rows) {
      const answer = await k.get("/replay/track", { day: r.date, worker: one[0], for: "passed" });
      if (mine !== turn) return;
      if (!answer.ok || answer.status === 202) continue;
      const way = answer.body;
      const keep = way.t.map((t, i) => i).filter((i) => way.t[i] >= from - 60 && way.t[i] < to + 60);
      const cut = { lon: keep.map((i) => way.lon[i]), lat: keep.map((i) => way.lat[i]), piece: keep.map((i) => way.piece[i]) };
      features.push(...r.pieces(cut, "passed"));
    }
    if (mine === turn && !r.followed) d.showTracks(features);
    r.passedWays = features;
  }
  function go(worker, t) {
    r.seek(Math.max(0, t - 60));
    r.follow(worker);
    r.side("passed");
  }
  function clear() {
    turn++;
    r.area = "";
    r.passedRows = r.passedWays = null;
    document.querySelector("#replay-tab-passed .inc-count").textContent = "";
    id("passed-result").replaceChildren(h("p", { class: "inc-empty" }, say("passed.how")));
    if (!r.followed) d.showTracks([]);
    show();
    r.drawScrub();
    r.writeAddress();
    r.tick();
  }

  /* --- the panel ---------------------------------------------------------------------------------------------- */

  r.beginAsking = function () {
    // A field of its own: that of the browser would show 12 hours where its own language does.
    const time = (name, key) => h("input", { type: "text", class: "inc-input rp-time", id: "replay-" + name, value: r[key], maxlength: 5, placeholder: "00:00", inputmode: "numeric", autocomplete: "off", "aria-label": say("passed." + name), onchange: (event) => {
      const told = /^([01]?\d|2[0-4])[:：]?([0-5]\d)$/.exec(event.target.value.trim());
      if (told) r[key] = told[1].padStart(2, "0") + ":" + told[2];
      event.target.value = r[key];
      if (r.area) r.ask();
    } });
    const grid = c.combo({
      id: "replay-grid", placeholder: say("passed.choose"), label: say("passed.choose"), onchange: (one) => one && choose("grid:" + one.value),
      options: async (typed) => {
        if (!grids) grids = [...(await w.map.units("grid")).values()].map((one) => ({ value: one.code, label: one.name, hint: one.code }));
        const parts = typed.trim().toLowerCase().split(/\s+/).filter(Boolean);
        return grids.filter((one) => parts.every((part) => (one.label + " " + one.value).toLowerCase().includes(part)));
      },
    });
    place().replaceChildren(
      h("div", { class: "rp-ask" },
        h("div", { class: "rp-ask-row", role: "group", "aria-label": say("passed.draw") },
          KINDS.map((kind) => h("button", { type: "button", class: "inc-button is-small", "data-draw": kind, "aria-pressed": "false", title: say("draw." + kind + ".help"), onclick: () => (r.drawing === kind ? r.stopDrawing() : r.draw_(kind)) }, say("draw." + kind))),
          h("button", { type: "button", class: "inc-button is-small", onclick: clear, id: "replay-clear" }, say("passed.clear"))),
        grid.element,
        h("div", { class: "rp-ask-row" }, time("from", "since"), h("span", {}, "–"), time("to", "until"))),
      h("div", { id: "replay-passed-result", class: "rp-result" }, h("p", { class: "inc-empty" }, say("passed.how"))));
    if (r.area) r.side("passed");
  };
})();
