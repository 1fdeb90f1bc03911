/* Shades of units by a figure: one source and one pair of layers a level, coloured by feature state, so
   that a new figure or a new scope changes colours and draws no shape anew. Units without data are
   hatched. Units above the grid carry their name and value. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const m = (w.map = w.map || {});
  const known = new Map();

  function shapesUrl(level) {
    const name = level === "grid" ? "grids" : "units/" + encodeURIComponent(level);
    const part = level.startsWith("zone:") && s.versions.zones ? "zones" : "city";
    return "/data/" + name + ".geojson?v=" + encodeURIComponent(s.versions[part] || "");
  }

  function boxOf(geometry) {
    const box = [180, 90, -180, -90];
    (function walk(c) {
      if (typeof c[0] === "number") {
        box[0] = Math.min(box[0], c[0]);
        box[1] = Math.min(box[1], c[1]);
        box[2] = Math.max(box[2], c[0]);
        box[3] = Math.max(box[3], c[1]);
      } else c.forEach(walk);
    })(geometry.coordinates);
    return box;
  }

  /* The units of a level by their code: {code, name, row, box, at (a point inside)}. */
  m.units = function (level) {
    const url = shapesUrl(level);
    if (!known.has(url)) {
      known.set(
        url,
        fetch(url).then(async (answer) => {
          const units = new Map();
          if (!answer.ok) {
            known.delete(url);
            return units;
          }
          const body = await answer.json();
          for (const feature of body.features) {
            if (!feature.geometry) continue;
            const p = feature.properties;
            const code = p.grid_id !== undefined ? p.grid_id : p.code;
            units.set(code, { code, name: p.name, row: p.r, box: boxOf(feature.geometry), at: Number.isFinite(p.x) ? [p.x, p.y] : null });
          }
          return units;
        })
      );
    }
    return known.get(url);
  };

  function ids(level) {
    return { source: "w-units-" + level, fill: "w-fill-" + level, hatch: "w-hatch-" + level };
  }

  function addLevel(map, level) {
    const id = ids(level);
    if (!map.getSource(id.source)) {
      const promoteId = level === "grid" ? "grid_id" : "code";
      map.addSource(id.source, { type: "geojson", data: w.absolute(shapesUrl(level)), promoteId, tolerance: 0.3 });
    }
    if (!map.getLayer(id.fill)) {
      map.addLayer(
        {
          id: id.fill, type: "fill", source: id.source,
          paint: {
            "fill-color": ["to-color", ["feature-state", "fill"], "rgba(0,0,0,0)"],
            "fill-opacity": ["case", ["boolean", ["feature-state", "hover"], false], 0.94, 0.8],
            "fill-antialias": false,
          },
        },
        "over-data"
      );
    }
    if (!map.getLayer(id.hatch)) {
      map.addLayer(
        {
          id: id.hatch, type: "fill", source: id.source, filter: ["==", ["get", "r"], -1],
          paint: { "fill-pattern": "hatch", "fill-opacity": 0.7, "fill-antialias": false },
        },
        "over-data"
      );
    }
    return id;
  }

  function decode(array, Kind) {
    const bytes = Uint8Array.from(window.atob(array.bdata), (c) => c.charCodeAt(0));
    return new Kind(bytes.buffer);
  }

  /* spec: {level, scope: {level, code}, rows, classes, values, palette, noData, unit, figure, labels} */
  m.shade = function (spec) {
    s.spec = spec;
    s.unit = spec.unit;
    s.figure = spec.figure;
    const rows = decode(spec.rows, Int32Array);
    const classes = decode(spec.classes, Int8Array);
    const values = decode(spec.values, Float32Array);
    s.values = new Map();
    s.classes = new Map();
    rows.forEach((row, k) => {
      s.values.set(row, values[k]);
      s.classes.set(row, classes[k]);
    });
    s.noData = Array.from(rows).filter((row, k) => classes[k] < 0);
    if (s.map) paint();
    if (m.onShade) m.onShade(spec);
  };

  async function paint() {
    const map = s.map;
    const spec = s.spec;
    if (!map || !spec) return;
    const level = spec.level;
    const units = await m.units(level);
    if (spec !== s.spec || map !== s.map) return;
    const id = addLevel(map, level);
    const painted = (s.shades[level] = s.shades[level] || new Map());
    for (const unit of units.values()) {
      const code = s.classes.get(unit.row);
      const fill = code === undefined ? null : code < 0 ? w.colour("no-data") : spec.palette[code];
      if (painted.get(unit.code) === fill) continue;
      painted.set(unit.code, fill);
      map.setFeatureState({ source: id.source, id: unit.code }, { fill: fill || "rgba(0,0,0,0)" });
    }
    map.setFilter(id.hatch, ["in", ["get", "r"], ["literal", s.noData]]);
    reveal(map, id);
    showBorders(map, level);
    showScope(map);
    showValues(map, units);
    m.showSelection();
    document.documentElement.dataset.shaded = level + ":" + spec.figure;
  }
  m.repaint = paint;

  const visible = (map, layer, now) => {
    if ((map.getLayoutProperty(layer, "visibility") || "visible") !== now) map.setLayoutProperty(layer, "visibility", now);
  };

  /* Show the level, and hide the one before it only once the new one is there: no dark moment between. */
  function reveal(map, id) {
    const level = s.spec.level;
    visible(map, id.fill, "visible");
    visible(map, id.hatch, "visible");
    const rest = () => {
      if (map !== s.map || level !== s.spec.level) return;
      if (!map.isSourceLoaded(id.source)) return void map.once("sourcedata", rest);
      for (const layer of map.getStyle().layers) {
        if (!layer.id.startsWith("w-fill-") && !layer.id.startsWith("w-hatch-")) continue;
        if (layer.id !== id.fill && layer.id !== id.hatch) visible(map, layer.id, "none");
      }
      s.revealed = level;
    };
    rest();
  }

  /* Borders of grids would crowd a map of districts or streets: there they come back close by. */
  function showBorders(map, level) {
    const coarse = level === "district" || level === "street";
    for (const name of ["boundary-grid-casing", "boundary-grid"]) {
      if (map.getLayer(name)) map.setLayerZoomRange(name, (coarse ? 13.2 : 10) + w.shift(), 24);
    }
  }

  /* Read the shapes of the levels that a click may lead to while nobody waits for them. */
  m.prefetch = function (levels) {
    s.map.once("idle", () => {
      for (const level of levels) {
        if (level === s.spec.level || s.map.getSource(ids(level).source)) continue;
        const id = addLevel(s.map, level);
        visible(s.map, id.fill, "none");
        visible(s.map, id.hatch, "none");
        m.units(level);
      }
    });
  };

  /* The outline of what the page is about, when that is not the whole city. */
  function showScope(map) {
    const scope = s.spec.scope;
    const source = scope && scope.code ? addLevel(map, scope.level).source : null;
    const k = w.scale();
    for (const name of ["w-scope-casing", "w-scope"]) {
      const layer = map.getLayer(name);
      if (layer && layer.source !== source) map.removeLayer(name);
      if (!source) continue;
      const casing = name.endsWith("casing");
      if (!map.getLayer(name)) {
        map.addLayer(
          {
            id: name, type: "line", source, layout: { "line-join": "round" },
            paint: casing
              ? { "line-color": w.colour("border-casing"), "line-width": 6 * k, "line-opacity": 0.8 }
              : { "line-color": w.colour("text"), "line-width": 2 * k, "line-opacity": 0.9 },
          },
          "over-marks"
        );
      }
      map.setFilter(name, ["==", ["get", "code"], scope.code]);
    }
    // A level that is there for its outline only stays without colour.
    if (source && !s.shades[scope.level]) visible(map, ids(scope.level).fill, "none");
  }

  /* Name and value in the middle of each shaded unit above the grid. */
  function showValues(map, units) {
    const spec = s.spec;
    const features = [];
    if (spec.labels) {
      for (const unit of units.values()) {
        if (!s.classes.has(unit.row) || !unit.at) continue;
        features.push({
          type: "Feature",
          properties: { name: unit.name, value: spec.labels[String(unit.row)] || "" },
          geometry: { type: "Point", coordinates: unit.at },
        });
      }
    }
    const source = map.getSource("w-values");
    const text = JSON.stringify(features);
    if (source && s.valuesShown !== text) {
      s.valuesShown = text;
      source.setData({ type: "FeatureCollection", features });
    }
    m.showNames();
  }

  m.refreshShapes = function () {
    s.shades = {};
    for (const [id, source] of Object.entries(s.map.getStyle().sources)) {
      if (!id.startsWith("w-units-") || source.type !== "geojson") continue;
      const level = id.slice("w-units-".length);
      s.map.removeFeatureState({ source: id });
      s.map.getSource(id).setData(w.absolute(shapesUrl(level)));
    }
    s.map.getSource("w-labels").setData(w.absolute(w.dataUrl("labels", "city")));
    paint();
  };

  m.addLevel = addLevel;
})();
