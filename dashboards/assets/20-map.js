/* The map of a page: the one accessor to plotly's MapLibre map, the view, and the hooks for pages.
   plotly holds the map; shades, marks, names, selection, tips and clicks are ours, because plotly
   draws everything anew for each change and this costs a fifth (docs/performance.md).

   For pages:  wangge.map.onClick(fn)   fn({lon, lat, grid_id, incident_id, kind, unit, at})
               wangge.map.onReady(fn), onMove(fn)
               wangge.map.fit(box), fly(view), flyToUnit(level, code), view()
               wangge.map.select(grid_id), mark([lon, lat] or null), show(layers)
               wangge.map.shade(spec)   (21-map-shade.js) */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const m = (w.map = w.map || {});
  w.patienceMs = 60000;

  /* --- the one place that knows where plotly keeps its map ------------------------------------ */

  w.mapHandle = function (gd) {
    const subplot = gd && gd._fullLayout && gd._fullLayout.map && gd._fullLayout.map._subplot;
    return (subplot && subplot.map) || null;
  };

  w.graphDiv = function () {
    return document.querySelector("#map-graph .js-plotly-plot");
  };

  /* plotly draws once too early where its graph is fitted to the page before the style has come, and
     again when it has. Only that is kept quiet: a style that never comes is told by whenMap. */
  const EARLY = "Style is not done loading.";
  const quiet = (event, error) => error && error.message === EARLY && !s.map && event.preventDefault();
  window.addEventListener("error", (event) => quiet(event, event.error));
  window.addEventListener("unhandledrejection", (event) => quiet(event, event.reason));

  /* Resolves with plotly's MapLibre map once its style is there; rejects with a clear message. */
  w.whenMap = function () {
    return new Promise((resolve, reject) => {
      const begun = performance.now();
      (function ask() {
        const gd = w.graphDiv();
        const map = w.mapHandle(gd);
        if (map && typeof map.addSource === "function" && map.isStyleLoaded() && map.getLayer("over-data")) {
          resolve(map);
        } else if (performance.now() - begun > w.patienceMs) {
          const version = window.Plotly ? window.Plotly.version : "?";
          reject(
            new Error(
              map
                ? "the style of the map did not load"
                : "plotly " + version + " does not keep its map at _fullLayout.map._subplot.map"
            )
          );
        } else {
          window.setTimeout(ask, 60);
        }
      })();
    });
  };

  /* --- hooks -------------------------------------------------------------------------------------- */

  const hooks = { click: [], ready: [], move: [] };
  m.onClick = (run) => void hooks.click.push(run);
  m.onMove = (run) => void hooks.move.push(run);
  m.onReady = (run) => {
    hooks.ready.push(run);
    if (s.map) run(s.map);
  };
  m.tell = (kind, value) => hooks[kind].forEach((run) => run(value));

  /* --- size ---------------------------------------------------------------------------------------- */

  w.scale = function () {
    return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  };
  w.shift = function () {
    return Math.log2(w.scale());
  };
  w.still = function () {
    return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  };
  w.absolute = function (path) {
    return new URL(path, window.location.href).href;
  };
  w.dataUrl = function (name, part) {
    return "/data/" + name + ".geojson?v=" + encodeURIComponent(s.versions[part] || "") + "&lang=" + s.config.lang;
  };

  /* --- view ------------------------------------------------------------------------------------------ */

  const mercatorY = (lat) => (1 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / Math.PI) / 2;
  const latitude = (y) => (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;
  w.mercatorY = mercatorY;

  function padding(top) {
    const k = w.scale();
    return { top: top * k, bottom: 24 * k, left: 24 * k, right: 24 * k };
  }

  /* Middle and zoom that show a box of degrees in the map's place; needs no map. */
  w.fit = function (box) {
    const view = fitBelow(box, 24);
    // What reaches under the title and the switches in the upper corners begins below them.
    const place = document.querySelector(".map-canvas").getBoundingClientRect();
    const wide = ((box[2] - box[0]) / 360) * 512 * 2 ** view.zoom;
    const middle = place.left + place.width / 2;
    let room = 24 * w.scale();
    for (const corner of document.querySelectorAll(".map-top-left > *, .map-top-right > *")) {
      const r = corner.getBoundingClientRect();
      if (!r.width || r.right < middle - wide / 2 || r.left > middle + wide / 2) continue;
      room = Math.max(room, r.bottom - place.top + 12 * w.scale());
    }
    return fitBelow(box, room / w.scale());
  };

  function fitBelow(box, room) {
    const element = document.querySelector(".map-canvas");
    const p = padding(room);
    const width = Math.max(element.clientWidth - p.left - p.right, 50);
    const height = Math.max(element.clientHeight - p.top - p.bottom, 50);
    const top = mercatorY(box[3]);
    const bottom = mercatorY(box[1]);
    const zoom = Math.min(
      Math.log2(width / 512 / Math.max((box[2] - box[0]) / 360, 1e-9)),
      Math.log2(height / 512 / Math.max(bottom - top, 1e-9))
    );
    const held = Math.min(Math.max(zoom, 0), 17 + w.shift());
    const y = (top + bottom) / 2 - (p.top - p.bottom) / 2 / (512 * 2 ** held);
    return { center: { lon: (box[0] + box[2]) / 2, lat: latitude(y) }, zoom: held };
  }

  m.firstView = function () {
    const v = s.config.view;
    if (v) return { center: { lon: v[0], lat: v[1] }, zoom: v[2] + w.shift() };
    return w.fit(s.config.bounds);
  };

  m.view = function () {
    if (!s.map) return m.firstView();
    const c = s.map.getCenter();
    return { center: { lon: c.lng, lat: c.lat }, zoom: s.map.getZoom() };
  };

  m.fly = function (view) {
    if (!s.map) return;
    const to = { center: [view.center.lon, view.center.lat], zoom: view.zoom };
    if (w.still()) s.map.jumpTo(to);
    else s.map.easeTo({ ...to, duration: 700, essential: false });
  };

  m.fit = (box) => m.fly(w.fit(box));
  m.home = () => m.fit(s.home || s.config.bounds);

  /* plotly puts back the view that it last knew when it draws anew (on a resize): tell it ours. */
  function tellPlotly() {
    const gd = w.graphDiv();
    if (!gd || !gd._fullLayout || !gd._fullLayout.map) return;
    const view = m.view();
    for (const layout of [gd._fullLayout.map, gd.layout && gd.layout.map]) {
      if (layout) Object.assign(layout, { center: view.center, zoom: view.zoom });
    }
  }

  /* Show a unit of a level with something around it; a grid with more. */
  m.flyToUnit = async function (level, code) {
    const units = await m.units(level);
    const unit = units.get(code);
    if (!unit) return;
    const box = unit.box;
    const around = level === "grid" ? 0.6 : 0.04;
    const wide = (box[2] - box[0]) * around;
    const high = (box[3] - box[1]) * around;
    m.fit([box[0] - wide, box[1] - high, box[2] + wide, box[3] + high]);
  };
  w.flyToGrid = (grid) => m.flyToUnit("grid", grid);

  /* A place with a ring around it, or none. */
  m.mark = function (place) {
    s.mark = place || null;
    if (w.pulse) w.pulse();
  };

  /* --- scale -------------------------------------------------------------------------------------------- */

  function showScale() {
    const map = s.map;
    const words = s.config.words;
    const bar = document.getElementById("map-scale-bar");
    if (!bar) return;
    const perPixel = (40075016.7 * Math.cos((map.getCenter().lat * Math.PI) / 180)) / (512 * 2 ** map.getZoom());
    const most = perPixel * 110 * w.scale();
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((n) => n * power).find((n) => n <= most);
    bar.style.width = length / perPixel + "px";
    document.getElementById("map-scale-text").textContent =
      length >= 1000 ? words["kilometres"].replace("{n}", length / 1000) : words["metres"].replace("{n}", length);
  }

  /* --- life ------------------------------------------------------------------------------------------------ */

  w.attach = async function () {
    let map;
    try {
      map = await w.whenMap();
    } catch (error) {
      w.notice(s.config.words[w.mapHandle(w.graphDiv()) ? "map.lost" : "map.handle"]);
      console.error(error.message);
      return;
    }
    if (s.map === map) return;
    s.map = map;
    m.dress(map);
    map.on("styledata", () => {
      if (map.isStyleLoaded() && !map.getLayer("w-incidents")) m.dress(map);
    });
    map.on("moveend", (event) => {
      if (event.originalEvent) s.moved = true;
      tellPlotly();
      showScale();
      m.loadAssets();
      m.tell("move", m.view());
    });
    m.listen(map);
    map.dragRotate.disable();
    map.touchZoomRotate.disableRotation();
    showScale();
    m.loadMoving().then(() => w.startPulses(map));
    m.tell("ready", map);
    document.documentElement.dataset.ready = "map";
  };

  /* New versions of the data: reload what changed, and only that. */
  m.refresh = function (versions) {
    const old = s.versions;
    if (!versions || JSON.stringify(old) === JSON.stringify(versions)) return;
    s.versions = versions;
    if (!s.map) return;
    const changed = (part) => old[part] !== versions[part];
    if (changed("city")) m.refreshShapes();
    // What moves comes by events while the live connection works.
    const told = w.live && w.live.state === "live";
    if (!told && (changed("incidents") || changed("workers"))) {
      m.loadMoving({ incidents: changed("incidents"), workers: changed("workers") });
    }
    if (changed("assets")) m.loadAssets();
  };

  const same = () => window.dash_clientside.no_update;
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.citymap = {
    draw(config) {
      if (!w.begin(config) || !document.querySelector(".map-canvas")) return same();
      w.attach();
      const style = "/map/style.json?scale=" + w.scale().toFixed(3) + "&mood=" + config.mood;
      return { data: config.figure.data, layout: { ...config.figure.layout, map: { style, ...m.view() } } };
    },
    shade(spec, config) {
      if (!spec || !w.begin(config)) return same();
      m.shade(spec);
      return spec.level + ":" + spec.figure;
    },
    refresh(versions, config) {
      if (!w.begin(config)) return same();
      m.refresh(versions);
      return Object.values(versions || {}).join(" ");
    },
    layers(layers, config) {
      if (!w.begin(config)) return same();
      m.show(layers || []);
      return s.layers.join(",");
    },
  };
})();
