/* Our own layers on the map: marks of incidents, workers and assets, names, and the selection. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const m = (w.map = w.map || {});
  const FONTS = ["Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "sans-serif"];
  const TILES_KEPT = 300;
  const EMPTY = { type: "FeatureCollection", features: [] };
  const MINE = {
    incidents: ["w-incidents"],
    workers: [], // their layer looks for itself: an SOS is seen in any case
    assets: ["w-clusters", "w-cluster-counts", "w-assets"],
  };
  const NAMES = ["grid", "community", "street", "district"];
  const NONE = ["==", ["get", "grid_id"], ""];

  function halo(k) {
    return { "text-halo-color": w.colour("land"), "text-halo-width": 1.5 * k, "text-halo-blur": 0.5 * k };
  }

  function names(level, from, to, size, strength) {
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
      paint: { "text-color": w.colour("text"), "text-opacity": strength, ...halo(k) },
    };
  }

  function addSources(map) {
    const add = (id, data, extra) => {
      if (!map.getSource(id)) map.addSource(id, { type: "geojson", data, ...extra });
    };
    add("w-labels", w.absolute(w.dataUrl("labels", "city")));
    add("w-values", EMPTY);
    add("w-incidents", EMPTY);
    add("w-assets", EMPTY);
  }

  const add = (map, layer, before) => {
    if (!map.getLayer(layer.id)) map.addLayer(layer, before && map.getLayer(before) ? before : undefined);
  };

  function addNames(map) {
    add(map, names("grid", 14, 24, 11, 0.78));
    add(map, names("community", 12.6, 24, 12.5, 0.88));
    add(map, names("street", 9.5, 16.5, 15, 0.96));
    add(map, names("district", 0, 13.5, 19, 1));
  }

  function addAssets(map) {
    const k = w.scale();
    add(map, {
      id: "w-clusters", type: "circle", source: "w-assets", filter: ["has", "count"],
      paint: {
        "circle-radius": ["interpolate", ["linear"], ["log10", ["get", "count"]], 0, 8 * k, 2, 12 * k, 4, 18 * k],
        "circle-color": w.colour("land"), "circle-opacity": 0.72,
        "circle-stroke-color": w.colour("quiet"), "circle-stroke-opacity": 0.55, "circle-stroke-width": 1 * k,
      },
    });
    add(map, {
      id: "w-cluster-counts", type: "symbol", source: "w-assets", filter: ["has", "count"],
      layout: {
        "text-field": ["case", [">=", ["get", "count"], 10000], ["concat", ["to-string", ["round", ["/", ["get", "count"], 1000]]], "k"], ["to-string", ["get", "count"]]],
        "text-font": FONTS, "text-size": 11 * k, "text-allow-overlap": true, "text-ignore-placement": true,
      },
      paint: { "text-color": w.colour("quiet") },
    });
    add(map, {
      id: "w-assets", type: "symbol", source: "w-assets", filter: ["has", "symbol"],
      layout: {
        "icon-image": ["concat", "asset-", ["get", "symbol"], ["case", ["==", ["get", "broken"], 1], "-broken", ""]],
        "icon-allow-overlap": true, "icon-ignore-placement": true,
        "icon-rotate": ["case", ["==", ["get", "symbol"], "sector"], ["coalesce", ["get", "bearing"], 0], 0],
        "icon-rotation-alignment": "map",
        "icon-size": ["interpolate", ["linear"], ["zoom"], 16 + w.shift(), 0.42, 17 + w.shift(), 0.68, 18.5 + w.shift(), 1],
      },
    });
  }

  function addSelection(map) {
    const k = w.scale();
    const source = m.addLevel(map, "grid").source;
    add(map, { id: "w-hit", type: "fill", source, paint: { "fill-color": "rgba(0,0,0,0)" } }, "over-data");
    add(map, { id: "w-dim", type: "fill", source, filter: NONE, paint: { "fill-color": w.colour("ground"), "fill-opacity": 0.42, "fill-antialias": false } }, "over-data");
    const outline = { type: "line", source, filter: NONE, layout: { "line-join": "round" } };
    add(map, { ...outline, id: "w-selected-casing", paint: { "line-color": w.colour("border-casing"), "line-width": 5 * k, "line-opacity": 0.8 } });
    add(map, { ...outline, id: "w-selected", paint: { "line-color": w.colour("accent"), "line-width": 2.2 * k } });
  }

  function addMoving(map) {
    const calm = (quiet, loud) => ["match", ["get", "state"], ["late", "soon"], loud, quiet];
    add(map, {
      id: "w-incidents", type: "symbol", source: "w-incidents",
      layout: {
        "icon-image": ["concat", "state-", ["get", "state"]],
        "icon-allow-overlap": true, "icon-ignore-placement": true,
        // What is in time stays small, so that what is late or due stands out from afar.
        "icon-size": [
          "interpolate", ["linear"], ["zoom"],
          11 + w.shift(), calm(0.34, 0.74), 13.5 + w.shift(), calm(0.7, 0.95), 16 + w.shift(), 1.3,
        ],
        "symbol-sort-key": ["match", ["get", "state"], "late", 3, "soon", 2, "fine", 1, 0],
      },
      paint: {
        "icon-opacity": ["interpolate", ["linear"], ["zoom"], 11 + w.shift(), calm(0.6, 1), 14 + w.shift(), 1],
      },
    });
    add(map, m.peopleLayer());
  }

  /* Names and values stand above the marks: they are read from afar. */
  function addValues(map) {
    const k = w.scale();
    add(map, {
      id: "w-values", type: "symbol", source: "w-values",
      layout: {
        "text-field": [
          "format", ["get", "name"], { "font-scale": 0.86 }, "\n", {}, ["get", "value"], { "font-scale": 1.22 },
        ],
        "text-font": FONTS, "text-size": 15 * k, "text-line-height": 1.25, "text-max-width": 12, "text-padding": 3 * k,
      },
      paint: { "text-color": w.colour("text"), ...halo(k), "text-halo-width": 1.9 * k },
    });
  }

  m.dress = function (map) {
    w.addIcons(map, w.scale());
    addSources(map);
    s.shades = {};
    s.valuesShown = null;
    addSelection(map);
    addNames(map);
    addAssets(map);
    addMoving(map);
    addValues(map);
    m.show(s.layers);
    m.showSelection();
    m.showMoving();
    m.repaint();
  };

  m.show = function (layers) {
    s.layers = layers;
    const map = s.map;
    if (!map) return;
    const set = (id, visible) => {
      if (map.getLayer(id)) map.setLayoutProperty(id, "visibility", visible ? "visible" : "none");
    };
    for (const [name, ids] of Object.entries(MINE)) ids.forEach((id) => set(id, layers.includes(name)));
    for (const layer of map.getStyle().layers) {
      if (layer.id.startsWith("boundary-")) set(layer.id, layers.includes("borders"));
    }
    m.showNames();
    m.loadAssets();
    m.people.changed();
    if (w.pulse) w.pulse();
  };

  /* Units that carry their value carry their name too, so their level's own names rest. */
  m.showNames = function () {
    const map = s.map;
    if (!map || !map.getLayer("w-values")) return;
    const on = s.layers.includes("labels");
    const valued = s.spec && s.spec.labels ? s.spec.level : null;
    // The names of the level just below would crowd the values.
    const rank = NAMES.indexOf(valued);
    NAMES.forEach((level, k) => {
      const shown = on && (rank < 0 || (k !== rank && k !== rank - 1));
      map.setLayoutProperty("w-names-" + level, "visibility", shown ? "visible" : "none");
    });
    map.setLayoutProperty("w-values", "visibility", on ? "visible" : "none");
  };

  /* --- selection ----------------------------------------------------------------------------------- */

  m.select = function (grid) {
    s.grid = grid || null;
    m.showSelection();
  };

  m.showSelection = function () {
    const map = s.map;
    if (!map || !map.getLayer("w-selected")) return;
    const mine = ["==", ["get", "grid_id"], s.grid || ""];
    map.setFilter("w-selected", mine);
    map.setFilter("w-selected-casing", mine);
    map.setFilter("w-dim", s.grid ? ["!=", ["get", "grid_id"], s.grid] : NONE);
  };

  /* --- assets by tile -------------------------------------------------------------------------------- */

  m.loadAssets = async function () {
    const map = s.map;
    if (!map || !map.getSource("w-assets")) return;
    const zoom = map.getZoom() - w.shift();
    const token = (s.assetToken = {});
    if (!s.layers.includes("assets") || zoom < s.config.clusterZoom) {
      if (s.assetsShown) map.getSource("w-assets").setData(EMPTY);
      s.assetsShown = false;
      return;
    }
    const z = Math.min(Math.floor(zoom + 1e-6), s.config.assetZoom);
    const b = map.getBounds();
    const n = 2 ** z;
    const tx = (lon) => Math.floor(((lon + 180) / 360) * n);
    const ty = (lat) => Math.floor(w.mercatorY(Math.min(Math.max(lat, -85), 85)) * n);
    const wanted = [];
    for (let x = tx(b.getWest()); x <= tx(b.getEast()); x++) {
      for (let y = ty(b.getNorth()); y <= ty(b.getSouth()); y++) {
        if (x >= 0 && x < n && y >= 0 && y < n) wanted.push([z, x, y].join("/"));
      }
    }
    const parts = await Promise.all(wanted.slice(0, 64).map(tile));
    if (token !== s.assetToken) return; // the view has moved on
    s.assetsShown = true;
    map.getSource("w-assets").setData({ type: "FeatureCollection", features: parts.flat() });
  };

  async function tile(path) {
    const query = "v=" + encodeURIComponent(s.versions.assets) + "&lang=" + s.config.lang;
    const key = path + "?" + query;
    if (!s.tiles.has(key)) {
      let answer;
      try {
        answer = await fetch("/data/assets/" + path + ".geojson?" + query);
      } catch (error) {
        return []; // away: asked again with the next move of the map
      }
      if (!answer.ok) {
        w.notice(s.config.words["layer.failed"]);
        return [];
      }
      s.tiles.set(key, (await answer.json()).features);
      if (s.tiles.size > TILES_KEPT) s.tiles.delete(s.tiles.keys().next().value);
    }
    return s.tiles.get(key);
  }
})();
