/* New incidents pulse twice, overdue ones breathe slowly. Rings are drawn on a flat canvas over the map, so
   that the map itself rests; a person who wants no motion gets rings that stand still. A slow breath needs few pictures a second, and where nothing moves none is drawn: this loop
   runs all day beside everything else. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const PULSE_MS = 1400;
  const BREATH_MS = 4200;
  const FRAME_MS = 50;
  const SLOW_MS = 160;
  const MOST = 250;
  const p = { late: [], fresh: new Map(), started: false };
  const colours = { late: "", text: "", accent: "" };

  /* Take the incidents on the map: which breathe, and which are new since the last look. */
  w.loadPulses = function () {
    const now = performance.now();
    const fresh = new Map();
    p.late = [];
    for (const f of w.map.cases.values()) {
      if (f.properties.state === "late") p.late.push(f.geometry.coordinates);
      if (!f.properties.new) continue;
      const known = p.fresh.get(f.properties.id);
      fresh.set(f.properties.id, known || { at: now, where: f.geometry.coordinates });
    }
    p.fresh = fresh;
    w.pulse();
  };

  function ring(g, point, radius, colour, alpha, width) {
    g.beginPath();
    g.arc(point.x, point.y, radius, 0, 2 * Math.PI);
    g.strokeStyle = colour;
    g.globalAlpha = alpha;
    g.lineWidth = width;
    g.stroke();
  }

  function draw() {
    const map = w.s.map;
    const canvas = document.getElementById("map-pulses");
    if (!map || !canvas) return;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const g = canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    const k = w.scale();
    const inside = (q) => q.x > -20 && q.y > -20 && q.x < width + 20 && q.y < height + 20;
    const near = Math.min(1, Math.max(0.55, (map.getZoom() - w.shift() - 9) / 6));
    const now = performance.now();
    if (w.s.layers.includes("incidents")) {
      const breath = w.still() ? 0.5 : 0.5 - 0.5 * Math.cos((now / BREATH_MS) * 2 * Math.PI);
      let count = 0;
      for (const where of p.late) {
        const q = map.project(where);
        if (!inside(q) || ++count > MOST) continue;
        ring(g, q, (8 + 4 * breath) * k * near, colours.late, 0.2 + 0.45 * (1 - breath), 1.6 * k);
      }
      for (const item of p.fresh.values()) {
        const q = map.project(item.where);
        if (!inside(q)) continue;
        const age = now - item.at;
        if (w.still() || age > 2 * PULSE_MS) {
          ring(g, q, 10 * k * near, colours.text, 0.7, 1.4 * k);
        } else {
          const t = (age % PULSE_MS) / PULSE_MS;
          ring(g, q, (8 + 26 * t) * k, colours.text, 1 - t, 2.4 * k);
        }
      }
    }
    if (w.s.mark) {
      const q = map.project(w.s.mark);
      if (inside(q)) ring(g, q, 15 * k, colours.accent, 1, 2.4 * k);
    }
    g.globalAlpha = 1;
  }

  /* Milliseconds to the next picture, Infinity while nothing moves. */
  function pause() {
    if (document.hidden || w.still()) return Infinity;
    const now = performance.now();
    for (const item of p.fresh.values()) if (now - item.at <= 2 * PULSE_MS) return FRAME_MS;
    return p.late.length && w.s.layers.includes("incidents") ? SLOW_MS : Infinity;
  }
  let timer = 0;
  function wake() {
    if (timer || !p.started) return;
    const wait = pause();
    if (wait === Infinity) return;
    timer = window.setTimeout(() => {
      window.requestAnimationFrame(() => {
        timer = 0;
        draw();
        wake();
      });
    }, wait);
  }
  document.addEventListener("visibilitychange", wake);

  w.pulse = function () {
    draw();
    wake();
  };
  let resizing = 0;
  window.addEventListener("resize", () => {
    window.clearTimeout(resizing);
    resizing = window.setTimeout(draw, 200);
  });

  w.startPulses = function (map) {
    for (const name of Object.keys(colours)) colours[name] = w.colour(name);
    map.on("move", draw);
    map.on("resize", draw);
    w.loadPulses();
    if (p.started) return;
    p.started = true;
    wake();
  };
})();
