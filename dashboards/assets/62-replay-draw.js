/* What moves in the replay, on a canvas over the map: workers, trails, incidents, the one who is
   followed. The map itself rests while time runs, so a frame costs the dots and not the city; streets
   and areas lie in the map. Mercator is worked out once a moment, a frame only adds and multiplies. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const k = w.workers;
  const r = k.replay;
  const EMPTY = { type: "FeatureCollection", features: [] };
  const PULSE_MS = 1600;
  const TRAIL = 6; // moments
  const d = (r.draw = { shown: { incidents: true, streets: true, trails: false }, frames: 0, seen: 0, silent: 0, drawn: 0 });
  let sprites = null;
  let now = { slice: null, moment: -1 };
  const at = { n: 0, x: new Float32Array(0), y: new Float32Array(0), row: new Uint32Array(0), mode: new Uint8Array(0) };

  /* --- sprites ---------------------------------------------------------------------------------------- */

  function sprite(size, ratio, paint) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = Math.ceil(size * ratio);
    const g = canvas.getContext("2d");
    g.scale(ratio, ratio);
    g.translate(size / 2, size / 2);
    paint(g);
    return { canvas, half: canvas.width / 2 };
  }
  function path(g, kind, r0) {
    g.beginPath();
    if (kind === "square") g.rect(-r0 * 0.9, -r0 * 0.9, 1.8 * r0, 1.8 * r0);
    else if (kind === "triangle") {
      g.moveTo(0, -r0 * 1.1);
      g.lineTo(r0 * 1.05, r0 * 0.85);
      g.lineTo(-r0 * 1.05, r0 * 0.85);
      g.closePath();
    } else if (kind === "diamond") {
      g.moveTo(0, -r0 * 1.2);
      g.lineTo(r0 * 1.2, 0);
      g.lineTo(0, r0 * 1.2);
      g.lineTo(-r0 * 1.2, 0);
      g.closePath();
    } else g.arc(0, 0, r0, 0, 2 * Math.PI);
  }
  function make(zoom, ratio) {
    const u = w.scale();
    const near = Math.min(1, Math.max(0, (zoom - w.shift() - 10) / 6));
    const dot = (1.9 + 3.3 * near) * u;
    const size = 2 * (dot + 3 * u);
    const filled = (kind, colour, r0, edge) => (g) => {
      path(g, kind, r0);
      g.fillStyle = w.colour(colour);
      g.fill();
      g.lineWidth = (edge || 0.8) * u;
      g.strokeStyle = w.colour("panel");
      g.stroke();
    };
    const hollow = (kind, colour, r0) => (g) => {
      path(g, kind, r0);
      g.fillStyle = w.colour("panel");
      g.fill();
      g.lineWidth = 1.3 * u;
      g.strokeStyle = w.colour(colour);
      g.stroke();
    };
    const mark = (3.4 + 3.2 * near) * u;
    const big = 2 * (mark + 3 * u);
    return {
      zoom: Math.round(zoom * 4), ratio, mood: s.config.mood, dot,
      seen: sprite(size, ratio, filled("disc", "accent", dot)),
      silent: sprite(size, ratio, hollow("diamond", "unknown", dot * 0.92)),
      passed: sprite(size * 1.5, ratio, filled("disc", "soon", dot * 1.45, 1.4)),
      picked: sprite(size * 2.2, ratio, (g) => {
        path(g, "disc", dot * 1.35);
        g.fillStyle = w.colour("accent");
        g.fill();
        g.lineWidth = 2 * u;
        g.strokeStyle = w.colour("panel");
        g.stroke();
        path(g, "disc", dot * 1.35 + 2.4 * u);
        g.strokeStyle = w.colour("accent");
        g.stroke();
      }),
      late: sprite(big, ratio, filled("square", "late", mark * 0.78)),
      open: sprite(big, ratio, filled("triangle", "soon", mark * 0.8)),
    };
  }

  /* --- where everybody is --------------------------------------------------------------------------- */

  const MOVES = 1, STANDS = 2, SILENT = 3;
  let ends = null;

  /* Both ends of the way of each worker from one moment to the next, in mercator. */
  function prepare(slice, moment) {
    if (now.slice === slice && now.moment === moment) return;
    now = { slice, moment };
    const n = slice.n;
    if (!ends || ends.size < n) {
      ends = { size: n, ax: new Float64Array(n), ay: new Float64Array(n), bx: new Float64Array(n), by: new Float64Array(n), mode: new Uint8Array(n) };
      for (const name of ["x", "y"]) at[name] = new Float32Array(n);
      at.row = new Uint32Array(n);
      at.mode = new Uint8Array(n);
    }
    const last = slice.moments - 1;
    d.seen = d.silent = 0;
    for (let i = 0, j = moment; i < n; i++, j += slice.moments) {
      const state = slice.state[j];
      if (!state) {
        ends.mode[i] = 0;
        continue;
      }
      ends.ax[i] = r.worldX(slice, slice.x[j]);
      ends.ay[i] = r.worldY(slice, slice.y[j]);
      if (state === 3) {
        ends.mode[i] = SILENT;
        d.silent++;
        continue;
      }
      d.seen++;
      if (moment < last && slice.state[j + 1] === 1) {
        ends.mode[i] = MOVES;
        ends.bx[i] = r.worldX(slice, slice.x[j + 1]);
        ends.by[i] = r.worldY(slice, slice.y[j + 1]);
      } else ends.mode[i] = STANDS;
    }
  }

  function place(slice, t) {
    const exact = Math.min(Math.max((t - slice.from) / slice.step, 0), slice.moments - 1);
    const moment = Math.min(Math.floor(exact), slice.moments - 1);
    prepare(slice, moment);
    return exact - moment;
  }

  /* Mercator place of one worker now, or null. */
  d.placeOf = function (row) {
    const slice = r.sliceAt(r.t);
    if (!slice) return null;
    const share = place(slice, r.t);
    const i = r.lineOf(slice, row);
    if (i < 0 || !ends.mode[i]) return null;
    const moves = ends.mode[i] === MOVES;
    return {
      x: ends.ax[i] + (moves ? share * (ends.bx[i] - ends.ax[i]) : 0),
      y: ends.ay[i] + (moves ? share * (ends.by[i] - ends.ay[i]) : 0),
      silent: ends.mode[i] === SILENT,
    };
  };

  /* --- a frame ------------------------------------------------------------------------------------------ */

  function view(canvas, ratio) {
    const map = s.map;
    const c = map.getCenter();
    const world = 512 * 2 ** map.getZoom();
    const mid = { x: (c.lng + 180) / 360, y: w.mercatorY(c.lat) };
    // Never rotated or tilted: see 20-map.js.
    return { k: world * ratio, ox: canvas.width / 2 - mid.x * world * ratio, oy: canvas.height / 2 - mid.y * world * ratio };
  }

  d.frame = function () {
    const canvas = document.getElementById("replay-canvas");
    const map = s.map;
    if (!canvas || !map || !r.day) return;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const g = canvas.getContext("2d");
    g.clearRect(0, 0, width, height);
    const zoom = map.getZoom();
    if (!sprites || sprites.zoom !== Math.round(zoom * 4) || sprites.ratio !== ratio || sprites.mood !== s.config.mood) sprites = make(zoom, ratio);
    const v = view(canvas, ratio);
    if (d.shown.incidents) cases(g, v, width, height);
    const slice = r.sliceAt(r.t);
    at.n = 0;
    if (slice) {
      const share = place(slice, r.t);
      if (d.shown.trails) trails(g, v, slice, share, width, height);
      if (r.followed && r.track) trail(g, v, ratio);
      workers(g, v, slice, share, width, height);
    }
    d.frames += 1;
  };

  function workers(g, v, slice, share, width, height) {
    const marked = r.passedRows;
    const picked = r.followed ? r.followed.row : -1;
    let n = 0;
    let chosen = -1;
    g.globalAlpha = marked ? 0.45 : 1;
    const late = [];
    for (let i = 0; i < slice.n; i++) {
      const mode = ends.mode[i];
      if (!mode) continue;
      let x = ends.ax[i];
      let y = ends.ay[i];
      if (mode === MOVES) {
        x += share * (ends.bx[i] - x);
        y += share * (ends.by[i] - y);
      }
      x = x * v.k + v.ox;
      y = y * v.k + v.oy;
      if (x < -20 || y < -20 || x > width + 20 || y > height + 20) continue;
      const row = slice.rows[i];
      at.x[n] = x;
      at.y[n] = y;
      at.row[n] = row;
      at.mode[n] = mode;
      if (row === picked) chosen = n;
      else if (marked && marked.has(row)) late.push(n);
      else {
        const one = mode === SILENT ? sprites.silent : sprites.seen;
        g.drawImage(one.canvas, x - one.half, y - one.half);
      }
      n++;
    }
    at.n = n;
    d.drawn = n;
    g.globalAlpha = 1;
    for (const i of late) g.drawImage(sprites.passed.canvas, at.x[i] - sprites.passed.half, at.y[i] - sprites.passed.half);
    if (chosen >= 0) {
      const one = sprites.picked;
      g.globalAlpha = at.mode[chosen] === SILENT ? 0.6 : 1;
      g.drawImage(one.canvas, at.x[chosen] - one.half, at.y[chosen] - one.half);
      g.globalAlpha = 1;
      label(g, at.x[chosen], at.y[chosen] - one.half, r.followed.name);
    } else if (zoomedIn() && n < 400) {
      for (let i = 0; i < n; i++) label(g, at.x[i], at.y[i] - sprites.seen.half, name(at.row[i]), true);
    }
  }
  const zoomedIn = () => s.map.getZoom() - w.shift() >= 15.2;
  const name = (row) => (r.byRow.get(row) || [0, "", ""])[2];

  function label(g, x, y, text, quiet) {
    const u = w.scale() * (window.devicePixelRatio || 1);
    g.font = (quiet ? "" : "600 ") + (quiet ? 11 : 13) * u + "px " + getComputedStyle(document.body).fontFamily;
    g.textAlign = "center";
    g.lineWidth = 3 * u;
    g.strokeStyle = w.colour("panel");
    g.strokeText(text, x, y);
    g.fillStyle = w.colour("text");
    g.fillText(text, x, y);
  }

  /* The way of the last moments, only where it is known; a gap parts it. */
  function trails(g, v, slice, share, width, height) {
    const end = now.moment;
    const begin = Math.max(0, end - TRAIL);
    g.beginPath();
    for (let i = 0; i < slice.n; i++) {
      if (ends.mode[i] !== MOVES && ends.mode[i] !== STANDS) continue;
      const x0 = ends.ax[i] * v.k + v.ox;
      const y0 = ends.ay[i] * v.k + v.oy;
      if (x0 < -99 || y0 < -99 || x0 > width + 99 || y0 > height + 99) continue;
      let j = i * slice.moments + end;
      if (ends.mode[i] === MOVES) {
        g.moveTo((ends.ax[i] + share * (ends.bx[i] - ends.ax[i])) * v.k + v.ox, (ends.ay[i] + share * (ends.by[i] - ends.ay[i])) * v.k + v.oy);
        g.lineTo(x0, y0);
      } else g.moveTo(x0, y0);
      for (let m = end; m > begin && slice.state[j] === 1; m--) {
        j--;
        g.lineTo(r.worldX(slice, slice.x[j]) * v.k + v.ox, r.worldY(slice, slice.y[j]) * v.k + v.oy);
      }
    }
    g.strokeStyle = w.colour("accent");
    g.globalAlpha = 0.4;
    g.lineWidth = 1.4 * w.scale() * (window.devicePixelRatio || 1);
    g.stroke();
    g.globalAlpha = 1;
  }

  /* The whole way of who is followed, as far as the clock is; no line through a gap. */
  function trail(g, v, ratio) {
    const way = r.track;
    if (!way || !way.t.length) return;
    let end = way.t.length;
    if (way.t[end - 1] > r.t) {
      let low = 0;
      while (low < end) {
        const mid = (low + end) >> 1;
        if (way.t[mid] <= r.t) low = mid + 1;
        else end = mid;
      }
    }
    g.beginPath();
    for (let i = 0; i < end; i++) {
      const x = way.x[i] * v.k + v.ox;
      const y = way.y[i] * v.k + v.oy;
      if (!i || way.piece[i] !== way.piece[i - 1]) g.moveTo(x, y);
      else g.lineTo(x, y);
    }
    const here = d.placeOf(r.followed.row);
    if (end && here && !here.silent) g.lineTo(here.x * v.k + v.ox, here.y * v.k + v.oy);
    g.strokeStyle = w.colour("panel");
    g.lineWidth = 4.5 * w.scale() * ratio;
    g.lineJoin = g.lineCap = "round";
    g.globalAlpha = 0.7;
    g.stroke();
    g.globalAlpha = 0.95;
    g.strokeStyle = w.colour("accent");
    g.lineWidth = 2.2 * w.scale() * ratio;
    g.stroke();
    g.globalAlpha = 1;
  }

  /* Incidents that are open at this time; one that comes while time runs sends out a ring. */
  const born = new Map();
  let before = null;
  function cases(g, v, width, height) {
    const t = r.t;
    const wall = performance.now();
    const runs = r.playing && before !== null && t >= before && t - before < 600 && !w.still();
    d.open = 0;
    for (const one of r.cases.rows) {
      if (one.from > t) break;
      if (t >= one.to) continue;
      d.open++;
      const x = one.x * v.k + v.ox;
      const y = one.y * v.k + v.oy;
      if (x < -20 || y < -20 || x > width + 20 || y > height + 20) continue;
      const late = one.due !== null && t > one.due;
      const mark = late ? sprites.late : sprites.open;
      // What was open before the day began stays in the background.
      g.globalAlpha = one.from >= 0 ? 1 : 0.38;
      g.drawImage(mark.canvas, x - mark.half, y - mark.half);
      if (runs && one.from > before) born.set(one.id, { wall, x: one.x, y: one.y });
    }
    g.globalAlpha = 1;
    before = t;
    for (const [id, ring] of born) {
      const age = (wall - ring.wall) / PULSE_MS;
      if (age >= 1) {
        born.delete(id);
        continue;
      }
      const u = w.scale() * (window.devicePixelRatio || 1);
      g.beginPath();
      g.arc(ring.x * v.k + v.ox, ring.y * v.k + v.oy, (5 + 22 * age) * u, 0, 2 * Math.PI);
      g.strokeStyle = w.colour("soon");
      g.lineWidth = 2 * u;
      g.globalAlpha = 1 - age;
      g.stroke();
      g.globalAlpha = 1;
    }
  }

  /* Who or what is near a point of the map, in CSS pixels. */
  d.hit = function (point) {
    const ratio = window.devicePixelRatio || 1;
    const [px, py] = [point.x * ratio, point.y * ratio];
    let best = null;
    let far = (9 * w.scale() * ratio) ** 2;
    for (let i = 0; i < at.n; i++) {
      const gap = (at.x[i] - px) ** 2 + (at.y[i] - py) ** 2;
      if (gap < far) {
        far = gap;
        best = { kind: "worker", row: at.row[i], silent: at.mode[i] === SILENT };
      }
    }
    if (best || !d.shown.incidents || !s.map) return best;
    const canvas = document.getElementById("replay-canvas");
    const v = view(canvas, ratio);
    for (const one of r.cases.rows) {
      if (one.from > r.t) break;
      if (r.t >= one.to) continue;
      const gap = (one.x * v.k + v.ox - px) ** 2 + (one.y * v.k + v.oy - py) ** 2;
      if (gap < far) {
        far = gap;
        best = { kind: "case", case: one, late: one.due !== null && r.t > one.due };
      }
    }
    return best;
  };

  /* --- streets, areas, shares: in the map ---------------------------------------------------------------- */

  let lit = -1;
  d.dress = function (map) {
    const u = w.scale();
    const source = (id) => map.getSource(id) || map.addSource(id, { type: "geojson", data: EMPTY });
    const add = (layer, under) => map.getLayer(layer.id) || map.addLayer(layer, under && map.getLayer(under) ? under : undefined);
    source("rp-streets");
    source("rp-area");
    source("rp-track");
    const grids = w.map.addLevel(map, "grid").source;
    add({ id: "rp-share", type: "fill", source: grids, paint: {
      "fill-color": w.colour("accent"), "fill-opacity": ["coalesce", ["feature-state", "share"], 0] } }, "over-data");
    add({ id: "rp-streets", type: "line", source: "rp-streets", layout: { "line-cap": "round", "line-join": "round" }, paint: {
      "line-color": w.colour("fine"), "line-width": ["interpolate", ["linear"], ["zoom"], 10 + w.shift(), 1 * u, 13 + w.shift(), 2 * u, 16 + w.shift(), 4.5 * u],
      "line-opacity": ["case", ["boolean", ["feature-state", "on"], false], 0.62, 0] } }, "over-data");
    add({ id: "rp-track", type: "line", source: "rp-track", layout: { "line-cap": "round", "line-join": "round" }, paint: {
      "line-color": ["match", ["get", "kind"], "day", w.colour("accent"), w.colour("soon")],
      "line-opacity": ["match", ["get", "kind"], "day", 0.3, 0.75], "line-width": 2 * u } }, "over-data");
    add({ id: "rp-area", type: "fill", source: "rp-area", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": w.colour("soon"), "fill-opacity": 0.14 } });
    add({ id: "rp-area-line", type: "line", source: "rp-area", paint: { "line-color": w.colour("soon"), "line-width": 2.2 * u, "line-dasharray": [2, 1] } });
    add({ id: "rp-area-point", type: "circle", source: "rp-area", filter: ["==", ["geometry-type"], "Point"], paint: {
      "circle-radius": 4 * u, "circle-color": w.colour("soon"), "circle-stroke-color": w.colour("panel"), "circle-stroke-width": 1.5 * u } });
    lit = -1;
    d.showStreets();
    if (r.areaShape) map.getSource("rp-area").setData(r.areaShape);
    if (r.trackShape) map.getSource("rp-track").setData(r.trackShape);
  };

  d.loadStreets = async function () {
    r.streets = null;
    if (!r.day.may || !r.day.streets) return;
    const mine = r.turn;
    const answer = await k.get("/replay/streets", { day: r.day.day, v: r.day.version });
    if (mine !== r.turn || !answer.ok || answer.status === 202 || !answer.body.lines) return;
    r.streets = answer.body;
    d.showStreets();
  };

  d.showStreets = function () {
    const source = s.map && s.map.getSource("rp-streets");
    if (!source) return;
    source.setData(r.streets ? r.streets.lines : EMPTY);
    s.map.setLayoutProperty("rp-streets", "visibility", d.shown.streets ? "visible" : "none");
    lit = -1;
    d.fillStreets();
  };

  /* Streets reached by now are lit; only those whose time came or went since are touched. */
  d.fillStreets = function () {
    if (!r.streets || !s.map || !s.map.getSource("rp-streets")) return;
    const bin = Math.floor(r.t / r.streets.bin) - 1;
    if (bin === lit) return;
    for (const { id } of r.streets.lines.features) {
      const [was, is] = [lit >= 0 && id <= lit, id <= bin];
      if (was !== is) s.map.setFeatureState({ source: "rp-streets", id }, { on: is });
    }
    lit = Math.max(bin, -1);
  };
  d.coveredShare = function () {
    if (!r.streets || !r.streets.street_m) return null;
    const bin = Math.floor(r.t / r.streets.bin) - 1;
    return bin < 0 ? 0 : r.streets.covered_m[Math.min(bin, r.streets.covered_m.length - 1)] / r.streets.street_m;
  };

  d.showArea = function (shape) {
    r.areaShape = shape || EMPTY;
    const source = s.map && s.map.getSource("rp-area");
    if (source) source.setData(r.areaShape);
  };
  d.showTracks = function (features) {
    r.trackShape = { type: "FeatureCollection", features: features || [] };
    const source = s.map && s.map.getSource("rp-track");
    if (source) source.setData(r.trackShape);
  };

  /* Shares of those who may not see tracks: how many workers in each grid, in five strengths. */
  let shaded = [];
  d.showShares = function (grids) {
    if (!s.map || !s.map.getLayer("rp-share")) return;
    const source = s.map.getLayer("rp-share").source;
    for (const id of shaded) s.map.setFeatureState({ source, id }, { share: 0 });
    shaded = grids.map((one) => one[0]);
    for (const [id, , n] of grids) s.map.setFeatureState({ source, id }, { share: d.strength(n) });
  };
  d.strength = (n) => [0, 0.16, 0.28, 0.42, 0.58, 0.74][Math.min(5, n <= 1 ? 1 : n <= 2 ? 2 : n <= 4 ? 3 : n <= 8 ? 4 : 5)];
})();
