/* The present beside the draft: a second map to the left of the planner's own, always with the same view. It is
   made of the same MapLibre that plotly brought (its class is that of the first map), with the same style; the
   grids of the present come as outlines and lie on a canvas above it, shaded by the band as on the right. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const plan = w.plan;
  const impact = plan.impact;
  const pane = (impact.pane = { open: false, map: null });
  const SIZE = 512 * 2 ** 14;
  let box = null;
  let canvas = null;
  let grids = null; // {key, low, in, high, none: Path2D, lines: Path2D, origin}
  let following = false;
  let asked = null;

  const mercator = (lon, lat) => [((lon + 180) / 360) * SIZE, w.mercatorY(lat) * SIZE];

  /* Outlines as paths around a place in the middle, so that short floats keep centimetres. */
  function build(shapes) {
    const [first] = shapes.features;
    const corner = first ? first.geometry.coordinates.flat(Infinity) : [0, 0];
    const origin = mercator(corner[0], corner[1]);
    const found = { origin, lines: new Path2D(), low: new Path2D(), in: new Path2D(), high: new Path2D(), none: new Path2D(), names: [] };
    for (const feature of shapes.features) {
      const kind = feature.properties.kind === "base" ? ["low", "in", "high"][plan.bandOf(feature.properties.households) + 1] : "none";
      const parts = feature.geometry.type === "Polygon" ? [feature.geometry.coordinates] : feature.geometry.coordinates;
      found.names.push(middle(parts, feature.properties.households, origin));
      for (const part of parts) for (const ring of part) {
        ring.forEach(([lon, lat], k) => {
          const [x, y] = mercator(lon, lat);
          for (const path of [found[kind], found.lines]) {
            if (k) path.lineTo(x - origin[0], y - origin[1]);
            else path.moveTo(x - origin[0], y - origin[1]);
          }
        });
      }
    }
    return found;
  }

  /* Where the households of a grid are written: the middle of its largest ring, and how wide that is. */
  function middle(parts, households, origin) {
    let best = [0, 0, 0];
    for (const [ring] of parts) {
      let [area, cx, cy] = [0, 0, 0];
      const at = ring.map(([lon, lat]) => mercator(lon, lat).map((value, k) => value - origin[k]));
      at.slice(1).forEach((to, k) => {
        const cross = at[k][0] * to[1] - to[0] * at[k][1];
        area += cross;
        cx += (at[k][0] + to[0]) * cross;
        cy += (at[k][1] + to[1]) * cross;
      });
      if (Math.abs(area) > best[2]) best = [cx / (3 * area), cy / (3 * area), Math.abs(area)];
    }
    return { x: best[0], y: best[1], size: Math.sqrt(best[2] / 2), text: plan.text(households) };
  }

  function draw() {
    if (!pane.open || !canvas || !w.s.map) return;
    const ratio = window.devicePixelRatio || 1;
    const [wide, high] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(high * ratio)) {
      canvas.width = Math.round(wide * ratio);
      canvas.height = Math.round(high * ratio);
    }
    const g = canvas.getContext("2d");
    g.setTransform(1, 0, 0, 1, 0, 0);
    g.clearRect(0, 0, canvas.width, canvas.height);
    if (!grids) return;
    const view = w.s.map;
    const centre = view.getCenter();
    const scale = (512 * 2 ** view.getZoom()) / SIZE;
    const [x, y] = mercator(centre.lng, centre.lat);
    g.setTransform(scale * ratio, 0, 0, scale * ratio, (wide / 2 - (x - grids.origin[0]) * scale) * ratio, (high / 2 - (y - grids.origin[1]) * scale) * ratio);
    const ramp = plan.config.palettes.band;
    const middle = (ramp.length - 1) / 2;
    const fills = { low: ramp[middle - 1], in: ramp[middle], high: ramp[middle + 1], none: plan.config.palettes.none };
    g.globalAlpha = 0.6;
    for (const [kind, fill] of Object.entries(fills)) {
      g.fillStyle = fill;
      g.fill(grids[kind], "evenodd");
    }
    g.globalAlpha = 1;
    g.strokeStyle = w.colour("panel");
    g.lineWidth = (3 * w.scale()) / scale;
    g.stroke(grids.lines);
    g.strokeStyle = w.colour("border");
    g.lineWidth = (1.2 * w.scale()) / scale;
    g.stroke(grids.lines);
    write(g, scale, ratio, [wide / 2 - (x - grids.origin[0]) * scale, high / 2 - (y - grids.origin[1]) * scale]);
  }
  function write(g, scale, ratio, [dx, dy]) {
    const size = 13 * w.scale();
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.font = "600 " + size + "px " + getComputedStyle(document.body).fontFamily;
    g.textAlign = "center";
    g.textBaseline = "middle";
    g.lineJoin = "round";
    g.lineWidth = 3 * w.scale();
    g.strokeStyle = w.colour("panel");
    g.fillStyle = w.colour("text");
    for (const one of grids.names) {
      const [px, py] = [one.x * scale + dx, one.y * scale + dy];
      if (one.size * scale < 2.6 * size || px < 0 || py < 0 || px > canvas.clientWidth || py > canvas.clientHeight) continue;
      g.strokeText(one.text, px, py);
      g.fillText(one.text, px, py);
    }
  }

  async function load() {
    if (!plan.s) return;
    const key = plan.s.id + "|" + plan.s.band.join("-");
    if (grids && grids.key === key) return draw();
    asked = key;
    const answer = await c.get("/plan/" + encodeURIComponent(plan.s.id) + "/before.geojson");
    if (asked !== key || !pane.open) return;
    if (answer.status === 202) {
      window.setTimeout(load, 1500);
      return;
    }
    if (!answer.ok) {
      plan.say(c.trouble(answer), { kind: "wrong", seconds: 6 });
      return;
    }
    grids = { ...build(answer.body), key };
    draw();
  }

  /* One view: whichever of the two moves, the other goes along. */
  function follow(from, to) {
    if (following || !from || !to) return;
    following = true;
    to.jumpTo({ center: from.getCenter(), zoom: from.getZoom() });
    following = false;
    draw();
  }
  const onMain = () => (pane.map ? follow(w.s.map, pane.map) : draw());

  function begin() {
    const place = document.getElementById("plan-map");
    canvas = h("canvas", { class: "pi-pane-canvas", "aria-hidden": "true" });
    const ground = h("div", { class: "pi-pane-map" });
    box = h("div", { class: "pi-pane", role: "region", "aria-label": impact.say("compare.before") },
      ground, canvas, h("b", { class: "pi-pane-title" }, impact.say("compare.before")),
      h("button", { type: "button", class: "inc-button is-small pi-pane-close", onclick: () => pane.toggle() }, impact.say("compare.close")));
    place.prepend(box);
    place.append(h("b", { class: "pi-pane-title is-now", id: "pi-pane-now" }, impact.say("compare.now")));
    const main = w.s.map;
    const style = main.getStyle();
    const mine = (layer) => !/^(w-|plan-)/.test(layer.id) && !/^(w-|plan-)/.test(layer.source || "") && layer.type !== "custom";
    pane.map = new main.constructor({ container: ground, style: { ...style, layers: style.layers.filter(mine) }, center: main.getCenter(), zoom: main.getZoom(), attributionControl: false, dragRotate: false, pitchWithRotate: false, keyboard: false });
    pane.map.touchZoomRotate.disableRotation();
    pane.map.on("move", () => follow(pane.map, w.s.map));
    main.on("move", onMain);
  }
  function end() {
    if (w.s.map) w.s.map.off("move", onMain);
    if (pane.map) pane.map.remove();
    pane.map = null;
    for (const one of [box, document.getElementById("pi-pane-now")]) if (one) one.remove();
    box = canvas = null;
  }
  pane.toggle = function () {
    if (!plan.s || !w.s.map) return;
    pane.open = !pane.open;
    document.getElementById("plan-map").classList.toggle("is-comparing", pane.open);
    const view = w.map.view();
    if (pane.open) begin();
    else end();
    w.s.map.resize();
    w.s.map.jumpTo({ center: [view.center.lon, view.center.lat], zoom: view.zoom });
    window.dispatchEvent(new Event("resize"));
    if (pane.open) load();
    impact.show();
  };
  plan.on("load", () => {
    grids = null;
    if (pane.open) load();
  });
  plan.on("change", (what) => {
    if (pane.open && what.from === "band") load();
  });
  window.addEventListener("resize", () => pane.open && window.requestAnimationFrame(draw));
})();
