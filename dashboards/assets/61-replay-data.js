/* The day that is replayed: its summary, its incidents, and slices of positions as typed arrays.
   A slice is asked for a little before it is needed, sized to the screen and the speed; see
   dashboards/replay_pack.py for its bytes. Nothing here draws. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const k = w.workers;
  const r = (k.replay = {
    day: null, // the summary, or null while there is none
    cases: { kinds: [], rows: [], more: 0 },
    t: 0, // seconds since midnight
    speed: 60,
    playing: false,
    turn: 0, // counts days; an answer of an older one is dropped
  });
  const KEPT = 8;
  const MOMENTS = 60;
  const slices = new Map();
  const asked = new Map();
  r.slices = slices;
  r.stats = { slices: 0, bytes: 0, server_ms: 0, decode_ms: 0 };

  /* --- the day ------------------------------------------------------------------------------------ */

  /* Ask until the day is there; `told` hears how far its loading is. */
  r.load = async function (date, told) {
    const mine = ++r.turn;
    r.day = null;
    slices.clear();
    asked.clear();
    for (;;) {
      const answer = await k.get("/replay/day", { day: date });
      if (mine !== r.turn) return null;
      if (answer.status === 202) {
        told(answer.body.loading);
        await new Promise((resolve) => window.setTimeout(resolve, 350));
        if (mine !== r.turn) return null;
        continue;
      }
      if (!answer.ok) return { error: w.cases.trouble(answer) };
      r.day = answer.body;
      r.byRow = new Map(r.day.people.map((p) => [p[0], p]));
      r.byId = new Map(r.day.people.map((p) => [p[1], p]));
      return r.day;
    }
  };

  /* A newer state of the day that is open: the summary only, slices come by their version. */
  r.renew = async function () {
    const mine = r.turn;
    const answer = await k.get("/replay/day", { day: r.day.day });
    if (mine !== r.turn || !answer.ok || answer.status === 202 || !r.day) return false;
    const changed = answer.body.version !== r.day.version || answer.body.streets !== r.day.streets;
    if (answer.body.version !== r.day.version) {
      slices.clear();
      asked.clear();
    }
    r.day = answer.body;
    r.byRow = new Map(r.day.people.map((p) => [p[0], p]));
    r.byId = new Map(r.day.people.map((p) => [p[1], p]));
    return changed;
  };

  r.loadCases = async function () {
    const mine = r.turn;
    const answer = await k.get("/replay/incidents", { day: r.day.day });
    if (mine !== r.turn || !answer.ok) return;
    const { kinds, rows, more } = answer.body;
    // Mercator once, so that a frame only adds and multiplies.
    const places = rows.map((c) => ({
      id: c[0], what: kinds[c[1]], lon: c[2], lat: c[3], x: (c[2] + 180) / 360, y: w.mercatorY(c[3]),
      from: c[4], due: c[5], to: c[6] === null ? Infinity : c[6],
    }));
    r.cases = { rows: places.sort((a, b) => a.from - b.from), more };
  };

  r.openCases = function () {
    let n = 0;
    for (const one of r.cases.rows) if (one.from <= r.t && r.t < one.to) n++;
    return n;
  };

  /* --- slices --------------------------------------------------------------------------------------- */

  const STEPS = [2, 5, 10, 15, 30, 60];
  /* A quarter of a second of the screen a moment, and whole steps. */
  r.stepOf = (speed) => STEPS.find((step) => step >= speed / 4) || 60;
  const lengthOf = (speed) => r.stepOf(speed) * MOMENTS;

  /* The part of the world that slices are asked for: the view with something around it, kept while the
     view stays inside and about as large, so that a small pan asks nothing. */
  let box = null;
  r.box = function () {
    const map = w.s.map;
    const all = w.s.config.bounds;
    if (!map) return all;
    const b = map.getBounds();
    const view = [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()];
    const wide = view[2] - view[0];
    const inside = box && view[0] >= box[0] && view[1] >= box[1] && view[2] <= box[2] && view[3] <= box[3];
    if (inside && (box === r.whole || box[2] - box[0] <= wide * 4)) return box;
    const covers = view[0] <= all[0] && view[1] <= all[1] && view[2] >= all[2] && view[3] >= all[3];
    // As wide as the city or nearly: everybody, in a frame that every such view shares.
    if (covers || wide > (all[2] - all[0]) * 0.7) {
      const pad = Math.max(wide, all[2] - all[0]) / 4;
      r.whole = [all[0] - pad, all[1] - pad, all[2] + pad, all[3] + pad].map((n) => Math.round(n * 1e4) / 1e4);
      return (box = r.whole);
    }
    const [x, y] = [wide / 2, (view[3] - view[1]) / 2];
    box = [view[0] - x, view[1] - y, view[2] + x, view[3] + y].map((n) => Math.round(n * 1e5) / 1e5);
    return box;
  };

  function keyOf(number, length, where) {
    return [number, length, where.join(","), r.only || ""].join("|");
  }

  /* The slice that holds a time, if it is here; asks for it and, near its end, for the next one. */
  r.sliceAt = function (t) {
    if (!r.day || !(r.day.may || r.day.own)) return null;
    const length = lengthOf(r.speed);
    const number = Math.floor(t / length);
    const where = r.box();
    const key = keyOf(number, length, where);
    const found = slices.get(key);
    if (!found) ask(number, length, where);
    else {
      slices.delete(key);
      slices.set(key, found); // the newest last
      if (r.playing && t - number * length > 0.25 * length && (number + 1) * length < r.day.length) {
        const next = keyOf(number + 1, length, where);
        if (!slices.has(next)) ask(number + 1, length, where);
      }
    }
    return found || stale(t);
  };

  /* While a slice is on its way, one of another step or box that knows the time. */
  function stale(t) {
    let found = null;
    for (const one of slices.values()) if (t >= one.from && t <= one.to) found = one;
    return found;
  }

  async function ask(number, length, where) {
    const key = keyOf(number, length, where);
    const old = asked.get(key);
    if (old && performance.now() - old < 4000) return;
    if ([...asked.values()].filter((at) => performance.now() - at < 4000).length > 2) return;
    asked.set(key, performance.now());
    const mine = r.turn;
    const query = new URLSearchParams({
      ...k.viewer(), day: r.day.day, v: r.day.version, from: number * length,
      to: Math.min((number + 1) * length, r.day.length), step: r.stepOf(r.speed), box: where.join(","),
    });
    if (r.day.own) query.set("worker", r.day.own);
    let answer;
    try {
      answer = await fetch("/replay/slice?" + query);
    } catch (error) {
      asked.delete(key);
      r.lost = true;
      return;
    }
    asked.delete(key);
    if (mine !== r.turn) return;
    r.lost = !answer.ok && answer.status >= 500;
    if (!answer.ok || answer.status === 202) {
      if (answer.status === 403 && r.onHidden) r.onHidden();
      return;
    }
    const bytes = await answer.arrayBuffer();
    if (mine !== r.turn) return;
    const begun = performance.now();
    slices.set(key, decode(bytes));
    r.stats.decode_ms += performance.now() - begun;
    r.stats.slices += 1;
    r.stats.bytes += Number(answer.headers.get("Content-Length")) || bytes.byteLength;
    const timing = /app;dur=([\d.]+)/.exec(answer.headers.get("Server-Timing") || "");
    if (timing) r.stats.server_ms += Number(timing[1]);
    while (slices.size > KEPT) slices.delete(slices.keys().next().value);
    if (r.onSlice) r.onSlice();
  }

  function decode(bytes) {
    const head = new DataView(bytes);
    if (head.getUint32(0, false) !== 0x57475231) throw new Error("a slice of another kind");
    const n = head.getUint32(4, true);
    const moments = head.getUint32(8, true);
    const since = (head.getFloat64(16, true) - r.day.since) / 1000;
    const step = head.getFloat64(24, true) / 1000;
    const frame = [32, 40, 48, 56].map((at) => head.getFloat64(at, true));
    const rows = new Uint32Array(bytes, 64, n);
    const x = new Uint16Array(bytes, 64 + 4 * n, n * moments);
    const y = new Uint16Array(bytes, 64 + 4 * n + 2 * n * moments, n * moments);
    const state = new Uint8Array(bytes, 64 + 4 * n + 4 * n * moments, n * moments);
    for (const one of [x, y]) {
      for (let i = 0; i < n; i++) {
        for (let j = i * moments + 1, end = (i + 1) * moments; j < end; j++) one[j] += one[j - 1];
      }
    }
    // Latitudes to mercator: 1,025 points and straight between them, far below a pixel.
    const table = new Float64Array(1026);
    for (let i = 0; i < 1026; i++) {
      table[i] = w.mercatorY(Math.max(-85, Math.min(85, frame[1] + ((frame[3] - frame[1]) * Math.min(i, 1024)) / 1024)));
    }
    return {
      n, moments, step, rows, x, y, state, table, from: since, to: since + step * (moments - 1),
      west: (frame[0] + 180) / 360, wide: (frame[2] - frame[0]) / 360, index: null,
    };
  }

  /* The number of a worker's line in a slice, -1 if he is not in it. */
  r.lineOf = function (slice, row) {
    if (!slice.index) {
      slice.index = new Map();
      slice.rows.forEach((one, line) => slice.index.set(one, line));
    }
    const line = slice.index.get(row);
    return line === undefined ? -1 : line;
  };

  r.worldX = (slice, v) => slice.west + (slice.wide * v) / 65535;
  r.worldY = function (slice, v) {
    const at = (v * 1024) / 65535;
    const i = at | 0;
    return slice.table[i] + (slice.table[i + 1] - slice.table[i]) * (at - i);
  };
})();
