/* A frame of the replay: where everybody is at the time of the clock, trails, incidents, the way of who is
   followed. The map itself rests while time runs. What changes once a moment is uploaded once a moment. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const k = w.workers;
  const r = k.replay;
  const d = r.draw;
  const PULSE_MS = 1600;
  const TRAIL = 6; // moments
  const AWAY = 0, MOVES = 1, STANDS = 2, SILENT = 3;
  /* Kinds of points: see SHAPE in 62-replay-a-gl.js. */
  const DOT = 1, DIAMOND = 2, PASSED = 3, PICKED = 4, LATE = 5, SOON = 6, FINE = 7, NONE = 8, RING = 9;
  const CASE = { late: LATE, soon: SOON, fine: FINE, none: NONE };
  let painter = null;
  let look = null;
  let now = { slice: null, moment: -1, marked: null, picked: -1, trails: false };
  let ends = { size: -1 };
  let cases = { rows: null, at: -1, data: null, place: null };
  let way = { track: null, count: 0 };

  /* --- place on the screen ------------------------------------------------------------------------ */

  function view(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const c = s.map.getCenter();
    const world = 512 * 2 ** s.map.getZoom() * ratio;
    // Never rotated or tilted: see 20-map.js.
    return { k: world, ox: canvas.width / 2 - ((c.lng + 180) / 360) * world, oy: canvas.height / 2 - w.mercatorY(c.lat) * world, width: canvas.width, height: canvas.height, ratio };
  }
  /* Scale and shift that bring a frame (west, north, size in mercator) to clip space; in doubles. */
  function placing(v, west, north, wide, high) {
    return [(2 * wide * v.k) / v.width, (-2 * high * v.k) / v.height, (2 * (west * v.k + v.ox)) / v.width - 1, 1 - (2 * (north * v.k + v.oy)) / v.height];
  }

  function looks(v) {
    const zoom = s.map.getZoom();
    const key = [Math.round(zoom * 8), v.ratio, s.config.mood, w.scale(), Boolean(r.passedRows)].join();
    if (look && look.key === key) return look;
    const u = w.scale() * v.ratio;
    const near = Math.min(1, Math.max(0, (zoom - w.shift() - 10) / 6));
    const dot = (4.4 + 7 * near) * u + 3 * u;
    const mark = (7 + 6.5 * near) * u + 3 * u;
    const names = ["text", "text", "unknown", "soon", "accent", "late", "soon", "fine", "quiet", "soon"];
    look = {
      key, line: 1 * u, fade: r.passedRows ? 0.4 : 1, panel: d.rgb("panel"), colours: names.flatMap(d.rgb),
      sizes: [0, dot, dot * 1.12, dot * 1.35, dot * 1.9, mark, mark * 1.15, mark * 0.82, mark * 0.82, 26 * u],
    };
    return look;
  }

  /* --- workers ---------------------------------------------------------------------------------------- */

  /* Both ends of the step of each worker from one moment to the next, in the frame of the slice: who is
     marked comes later, so that he lies above, and who is followed last. */
  function prepare(slice, moment) {
    const picked = r.followed ? r.followed.row : -1;
    const marked = r.passedRows || null;
    const trails = d.shown.trails;
    if (now.slice === slice && now.moment === moment && now.marked === marked && now.picked === picked && now.trails === trails) return;
    now = { slice, moment, marked, picked, trails };
    const n = slice.n;
    if (ends.size < n) ends = { size: n, data: new Float32Array(n * 7), mode: new Uint8Array(n) };
    slice.north = slice.table[1024];
    slice.high = slice.table[0] - slice.table[1024];
    d.seen = d.silent = 0;
    const later = [];
    let last = -1;
    let out = 0;
    for (let i = 0, j = moment; i < n; i++, j += slice.moments) {
      const state = slice.state[j];
      ends.mode[i] = !state ? AWAY : state === 3 ? SILENT : moment < slice.moments - 1 && slice.state[j + 1] === 1 ? MOVES : STANDS;
      if (!state) continue;
      if (state === 3) d.silent++;
      else d.seen++;
      const row = slice.rows[i];
      if (row === picked) last = i;
      else if (marked && marked.has(row)) later.push(i);
      else out = put(slice, i, moment, out, ends.mode[i] === SILENT ? DIAMOND : DOT);
    }
    for (const i of later) out = put(slice, i, moment, out, PASSED);
    if (last >= 0) out = put(slice, last, moment, out, PICKED);
    painter.load("workers", ends.data.subarray(0, out), out / 7);
    if (trails) threads(slice, moment);
  }
  const frameY = (slice, v) => (r.worldY(slice, v) - slice.north) / slice.high;
  function put(slice, i, moment, out, kind) {
    const j = i * slice.moments + moment;
    const to = ends.mode[i] === MOVES ? j + 1 : j;
    const data = ends.data;
    data[out] = slice.x[j] / 65535;
    data[out + 1] = frameY(slice, slice.y[j]);
    data[out + 2] = slice.x[to] / 65535;
    data[out + 3] = frameY(slice, slice.y[to]);
    data[out + 4] = kind;
    data[out + 5] = ends.mode[i] === SILENT ? 0.85 : 1;
    data[out + 6] = 1;
    return out + 7;
  }

  /* The way of the last moments, only where it is known: a gap parts it. */
  function threads(slice, moment) {
    const begin = Math.max(0, moment - TRAIL);
    const data = new Float32Array(slice.n * (moment - begin + 1) * 8);
    let out = 0;
    const vertex = (x0, y0, x1, y1) => {
      data[out++] = x0;
      data[out++] = y0;
      data[out++] = x1;
      data[out++] = y1;
    };
    for (let i = 0; i < slice.n; i++) {
      if (ends.mode[i] !== MOVES && ends.mode[i] !== STANDS) continue;
      let j = i * slice.moments + moment;
      let x = slice.x[j] / 65535;
      let y = frameY(slice, slice.y[j]);
      if (ends.mode[i] === MOVES) {
        vertex(x, y, x, y);
        vertex(x, y, slice.x[j + 1] / 65535, frameY(slice, slice.y[j + 1]));
      }
      for (let m = moment; m > begin && slice.state[j] === 1; m--) {
        j--;
        const [px, py] = [slice.x[j] / 65535, frameY(slice, slice.y[j])];
        vertex(x, y, x, y);
        vertex(px, py, px, py);
        [x, y] = [px, py];
      }
    }
    painter.load("threads", data.subarray(0, out), out / 4);
  }

  function place(slice, t) {
    const exact = Math.min(Math.max((t - slice.from) / slice.step, 0), slice.moments - 1);
    const moment = Math.min(Math.floor(exact), slice.moments - 1);
    if (painter) prepare(slice, moment);
    return exact - moment;
  }

  function worldOf(slice, i, share) {
    const j = i * slice.moments + now.moment;
    const x = r.worldX(slice, slice.x[j]);
    const y = r.worldY(slice, slice.y[j]);
    if (ends.mode[i] !== MOVES) return { x, y };
    return { x: x + share * (r.worldX(slice, slice.x[j + 1]) - x), y: y + share * (r.worldY(slice, slice.y[j + 1]) - y) };
  }

  /* Mercator place of one worker now, or null. */
  d.placeOf = function (row) {
    const slice = r.sliceAt(r.t);
    if (!slice || !painter) return null;
    const share = place(slice, r.t);
    const i = r.lineOf(slice, row);
    if (i < 0 || ends.mode[i] === AWAY) return null;
    return { ...worldOf(slice, i, share), silent: ends.mode[i] === SILENT };
  };

  /* --- incidents ---------------------------------------------------------------------------------------- */

  d.stateOf = function (one) {
    if (one.due === null) return "none";
    const left = one.due - r.t;
    return left < 0 ? "late" : left <= s.config.cases.soonS ? "soon" : "fine";
  };

  /* Open ones at this time, looked through four times a second; one that comes while time runs sends out a
     ring. Places count from the middle of the city, so that they are exact as small numbers. */
  const born = new Map();
  function loadCases(wall) {
    const rows = r.cases.rows;
    if (cases.rows !== rows) {
      const box = s.config.bounds;
      cases = { rows, at: -1, wall: 0, data: new Float32Array(rows.length * 7), west: (box[0] + 180) / 360, north: w.mercatorY(box[3]), size: Math.max((box[2] - box[0]) / 360, 1e-6) };
    }
    if (cases.at === r.t || (r.playing && wall - cases.wall < 250)) return;
    const before = cases.at;
    const runs = r.playing && before >= 0 && r.t > before && r.t - before < 1200 && !w.still();
    cases.at = r.t;
    cases.wall = wall;
    let out = 0;
    for (const one of rows) {
      if (one.from > r.t) break;
      if (r.t >= one.to) continue;
      const [x, y] = [(one.x - cases.west) / cases.size, (one.y - cases.north) / cases.size];
      // What was open before the day began stays in the background.
      cases.data.set([x, y, x, y, CASE[d.stateOf(one)], one.from >= 0 ? 1 : 0.4, 1], out);
      out += 7;
      if (runs && one.from > before) born.set(one.id, { wall, x, y });
    }
    d.open = out / 7;
    painter.load("cases", cases.data.subarray(0, out), out / 7);
  }
  function rings(wall) {
    const data = [];
    for (const [id, one] of born) {
      const age = (wall - one.wall) / PULSE_MS;
      if (age >= 1) born.delete(id);
      else data.push(one.x, one.y, one.x, one.y, RING, 1 - age, 0.4 + 1.6 * age);
    }
    painter.load("rings", new Float32Array(data), data.length / 7);
    return data.length > 0;
  }

  /* --- the way of who is followed ------------------------------------------------------------------------- */

  const CORNERS = [[0, -1], [0, 1], [1, -1], [1, -1], [0, 1], [1, 1]];
  /* All steps of the day at once; a frame draws those that are over, and the one that is being gone. */
  function loadWay() {
    const t = r.track;
    if (way.track === t) return;
    const west = Math.min(...t.x), north = Math.min(...t.y);
    const size = Math.max(Math.max(...t.x) - west, Math.max(...t.y) - north, 1e-7);
    const data = [];
    const times = [];
    for (let i = 1; i < t.t.length; i++) {
      if (t.piece[i] !== t.piece[i - 1]) continue;
      const [a, b, x, y] = [(t.x[i - 1] - west) / size, (t.y[i - 1] - north) / size, (t.x[i] - west) / size, (t.y[i] - north) / size];
      for (const corner of CORNERS) data.push(a, b, x, y, ...corner);
      times.push(t.t[i]);
    }
    painter.load("way", new Float32Array(data), data.length / 6);
    way = { track: t, times, west, north, size };
  }
  function drawWay(v) {
    loadWay();
    let low = 0;
    let high = way.times.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (way.times[mid] <= r.t) low = mid + 1;
      else high = mid;
    }
    const where = placing(v, way.west, way.north, way.size, way.size);
    const pixel = [2 / v.width, 2 / v.height];
    const u = w.scale() * v.ratio;
    painter.way("way", where, pixel, 2.4 * u, [...d.rgb("panel"), 0.8], low * 6);
    painter.way("way", where, pixel, 1.2 * u, [...d.rgb("accent"), 1], low * 6);
  }

  /* --- a frame ------------------------------------------------------------------------------------------------ */

  d.frame = function () {
    const canvas = document.getElementById("replay-canvas");
    if (!canvas || !s.map || !r.day) return;
    if (!painter || painter.canvas !== canvas) {
      painter = d.painter(canvas);
      if (!painter) return;
      painter.canvas = canvas;
      d.anew();
    }
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const v = view(canvas);
    const wall = performance.now();
    const style = looks(v);
    painter.begin(width, height);
    let spot = null;
    if (d.shown.incidents) {
      loadCases(wall);
      spot = placing(v, cases.west, cases.north, cases.size, cases.size);
      painter.points("cases", spot, 0, style);
    }
    const slice = r.sliceAt(r.t);
    if (slice) {
      const share = place(slice, r.t);
      const frame = placing(v, slice.west, slice.north, slice.wide, slice.high);
      if (d.shown.trails) painter.threads("threads", frame, share, [...d.rgb("text"), 0.5]);
      if (r.followed && r.track && r.track.t.length > 1) drawWay(v);
      painter.points("workers", frame, share, style);
    }
    if (spot && rings(wall)) painter.points("rings", spot, 0, style);
    labels(v, slice);
    d.frames += 1;
  };
  /* Everything is uploaded again, after the graphics card forgot it. */
  d.anew = function () {
    now = { slice: null, moment: -1 };
    cases = { rows: null, at: -1 };
    way = { track: null };
    look = null;
  };

  /* The name of who is followed, and of all where few are in view from near. */
  function labels(v, slice) {
    const host = document.getElementById("replay-names");
    const names = [];
    if (slice) {
      const share = place(slice, r.t);
      const near = s.map.getZoom() - w.shift() >= 15.2;
      const picked = r.followed ? r.lineOf(slice, r.followed.row) : -1;
      const add = (i, chosen) => {
        if (i < 0 || ends.mode[i] === AWAY || names.length > 60) return;
        const at = worldOf(slice, i, share);
        const [x, y] = [(at.x * v.k + v.ox) / v.ratio, (at.y * v.k + v.oy) / v.ratio];
        if (x < 0 || y < 0 || x > v.width / v.ratio || y > v.height / v.ratio) return;
        names.push([x, y, (r.byRow.get(slice.rows[i]) || [0, "", ""])[2], chosen]);
      };
      add(picked, true);
      if (near) for (let i = 0; i < slice.n && names.length <= 60; i++) if (i !== picked) add(i, false);
    }
    while (host.childElementCount < names.length) host.append(document.createElement("span"));
    while (host.childElementCount > names.length) host.lastChild.remove();
    names.forEach(([x, y, text, chosen], i) => {
      const one = host.children[i];
      if (one.textContent !== text) one.textContent = text;
      one.className = chosen ? "is-chosen" : "";
      one.style.transform = "translate(" + x.toFixed(1) + "px," + y.toFixed(1) + "px) translate(-50%,-1.9em)";
    });
  }

  /* Who or what is near a point of the map, in CSS pixels. */
  d.hit = function (point) {
    const canvas = document.getElementById("replay-canvas");
    if (!s.map || !painter || !r.day) return null;
    const v = view(canvas);
    const [px, py] = [point.x * v.ratio, point.y * v.ratio];
    let best = null;
    let least = (9 * w.scale() * v.ratio) ** 2;
    const near = (at) => (at.x * v.k + v.ox - px) ** 2 + (at.y * v.k + v.oy - py) ** 2;
    const slice = r.sliceAt(r.t);
    if (slice) {
      const share = place(slice, r.t);
      for (let i = 0; i < slice.n; i++) {
        if (ends.mode[i] === AWAY) continue;
        const gap = near(worldOf(slice, i, share));
        if (gap >= least) continue;
        least = gap;
        best = { kind: "worker", row: slice.rows[i], silent: ends.mode[i] === SILENT };
      }
    }
    if (best || !d.shown.incidents) return best;
    for (const one of r.cases.rows) {
      if (one.from > r.t) break;
      if (r.t >= one.to) continue;
      const gap = near(one);
      if (gap >= least) continue;
      least = gap;
      best = { kind: "case", case: one, state: d.stateOf(one) };
    }
    return best;
  };
})();
