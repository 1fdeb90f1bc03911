/* Tips and clicks on the map, by pointer and by keyboard; pages hear of them through wangge.map.onClick. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const m = (w.map = w.map || {});
  const POINTS = ["w-incidents", "w-workers", "w-assets", "w-clusters"];
  const KINDS = { "w-incidents": "incident", "w-workers": "worker", "w-assets": "asset", "w-clusters": "cluster" };
  let hovered = null;

  function pointAt(point) {
    const r = 5 * w.scale();
    const worker = workerAt(point, r);
    if (worker && worker.properties.state === "sos") return worker;
    const layers = POINTS.filter((id) => id !== "w-workers" && s.map.getLayer(id));
    const near = s.map.queryRenderedFeatures([[point.x - r, point.y - r], [point.x + r, point.y + r]], { layers });
    if (worker) near.push(worker);
    return near.sort((a, b) => POINTS.indexOf(a.layer.id) - POINTS.indexOf(b.layer.id))[0];
  }
  /* A worker as if it were a feature of a source. */
  function workerAt(point, reach) {
    const found = m.people.hit(point, reach);
    if (!found) return null;
    const geometry = { type: "Point", coordinates: [found.lon, found.lat] };
    return { id: found.id, source: "w-workers", layer: { id: "w-workers" }, properties: found, geometry };
  }
  function gridAt(point) {
    return s.map.getLayer("w-hit") ? s.map.queryRenderedFeatures(point, { layers: ["w-hit"] })[0] : undefined;
  }
  /* The unit of the shaded level under a point, if it is one of those that are shaded. */
  function unitAt(point) {
    const layer = s.spec && "w-fill-" + s.spec.level;
    if (!layer || !s.map.getLayer(layer)) return undefined;
    const found = s.map.queryRenderedFeatures(point, { layers: [layer] });
    return found.find((feature) => s.classes.has(feature.properties.r));
  }

  function unitLines(feature) {
    const p = feature.properties;
    const value = s.values ? s.values.get(p.r) : NaN;
    const known = Number.isFinite(value);
    const text = known ? value.toLocaleString("en-US", { maximumFractionDigits: 1 }) + " " + s.unit : s.config.words["no.value"];
    return [p.name, s.figure + " " + text];
  }

  function tipLines(feature) {
    const p = feature.properties;
    const words = s.config.words;
    switch (KINDS[feature.layer.id]) {
      case "incident":
        return [p.what, p.chip + " · " + p.when, p.where];
      case "worker":
        return [
          p.name,
          words["worker." + p.state] + " · " + words["worker.seen"].replace("{span}", w.span((w.now() / 1000 - p.t) * 1000)),
        ];
      case "asset":
        return [p.what, p.name && p.name !== "null" ? p.name : "", p.id];
      case "cluster":
        return [words["cluster"].replace("{n}", p.count.toLocaleString("en-US"))];
      default:
        return unitLines(feature);
    }
  }

  function hover(feature) {
    const id = feature && feature.source.startsWith("w-units-") ? feature.id : null;
    if (hovered && hovered.id !== id) s.map.setFeatureState(hovered, { hover: false });
    hovered = id === null ? null : { source: feature.source, id };
    if (hovered) s.map.setFeatureState(hovered, { hover: true });
  }

  function showTip(event) {
    const tip = document.getElementById("map-tip");
    if (!tip || !s.map.getLayer("w-hit")) return;
    const unit = unitAt(event.point);
    const feature = pointAt(event.point) || unit;
    hover(unit);
    s.map.getCanvas().style.cursor = feature || gridAt(event.point) ? "pointer" : "";
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

  function choose(point, lngLat) {
    const feature = pointAt(point);
    const kind = feature ? KINDS[feature.layer.id] : null;
    if (kind === "cluster") {
      const zoom = Math.min(s.map.getZoom() + 2, s.config.assetZoom + 0.3 + w.shift());
      m.fly({ center: { lon: lngLat.lng, lat: lngLat.lat }, zoom });
      return;
    }
    const grid = gridAt(point);
    const unit = unitAt(point);
    m.selectWorker(kind === "worker" ? feature.id : null);
    const at = feature ? feature.geometry.coordinates : [lngLat.lng, lngLat.lat];
    m.tell("click", {
      lon: at[0],
      lat: at[1],
      grid_id: grid ? grid.properties.grid_id : null,
      incident_id: kind === "incident" ? feature.properties.id : null,
      worker_id: kind === "worker" ? feature.id : null,
      kind: kind || (unit ? "unit" : grid ? "grid" : "ground"),
      unit: unit ? { level: s.spec.level, code: String(unit.id), name: unit.properties.name } : null,
    });
  }

  m.listen = function (map) {
    let waiting = false;
    map.on("mousemove", (event) => {
      if (waiting) return;
      waiting = true;
      window.requestAnimationFrame(() => {
        waiting = false;
        showTip(event);
      });
    });
    map.on("mouseout", () => {
      const tip = document.getElementById("map-tip");
      if (tip) tip.classList.remove("is-shown");
      hover(null);
    });
    map.on("click", (event) => choose(event.point, event.lngLat));
    const canvas = map.getCanvas();
    canvas.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      const box = map.getContainer();
      const middle = [box.clientWidth / 2, box.clientHeight / 2];
      choose({ x: middle[0], y: middle[1] }, map.unproject(middle));
    });
    canvas.setAttribute("aria-label", document.querySelector(".map-canvas").getAttribute("aria-label"));
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-map]");
    if (!button || !s.map) return;
    const view = m.view();
    if (button.dataset.map === "home") m.home();
    else m.fly({ center: view.center, zoom: view.zoom + (button.dataset.map === "in" ? 1 : -1) });
  });
})();
