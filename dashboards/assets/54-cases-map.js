/* The map beside the table: the open cases of the same filter, linked with the table by pointer and
   choice. The map itself is components/city_map.py; only these marks are ours. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const s = w.s;
  const m = (c.map = { features: [], turn: 0, hovered: null });
  const EMPTY = { type: "FeatureCollection", features: [] };
  const SOURCE = "c-cases";

  const map = () => (s.map && s.map.getSource(SOURCE) ? s.map : null);

  function dress(onto) {
    if (!c.config || !document.getElementById("incidents-page")) return;
    const k = w.scale();
    if (!onto.getSource(SOURCE)) onto.addSource(SOURCE, { type: "geojson", data: EMPTY });
    if (!onto.getSource("c-spot")) onto.addSource("c-spot", { type: "geojson", data: EMPTY });
    const add = (layer) => onto.getLayer(layer.id) || onto.addLayer(layer);
    const none = ["==", ["get", "id"], ""];
    add({ id: "c-ring", type: "circle", source: SOURCE, filter: none, paint: {
      "circle-radius": 11 * k, "circle-color": "rgba(0,0,0,0)", "circle-stroke-color": w.colour("accent"), "circle-stroke-width": 2.5 * k } });
    add({ id: "c-hover", type: "circle", source: SOURCE, filter: none, paint: {
      "circle-radius": 10 * k, "circle-color": w.colour("accent"), "circle-opacity": 0.22 } });
    add({ id: "c-cases", type: "symbol", source: SOURCE, layout: {
      "icon-image": ["concat", "state-", ["get", "state"]], "icon-allow-overlap": true, "icon-ignore-placement": true,
      "icon-size": ["interpolate", ["linear"], ["zoom"], 10 + w.shift(), 0.62, 13 + w.shift(), 0.9, 16 + w.shift(), 1.3],
      "symbol-sort-key": ["match", ["get", "state"], "late", 3, "soon", 2, "fine", 1, 0] } });
    add({ id: "c-spot", type: "circle", source: "c-spot", paint: {
      "circle-radius": 8 * k, "circle-color": w.colour("accent"), "circle-stroke-color": w.colour("panel"), "circle-stroke-width": 3 * k } });
    show();
    m.choose(c.panel.id);
  }

  function show() {
    const on = map();
    if (on) on.getSource(SOURCE).setData({ type: "FeatureCollection", features: m.features });
  }

  m.begin = function () {
    m.features = [];
    if (m.listening) return;
    m.listening = true;
    w.map.onReady((onto) => {
      dress(onto);
      onto.on("styledata", () => onto.isStyleLoaded() && !onto.getLayer("c-cases") && dress(onto));
      // A case that the address named was open before there was a map.
      const file = c.panel.file;
      if (file && file.lon !== null) window.setTimeout(() => m.reach(file.lon, file.lat), 300);
      onto.on("mousemove", (event) => point(onto, event.point));
      onto.on("mouseout", () => over(null));
    });
    w.map.onClick(clicked);
  };

  function at(onto, point) {
    if (!onto.getLayer("c-cases")) return null;
    const r = 6 * w.scale();
    const found = onto.queryRenderedFeatures([[point.x - r, point.y - r], [point.x + r, point.y + r]], { layers: ["c-cases"] });
    return found.length ? found[0].properties : null;
  }

  let waiting = false;
  function point(onto, where) {
    if (waiting || !document.getElementById("incidents-page")) return;
    waiting = true;
    window.requestAnimationFrame(() => {
      waiting = false;
      const found = at(onto, where);
      if (found) onto.getCanvas().style.cursor = "pointer";
      else if (c.report.isOpen()) onto.getCanvas().style.cursor = "crosshair";
      over(found ? found.id : null, found, where);
    });
  }
  function over(id, properties, where) {
    if (m.hovered === id) return;
    m.hovered = id;
    m.hover(id);
    c.table.hover(id);
    const tip = document.getElementById("incidents-tip");
    if (!tip) return;
    tip.hidden = !id;
    if (!id) return;
    const clock = c.clock(properties);
    tip.replaceChildren(c.h("b", {}, properties.what), c.chip(clock.state, clock.text), c.h("span", { class: "inc-quiet" }, properties.where));
    const box = document.querySelector(".inc-map .map-canvas");
    tip.style.left = Math.min(where.x + 14, box.clientWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.min(where.y + 14, box.clientHeight - tip.offsetHeight - 8) + "px";
  }

  function clicked(event) {
    if (!document.getElementById("incidents-page")) return;
    const found = s.map ? at(s.map, s.map.project([event.lon, event.lat])) : null;
    if (c.report.isOpen()) return c.report.place(event.lon, event.lat);
    const id = (found && found.id) || event.incident_id;
    if (id) c.panel.open(id, { from: "map" });
  }

  m.hover = function (id) {
    if (map()) s.map.setFilter("c-hover", ["==", ["get", "id"], id || ""]);
  };
  m.choose = function (id) {
    if (map()) s.map.setFilter("c-ring", ["==", ["get", "id"], id || ""]);
  };
  m.spot = function (place) {
    if (!map()) return;
    s.map.getSource("c-spot").setData(place ? { type: "Feature", properties: {}, geometry: { type: "Point", coordinates: [place.lon, place.lat] } } : EMPTY);
  };
  m.fly = function (lon, lat) {
    if (!s.map) return;
    const zoom = Math.max(s.map.getZoom(), 15.5 + w.shift());
    w.map.fly({ center: { lon, lat }, zoom });
  };
  /* Only as far as needed: a case that is seen already stays where it is. */
  m.reach = function (lon, lat) {
    if (!s.map) return;
    s.map.resize(); // its place may just have changed
    if (!s.map.getBounds().contains([lon, lat])) m.fly(lon, lat);
  };

  /* The open cases of the filter; the answer says how many there are beyond what is drawn. */
  m.load = async function () {
    const mine = ++m.turn;
    const query = c.table.query();
    delete query.sort;
    const answer = await c.get("/cases/map.geojson", query);
    if (mine !== m.turn || !answer.ok) return;
    m.features = answer.body.features;
    show();
    const note = document.getElementById("incidents-map-note");
    if (note) note.textContent = answer.body.note;
  };
})();
