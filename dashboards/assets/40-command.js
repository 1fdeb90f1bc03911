/* The command page in the browser: address, clock, freshness, and the callbacks of dash. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const clock = { offset: 0, newest: null, heard: 0 };

  w.now = function () {
    return Date.now() + clock.offset;
  };

  w.span = function (ms) {
    const words = s.config.words;
    const seconds = Math.max(0, Math.round(ms / 1000));
    const say = (unit, n) => words["span." + unit].replace("{n}", n);
    if (seconds < 60) return say("s", seconds);
    if (seconds < 3600) return say("m", Math.floor(seconds / 60));
    if (seconds < 86400) return say("h", Math.floor(seconds / 3600));
    return say("d", Math.floor(seconds / 86400));
  };

  w.notice = function (text) {
    const place = document.getElementById("app-error");
    if (place) place.textContent = text;
  };

  /* --- address ----------------------------------------------------------------------------------- */

  let writing = 0;
  function choice() {
    const query = new URLSearchParams();
    const base = s.config.defaults;
    if (s.config.lang !== base.lang) query.set("lang", s.config.lang);
    if (s.grid) query.set("grid", s.grid);
    if (s.figureName && s.figureName !== base.figure) query.set("figure", s.figureName);
    if (s.layers.length !== base.layers.length) query.set("layers", base.layers.filter((n) => s.layers.includes(n)).join(","));
    if (s.map && s.moved) {
      const v = w.currentView();
      query.set("view", [v.center.lon.toFixed(5), v.center.lat.toFixed(5), (v.zoom - w.shift()).toFixed(2)].join(","));
    } else if (s.config.view) query.set("view", s.config.view.join(","));
    return query;
  }
  function href(query) {
    const text = query.toString().replaceAll("%2C", ",");
    return window.location.pathname + (text ? "?" + text : "");
  }
  w.writeAddress = function () {
    window.clearTimeout(writing);
    writing = window.setTimeout(() => window.history.replaceState(window.history.state, "", href(choice())), 150);
  };

  /* --- clock and freshness ------------------------------------------------------------------------ */

  function parts() {
    const format = new Intl.DateTimeFormat("en-GB", {
      timeZone: s.config.timezone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric",
      hour: "2-digit", minute: "2-digit", second: "2-digit", weekday: "short",
    });
    const found = {};
    for (const part of format.formatToParts(new Date(w.now()))) found[part.type] = part.value;
    return found;
  }

  function tick() {
    const time = document.getElementById("command-time");
    if (!time || !s.config) return;
    const p = parts();
    time.textContent = p.hour + ":" + p.minute + ":" + p.second;
    const weekday = s.config.weekdays[["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].indexOf(p.weekday)];
    const month = s.config.months[Number(p.month) - 1];
    document.getElementById("command-date").textContent =
      s.config.lang === "zh" ? p.year + "年" + month + p.day + "日 " + weekday : weekday + " " + p.day + " " + month + " " + p.year;
    showFresh();
  }

  function showFresh() {
    const place = document.getElementById("command-freshness");
    const words = s.config.words;
    const lost = performance.now() - clock.heard > (3 * s.config.refreshS + 10) * 1000;
    let state = "none";
    let text = words["fresh.none"];
    if (clock.newest !== null) {
      const age = w.now() - clock.newest;
      state = lost ? "lost" : age > s.config.staleS * 1000 ? "stale" : "live";
      text = words["fresh." + state].replace("{span}", w.span(age));
    }
    place.className = "freshness is-" + state;
    if (place.textContent !== text) place.textContent = text;
  }

  /* --- clicks on lists and buttons ------------------------------------------------------------------ */

  function onClick(event) {
    const target = event.target.closest("button[data-select],button[data-case],button[data-fly],button[data-map],a[data-lang],a.skip");
    if (!target || !s.config) return;
    if (target.classList.contains("skip")) {
      // A change of the hash would make dash build the page anew.
      event.preventDefault();
      document.getElementById("command-search").focus();
    } else if (target.dataset.lang) {
      event.preventDefault();
      const query = choice();
      query.set("lang", target.dataset.lang);
      window.location.assign(href(query));
    } else if (target.dataset.map) steer(target.dataset.map);
    else if (target.dataset.case) showCase(target.dataset);
    else if (target.dataset.fly) w.flyToGrid(target.dataset.fly);
    else {
      w.chooseGrid(target.dataset.select);
      s.incident = null;
      w.pulse();
      if (target.dataset.select) w.flyToGrid(target.dataset.select);
    }
  }

  function steer(action) {
    if (!s.map) return;
    if (action === "home") w.move(w.fit(s.config.bounds));
    else {
      const view = w.currentView();
      w.move({ center: view.center, zoom: view.zoom + (action === "in" ? 1 : -1) });
    }
  }

  function showCase(data) {
    s.incident = [Number(data.lon), Number(data.lat)];
    if (data.grid) w.chooseGrid(data.grid);
    w.move({ center: { lon: s.incident[0], lat: s.incident[1] }, zoom: 15.6 + w.shift() });
  }

  function onKey(event) {
    if (event.key === "Escape" && s.grid && !event.target.closest(".search")) w.chooseGrid(null);
  }

  /* Every callback calls this first: the first one of a page load sets the state up. */
  function ready(config, versions) {
    if (!config) return false;
    if (s.config && s.config.key === config.key) return true;
    s.config = config;
    s.versions = versions || config.versions;
    s.layers = config.layers;
    s.grid = config.grid;
    s.figureName = config.figure;
    document.title = config.title;
    document.documentElement.lang = config.lang === "zh" ? "zh-CN" : "en";
    if (!w.begun) {
      document.addEventListener("click", onClick);
      document.addEventListener("keydown", onKey);
      window.setInterval(tick, 1000);
      w.begun = true;
    }
    return true;
  }

  /* --- callbacks of dash ----------------------------------------------------------------------------- */

  function decode(array) {
    const bytes = Uint8Array.from(window.atob(array.bdata), (c) => c.charCodeAt(0));
    return new Float32Array(bytes.buffer);
  }

  const same = () => window.dash_clientside.no_update;

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.command = {
    drawMap(spec, config, versions) {
      if (!spec || !ready(config, versions)) return same();
      s.values = decode(spec.values);
      s.noData = spec.noData;
      s.unit = spec.unit;
      s.figure = spec.figure;
      const view = w.currentView();
      w.attach().then(w.showNoData);
      const style = "/map/style.json?scale=" + w.scale().toFixed(3);
      return { data: spec.data, layout: { ...spec.layout, map: { style, ...view } } };
    },
    drawCharts(specs) {
      if (!specs) return [same(), same()];
      return [w.chart(specs.days), w.chart(specs.hours)];
    },
    refreshData(versions, config) {
      if (!ready(config, versions)) return same();
      const old = s.versions;
      if (versions && JSON.stringify(old) !== JSON.stringify(versions)) {
        s.versions = versions;
        w.refreshSources(old);
      }
      return Object.values(versions || {}).join(" ");
    },
    chooseGrid(grid, config) {
      if (!ready(config)) return same();
      s.grid = grid || null;
      w.showSelection();
      const side = document.getElementById("command-side");
      if (side) side.classList.toggle("has-grid", Boolean(grid));
      w.writeAddress();
      return grid || "";
    },
    chooseFigure(figure, config) {
      if (!ready(config)) return same();
      s.figureName = figure;
      w.writeAddress();
      return figure;
    },
    chooseLayers(layers, config) {
      if (!ready(config)) return same();
      s.layers = layers || [];
      w.showLayers();
      w.pulse();
      w.writeAddress();
      return s.layers.join(",");
    },
    chooseFound(grid, config) {
      if (!grid || !ready(config) || grid === s.grid) return same();
      w.chooseGrid(grid);
      w.flyToGrid(grid);
      return grid;
    },
    setFresh(fresh, config) {
      if (!fresh || !ready(config)) return same();
      clock.offset = fresh.now - Date.now();
      clock.newest = fresh.newest;
      clock.heard = performance.now();
      tick();
      return String(fresh.newest);
    },
  };

  let resizing = 0;
  window.addEventListener("resize", () => {
    window.clearTimeout(resizing);
    resizing = window.setTimeout(() => w.pulse && w.pulse(), 200);
  });
})();
