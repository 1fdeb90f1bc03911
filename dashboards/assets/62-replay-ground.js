/* What the replay lays into the map: streets that were reached by now, the area that is asked about, ways,
   and how many workers a grid has for those who may not see tracks. Paint changes by feature state. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const k = w.workers;
  const r = k.replay;
  const d = r.draw;
  const EMPTY = { type: "FeatureCollection", features: [] };

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
    if (r.share) d.showShares(r.share.grids);
  };

  d.loadStreets = async function () {
    r.streets = null;
    if (!r.day.may || !r.day.streets) return;
    const mine = r.turn;
    const answer = await k.get("/replay/streets", { day: r.day.day, v: r.day.version });
    if (mine !== r.turn || !answer.ok || answer.status === 202 || !answer.body.lines) return;
    r.streets = answer.body;
    d.showStreets();
    r.tick();
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
