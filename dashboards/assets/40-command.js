/* The command page in the browser: drilling, the chosen place, the address, and the callbacks of dash. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const m = w.map;
  const page = (w.command = { unit: "", level: "", figure: null, place: null, shownUnit: undefined });
  const here = () => Boolean(document.getElementById("command-page"));
  const set = (id, props) => window.dash_clientside.set_props(id, props);

  /* --- address -------------------------------------------------------------------------------------- */

  let writing = 0;
  function choice() {
    const query = new URLSearchParams();
    const base = s.config.defaults;
    if (s.config.lang !== base.lang) query.set("lang", s.config.lang);
    if (page.unit) query.set("unit", page.unit);
    if (page.level) query.set("level", page.level);
    for (const [name, value] of w.card ? w.card.query() : []) query.set(name, value);
    if (page.figure && page.figure !== base.figure) query.set("figure", page.figure);
    if (s.layers.length !== base.layers.length) query.set("layers", base.layers.filter((n) => s.layers.includes(n)).join(","));
    if (s.map && s.moved) {
      const v = m.view();
      query.set("view", [v.center.lon.toFixed(5), v.center.lat.toFixed(5), (v.zoom - w.shift()).toFixed(2)].join(","));
    } else if (s.config.view && !page.drilled) query.set("view", s.config.view.join(","));
    if (s.config.kiosk) {
      query.set("kiosk", "1");
      query.set("tour", s.config.tourS);
    }
    return query;
  }
  function write() {
    if (!here()) return;
    window.clearTimeout(writing);
    writing = window.setTimeout(() => window.history.replaceState(window.history.state, "", w.href(choice())), 150);
  }

  /* --- drilling -------------------------------------------------------------------------------------- */

  /* Look at another unit; "" is the whole city. */
  page.go = function (unit, options) {
    if (unit === page.unit && !page.level) return page.showUnit();
    window.clearTimeout(writing);
    window.history.replaceState(window.history.state, "", w.href(choice()));
    page.unit = unit;
    page.level = "";
    page.drilled = true;
    s.moved = false;
    page.choose(null);
    if (!options || !options.silent) window.history.pushState(window.history.state, "", w.href(choice()));
    set("command-level", { data: "" });
    set("command-unit", { data: unit });
  };

  page.up = function () {
    const steps = [...document.querySelectorAll("#command-crumbs [data-unit]")];
    if (steps.length) page.go(steps[steps.length - 1].dataset.unit);
  };

  /* Bring the unit that the page is about into view. */
  page.showUnit = async function () {
    const scope = s.spec && s.spec.scope;
    if (!scope) {
      s.home = null;
      m.fit(s.config.bounds);
      return;
    }
    const unit = (await m.units(scope.level)).get(scope.code);
    if (!unit) return;
    const [west, south, east, north] = unit.box;
    s.home = [west - (east - west) * 0.03, south - (north - south) * 0.03, east + (east - west) * 0.03, north + (north - south) * 0.03];
    m.fit(s.home);
  };

  // dash would build the whole page anew for a step back; the page only looks elsewhere.
  window.addEventListener("popstate", (event) => {
    if (!here() || !s.config || window.location.pathname !== "/command") return;
    event.stopImmediatePropagation();
    const query = new URLSearchParams(window.location.search);
    const unit = query.get("unit") || "";
    const level = query.get("level") || "";
    page.drilled = true;
    s.moved = false;
    if (unit !== page.unit || level !== page.level) {
      page.unit = unit;
      page.level = level;
      set("command-level", { data: level });
      set("command-unit", { data: unit });
    }
    page.choose(placeOf(query));
  });

  /* The place that an address names, as the card reads it too. */
  function placeOf(query) {
    const [lon, lat] = (query.get("at") || "").split(",").map(Number);
    const at = query.get("at") && Number.isFinite(lat) ? { lon, lat } : { lon: null, lat: null };
    if (query.get("case")) return { grid_id: null, incident_id: query.get("case"), lon: null, lat: null };
    if (query.get("grid")) return { grid_id: query.get("grid"), incident_id: null, lon: null, lat: null };
    return at.lon === null ? null : { grid_id: null, incident_id: null, ...at };
  }

  /* --- the chosen place -------------------------------------------------------------------------------- */

  page.choose = function (place) {
    const same = (a, b) => a === b || (a && b && a.grid_id === b.grid_id && a.incident_id === b.incident_id && a.lon === b.lon && a.lat === b.lat);
    if (same(place, page.place)) return;
    page.place = place;
    set("command-place", { data: place });
  };
  const grid = (id) => ({ grid_id: id, incident_id: null, lon: null, lat: null });

  m.onClick((hit) => {
    if (!here()) return;
    const place = { grid_id: hit.grid_id, incident_id: hit.incident_id, lon: hit.lon, lat: hit.lat };
    const again = page.place && page.place.grid_id && page.place.grid_id === hit.grid_id;
    if (hit.incident_id) page.choose({ ...place, grid_id: null });
    else if (hit.kind === "worker" || hit.kind === "asset") page.choose({ ...place, grid_id: null });
    else if (hit.kind === "unit" && hit.unit.level !== "grid") page.go(hit.unit.code);
    // A second click into the grid asks about the spot itself.
    else if (hit.kind === "unit") page.choose(again ? { ...place, grid_id: null } : place);
    else if (page.unit) page.up();
    else page.choose(place);
  });
  m.onMove(() => write());
  m.onReady(() => {
    if (!here()) return;
    m.prefetch(s.config.levels);
    if (s.config.view) return;
    if (page.place && page.place.grid_id) m.flyToUnit("grid", page.place.grid_id);
    else if (page.place && page.place.lon !== null) m.fly({ center: page.place, zoom: 15.6 + w.shift() });
    else if (page.unit) page.showUnit();
  });

  /* --- clicks on lists and buttons ------------------------------------------------------------------------ */

  function onClick(event) {
    if (!here() || !s.config) return;
    const target = event.target.closest("[data-select],[data-case],[data-fly],[data-unit],[data-rank]");
    if (!target || target.disabled) return;
    const data = target.dataset;
    const inCard = Boolean(target.closest("#card-panel"));
    if (inCard && (data.case !== undefined || data.select !== undefined)) return; // the card's own
    if (data.case !== undefined) showCase(data);
    else if (data.fly !== undefined) m.flyToUnit("grid", data.fly);
    else if (data.unit !== undefined) page.go(data.unit);
    else if (data.rank !== undefined) set("command-rank-order", { data: data.rank });
    else {
      page.choose(data.select ? grid(data.select) : null);
      if (data.select) m.flyToUnit("grid", data.select);
    }
  }

  function showCase(data) {
    const lon = Number(data.lon);
    const lat = Number(data.lat);
    const placed = data.lon !== undefined && Number.isFinite(lon);
    page.choose({ grid_id: null, incident_id: data.case, lon: placed ? lon : null, lat: placed ? lat : null });
    if (placed) m.fly({ center: { lon, lat }, zoom: Math.max(15.6 + w.shift(), s.map ? s.map.getZoom() : 0) });
  }
  page.showCase = showCase;

  function onKey(event) {
    if (!here() || !s.config || event.defaultPrevented) return;
    const typing = event.target.closest && event.target.closest("input,textarea,.search");
    const back = event.key === "Escape" || (event.key === "Backspace" && !typing);
    if (!back || typing) return;
    if (page.place) {
      if (event.key === "Backspace") page.choose(null);
      return; // Escape closes the card, which is the card's own
    }
    if (page.unit) page.up();
  }
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);

  /* --- news from the server ---------------------------------------------------------------------------------- */

  let pings = 0;
  let asked = 0;
  let askedAt = 0;
  let parts = {};
  /* Positions are on the map already; what panels say of them may be some seconds old, for a question to
     the server costs this page more than a minute of all its people walking. */
  const PEOPLE_MS = 20000;
  const isOfPeople = (versions) => Object.keys(versions).every((part) => part === "workers" || versions[part] === parts[part]);
  const ask = () => {
    asked = 0;
    askedAt = performance.now();
    set("command-ping", { data: ++pings });
  };
  w.onBegin((config) => {
    if (!here()) return;
    page.unit = config.chosen.unit;
    page.level = config.chosen.level;
    page.figure = config.chosen.figure;
    page.place = config.place;
    w.address = choice;
    w.writeAddress = write;
    if (w.card && !page.cardHeard) {
      page.cardHeard = true;
      w.card.on("open", (target) => here() && m.select(target.kind === "grid" ? target.id : target.grid_id || null));
      w.card.on("close", () => here() && m.select(null));
    }
    if (page.listening || !w.live) return;
    page.listening = true;
    // Many versions a second become one question.
    w.live.on("version", (event) => {
      const waits = isOfPeople(event.versions) && performance.now() - askedAt < PEOPLE_MS;
      if (!here() || asked || waits) return;
      parts = event.versions;
      asked = window.setTimeout(ask, 400);
    });
    // Who is in which state stands on a card: a call for help at once, the rest in a while.
    w.live.on("states", (event) => {
      const calls = event.states.some(([state]) => state === "sos");
      if (here() && !asked && (calls || performance.now() - askedAt > PEOPLE_MS / 2)) asked = window.setTimeout(ask, 400);
    });
    w.live.on("hello", () => here() && ask());
    w.live.on("reset", () => here() && ask());
  });
  // While the live connection works the interval rests.
  let resting = null;
  w.eachSecond(() => {
    if (!here() || !w.live) return;
    const live = w.live.state === "live";
    if (live === resting) return;
    resting = live;
    set("command-tick", { disabled: live });
    if (!live) ask();
  });

  /* --- callbacks of dash --------------------------------------------------------------------------------------- */

  const same = () => window.dash_clientside.no_update;
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.command = {
    drawCharts(specs, config) {
      if (!specs || !w.begin(config)) return [same(), same()];
      const text = JSON.stringify(specs);
      if (page.charts === text && s.key === page.chartsOf) return [same(), same()];
      page.charts = text;
      page.chartsOf = s.key;
      w.showTwins(specs);
      return [w.chart(specs.days), w.chart(specs.hours)];
    },
    chooseLayers(layers, config) {
      if (!w.begin(config)) return same();
      s.layers = layers || [];
      write();
      return s.layers;
    },
    choosePlace(place, config) {
      if (!w.begin(config)) return same();
      page.place = place || null;
      if (!place) m.select(null);
      else if (place.grid_id) m.select(place.grid_id);
      m.mark(place && place.incident_id && place.lon !== null ? [place.lon, place.lat] : null);
      write();
      return place ? JSON.stringify(place) : "";
    },
    chooseUnit(unit, config) {
      if (!w.begin(config)) return same();
      page.unit = unit || "";
      return page.unit;
    },
    chooseFigure(figure, config) {
      if (!w.begin(config)) return same();
      page.figure = figure;
      write();
      return figure;
    },
    chooseLevel(level, config) {
      if (!w.begin(config) || !s.spec || level === s.spec.level) return same();
      page.level = level;
      const above = s.spec.scope && document.querySelector("#command-crumbs [data-unit]");
      if (above && !config.levels.slice(config.levels.indexOf(s.spec.scope.level) + 1).includes(level)) {
        page.unit = "";
        set("command-unit", { data: "" });
      }
      set("command-level", { data: level });
      window.history.pushState(window.history.state, "", w.href(choice()));
      return level;
    },
    chooseFound(code, config) {
      if (!code || !w.begin(config) || (page.place && code === page.place.grid_id)) return same();
      page.choose(grid(code));
      m.flyToUnit("grid", code);
      return code;
    },
    chooseRow(rows, config) {
      if (!rows || !rows.length || !w.begin(config)) return same();
      if (rows[0].level === "grid") {
        page.choose(grid(rows[0].code));
        m.flyToUnit("grid", rows[0].code);
      } else if (rows[0].code) page.go(rows[0].code);
      return rows[0].code;
    },
    setTour(stops, config) {
      if (!stops || !w.begin(config)) return same();
      w.setTour(stops);
      return stops.join(",");
    },
    hearAlarms(alarms, config) {
      if (!alarms || !w.begin(config)) return same();
      alarms.forEach((alarm) => w.alarm(alarm));
      return String(alarms.length);
    },
  };

  /* A new shade has come: if it is of another unit, move there; keep the switch in step. */
  m.onShade = function (spec) {
    if (!here()) return;
    const control = document.getElementById("command-level-switch");
    if (control && page.shown !== spec.level) set("command-level-switch", { value: spec.level });
    page.shown = spec.level;
    const shown = spec.scope ? spec.scope.code : "";
    if (page.shownUnit !== undefined && page.shownUnit !== shown) page.showUnit();
    page.shownUnit = shown;
  };
})();
