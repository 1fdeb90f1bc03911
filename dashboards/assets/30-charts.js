/* Charts come as plain specs in pixels of a screen with 1080 lines; here they grow with the screen. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const PIXELS = new Set(["size", "width", "gridwidth", "cornerradius", "l", "r", "t", "b", "standoff"]);

  w.scaled = function (value, scale) {
    if (Array.isArray(value)) return value;
    if (value === null || typeof value !== "object") return value;
    const out = {};
    for (const [key, inner] of Object.entries(value)) {
      out[key] = typeof inner === "number" && PIXELS.has(key) ? inner * scale : w.scaled(inner, scale);
    }
    return out;
  };

  w.chart = function (spec) {
    const scale = w.scale();
    return { data: spec.data.map((trace) => w.scaled(trace, scale)), layout: w.scaled(spec.layout, scale) };
  };
})();
