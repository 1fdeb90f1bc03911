/* Who is where, and in which state: columns by the worker's number, changed by the events of /live and
   read by the map's layer (27-people-layer.js), names (28-people-names.js) and tips. No element of the page
   and no feature of a source stands for a worker, so 5,000 that move cost a fraction of a millisecond.

   For pages:  wangge.map.workers   .size, .has(id), .get(id) -> {id, slot, name, lon, lat, t, state}
               wangge.map.people    the columns;  .on(fn): called after each change
               wangge.map.selectWorker(id or null) */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const m = (w.map = w.map || {});
  const STATES = ["on_duty", "off_post", "no_signal", "standing", "sos", "off_duty"]; // as in worker_states.py
  const CODE = Object.fromEntries(STATES.map((name, code) => [name, code]));
  /* A trail: a place every so many seconds, so many of them; a silence or a leap ends it, for nobody knows
     the way between. It holds only what this screen has been told: no history is asked for. */
  const TRAIL = { every: 8, most: 24, seconds: 180, silence: 90, leap: 500 };

  const p = (m.people = {
    STATES, CODE, TRAIL,
    count: 0, shown: 0,
    ids: [], names: [], slots: new Map(),
    lon: new Float64Array(0), lat: new Float64Array(0), t: new Float64Array(0),
    state: new Uint8Array(0), here: new Uint8Array(0),
    trail: { lon: new Float64Array(0), lat: new Float64Array(0), t: new Float64Array(0), n: new Uint8Array(0), at: new Uint8Array(0) },
    chosen: -1, version: 0,
  });
  const heard = [];
  p.on = (run) => void heard.push(run);
  p.changed = function () {
    p.version += 1;
    for (const run of heard) run();
  };

  /* --- columns -------------------------------------------------------------------------------------- */

  function longer(array, size) {
    const found = new array.constructor(size);
    found.set(array);
    return found;
  }
  function room(slot) {
    if (slot < p.lon.length) return;
    const size = Math.max(256, 2 ** Math.ceil(Math.log2(slot + 1)));
    for (const name of ["lon", "lat", "t", "state", "here"]) p[name] = longer(p[name], size);
    for (const name of ["lon", "lat", "t"]) p.trail[name] = longer(p.trail[name], size * TRAIL.most);
    for (const name of ["n", "at"]) p.trail[name] = longer(p.trail[name], size);
  }
  function name(slot, id, text) {
    room(slot);
    p.count = Math.max(p.count, slot + 1);
    p.ids[slot] = id;
    p.names[slot] = text;
    p.slots.set(id, slot);
  }

  function put(slot, lon, lat, t) {
    if (!p.here[slot]) {
      p.here[slot] = 1;
      p.shown += 1;
      p.trail.n[slot] = 0;
    }
    p.lon[slot] = lon;
    p.lat[slot] = lat;
    p.t[slot] = t;
    const trail = p.trail;
    const base = slot * TRAIL.most;
    if (trail.n[slot]) {
      const last = base + trail.at[slot];
      const gone = t - trail.t[last];
      const north = (lat - trail.lat[last]) * 110574;
      const east = (lon - trail.lon[last]) * 111320 * Math.cos((lat * Math.PI) / 180);
      if (gone > TRAIL.silence || Math.hypot(north, east) > TRAIL.leap || gone < 0) trail.n[slot] = 0;
      else if (gone < TRAIL.every) return;
    }
    const at = trail.n[slot] ? (trail.at[slot] + 1) % TRAIL.most : 0;
    trail.at[slot] = at;
    trail.n[slot] = Math.min(trail.n[slot] + 1, TRAIL.most);
    trail.lon[base + at] = lon;
    trail.lat[base + at] = lat;
    trail.t[base + at] = t;
  }

  function leave(slot) {
    if (!p.here[slot]) return;
    p.here[slot] = 0;
    p.shown -= 1;
    if (p.chosen === slot) m.selectWorker(null);
  }

  /* What is drawn: while the connection is away, a position grows old and its state with it. */
  p.seen = function (slot) {
    const state = p.state[slot];
    if (state === CODE.sos || state === CODE.off_duty || (w.live && w.live.state === "live")) return state;
    return w.now() / 1000 - p.t[slot] > s.config.onDutyS ? CODE.no_signal : state;
  };

  /* --- what comes ------------------------------------------------------------------------------------ */

  /* The other half of dashboards/live_code.py. */
  p.unpack = function (told) {
    const text = window.atob(told.data);
    let at = 0;
    const columns = told.bytes.map((width) => {
      const column = new Float64Array(told.count);
      for (let k = 0; k < told.count; k++) {
        let value = 0;
        for (let b = width - 1; b >= 0; b--) value = value * 256 + text.charCodeAt(at + b);
        column[k] = value;
        at += width;
      }
      return column;
    });
    const [gaps, x, y, t] = columns;
    const [west, south, since] = told.from;
    let slot = -1;
    for (let k = 0; k < told.count; k++) {
      gaps[k] = slot += gaps[k] + 1;
      x[k] = (x[k] + west) / 1e6;
      y[k] = (y[k] + south) / 1e6;
      t[k] += since;
    }
    return { slots: gaps, lon: x, lat: y, t };
  };

  p.move = function (event) {
    for (const [slot, id, text] of event.new || []) name(slot, id, text);
    const moved = p.unpack(event);
    for (let k = 0; k < moved.slots.length; k++) {
      const slot = moved.slots[k];
      // An event that was kept back may be older than the layer that was loaded meanwhile.
      if (p.ids[slot] === undefined || (p.here[slot] && moved.t[k] < p.t[slot])) continue;
      put(slot, moved.lon[k], moved.lat[k], moved.t[k]);
    }
    for (const slot of event.gone || []) if (slot < p.count) leave(slot);
    p.changed();
  };

  function setStates(states) {
    for (const [text, slots] of states) {
      for (const slot of slots) {
        room(slot);
        p.state[slot] = CODE[text];
      }
    }
  }
  /* All states at once: who is not named is on duty. */
  p.greet = function (event) {
    if (!event.states) return;
    p.state.fill(CODE.on_duty);
    setStates(event.states);
    p.told = true;
    p.changed();
  };
  p.change = function (event) {
    setStates(event.states || []);
    p.changed();
  };

  /* The layer as it is loaded by address. States told by an event are newer than those of a stored answer. */
  p.load = function (features) {
    const chosen = p.ids[p.chosen];
    const trails = new Map();
    for (let slot = 0; slot < p.count; slot++) if (p.here[slot]) trails.set(p.ids[slot], slot);
    const same = features.every((f) => p.ids[f.properties.n] === undefined || p.ids[f.properties.n] === f.id);
    if (!same) {
      // Another start of the server numbers people anew.
      p.ids = [];
      p.names = [];
      p.slots.clear();
      p.count = 0;
      p.trail.n.fill(0);
    }
    p.here.fill(0);
    p.shown = 0;
    for (const f of features) {
      const { n, t, state } = f.properties;
      const known = same && trails.has(f.id);
      name(n, f.id, f.properties.name);
      if (known) {
        p.here[n] = 1; // keeps its trail
        p.shown += 1;
      }
      put(n, f.geometry.coordinates[0], f.geometry.coordinates[1], t);
      if (!p.told && CODE[state] !== undefined) p.state[n] = CODE[state];
    }
    const slot = p.slots.get(chosen);
    p.chosen = slot === undefined || !p.here[slot] ? -1 : slot;
    p.changed();
  };

  function get(id) {
    const slot = p.slots.get(id);
    return slot === undefined || !p.here[slot] ? undefined : p.at(slot);
  }
  p.at = (slot) => ({
    id: p.ids[slot], slot, name: p.names[slot], lon: p.lon[slot], lat: p.lat[slot], t: p.t[slot], state: STATES[p.seen(slot)],
  });
  m.workers = { get, has: (id) => get(id) !== undefined, get size() { return p.shown; } };

  m.selectWorker = function (id) {
    const slot = id === null ? undefined : p.slots.get(id);
    const chosen = slot === undefined ? -1 : slot;
    if (chosen === p.chosen) return;
    p.chosen = chosen;
    p.changed();
  };

  /* The worker whose mark lies under a point of the map, the gravest first. */
  p.hit = function (point, reach) {
    if (!s.map || !p.isShown || !p.isShown()) return null;
    const place = p.projection();
    let best = -1;
    let least = Infinity;
    for (let slot = 0; slot < p.count; slot++) {
      if (!p.here[slot]) continue;
      const state = p.seen(slot);
      if (state === CODE.off_duty || !p.isDrawn(state)) continue;
      const away = Math.hypot(place.x(p.lon[slot]) - point.x, place.y(p.lat[slot]) - point.y);
      if (away > Math.max(reach, p.radius(state))) continue;
      const rank = away - (state === CODE.sos ? 1000 : state === CODE.on_duty ? 0 : 100);
      if (rank < least) {
        least = rank;
        best = slot;
      }
    }
    return best < 0 ? null : p.at(best);
  };

  /* Pixels of the map from degrees; a north-up, flat map needs one scale and one offset. */
  p.projection = function () {
    const map = s.map;
    const size = 512 * 2 ** map.getZoom();
    const centre = map.getCenter();
    const middle = map.project(centre);
    const x0 = middle.x - ((centre.lng + 180) / 360) * size;
    const y0 = middle.y - w.mercatorY(centre.lat) * size;
    return { size, x0, y0, x: (lon) => ((lon + 180) / 360) * size + x0, y: (lat) => w.mercatorY(lat) * size + y0 };
  };

  w.onBegin(() => {
    if (p.listening || !w.live) return;
    p.listening = true;
    w.live.on("positions", p.move);
    w.live.on("states", p.change);
    w.live.on("hello", p.greet);
    w.live.on("reset", p.greet);
    w.live.on("state", (state) => {
      if (state === "lost") p.told = false;
      if (s.config) p.changed();
    });
  });
})();
