/* What every page has in the browser: its state, the server's clock, the age of its data, a place for
   notices. A page calls `wangge.begin(config)` from each of its callbacks; the first one of a page
   load sets the state up. No knowledge of a page is in here. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const clock = { offset: 0, newest: null, heard: 0 };
  const begun = [];

  /* The state of the page that is open. `key` tells one page load from the next. */
  const s = (w.s = {
    key: null,
    config: null,
    versions: {},
    map: null,
    layers: [],
    grid: null,
    mark: null,
    shades: {},
    tiles: new Map(),
  });

  /* Functions to run once, when the configuration of the page is there. */
  w.onBegin = function (run) {
    begun.push(run);
    if (s.config) run(s.config);
  };

  w.begin = function (config, versions) {
    if (!config) return false;
    if (s.key === config.key) return true;
    s.key = config.key;
    s.config = config;
    // Until the server is heard, its clock is that of the page it sent: a browser may live in another day.
    if (config.now && !clock.heard) clock.offset = config.now - Date.now();
    s.versions = versions || config.versions || {};
    s.layers = config.layers || [];
    s.grid = config.grid || null;
    if (config.title) document.title = config.title;
    document.documentElement.lang = config.lang === "zh" ? "zh-CN" : "en";
    begun.forEach((run) => run(config));
    tick();
    if (!w.ticking) w.ticking = window.setInterval(tick, 1000);
    return true;
  };

  /* --- the server's clock -------------------------------------------------------------------------- */

  w.now = function () {
    return Date.now() + clock.offset;
  };

  /* The server's time and the time of the newest data, both in milliseconds since 1970. */
  w.heard = function (fresh) {
    if (!fresh) return;
    clock.offset = fresh.now - Date.now();
    if (fresh.newest !== undefined) clock.newest = fresh.newest;
    clock.heard = performance.now();
    tick();
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

  let format = null;
  function parts() {
    if (!format || format.zone !== s.config.timezone) {
      format = new Intl.DateTimeFormat("en-GB", {
        timeZone: s.config.timezone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric",
        hour: "2-digit", minute: "2-digit", second: "2-digit", weekday: "short",
      });
      format.zone = s.config.timezone;
    }
    const found = {};
    for (const part of format.formatToParts(new Date(w.now()))) found[part.type] = part.value;
    return found;
  }

  const ticks = [];
  w.eachSecond = function (run) {
    ticks.push(run);
  };

  function tick() {
    if (!s.config) return;
    const time = document.getElementById("page-time");
    if (time) {
      const p = parts();
      say(time, p.hour + ":" + p.minute + ":" + p.second);
      const weekday = s.config.weekdays[["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].indexOf(p.weekday)];
      const month = s.config.months[Number(p.month) - 1];
      const day = s.config.words.date;
      say(
        document.getElementById("page-date"),
        day.replace("{year}", p.year).replace("{month}", month).replace("{day}", p.day).replace("{weekday}", weekday)
      );
    }
    showFresh();
    ticks.forEach((run) => run());
  }

  /* The text of an element that React may write too: its text node stays the same. */
  function say(element, text) {
    if (!element) return;
    const node = element.firstChild;
    if (node && node.nodeType === 3 && element.childNodes.length === 1) {
      if (node.nodeValue !== text) node.nodeValue = text;
    } else element.textContent = text;
  }
  w.say = say;

  function showFresh() {
    const place = document.getElementById("page-freshness");
    if (!place) return;
    const words = s.config.words;
    const silent = performance.now() - clock.heard > (2 * s.config.refreshS + 3) * 1000;
    const lost = clock.heard > 0 && silent && !(w.live && w.live.state === "live");
    let state = "none";
    let text = words["fresh.none"];
    if (clock.newest !== null) {
      const age = w.now() - clock.newest;
      state = lost ? "lost" : age > s.config.staleS * 1000 ? "stale" : "live";
      text = words["fresh." + state].replace("{span}", w.span(age));
    } else if (lost) {
      state = "lost";
      text = words["fresh.away"];
    }
    if (place.className !== "freshness is-" + state) place.className = "freshness is-" + state;
    say(place, text);
  }

  /* --- notices, language ------------------------------------------------------------------------------ */

  w.notice = function (text) {
    const place = document.getElementById("app-error");
    if (place) place.textContent = text;
  };

  /* The address with the person's choice in it; a page may replace this. */
  w.address = function () {
    return new URLSearchParams(window.location.search);
  };
  w.href = function (query) {
    const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
    return window.location.pathname + (text ? "?" + text : "");
  };

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.page = {
    fresh(fresh, config) {
      if (!fresh || !w.begin(config)) return window.dash_clientside.no_update;
      w.heard(fresh);
      return String(fresh.newest);
    },
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest("a[data-lang],a.skip");
    if (!target || !s.config) return;
    event.preventDefault();
    if (target.dataset.lang) {
      const query = w.address();
      query.set("lang", target.dataset.lang);
      window.location.assign(w.href(query));
    } else {
      // A change of the hash would make dash build the page anew.
      const to = document.querySelector(target.getAttribute("href"));
      if (to) to.focus();
    }
  });
})();
