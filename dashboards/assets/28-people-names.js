/* Names of workers on the map, when it is near enough and only where they fit: an SOS first, then who is
   chosen, then the graver states. A name that stands keeps its place as long as it fits, so nothing
   flickers while people walk; names of places, which the map itself writes, are kept free. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const m = (w.map = w.map || {});
  const p = m.people;
  const { CODE } = p;
  const FROM = 15.2; // zoom of a screen with 1080 lines
  const MOST = 90;
  const RANK = [];
  for (const [k, name] of ["sos", "off_post", "standing", "no_signal", "on_duty"].entries()) RANK[CODE[name]] = k;
  const shown = new Map(); // number -> {element, wide}
  const wide = new Map();
  let held = null; // boxes of the names of places, for one view
  let asked = 0;
  let ruler = null;

  function measure(text) {
    const known = wide.get(text);
    if (known !== undefined) return known;
    if (!ruler) {
      ruler = document.createElement("canvas").getContext("2d");
      ruler.font = "500 12px " + getComputedStyle(document.body).fontFamily;
    }
    const found = ruler.measureText(text).width;
    wide.set(text, found);
    return found;
  }

  /* Where the map has written names of places; asked once a view, when it has come to rest. */
  function placeNames() {
    if (held) return held;
    held = [];
    const layers = ["w-values", ...["grid", "community", "street", "district"].map((level) => "w-names-" + level)].filter((id) => s.map.getLayer(id));
    const k = w.scale();
    for (const f of s.map.queryRenderedFeatures({ layers })) {
      const q = s.map.project(f.geometry.coordinates);
      const half = (measure(f.properties.name) / 2 + 4) * k * 1.15;
      const high = (f.layer.id === "w-values" ? 22 : 10) * k; // a name and its value stand in two lines
      held.push([q.x - half, q.y - high, q.x + half, q.y + high]);
    }
    return held;
  }

  const meet = (a, b) => a[0] < b[2] && a[2] > b[0] && a[1] < b[3] && a[3] > b[1];

  function choose(place, width, height) {
    const isNear = p.isShown() && s.map.getZoom() - w.shift() >= FROM && s.layers.includes("labels");
    const found = [];
    for (let slot = 0; slot < p.count; slot++) {
      if (!p.here[slot]) continue;
      const state = p.seen(slot);
      if (!p.isDrawn(state)) continue;
      const loud = (state === CODE.sos && p.isLoud()) || (slot === p.chosen && p.isShown());
      if (!loud && !isNear) continue;
      const x = place.x(p.lon[slot]);
      const y = place.y(p.lat[slot]);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      const rank = state === CODE.sos ? -2 : slot === p.chosen ? -1 : RANK[state] * 2 + (shown.has(slot) ? 0 : 1);
      found.push({ slot, x, y, state, rank, loud });
    }
    found.sort((a, b) => a.rank - b.rank || a.slot - b.slot);
    return found;
  }

  function fit(found) {
    const k = w.scale();
    const taken = found.length ? [...placeNames()] : [];
    const named = new Map();
    for (const one of found) {
      if (named.size >= MOST) break;
      const size = one.state === CODE.sos ? 1.25 : 1;
      const half = (measure(p.names[one.slot]) / 2 + 3) * k * size;
      const top = one.y + p.radius(one.state) + 2 * k;
      const box = [one.x - half, top, one.x + half, top + 16 * k * size];
      if (!one.loud && taken.some((other) => meet(box, other))) continue;
      taken.push(box);
      named.set(one.slot, { x: one.x, y: top, up: top - one.y, state: p.STATES[one.state], chosen: one.slot === p.chosen });
    }
    return named;
  }

  function layer() {
    const place = document.querySelector(".map-canvas");
    if (!place) return null;
    let found = place.querySelector(".people-names");
    if (!found) {
      found = document.createElement("div");
      found.className = "people-names";
      found.setAttribute("aria-hidden", "true"); // the table of people tells them, see docs
      place.append(found);
      shown.clear();
    }
    return found;
  }

  p.showNames = function () {
    if (!s.map || !p.radius) return;
    const to = layer();
    if (!to) return;
    const named = fit(choose(p.projection(), to.clientWidth, to.clientHeight));
    for (const [slot, element] of shown) {
      if (named.has(slot)) continue;
      element.remove();
      shown.delete(slot);
    }
    for (const [slot, look] of named) {
      let element = shown.get(slot);
      if (!element) {
        element = document.createElement("span");
        shown.set(slot, element);
        to.append(element);
      }
      if (element.textContent !== p.names[slot]) element.textContent = p.names[slot];
      const kind = "people-name is-" + look.state + (look.chosen ? " is-chosen" : "");
      if (element.className !== kind) element.className = kind;
      // The rings of a call for help stand around the mark; the browser moves them without this page.
      if (look.state === "sos") element.style.setProperty("--up", look.up.toFixed(1) + "px");
      element.style.transform = "translate(" + look.x.toFixed(1) + "px," + look.y.toFixed(1) + "px) translateX(-50%)";
    }
    p.named = named;
  };

  function soon() {
    if (!asked) {
      asked = window.requestAnimationFrame(() => {
        asked = 0;
        p.showNames();
      });
    }
  }
  p.on(soon);
  m.onReady((map) => {
    map.on("move", soon);
    map.on("movestart", () => (held = []));
    map.on("idle", () => {
      if (held && held.length) return;
      held = null;
      soon();
    });
  });
})();
