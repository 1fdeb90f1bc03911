/* The command page's own layers on the MapLibre map that plotly has made.
   plotly shades the grids; marks, names, selection, tips and clicks are ours, because plotly draws
   everything anew for each change and this costs a fifth (measured, see docs/performance.md). */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const FONTS = ["Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "sans-serif"];
  w.patienceMs = 60000;
  const TILES_KEPT = 300;

  /* --- the one place that knows where plotly keeps its map ------------------------------------ */

  w.mapHandle = function (gd) {
    const subplot = gd && gd._fullLayout && gd._fullLayout.map && gd._fullLayout.map._subplot;
    return (subplot && subplot.map) || null;
  };

  w.graphDiv = function () {
    return document.querySelector("#command-map .js-plotly-plot");
  };

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

  /* --- state ---------------------------------------------------------------------------------- */

  const s = (w.s = {
    map: null,
    config: null,
    versions: {},
    grid: null,
    layers: [],
    values: null,
    noData: [],
    unit: "",
    figure: "",
    incident: null,
    tiles: new Map(),
    boxes: null,
  });

  w.scale = function () {
    return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  };
  w.shift = function () {
    return Math.log2(w.scale());
  };
  w.still = function () {
    return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  };

  function url(name, part) {
    return "/data/" + name + ".geojson?v=" + encodeURIComponent(s.versions[part] || "") + "&lang=" + s.config.lang;
  }
  function absolute(path) {
    return new URL(path, window.location.href).href;
  }

  /* --- view ----------------------------------------------------------------------------------- */

  const mercatorY = (lat) => (1 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / Math.PI) / 2;
  const latitude = (y) => (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;

  function padding(top) {
    const k = w.scale();
    return { top: top * k, bottom: 24 * k, left: 24 * k, right: 24 * k };
  }

  /* Middle and zoom that show a box of degrees in the map's place; needs no map. */
  w.fit = function (box) {
    const width = document.querySelector(".map-canvas").clientWidth;
    const view = fitBelow(box, 52);
    // A city that reaches under the switches in the upper corners begins below them.
    const wide = ((box[2] - box[0]) / 360) * 512 * 2 ** view.zoom > width - 2 * 440 * w.scale();
    return wide ? fitBelow(box, 92) : view;
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

  w.firstView = function () {
    const v = s.config.view;
    if (v) return { center: { lon: v[0], lat: v[1] }, zoom: v[2] + w.shift() };
    return w.fit(s.config.bounds);
  };

  w.currentView = function () {
    if (!s.map) return w.firstView();
    const c = s.map.getCenter();
    return { center: { lon: c.lng, lat: c.lat }, zoom: s.map.getZoom() };
  };

  w.move = function (view) {
    if (!s.map) return;
    const to = { center: [view.center.lon, view.center.lat], zoom: view.zoom };
    if (w.still()) s.map.jumpTo(to);
    else s.map.flyTo({ ...to, duration: 900, essential: false });
  };

  /* plotly puts back the view that it last knew with every change of a figure: tell it ours. */
  function tellPlotly() {
    const gd = w.graphDiv();
    if (!gd || !gd._fullLayout || !gd._fullLayout.map) return;
    const view = w.currentView();
    for (const layout of [gd._fullLayout.map, gd.layout && gd.layout.map]) {
      if (layout) Object.assign(layout, { center: view.center, zoom: view.zoom });
    }
  }

  w.boxOf = async function (grid) {
    if (!s.boxes || s.boxes.version !== s.versions.city) {
      const answer = await fetch("/data/grids.geojson?v=" + encodeURIComponent(s.versions.city));
      const found = new Map();
      for (const feature of (await answer.json()).features) {
        const box = [180, 90, -180, -90];
        (function walk(c) {
          if (typeof c[0] === "number") {
            box[0] = Math.min(box[0], c[0]);
            box[1] = Math.min(box[1], c[1]);
            box[2] = Math.max(box[2], c[0]);
            box[3] = Math.max(box[3], c[1]);
          } else c.forEach(walk);
        })(feature.geometry.coordinates);
        found.set(feature.properties.grid_id, box);
      }
      s.boxes = { version: s.versions.city, found };
    }
    return s.boxes.found.get(grid) || null;
  };

  /* Show a grid with something around it. */
  w.flyToGrid = async function (grid) {
    const box = await w.boxOf(grid);
    if (!box) return;
    const wide = (box[2] - box[0]) * 0.6;
    const high = (box[3] - box[1]) * 0.6;
    w.move(w.fit([box[0] - wide, box[1] - high, box[2] + wide, box[3] + high]));
  };

  /* --- layers --------------------------------------------------------------------------------- */

  const MINE = {
    incidents: ["w-incidents"],
    workers: ["w-workers", "w-worker-names"],
    assets: ["w-clusters", "w-cluster-counts", "w-assets"],
    labels: ["w-names-grid", "w-names-community", "w-names-street", "w-names-district"],
  };

  function names(level, from, to, size, colour) {
    const k = w.scale();
    const weight = { district: 6, street: 4, community: 2 }[level] || 0;
    return {
      id: "w-names-" + level,
      type: "symbol",
      source: "w-labels",
      filter: ["==", ["get", "level"], level],
      minzoom: Math.max(0, from + w.shift()),
      maxzoom: Math.min(24, to + w.shift()),
      layout: {
        "text-field": ["get", "name"],
        "text-font": FONTS,
        "text-size": size * k,
        "text-padding": (4 + weight) * k,
        "text-max-width": 8,
        "text-letter-spacing": level === "district" || level === "street" ? 0.08 : 0,
      },
      paint: {
        "text-color": colour,
        "text-halo-color": "rgba(6,11,23,.88)",
        "text-halo-width": 1.5 * k,
        "text-halo-blur": 0.5 * k,
      },
    };
  }

  function addSources(map) {
    const empty = { type: "FeatureCollection", features: [] };
    const add = (id, data, extra) => {
      if (!map.getSource(id)) map.addSource(id, { type: "geojson", data, ...extra });
    };
    add("w-grids", absolute("/data/grids.geojson?v=" + encodeURIComponent(s.versions.city)), { tolerance: 0.3 });
    add("w-labels", absolute(url("labels", "city")));
    add("w-incidents", absolute(url("incidents", "incidents")));
    add("w-workers", absolute(url("workers", "workers")));
    add("w-assets", empty);
  }

  function addLayers(map) {
    const k = w.scale();
    const add = (layer, before) => {
      if (!map.getLayer(layer.id)) map.addLayer(layer, before && map.getLayer(before) ? before : undefined);
    };
    const none = ["==", ["get", "grid_id"], ""];
    add({ id: "w-hatch", type: "fill", source: "w-grids", filter: none, paint: { "fill-pattern": "hatch", "fill-opacity": 0.7 } }, "over-data");
    add({ id: "w-hit", type: "fill", source: "w-grids", paint: { "fill-color": "rgba(0,0,0,0)" } }, "over-data");
    add({ id: "w-dim", type: "fill", source: "w-grids", filter: none, paint: { "fill-color": w.colour("ground"), "fill-opacity": 0.42, "fill-antialias": false } }, "over-data");
    const size = { grid: 11, community: 12.5, street: 15, district: 19 };
    add(names("grid", 14, 24, size.grid, "#b9c8df"));
    add(names("community", 12.6, 24, size.community, "#cfdbee"));
    add(names("street", 9.5, 16.5, size.street, "#e8eef8"));
    add(names("district", 0, 13.5, size.district, "#f3f7fd"));

    add({
      id: "w-clusters", type: "circle", source: "w-assets", filter: ["has", "count"],
      paint: {
        "circle-radius": ["interpolate", ["linear"], ["log10", ["get", "count"]], 0, 8 * k, 2, 12 * k, 4, 18 * k],
        "circle-color": "rgba(13,21,38,.72)",
        "circle-stroke-color": "rgba(157,176,205,.55)",
        "circle-stroke-width": 1 * k,
      },
    });
    add({
      id: "w-cluster-counts", type: "symbol", source: "w-assets", filter: ["has", "count"],
      layout: {
        "text-field": ["case", [">=", ["get", "count"], 10000], ["concat", ["to-string", ["round", ["/", ["get", "count"], 1000]]], "k"], ["to-string", ["get", "count"]]],
        "text-font": FONTS, "text-size": 11 * k, "text-allow-overlap": true, "text-ignore-placement": true,
      },
      paint: { "text-color": w.colour("quiet") },
    });
    add({
      id: "w-assets", type: "symbol", source: "w-assets", filter: ["has", "symbol"],
      layout: {
        "icon-image": ["concat", "asset-", ["get", "symbol"], ["case", ["==", ["get", "broken"], 1], "-broken", ""]],
        "icon-allow-overlap": true, "icon-ignore-placement": true,
        "icon-rotate": ["case", ["==", ["get", "symbol"], "sector"], ["coalesce", ["get", "bearing"], 0], 0],
        "icon-rotation-alignment": "map",
        "icon-size": ["interpolate", ["linear"], ["zoom"], 16 + w.shift(), 0.42, 17 + w.shift(), 0.68, 18.5 + w.shift(), 1],
      },
    });
    const outline = { type: "line", source: "w-grids", filter: none, layout: { "line-join": "round" } };
    add({ ...outline, id: "w-selected-casing", paint: { "line-color": w.colour("border-casing"), "line-width": 5 * k, "line-opacity": 0.8 } });
    add({ ...outline, id: "w-selected", paint: { "line-color": w.colour("accent"), "line-width": 2.2 * k } });
    add({
      id: "w-workers", type: "symbol", source: "w-workers",
      layout: {
        "icon-image": ["case", [">=", ["get", "t"], freshSince()], "worker-fresh", "worker-old"],
        "icon-allow-overlap": true, "icon-ignore-placement": true,
        "icon-size": ["interpolate", ["linear"], ["zoom"], 10 + w.shift(), 0.5, 13 + w.shift(), 0.75, 16 + w.shift(), 1.15],
        "symbol-sort-key": ["get", "t"],
      },
      paint: { "icon-opacity": 0.92 },
    });
    add({
      id: "w-worker-names", type: "symbol", source: "w-workers", minzoom: 15.5 + w.shift(),
      layout: { "text-field": ["get", "name"], "text-font": FONTS, "text-size": 11 * k, "text-offset": [0, 1.1], "text-optional": true },
      paint: { "text-color": "#ffffff", "text-halo-color": "rgba(6,11,23,.9)", "text-halo-width": 1.4 * k },
    });
    add({
      id: "w-incidents", type: "symbol", source: "w-incidents",
      layout: {
        "icon-image": ["concat", "state-", ["get", "state"]],
        "icon-allow-overlap": true, "icon-ignore-placement": true,
        "icon-size": ["interpolate", ["linear"], ["zoom"], 10 + w.shift(), 0.62, 13 + w.shift(), 0.9, 16 + w.shift(), 1.3],
        "symbol-sort-key": ["match", ["get", "state"], "late", 3, "soon", 2, "fine", 1, 0],
      },
    });
  }

  function freshSince() {
    return Math.floor(w.now() / 1000) - s.config.onDutyS;
  }

  w.showLayers = function () {
    const map = s.map;
    if (!map) return;
    for (const [name, ids] of Object.entries(MINE)) {
      for (const id of ids) {
        if (map.getLayer(id)) map.setLayoutProperty(id, "visibility", s.layers.includes(name) ? "visible" : "none");
      }
    }
    for (const layer of map.getStyle().layers) {
      if (layer.id.startsWith("boundary-")) {
        map.setLayoutProperty(layer.id, "visibility", s.layers.includes("borders") ? "visible" : "none");
      }
    }
    w.loadAssets();
  };

  w.showSelection = function () {
    const map = s.map;
    if (!map || !map.getLayer("w-selected")) return;
    const mine = ["==", ["get", "grid_id"], s.grid || ""];
    map.setFilter("w-selected", mine);
    map.setFilter("w-selected-casing", mine);
    map.setFilter("w-dim", s.grid ? ["!=", ["get", "grid_id"], s.grid] : ["==", ["get", "grid_id"], ""]);
  };

  w.showNoData = function () {
    if (s.map && s.map.getLayer("w-hatch")) {
      s.map.setFilter("w-hatch", ["in", ["get", "r"], ["literal", s.noData]]);
    }
  };

  /* --- assets by tile -------------------------------------------------------------------------- */

  w.loadAssets = async function () {
    const map = s.map;
    if (!map || !map.getSource("w-assets")) return;
    const zoom = map.getZoom() - w.shift();
    const token = (s.assetToken = {});
    if (!s.layers.includes("assets") || zoom < s.config.clusterZoom) {
      map.getSource("w-assets").setData({ type: "FeatureCollection", features: [] });
      return;
    }
    const z = Math.min(Math.floor(zoom + 1e-6), s.config.assetZoom);
    const b = map.getBounds();
    const n = 2 ** z;
    const tx = (lon) => Math.floor(((lon + 180) / 360) * n);
    const ty = (lat) => Math.floor(mercatorY(Math.min(Math.max(lat, -85), 85)) * n);
    const wanted = [];
    for (let x = tx(b.getWest()); x <= tx(b.getEast()); x++) {
      for (let y = ty(b.getNorth()); y <= ty(b.getSouth()); y++) {
        if (x >= 0 && x < n && y >= 0 && y < n) wanted.push([z, x, y].join("/"));
      }
    }
    const parts = await Promise.all(wanted.slice(0, 64).map(tile));
    if (token !== s.assetToken) return; // the view has moved on
    map.getSource("w-assets").setData({ type: "FeatureCollection", features: parts.flat() });
  };

  async function tile(path) {
    const key = path + "?v=" + encodeURIComponent(s.versions.assets) + "&lang=" + s.config.lang;
    if (!s.tiles.has(key)) {
      const answer = await fetch("/data/assets/" + path.split("?")[0] + ".geojson?" + key.split("?")[1]);
      if (!answer.ok) {
        w.notice(s.config.words["layer.failed"]);
        return [];
      }
      s.tiles.set(key, (await answer.json()).features);
      if (s.tiles.size > TILES_KEPT) s.tiles.delete(s.tiles.keys().next().value);
    }
    return s.tiles.get(key);
  }

  /* --- tips and clicks -------------------------------------------------------------------------- */

  const POINTS = ["w-incidents", "w-workers", "w-assets", "w-clusters"];

  function featureAt(point) {
    const map = s.map;
    const r = 5 * w.scale();
    const layers = POINTS.filter((id) => map.getLayer(id));
    const near = map.queryRenderedFeatures([[point.x - r, point.y - r], [point.x + r, point.y + r]], { layers });
    const first = near.sort((a, b) => POINTS.indexOf(a.layer.id) - POINTS.indexOf(b.layer.id))[0];
    return first || gridAt(point);
  }
  function gridAt(point) {
    return s.map.getLayer("w-hit") ? s.map.queryRenderedFeatures(point, { layers: ["w-hit"] })[0] : undefined;
  }

  function tipLines(feature) {
    const p = feature.properties;
    const words = s.config.words;
    switch (feature.layer.id) {
      case "w-incidents":
        return [p.what, p.chip + " · " + p.when, p.where];
      case "w-workers":
        return [p.name, words["worker.seen"].replace("{span}", w.span((w.now() / 1000 - p.t) * 1000))];
      case "w-assets":
        return [p.what, p.name && p.name !== "null" ? p.name : "", p.id];
      case "w-clusters":
        return [words["cluster"].replace("{n}", p.count.toLocaleString("en-US"))];
      default: {
        const value = s.values ? s.values[p.r] : NaN;
        const text = Number.isFinite(value) ? value.toLocaleString("en-US", { maximumFractionDigits: 1 }) + " " + s.unit : words["no.value"];
        return [p.name, s.figure + " " + text];
      }
    }
  }

  function showTip(event) {
    const tip = document.getElementById("command-tip");
    const feature = featureAt(event.point);
    s.map.getCanvas().style.cursor = feature ? "pointer" : "";
    if (!feature) {
      tip.classList.remove("is-shown");
      return;
    }
    tip.replaceChildren(
      ...tipLines(feature).filter(Boolean).map((text, k) => {
        const line = document.createElement(k ? "span" : "b");
        line.textContent = text;
        return line;
      })
    );
    const box = document.querySelector(".map-canvas");
    const gap = 14 * w.scale();
    tip.classList.add("is-shown");
    const left = event.point.x + gap + tip.offsetWidth > box.clientWidth ? event.point.x - gap - tip.offsetWidth : event.point.x + gap;
    const top = event.point.y + gap + tip.offsetHeight > box.clientHeight ? event.point.y - gap - tip.offsetHeight : event.point.y + gap;
    tip.style.transform = "translate(" + Math.round(left) + "px," + Math.round(top) + "px)";
  }

  function onClick(event) {
    const feature = featureAt(event.point);
    if (!feature) return;
    if (feature.layer.id === "w-clusters") {
      const zoom = Math.min(s.map.getZoom() + 2, s.config.assetZoom + 0.3 + w.shift());
      w.move({ center: { lon: event.lngLat.lng, lat: event.lngLat.lat }, zoom });
      return;
    }
    s.incident = feature.layer.id === "w-incidents" ? feature.geometry.coordinates : null;
    const grid = gridAt(event.point);
    if (grid) w.chooseGrid(grid.properties.grid_id);
    w.pulse();
  }

  w.chooseGrid = function (grid) {
    window.dash_clientside.set_props("command-grid", { data: grid || null });
  };

  function onKey(event) {
    if (event.key !== "Enter") return;
    const box = s.map.getContainer();
    const grid = gridAt([box.clientWidth / 2, box.clientHeight / 2]);
    if (grid) w.chooseGrid(grid.properties.grid_id);
  }

  /* --- scale ------------------------------------------------------------------------------------ */

  function showScale() {
    const map = s.map;
    const words = s.config.words;
    const perPixel = (40075016.7 * Math.cos((map.getCenter().lat * Math.PI) / 180)) / (512 * 2 ** map.getZoom());
    const most = perPixel * 110 * w.scale();
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((n) => n * power).find((n) => n <= most);
    document.getElementById("command-scale-bar").style.width = length / perPixel + "px";
    document.getElementById("command-scale-text").textContent =
      length >= 1000 ? words["kilometres"].replace("{n}", length / 1000) : words["metres"].replace("{n}", length);
  }

  /* --- life ------------------------------------------------------------------------------------- */

  function dress(map) {
    w.addIcons(map, w.scale());
    addSources(map);
    addLayers(map);
    w.showLayers();
    w.showSelection();
    w.showNoData();
  }

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
    dress(map);
    map.on("styledata", () => {
      if (map.isStyleLoaded() && !map.getLayer("w-incidents")) dress(map);
    });
    map.on("moveend", () => {
      s.moved = true;
      tellPlotly();
      showScale();
      w.loadAssets();
      w.writeAddress();
    });
    let waiting = false;
    map.on("mousemove", (event) => {
      if (waiting) return;
      waiting = true;
      window.requestAnimationFrame(() => {
        waiting = false;
        showTip(event);
      });
    });
    map.on("mouseout", () => document.getElementById("command-tip").classList.remove("is-shown"));
    map.on("click", onClick);
    map.getCanvas().addEventListener("keydown", onKey);
    map.getCanvas().setAttribute("aria-label", document.querySelector(".map-canvas").getAttribute("aria-label"));
    map.dragRotate.disable();
    map.touchZoomRotate.disableRotation();
    showScale();
    w.startPulses(map);
    if (s.config.grid && !s.config.view) w.flyToGrid(s.config.grid);
    document.documentElement.dataset.ready = "map";
  };

  w.refreshSources = function (old) {
    const map = s.map;
    if (!map) return;
    const set = (id, name, part) => {
      if (old[part] !== s.versions[part] && map.getSource(id)) map.getSource(id).setData(absolute(url(name, part)));
    };
    if (old.city !== s.versions.city) {
      map.getSource("w-grids").setData(absolute("/data/grids.geojson?v=" + encodeURIComponent(s.versions.city)));
    }
    set("w-labels", "labels", "city");
    set("w-incidents", "incidents", "incidents");
    set("w-workers", "workers", "workers");
    if (map.getLayer("w-workers")) {
      map.setLayoutProperty("w-workers", "icon-image", ["case", [">=", ["get", "t"], freshSince()], "worker-fresh", "worker-old"]);
    }
    if (old.assets !== s.versions.assets) w.loadAssets();
    w.loadPulses();
  };
})();
