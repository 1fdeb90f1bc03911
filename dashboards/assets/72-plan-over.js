/* What lies over the plan for a while: lines and areas that a hand draws (small sources of MapLibre), a ring
   around a place, and names with households on a canvas that follows the map, so that a figure that changes
   while the brush moves is written anew without a tile or a symbol being placed. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const plan = w.plan;
  const EMPTY = { type: "FeatureCollection", features: [] };
  const MOST_NAMES = 260;
  const FIGURE_PX = 46; // a grid at least so wide has its figure, and
  const FULL_PX = 84; // from here on its name, on a screen of 1080 lines
  const over = new Map();

  const colour = (name) => (name && !name.startsWith("#") && !name.startsWith("rgb") ? w.colour(name) : name);

  plan.overlay = function (id, shape, style) {
    const known = over.get(id) || {};
    over.set(id, { shape: shape || EMPTY, style: style || known.style || {} });
    lay(id);
  };
  function lay(id) {
    const map = s.map;
    const { shape, style } = over.get(id);
    if (!map || !map.getLayer("plan-lines")) return;
    const source = "plan-over-" + id;
    if (map.getSource(source)) {
      map.getSource(source).setData(shape);
      return;
    }
    const k = w.scale();
    map.addSource(source, { type: "geojson", data: shape, tolerance: 0, buffer: 32 });
    const before = style.before && map.getLayer(style.before) ? style.before : undefined;
    if (style.fill) map.addLayer({ id: source + "-fill", type: "fill", source, filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": colour(style.fill), "fill-opacity": style.fillOpacity === undefined ? 0.25 : style.fillOpacity } }, before);
    if (style.line !== null) {
      const paint = { "line-color": colour(style.line || "accent"), "line-width": (style.width || 2.5) * k };
      if (style.dash) paint["line-dasharray"] = style.dash;
      map.addLayer({ id: source + "-line", type: "line", source, filter: ["!=", ["geometry-type"], "Point"], layout: { "line-cap": style.dash ? "butt" : "round", "line-join": "round" }, paint }, before);
    }
    if (style.circle) {
      map.addLayer({ id: source + "-circle", type: "circle", source, filter: ["==", ["geometry-type"], "Point"],
        paint: { "circle-radius": style.circle * k, "circle-color": ["coalesce", ["get", "colour"], w.colour("panel")], "circle-stroke-color": colour(style.line || "accent"), "circle-stroke-width": 2 * k } }, before);
    }
  }
  plan.dressOver = () => over.forEach((_, id) => lay(id));

  /* --- going somewhere ---------------------------------------------------------------------------------- */

  plan.goTo = function (where) {
    let box = where;
    if (typeof where === "number") box = plan.boxOf(plan.members(where));
    else if (where && where.blocks) box = plan.boxOf(where.blocks);
    if (!box || box[0] > box[2]) return;
    const [wide, high] = [(box[2] - box[0]) * 0.7, (box[3] - box[1]) * 0.7];
    w.map.fit([box[0] - wide, box[1] - high, box[2] + wide, box[3] + high]);
  };
  let flashing = 0;
  plan.flash = function (shape) {
    plan.overlay("flash", shape, { line: "late", width: 4, fill: "late", fillOpacity: 0.18, circle: 12 });
    const mine = ++flashing;
    window.setTimeout(() => mine === flashing && plan.overlay("flash", null), 4000);
  };

  /* --- the brush's ring ------------------------------------------------------------------------------------ */

  plan.ring = function (x, y, radius) {
    const ring = document.getElementById("plan-ring");
    if (!ring) return;
    ring.hidden = !(radius > 0);
    if (ring.hidden) return;
    ring.style.transform = "translate(" + (x - radius) + "px," + (y - radius) + "px)";
    const size = 2 * radius + "px";
    if (ring.style.width !== size) ring.style.width = ring.style.height = size;
  };

  /* --- names ------------------------------------------------------------------------------------------------ */

  let places = null; // row -> [lon, lat, metres across]
  function settle() {
    const { label, grids } = plan.s;
    const g = plan.g;
    const x = new Float64Array(grids.length);
    const y = new Float64Array(grids.length);
    const area = new Float64Array(grids.length);
    for (let i = 0; i < label.length; i++) {
      x[label[i]] += g.middle[2 * i] * g.area[i];
      y[label[i]] += g.middle[2 * i + 1] * g.area[i];
      area[label[i]] += g.area[i];
    }
    const best = new Int32Array(grids.length).fill(-1);
    const away = new Float64Array(grids.length).fill(Infinity);
    for (let i = 0; i < label.length; i++) {
      const row = label[i];
      const far = (g.middle[2 * i] - x[row] / area[row]) ** 2 + (g.middle[2 * i + 1] - y[row] / area[row]) ** 2;
      if (far < away[row]) [best[row], away[row]] = [i, far];
    }
    // In the middle of the grid if that lies in it, else in its block that is nearest.
    places = grids.map((grid, row) => {
      if (best[row] < 0) return null;
      const [lon, lat] = [x[row] / area[row], y[row] / area[row]];
      const there = plan.blockAt(lon, lat);
      const inside = there >= 0 && label[there] === row;
      return [inside ? lon : g.middle[2 * best[row]], inside ? lat : g.middle[2 * best[row] + 1], Math.sqrt(area[row])];
    });
  }
  function names() {
    const canvas = document.getElementById("plan-names");
    if (!canvas || !plan.s || !s.map) return;
    if (!places) settle();
    const p = plan.projection();
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(p.wide * ratio) || canvas.height !== Math.round(p.high * ratio)) {
      canvas.width = Math.round(p.wide * ratio);
      canvas.height = Math.round(p.high * ratio);
    }
    const g = canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, p.wide, p.high);
    const k = w.scale();
    const perMetre = p.size / (40075016.7 * Math.cos((p.lat * Math.PI) / 180));
    const chosen = new Set(plan.selected());
    const shown = [];
    places.forEach((place, row) => {
      if (!place || !plan.s.grids[row] || plan.s.grids[row].blocks < 1) return;
      const across = place[2] * perMetre;
      if (across < FIGURE_PX * k && !chosen.has(row)) return;
      const at = plan.project(place[0], place[1]);
      if (at.x < -40 || at.y < -20 || at.x > p.wide + 40 || at.y > p.high + 20) return;
      shown.push([chosen.has(row) ? Infinity : across, row, at]);
    });
    shown.sort((a, b) => b[0] - a[0]);
    g.textAlign = "center";
    g.lineJoin = "round";
    const font = w.colour("font");
    const [ink, quiet, halo, accent] = ["text", "quiet", "panel", "accent"].map((name) => w.colour(name));
    g.strokeStyle = halo;
    const taken = room();
    for (const [across, row, at] of shown.slice(0, MOST_NAMES)) {
      const grid = plan.s.grids[row];
      const status = plan.status(row);
      const full = across > FULL_PX * k;
      const sign = status === "low" ? "▼ " : status === "high" ? "▲ " : "";
      const lines = [[sign + plan.text(grid.households), (full ? 15 : 13) * k, "600", chosen.has(row) ? accent : ink]];
      if (full) lines.unshift([short(plan.shortName(row), across, k), 11.5 * k, "400", chosen.has(row) ? accent : quiet]);
      let y = at.y - (lines.length === 2 ? 4 * k : -4 * k);
      let wide = 0;
      for (const line of lines) {
        g.font = line[2] + " " + line[1] + "px " + font;
        wide = Math.max(wide, g.measureText(line[0]).width);
      }
      // The larger grid keeps its figure; one that would run into it waits for a nearer look.
      if (!taken(at.x - wide / 2 - k, y - lines[0][1], at.x + wide / 2 + k, y + (lines.length - 1) * 20 * k)) continue;
      for (const [text, size, weight, fill] of lines) {
        g.font = weight + " " + size + "px " + font;
        g.lineWidth = 3 * k;
        g.globalAlpha = 0.85;
        g.strokeText(text, at.x, y);
        g.globalAlpha = 1;
        g.fillStyle = fill;
        g.fillText(text, at.x, y);
        y += size * 1.2 + 2 * k;
      }
    }
  }
  /* Tells whether a box of the screen is still free, and takes it if so. */
  function room() {
    const side = 64;
    const cells = new Map();
    return (left, top, right, bottom) => {
      const keys = [];
      for (let x = Math.floor(left / side); x <= Math.floor(right / side); x++) {
        for (let y = Math.floor(top / side); y <= Math.floor(bottom / side); y++) keys.push(x + ":" + y);
      }
      const meets = (box) => box[0] < right && box[2] > left && box[1] < bottom && box[3] > top;
      if (keys.some((key) => (cells.get(key) || []).some(meets))) return false;
      for (const key of keys) cells.set(key, [...(cells.get(key) || []), [left, top, right, bottom]]);
      return true;
    };
  }

  /* --- one order of names: figures of the plan before names of the basemap ------------------------------------ */

  /* Boxes that nobody sees stand where figures are written, in the map's own order of labels and above all
     others of it: names of roads, rivers and divisions give way to them. */
  const KEEP = "plan-keep";
  let laid = 0;
  function keepClear() {
    const map = s.map;
    if (!map || !plan.s || !map.getLayer("plan-lines")) return;
    if (!places) settle();
    const metres = 40075016.7 * Math.cos((plan.g.lat0 * Math.PI) / 180);
    const k = w.scale();
    const features = [];
    places.forEach((place, row) => {
      if (!place || !plan.s.grids[row] || plan.s.grids[row].blocks < 1) return;
      const from = Math.log2((FIGURE_PX * k * metres) / (512 * place[2]));
      features.push({ type: "Feature", properties: { from }, geometry: { type: "Point", coordinates: [place[0], place[1]] } });
    });
    const data = { type: "FeatureCollection", features };
    if (map.getSource(KEEP)) return void map.getSource(KEEP).setData(data);
    if (!map.hasImage(KEEP)) map.addImage(KEEP, { width: 2, height: 2, data: new Uint8Array(16) });
    map.addSource(KEEP, { type: "geojson", data, tolerance: 0, buffer: 32 });
    // A filter knows whole zooms only, so a box may stand half a zoom before its figure: that hides a name, no more.
    map.addLayer({
      id: KEEP, type: "symbol", source: KEEP, filter: [">=", ["+", ["zoom"], 0.5], ["get", "from"]],
      layout: {
        "icon-image": KEEP, "icon-allow-overlap": true, "icon-padding": [17 * k, 26 * k, 17 * k, 26 * k],
      },
    });
  }
  plan.keepClear = function () {
    window.clearTimeout(laid);
    laid = window.setTimeout(keepClear, 300);
  };
  /* Long names keep their end, which tells one grid from the next. */
  function short(name, across, k) {
    const room = Math.max(4, Math.floor(across / (11.5 * k)));
    return name.length > room ? "…" + name.slice(-(room - 1)) : name;
  }
  let asked = 0;
  plan.drawNames = function () {
    if (asked) return;
    asked = window.requestAnimationFrame(() => {
      asked = 0;
      names();
    });
  };
  for (const name of ["load", "change", "select", "shade"]) {
    plan.on(name, (event) => {
      // While a stroke goes on the names stay where they are and only their figures change.
      if (name === "load" || (name === "change" && event.from !== "stroke")) {
        places = null;
        plan.keepClear();
      }
      plan.drawNames();
    });
  }
  plan.followMap = function (map) {
    map.on("render", names);
    plan.keepClear();
  };
})();
