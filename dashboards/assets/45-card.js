/* The one-click card in the browser: what is chosen, the address, marks on the map, the form of a move.
   The card knows a page only by what it has: `wangge.map` for the map, PAGE_PLACE for its choice. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const same = () => window.dash_clientside.no_update;
  const PERSON = "wangge-person";
  const TOUCH_MS = 4000;
  const POSITIONS_MS = 20000;
  const card = (w.card = { target: null, paused: false, listeners: {} });
  let config = null;
  let marks = null;
  let opener = null;

  const panel = () => document.getElementById("card-panel");
  const set = (id, props) => window.dash_clientside.set_props(id, props);

  card.on = (name, run) => (card.listeners[name] = card.listeners[name] || []).push(run);
  const tell = (name, value) => (card.listeners[name] || []).forEach((run) => run(value));

  /* --- opening and closing ------------------------------------------------------------------------ */

  card.open = function (target) {
    if (!panel() || !target) return;
    const old = card.target || {};
    const next = { kind: target.kind, id: target.id || null, lon: number(target.lon), lat: number(target.lat), radius_m: target.radius_m || null };
    // The radius that was chosen stays from one place to the next.
    if (target.radius_m === undefined && old.kind && (old.kind === "grid") === (next.kind === "grid")) next.radius_m = old.radius_m;
    if (!card.target) opener = document.activeElement;
    set("card-target", { data: next });
  };

  card.close = function () {
    if (!card.target) return;
    set("card-target", { data: null });
    if (opener && opener.isConnected) opener.focus();
    opener = null;
  };

  card.query = function () {
    const t = card.target;
    if (!t) return [];
    const found = t.kind === "incident" ? [["case", t.id]] : t.kind === "grid" ? [["grid", t.id]] : [["at", t.lon.toFixed(6) + "," + t.lat.toFixed(6)]];
    if (t.radius_m) found.push(["r", String(t.radius_m)]);
    return found;
  };

  function writeAddress() {
    if (w.writeAddress) return w.writeAddress();
    const query = new URLSearchParams(window.location.search);
    for (const name of ["case", "grid", "at", "r"]) query.delete(name);
    for (const [name, value] of card.query()) query.set(name, value);
    const text = query.toString().replaceAll("%2C", ",");
    window.history.replaceState(window.history.state, "", window.location.pathname + (text ? "?" + text : ""));
  }

  const number = (value) => (value === null || value === undefined || value === "" || !Number.isFinite(Number(value)) ? null : Number(value));

  /* --- who looks ------------------------------------------------------------------------------------ */

  card.setPerson = function (person) {
    keep(person);
    if (!panel()) return;
    set("card-person", { data: person || null });
    showPerson(person);
  };
  function keep(person) {
    try {
      if (person) window.localStorage.setItem(PERSON, JSON.stringify(person));
      else window.localStorage.removeItem(PERSON);
    } catch (error) {
      // A browser that keeps nothing asks each time.
    }
  }
  function kept() {
    try {
      return JSON.parse(window.localStorage.getItem(PERSON));
    } catch (error) {
      return null;
    }
  }
  function showPerson(person) {
    set("card-role", { value: (person && person.role) || null });
    set("card-by", { value: (person && (person.name || person.by)) || "" });
  }

  /* --- the map ---------------------------------------------------------------------------------------- */

  const map = () => (w.s && w.s.map) || null;
  const colour = (name) => (w.colour ? w.colour(name) : getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim());
  const scale = () => (w.scale ? w.scale() : 1);
  const LAYERS = ["w-card-ring-fill", "w-card-sector", "w-card-sector-line", "w-card-ring", "w-card-way", "w-card-points", "w-card-names"];

  /* The page's own layers are there once the style is; until then, and after a new style, we wait. */
  let drawn = null;
  const EMPTY = { type: "FeatureCollection", features: [] };
  function drawMarks() {
    const m = map();
    if (!m || !(m.getLayer("w-hit") || m.getLayer("w-incidents"))) return;
    const data = marks && card.target ? marks : EMPTY;
    if (drawn === data && m.getLayer("w-card-names")) return;
    const source = m.getSource("w-card");
    if (source) source.setData(data);
    else m.addSource("w-card", { type: "geojson", data });
    addLayers(m);
    drawn = data;
  }

  function addLayers(m) {
    if (m.getLayer("w-card-names")) return;
    const k = scale();
    const kind = (...names) => ["in", ["get", "kind"], ["literal", names]];
    const accent = colour("accent");
    const below = m.getLayer("w-incidents") ? "w-incidents" : undefined;
    const add = (layer, before) => m.addLayer({ source: "w-card", ...layer }, before);
    add({ id: LAYERS[0], type: "fill", filter: kind("ring"), paint: { "fill-color": accent, "fill-opacity": 0.07 } }, below);
    add({ id: LAYERS[1], type: "fill", filter: kind("sector"), paint: { "fill-color": colour("soon"), "fill-opacity": 0.16 } }, below);
    add({ id: LAYERS[2], type: "line", filter: kind("sector"), paint: { "line-color": colour("soon"), "line-width": 1 * k, "line-opacity": 0.7 } }, below);
    add({ id: LAYERS[3], type: "line", filter: kind("ring"), paint: { "line-color": accent, "line-width": 1.6 * k, "line-dasharray": [3, 2] } }, below);
    add({ id: LAYERS[4], type: "line", filter: kind("way"), paint: { "line-color": accent, "line-width": 1.4 * k, "line-opacity": 0.75, "line-dasharray": [1, 1.6] } }, below);
    add({
      id: LAYERS[5], type: "circle", filter: kind("spot", "worker", "hydrant", "camera"),
      paint: {
        "circle-radius": ["match", ["get", "kind"], "spot", 9 * k, "worker", 8 * k, 6 * k],
        "circle-color": ["match", ["get", "kind"], "spot", "rgba(0,0,0,0)", "worker", "rgba(0,0,0,0)", "hydrant", colour("late"), colour("soon")],
        "circle-stroke-color": ["match", ["get", "kind"], "hydrant", colour("text"), "camera", colour("ground"), accent],
        "circle-stroke-width": ["match", ["get", "kind"], "spot", 2.4 * k, 1.8 * k],
      },
    });
    add({
      id: LAYERS[6], type: "symbol", filter: kind("worker", "hydrant"),
      layout: {
        "text-field": ["get", "name"], "text-size": 12 * k, "text-offset": [0, 1.2], "text-anchor": "top",
        "text-font": ["Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "sans-serif"],
        "text-optional": true,
      },
      paint: { "text-color": colour("text"), "text-halo-color": colour("ground"), "text-halo-width": 1.6 * k },
    });
  }

  function locate(lon, lat) {
    const m = map();
    if (!m) return;
    const zoom = Math.max(m.getZoom(), 16.2 + (w.shift ? w.shift() : 0));
    const view = { center: { lon, lat }, zoom };
    if (w.map && w.map.fly) w.map.fly(view);
    else if (w.move) w.move(view);
    else m.jumpTo({ center: [lon, lat], zoom });
  }

  function clicked(hit) {
    if (card.paused || !config || !config.listens || !panel()) return;
    const t = card.target;
    if (hit.kind === "cluster") return;
    if (hit.incident_id) card.open({ kind: "incident", id: hit.incident_id, lon: hit.lon, lat: hit.lat });
    else if (hit.grid_id && !(t && t.kind === "grid" && t.id === hit.grid_id)) card.open({ kind: "grid", id: hit.grid_id, lon: hit.lon, lat: hit.lat });
    else card.open({ kind: "place", lon: hit.lon, lat: hit.lat });
  }

  let attached = null;
  function attach() {
    if (w.map && w.map.onClick && !card.onMap) {
      card.onMap = true;
      w.map.onClick(clicked);
    }
    const m = map();
    if (m && attached !== m) {
      attached = m;
      drawn = null;
    }
    drawMarks();
  }

  /* --- presses ------------------------------------------------------------------------------------------ */

  const WANTED = "[data-radius],[data-locate],[data-move],[data-merge],[data-card],[data-form],[data-case],[data-select],[data-card-open]";

  function onClick(event) {
    const button = event.target.closest(WANTED);
    const host = panel();
    if (!button || !host || button.disabled) return;
    const d = button.dataset;
    const inside = host.contains(button);
    if (d.cardOpen) return card.open(JSON.parse(d.cardOpen));
    if (!inside && document.getElementById("command-page") && config && !config.listens) return; // the page tells
    if (inside && "radius" in d) return card.open({ ...card.target, radius_m: d.radius ? Number(d.radius) : null });
    if (inside && d.locate) return locate(...d.locate.split(",").map(Number));
    if (inside && d.move) return set("card-move", { data: d.move === openMove() ? null : d.move });
    if (inside && d.merge) {
      set("card-other", { value: d.merge });
      return set("card-move", { data: "merge" });
    }
    if (inside && d.card === "close") return card.close();
    if (inside && d.form === "close") return set("card-move", { data: null });
    if (card.paused) return;
    if (d.case) {
      card.open({ kind: "incident", id: d.case, lon: d.lon, lat: d.lat });
      if (d.lon) locate(Number(d.lon), Number(d.lat));
    } else if (d.select) {
      card.open({ kind: "grid", id: d.select });
      if (w.map && w.map.flyToUnit) w.map.flyToUnit("grid", d.select);
      else if (w.flyToGrid) w.flyToGrid(d.select);
    }
  }

  function onKey(event) {
    if (event.key !== "Escape" || !card.target || event.defaultPrevented) return;
    const field = event.target.closest("input,textarea,[role=listbox],[role=dialog],dialog");
    if (field && !(panel() && panel().contains(field))) return;
    if (openMove()) set("card-move", { data: null });
    else card.close();
  }

  const openMove = () => {
    const form = document.getElementById("card-form");
    return form && !form.hidden ? form.dataset.of : null;
  };

  /* --- newer data ---------------------------------------------------------------------------------------- */

  let touches = 0;
  let waiting = 0;
  let last = 0;
  function touch(within) {
    if (!card.target || waiting || document.hidden) return;
    const wait = Math.max(0, last + within - performance.now());
    waiting = window.setTimeout(() => {
      waiting = 0;
      last = performance.now();
      if (card.target) set("card-touch", { data: "t" + ++touches });
    }, wait);
  }
  function listen() {
    if (!w.live || !w.live.on || card.onLive) return;
    card.onLive = true;
    w.live.on("cases", (news) => {
      const ids = [...(news.changed || []).map((item) => item.id || (item.properties && item.properties.id)), ...(news.gone || [])];
      const t = card.target;
      if (t && (t.kind !== "incident" || ids.includes(t.id))) touch(TOUCH_MS);
    });
    w.live.on("positions", () => touch(POSITIONS_MS));
    w.live.on("reset", () => touch(TOUCH_MS));
  }

  /* --- callbacks of dash ----------------------------------------------------------------------------------- */

  function ready(given) {
    if (given) config = given;
    if (!card.begun) {
      card.begun = true;
      document.addEventListener("click", onClick);
      document.addEventListener("keydown", onKey);
      window.setInterval(() => {
        if (!panel()) return;
        attach();
        listen();
      }, 500);
      if (w.map && w.map.onReady) w.map.onReady(attach);
    }
    attach();
    listen();
  }

  function showState() {
    const host = panel();
    const root = document.documentElement;
    if (host) host.hidden = !card.target;
    if (card.target) root.dataset.card = "open";
    else delete root.dataset.card;
    const side = document.getElementById("command-side");
    if (side) side.classList.toggle("has-card", Boolean(card.target));
  }

  let personRead = false;
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.card = {
    begin(target, given) {
      ready(given);
      const before = card.target;
      card.target = target || null;
      const host = panel();
      const moved = JSON.stringify(before) !== JSON.stringify(card.target);
      if (host && moved && target) {
        const same = marks && JSON.stringify(marks.of) === JSON.stringify(target);
        host.dataset.loading = same ? "" : "yes";
        host.setAttribute("aria-busy", String(!same));
        if (!before || before.id !== target.id || before.kind !== target.kind) {
          host.querySelector(".card-scroll").scrollTop = 0;
          set("card-move", { data: null });
          set("card-said", { children: null });
        }
      }
      showState();
      if (!personRead && host) {
        personRead = true;
        const person = kept();
        if (person) card.setPerson(person);
      }
      drawMarks();
      if (moved) {
        writeAddress();
        tell(target ? "open" : "close", target);
        tellPage(target);
      }
      return target ? target.kind + " " + (target.id || "") : "";
    },
    draw(given, cfg) {
      ready(cfg);
      marks = given;
      const host = panel();
      if (host) {
        host.dataset.loading = "";
        host.setAttribute("aria-busy", "false");
      }
      drawMarks();
      if (card.target && given && given.grid_id !== undefined) {
        card.target.grid_id = given.grid_id;
        tell("open", card.target);
      }
      return String((given && given.features && given.features.length) || 0);
    },
    openForm(move, cfg) {
      ready(cfg);
      const form = document.getElementById("card-form");
      if (!form) return same();
      form.hidden = !move;
      form.dataset.of = move || "";
      const button = move && document.querySelector('#card-actions [data-move="' + move + '"]');
      for (const other of document.querySelectorAll("#card-actions [data-move]")) {
        other.setAttribute("aria-expanded", String(other === button));
      }
      if (!move) return "";
      const needs = (button ? button.dataset.needs : move === "merge" ? "other_id" : "").split(" ");
      // A reason may always be given, and time may be granted other than it was asked for.
      const more = { approve_postponement: ["until"], register: ["condition"] }[move] || [];
      for (const field of form.querySelectorAll("[data-need]")) {
        const need = field.dataset.need;
        const asked = needs.includes(need);
        field.hidden = !(asked || need === "note" || more.includes(need));
        field.classList.toggle("is-needed", asked);
      }
      document.getElementById("card-form-title").textContent = button ? button.textContent : "";
      const first = form.querySelector("[data-need]:not([hidden]) input,[data-need]:not([hidden]) textarea");
      if (first) window.setTimeout(() => first.focus(), 30);
      return move;
    },
    place(place, cfg) {
      ready(cfg);
      const t = card.target;
      const here = !place ? null
        : place.incident_id ? { kind: "incident", id: place.incident_id, lon: place.lon, lat: place.lat }
        : place.grid_id ? { kind: "grid", id: place.grid_id, lon: place.lon, lat: place.lat }
        : place.lon !== null && place.lon !== undefined ? { kind: "place", lon: place.lon, lat: place.lat } : null;
      if (!here) {
        if (t && told) card.close();
        return "";
      }
      told = true;
      if (!t || t.kind !== here.kind || t.id !== (here.id || null) || (here.kind === "place" && (t.lon !== here.lon || t.lat !== here.lat))) card.open(here);
      return here.kind;
    },
    said(children, cfg) {
      ready(cfg);
      if (children && card.target && card.target.kind === "incident" && !openMove()) tell("moved", { incident_id: card.target.id });
      return children ? "yes" : "";
    },
    choosePerson(role, by, now) {
      const person = { ...(now || {}), role: role || "", by: by || "" };
      if (now && (now.name || now.by) === by) person.by = now.by;
      else {
        person.name = by || "";
        delete person.worker_id;
        delete person.unit_code;
      }
      if (now && now.role === person.role && now.by === person.by) return same();
      keep(role || by ? person : null);
      return role || by ? person : null;
    },
  };

  /* `/command` keeps its choice in a store of its own; it hears where the card went. */
  let told = false;
  function tellPage(target) {
    if (!document.getElementById("command-page") || !config || config.listens) return;
    const place = target && { grid_id: target.kind === "grid" ? target.id : null, incident_id: target.kind === "incident" ? target.id : null, lon: target.lon, lat: target.lat };
    told = Boolean(target);
    set("command-place", { data: place });
  }

  window.addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("#card-panel details:not(.card-more)")) {
      if (!part.open) {
        part.open = true;
        part.dataset.printed = "yes";
      }
    }
  });
  window.addEventListener("afterprint", () => {
    for (const part of document.querySelectorAll("#card-panel details[data-printed]")) {
      part.open = false;
      delete part.dataset.printed;
    }
  });
})();
