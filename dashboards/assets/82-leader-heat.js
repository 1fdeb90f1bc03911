/* Heat beside a briefing: tiles of one bandwidth on the ground, what they show and how sure it is in a
   sentence, hexagons, and a playback by hour, weekday or month. Tiles come from /heat, whose summary
   names the version; a frame of the playback is a version of its own, so what was seen once is kept. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const l = w.leader;
  const c = w.cases;
  const SOURCE = "leader-heat";
  const HEX = "leader-hex";
  const by = (id) => document.getElementById("leader-" + id);
  const state = { measure: "km2", h: "300", surface: "smooth", by: "", frame: 0, playing: 0, told: null, frames: null, turn: 0, shown: "" };
  let view = null;

  const words = (key, values) => l.say("heat." + key, values);
  function number(value, digits) {
    if (value === null || value === undefined || !Number.isFinite(value)) return words("none");
    const figures = digits === undefined ? (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2) : digits;
    return value.toLocaleString("en-US", { minimumFractionDigits: figures, maximumFractionDigits: figures });
  }
  const whole = (value) => Math.round(value).toLocaleString("en-US");
  const percent = (share) => Math.round(100 * share) + "%";

  const query = (more) => {
    const chosen = l.query();
    return { measure: state.measure, h: state.h, from: view.first, to: view.lastDay, ...(chosen.class ? { class: chosen.class } : {}), ...more };
  };

  /* --- the sentence ------------------------------------------------------------------------------ */

  function sentence(told) {
    if (told.reason) return words("reason." + told.reason);
    const parts = [];
    if (!told.cases) return words("empty");
    const unit = words("unit." + told.unit);
    if (told.peak) {
      const values = { place: told.peak.name || words("somewhere"), value: number(told.peak.value), unit, low: number(told.peak.low), high: number(told.peak.high), times: number(told.peak.times, 1) };
      parts.push(words(told.peak.sure ? "peak." + told.measure : "peak.unsure", values));
    }
    if (told.half_share !== null) parts.push(words("half", { share: percent(told.half_share) }));
    if (told.measure === "effort" && told.effort) parts.push(words("effort", { days: told.effort.days, cases: whole(told.cases) }));
    else parts.push(words("cases", { n: whole(told.cases) }));
    if (told.left_out) parts.push(words("left", { n: whole(told.left_out) }));
    if (told.unsure_share > 0.005) parts.push(words("unsure", { share: percent(told.unsure_share), rse: percent(told.legend.unsure_rse) }));
    return parts.reduce((one, two) => words("join", { one, two }));
  }

  function legend(told) {
    const scale = told.legend;
    const unit = words("unit." + told.unit);
    const edge = (value) => number(value, Number.isInteger(value) ? 0 : undefined);
    const lines = scale.starts.map((start, k) => {
      const next = scale.starts[k + 1];
      const text = next === undefined ? words("from", { a: edge(start) }) : words("between", { a: edge(start), b: edge(next) });
      return c.h("li", {}, c.h("i", { class: "swatch", "data-fill": scale.colours[k] }), c.h("span", { class: "legend-label" }, text));
    }).reverse();
    lines.push(c.h("li", {}, c.h("i", { class: "swatch ld-unsure" }), c.h("span", { class: "legend-label" }, words("shaded", { rse: percent(scale.unsure_rse) }))));
    const place = by("legend");
    place.replaceChildren(
      c.h("div", { class: "legend-head" }, c.h("span", { class: "legend-title" }, words("title." + told.measure)), c.h("span", { class: "quiet" }, " (" + unit + ")")),
      c.h("ul", { class: "legend-classes" }, ...lines));
    for (const swatch of place.querySelectorAll("[data-fill]")) swatch.style.background = swatch.dataset.fill;
  }

  /* --- on the map --------------------------------------------------------------------------------- */

  function drop(id) {
    const map = w.s.map;
    if (!map) return;
    if (map.getLayer(id)) map.removeLayer(id);
    if (map.getSource(id)) map.removeSource(id);
  }
  function tiles(address) {
    const map = w.s.map;
    if (!map || state.shown === address) return;
    state.shown = address;
    const source = map.getSource(SOURCE);
    if (source && source.setTiles) return void source.setTiles([address]);
    drop(SOURCE);
    map.addSource(SOURCE, { type: "raster", tiles: [address], tileSize: 256, bounds: state.told.bounds });
    map.addLayer({ id: SOURCE, type: "raster", source: SOURCE, paint: { "raster-fade-duration": w.still() ? 0 : 200, "raster-resampling": "linear" } }, "over-data");
  }
  async function hexagons() {
    const map = w.s.map;
    const res = { 150: 10, 300: 9, 600: 8, 1000: 8 }[state.h] || 9;
    const found = await c.get("/heat/hex.geojson", query({ res, v: state.told.v }));
    if (!found.ok || state.surface !== "hex" || !map) return;
    drop(HEX);
    const scale = state.told.legend;
    const steps = ["step", ["get", "per_km2"], "rgba(0,0,0,0)"];
    scale.starts.forEach((start, k) => steps.push(start, scale.colours[k]));
    map.addSource(HEX, { type: "geojson", data: found.body, tolerance: 0 });
    map.addLayer({ id: HEX, type: "fill", source: HEX, paint: { "fill-color": steps, "fill-opacity": ["case", ["get", "unsure"], 0.35, 0.8], "fill-outline-color": w.colour("panel") } }, "over-data");
  }

  /* Whole grids by their own cases: no kernel reaches over a border. Too few cases: hatched. */
  async function grids() {
    const found = await c.get("/heat/grids.json", query());
    const units = await w.map.units("grid");
    if (!found.ok || state.surface !== "grid" || l.mode() !== "heat") return;
    const scale = state.told.legend;
    const column = found.body[state.measure === "households" ? "per_1000" : "per_km2"];
    const rows = [], classes = [], values = [];
    found.body.ids.forEach((id, k) => {
      const unit = units.get(id);
      const value = column[k];
      const at = scale.starts.filter((start) => value >= start).length - 1;
      if (!unit || (at < 0 && value !== null && !found.body.unsure[k])) return;
      rows.push(unit.row);
      classes.push(value === null || found.body.unsure[k] ? -1 : at);
      values.push(value === null ? NaN : value);
    });
    shade(rows, classes, values, scale.colours);
  }
  function shade(rows, classes, values, palette) {
    const pack = (dtype, numbers) => ({ dtype, bdata: window.btoa(Array.from(new Uint8Array(numbers.buffer), (byte) => String.fromCharCode(byte)).join("")) });
    w.map.shade({
      level: "grid", scope: null, palette, labels: null, figure: words("title." + state.measure),
      unit: state.told ? words("unit." + state.told.unit) : "",
      rows: pack("i4", Int32Array.from(rows)), classes: pack("i1", Int8Array.from(classes)), values: pack("f4", Float32Array.from(values)),
    });
  }

  let timer = 0;
  async function load() {
    window.clearTimeout(timer);
    const mine = ++state.turn;
    const found = await c.get("/heat/summary", query());
    if (mine !== state.turn || l.mode() !== "heat") return;
    if (found.status === 202) {
      l.tell(words("title." + state.measure), words("loading." + found.body.loading.step, { share: percent(found.body.loading.share) }));
      controls();
      timer = window.setTimeout(load, 700);
      return;
    }
    if (!found.ok) {
      l.tell(words("title." + state.measure), found.body.reason === "no_grids" ? words("reason.no_grids") : found.body.error || l.say("failed"));
      controls();
      return;
    }
    state.told = found.body;
    l.tell(words("title." + state.measure), sentence(found.body));
    controls();
    legend(found.body);
    document.documentElement.dataset.heat = found.body.v;
    if (!w.s.map) return void w.map.onReady(draw);
    draw();
  }
  function draw() {
    if (!state.told || l.mode() !== "heat") return;
    if (state.surface !== "grid") shade([], [], [], []);
    if (state.surface === "grid" && state.measure !== "effort") {
      drop(SOURCE);
      drop(HEX);
      state.shown = "";
      grids();
    } else if (state.surface === "hex" && state.measure === "km2") {
      drop(SOURCE);
      state.shown = "";
      hexagons();
    } else {
      drop(HEX);
      tiles(state.told.tiles);
      if (state.by) playback();
    }
  }

  /* --- playback -------------------------------------------------------------------------------------- */

  async function playback() {
    const mine = state.turn;
    const found = await c.get("/heat/frames", query({ by: state.by }));
    if (mine !== state.turn || !state.by) return;
    if (found.status === 202) return void window.setTimeout(playback, 700);
    if (!found.ok) return c.notice(found.body.error);
    state.frames = found.body;
    state.frame = Math.min(state.frame, found.body.frames.length - 1);
    legend({ ...state.told, legend: found.body.legend });
    controls();
    frame(state.frame);
  }
  function frame(k) {
    const frames = state.frames && state.frames.frames;
    if (!frames || !frames.length) return;
    state.frame = (k + frames.length) % frames.length;
    const one = frames[state.frame];
    tiles(w.absolute("/heat/") + "{z}/{x}/{y}.png?" + one.query);
    const slider = document.getElementById("leader-frame");
    if (slider) slider.value = String(state.frame);
    const told = document.getElementById("leader-frame-text");
    if (told) told.textContent = words("frame." + state.by, { n: frameName(one.value), cases: whole(one.cases) });
  }
  const frameName = (value) => (state.by === "weekday" ? words("weekday." + value) : state.by === "hour" ? String(value).padStart(2, "0") : String(value));
  function play(on) {
    window.clearInterval(state.playing);
    state.playing = on ? window.setInterval(() => frame(state.frame + 1), 900) : 0;
    controls();
  }

  /* --- controls --------------------------------------------------------------------------------------- */

  function choose(name, value) {
    state[name] = value;
    if (name !== "frame") {
      play(false);
      state.frames = null;
      state.shown = "";
    }
    if (name === "by" && !value) state.frame = 0;
    load();
  }
  function select(name, values, label) {
    return c.h("label", { class: "ld-field" }, c.h("span", {}, words(label)),
      c.h("select", { class: "inc-input", "data-heat": name, onchange: (event) => choose(name, event.target.value) },
        ...values.map(([value, text]) => c.h("option", { value, selected: state[name] === value }, text))));
  }
  function controls() {
    const place = by("map-note");
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.heat : null;
    const text = place.querySelector(".ld-heat-text") ? place.querySelector(".ld-heat-text").textContent : "";
    const own = [...place.childNodes].filter((node) => node.nodeType === 3).map((node) => node.nodeValue).join("") || text;
    const frames = state.frames && state.frames.frames;
    const row = c.h("div", { class: "ld-heat" },
      select("measure", ["km2", "households", "effort"].map((name) => [name, words("measure." + name)]), "measure"),
      select("h", ["150", "300", "600", "1000"].map((name) => [name, words("metres", { n: name })]), "bandwidth"),
      state.measure !== "effort" ? select("surface", ["smooth", ...(state.measure === "km2" ? ["hex"] : []), "grid"].map((name) => [name, words("surface." + name)]), "surface") : null,
      state.measure !== "effort" && state.surface === "smooth" ? select("by", [["", words("by.none")], ...["hour", "weekday", "month"].map((name) => [name, words("by." + name)])], "by") : null);
    const line = frames && state.by
      ? c.h("div", { class: "ld-heat" },
          c.h("button", { type: "button", class: "inc-button is-small", "data-heat": "play", onclick: () => play(!state.playing), "aria-pressed": String(Boolean(state.playing)) }, words(state.playing ? "pause" : "play")),
          c.h("input", { type: "range", id: "leader-frame", "data-heat": "frame", min: 0, max: frames.length - 1, value: state.frame, "aria-label": words("by"), oninput: (event) => { play(false); frame(Number(event.target.value)); } }),
          c.h("span", { id: "leader-frame-text", role: "status" }, words("frame." + state.by, { n: frameName(frames[state.frame].value), cases: whole(frames[state.frame].cases) })))
      : null;
    place.replaceChildren(row, ...(line ? [line] : []), c.h("p", { class: "ld-heat-text" }, own));
    if (focused) {
      const again = place.querySelector("[data-heat='" + focused + "']");
      if (again) again.focus();
    }
  }

  l.modes.heat = {
    show(now) {
      const is_new = view !== now;
      view = now;
      shade([], [], [], []);
      if (is_new || !state.told) load();
      else draw();
    },
    hide() {
      play(false);
      state.turn += 1;
      state.told = null;
      state.shown = "";
      drop(SOURCE);
      drop(HEX);
    },
  };
})();
