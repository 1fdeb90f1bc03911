/* Coverage on the map: streets by state or grids by share, views of cameras, proposed spots, the
   stretch that was picked. Grids without data are hatched by the map's own shade. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const h = w.cases.h;
  const k = w.workers;
  const v = w.coverage;
  const m = (v.map = { drawn: "", picked: null, turn: 0 });
  const EMPTY = { type: "FeatureCollection", features: [] };
  const FONTS = ["Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "sans-serif"];
  const CLEAR = "rgba(0,0,0,0)";
  const MINE = ["cv-streets", "cv-views", "cv-spots", "cv-stretch"];
  /* What is blind shall stand out: it is the widest, and what is covered the most quiet. */
  const COLOURS = { covered: "accent", blind: "soon", unknown: "unknown" };

  const ready = () => s.map && s.map.getSource("cv-streets");

  function dress(map) {
    if (!v.config || !document.getElementById("coverage-bar")) return;
    const u = w.scale();
    for (const id of MINE) if (!map.getSource(id)) map.addSource(id, { type: "geojson", data: EMPTY, tolerance: 0.3 });
    const add = (layer, under) => map.getLayer(layer.id) || map.addLayer(layer, under && map.getLayer(under) ? under : undefined);
    const wide = (factor) => ["interpolate", ["linear"], ["zoom"], 10 + w.shift(), 1 * u * factor, 13 + w.shift(), 2 * u * factor, 16 + w.shift(), 4.5 * u * factor];
    add({ id: "cv-view", type: "fill", source: "cv-views", minzoom: 13 + w.shift(), filter: ["==", ["get", "kind"], "view"], paint: {
      "fill-color": w.colour("accent"), "fill-opacity": ["interpolate", ["linear"], ["zoom"], 13 + w.shift(), 0.1, 16 + w.shift(), 0.2] } }, "over-data");
    const lines = (state, factor, more) => add({
      id: "cv-street-" + state, type: "line", source: "cv-streets", filter: ["==", ["get", "state"], state],
      layout: { "line-cap": more ? "butt" : "round", "line-join": "round" },
      paint: { "line-color": w.colour(COLOURS[state]), "line-width": wide(factor), "line-opacity": state === "covered" ? 0.7 : 0.95, ...more },
    }, "over-marks");
    lines("covered", 0.8);
    lines("unknown", 0.9, { "line-dasharray": [2, 1.4] });
    lines("blind", 1.15);
    add({ id: "cv-spot-view", type: "fill", source: "cv-spots", filter: ["==", ["get", "kind"], "view"], paint: {
      "fill-color": w.colour("late"), "fill-opacity": 0.16, "fill-outline-color": w.colour("late") } }, "over-data");
    add({ id: "cv-picked-casing", type: "line", source: "cv-stretch", layout: { "line-cap": "round", "line-join": "round" }, paint: {
      "line-color": w.colour("panel"), "line-width": 11 * u } });
    add({ id: "cv-picked", type: "line", source: "cv-stretch", layout: { "line-cap": "round", "line-join": "round" }, paint: {
      "line-color": w.colour("late"), "line-width": 6 * u } });
    add({ id: "cv-nowhere", type: "circle", source: "cv-views", minzoom: 13 + w.shift(), filter: ["==", ["get", "kind"], "unknown"], paint: {
      "circle-radius": 4.5 * u, "circle-color": w.colour("panel"), "circle-stroke-color": w.colour("unknown"), "circle-stroke-width": 2 * u } });
    add({ id: "cv-spot", type: "circle", source: "cv-spots", filter: ["==", ["get", "kind"], "spot"], paint: {
      "circle-radius": 11 * u, "circle-color": w.colour("late"), "circle-stroke-color": w.colour("panel"), "circle-stroke-width": 2 * u } });
    add({ id: "cv-spot-rank", type: "symbol", source: "cv-spots", filter: ["==", ["get", "kind"], "spot"], layout: {
      "text-field": ["to-string", ["get", "rank"]], "text-font": FONTS, "text-size": 13 * u, "text-allow-overlap": true, "text-ignore-placement": true,
      "symbol-sort-key": ["-", 0, ["get", "rank"]] }, paint: { "text-color": w.colour("panel") } });
    m.drawn = "";
    m.show();
  }

  const address = (kind) =>
    w.absolute("/coverage/" + kind + ".geojson?" + new URLSearchParams({ ...v.query(), ...k.viewer(), v: v.body.mark }));

  /* Put the answer onto the map; shapes are asked for once an answer. */
  m.show = function () {
    legend();
    if (!ready() || !v.body) return;
    const key = v.body.mark + v.body.lines + JSON.stringify(k.viewer());
    if (m.drawn !== key) {
      m.drawn = key;
      s.map.getSource("cv-streets").setData(v.body.lines ? address("streets") : EMPTY);
      for (const kind of ["views", "spots"]) s.map.getSource("cv-" + kind).setData(v.body.spots ? address(kind) : EMPTY);
      s.map.getSource("cv-stretch").setData(EMPTY);
    }
    m.paint();
  };

  const encode = (array) => {
    const bytes = new Uint8Array(array.buffer);
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return { bdata: window.btoa(text) };
  };

  /* Grids by their share in fifths; beside streets only those without data are marked. */
  m.paint = function () {
    legend();
    if (!ready() || !v.body) return;
    const at = (name) => 3 + v.body.columns.indexOf(name);
    const [street, covered, unknown] = [at("street_m"), at("covered_m"), at("unknown_m")];
    const count = v.config.palette.length;
    const values = v.body.rows.map((row) => (row[street] > 0 && row[unknown] < 0.999 * row[street] ? (row[covered] / row[street]) * 100 : NaN));
    const byGrid = v.by() === "grids";
    w.map.shade({
      level: "grid", scope: null, labels: null, unit: "%", figure: v.say("figure.covered"),
      rows: encode(Int32Array.from(values, (_, row) => row)),
      classes: encode(Int8Array.from(values, (value) => (Number.isFinite(value) ? Math.min(count - 1, Math.floor((value / 100) * count)) : -1))),
      values: encode(Float32Array.from(values)),
      palette: byGrid ? v.config.palette : v.config.palette.map(() => CLEAR),
    });
    // Views and streets would muddy the shades of grids.
    for (const id of ["cv-view", ...Object.keys(COLOURS).map((state) => "cv-street-" + state)]) {
      s.map.setLayoutProperty(id, "visibility", byGrid ? "none" : "visible");
    }
  };

  function legend() {
    const place = document.getElementById("coverage-legend");
    if (!place) return;
    const item = (sign, text) => h("li", {}, h("i", { class: sign, "aria-hidden": "true" }), h("span", {}, text));
    const parts = [];
    if (v.by() === "streets") {
      parts.push(h("li", { class: "legend-title" }, v.say("legend.streets")));
      for (const state of ["covered", "blind", "unknown"]) parts.push(item("cv-key is-" + state, v.say("legend." + state)));
    } else {
      const step = 100 / v.config.palette.length;
      parts.push(h("li", { class: "legend-title" }, v.say("legend.grids")));
      v.config.palette.forEach((colour, number) => {
        const swatch = item("swatch", v.say("legend.class", { a: number * step, b: (number + 1) * step }));
        swatch.firstChild.style.background = colour;
        parts.push(swatch);
      });
    }
    parts.push(item("swatch swatch-hatch", v.say("legend.nodata")));
    if (v.hasCameras()) {
      parts.push(item("cv-key is-spot", v.say("legend.spot")), v.by() === "streets" ? item("cv-key is-view", v.say("legend.view")) : null, item("cv-key is-nowhere", v.say("legend.nowhere")));
    }
    place.replaceChildren(h("ul", { class: "cv-legend" }, parts.filter(Boolean)));
  }

  /* --- going to a place ----------------------------------------------------------------------------------- */

  m.stretch = async function (rank, box) {
    const mine = ++m.turn;
    if (ready()) s.map.getSource("cv-stretch").setData(EMPTY);
    if (rank === null) return;
    const room = 0.0006;
    w.map.fit([box[0] - room, box[1] - room, box[2] + room, box[3] + room]);
    if (!v.body.lines) return;
    const answer = await k.get("/coverage/stretch", { ...v.query(), rank });
    if (mine !== m.turn || !answer.ok || !ready() || !v.body || answer.body.mark !== v.body.mark) return;
    s.map.getSource("cv-stretch").setData({ type: "Feature", properties: {}, geometry: answer.body.geometry });
    m.picked = rank;
  };

  m.spot = function (at) {
    m.stretch(null);
    w.map.fly({ center: { lon: at[0], lat: at[1] }, zoom: 16.2 + w.shift() });
  };

  m.begin = function () {
    legend();
    if (m.listening) return;
    m.listening = true;
    w.map.onReady((map) => {
      dress(map);
      map.on("styledata", () => map.isStyleLoaded() && !map.getLayer("cv-spot") && dress(map));
    });
    w.map.onClick((event) => {
      if (event.grid_id && v.body) v.choose({ grid: event.grid_id });
    });
  };
})();
