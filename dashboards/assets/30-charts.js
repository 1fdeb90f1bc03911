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

  /* The table twin of a chart, made from the same spec: a row a place on its axis, a column a line. */
  const twins = { specs: {}, open: new Set() };
  function element(tag, text) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function table(spec) {
    const made = element("table");
    const head = element("tr");
    head.append(element("th", spec.axis || ""), ...spec.data.map((trace) => element("th", trace.name)));
    made.createTHead().append(head);
    const body = made.createTBody();
    const places = [...new Set(spec.data.flatMap((trace) => trace.x))];
    const values = spec.data.map((trace) => new Map(trace.x.map((x, k) => [x, trace.y[k]])));
    for (const x of places.reverse()) {
      const row = body.insertRow();
      row.append(element("th", spec.rows ? spec.rows[x] : String(x)));
      for (const known of values) {
        const value = known.get(x);
        row.insertCell().textContent = Number.isFinite(value) ? value.toLocaleString("en-US") : "–";
      }
    }
    return made;
  }
  function showTwin(name) {
    const place = document.querySelector('[data-twin-of="' + name + '"]');
    const button = document.querySelector('button[data-twin="' + name + '"]');
    if (!place || !button) return;
    const open = twins.open.has(name);
    button.setAttribute("aria-expanded", String(open));
    place.hidden = !open;
    if (open && twins.specs[name]) {
      const top = place.scrollTop;
      place.replaceChildren(table(twins.specs[name]));
      place.scrollTop = top;
    }
  }
  w.showTwins = function (specs) {
    twins.specs = specs;
    Object.keys(specs).forEach(showTwin);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-twin]");
    if (!button) return;
    const name = button.dataset.twin;
    if (!twins.open.delete(name)) twins.open.add(name);
    showTwin(name);
  });

  w.chart = function (spec) {
    const scale = w.scale();
    return { data: spec.data.map((trace) => w.scaled(trace, scale)), layout: w.scaled(spec.layout, scale) };
  };
})();
