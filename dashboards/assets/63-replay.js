/* The page /workers: the clock, the scrub bar, people and who is followed, keys, the address. What is
   asked about an area is in 63-replay-passed.js. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const c = w.cases;
  const h = c.h;
  const k = w.workers;
  const r = k.replay;
  const d = r.draw;
  const SLOW_MS = 1000; // between frames where no motion is wanted
  const id = (name) => document.getElementById("replay-" + name);
  const page = () => id("bar");
  const same = () => window.dash_clientside.no_update;
  const say = k.say;
  const two = (n) => String(n).padStart(2, "0");

  r.clock = function (t, short) {
    const n = Math.max(0, Math.floor(t));
    const text = two(Math.floor(n / 3600)) + ":" + two(Math.floor(n / 60) % 60);
    return short ? text : text + ":" + two(n % 60);
  };
  r.seconds = function (text) {
    const parts = (text || "").split(":").map(Number);
    return parts.length < 2 || parts.some((n) => !Number.isFinite(n)) ? null : parts[0] * 3600 + parts[1] * 60 + (parts[2] || 0);
  };

  /* --- the address ---------------------------------------------------------------------------------- */

  r.writeAddress = function () {
    const query = w.address();
    for (const name of ["at", "day", "t", "speed", "worker", "area", "from", "to"]) query.delete(name);
    query.set("day", r.date);
    query.set("t", r.clock(r.t));
    if (r.speed !== 60) query.set("speed", r.speed);
    if (r.wanted) query.set("worker", r.wanted);
    if (r.area) {
      query.set("area", r.area);
      query.set("from", r.since);
      query.set("to", r.until);
    }
    window.history.replaceState(window.history.state, "", w.href(query).replaceAll("%3B", ";"));
  };

  /* --- states of the whole ---------------------------------------------------------------------------- */

  function cover(...children) {
    const place = id("state");
    place.hidden = !children.length;
    place.replaceChildren(...(children.length ? [h("div", { class: "rp-state-box" }, children)] : []));
  }
  function loading(told) {
    cover(h("b", {}, told.text), h("div", { class: "rp-progress", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(told.share * 100) },
      h("i", { style: "width:" + Math.round(told.share * 100) + "%" })));
  }
  function hidden() {
    const place = id("picked");
    place.hidden = false;
    place.replaceChildren(h("div", { class: "rp-why" }, h("p", {}, r.day.why),
      h("button", { type: "button", class: "inc-button", onclick: () => c.chooseMe() }, c.me ? say("me.other") : say("me.choose"))));
  }
  r.onHidden = () => r.open(r.date);

  /* --- opening a day -------------------------------------------------------------------------------------- */

  r.open = async function (date, t) {
    pause();
    r.date = date;
    r.track = null;
    r.passedRows = null;
    d.showTracks([]);
    showDate();
    loading({ text: say("loading"), share: 0 });
    const found = await r.load(date, loading);
    if (!found) return;
    if (found.error) {
      return cover(h("b", {}, say("failed")), h("p", {}, found.error), h("button", { type: "button", class: "inc-button", onclick: () => r.open(date, t) }, say("again")));
    }
    cover();
    const first = Math.floor(found.first / 60) * 60;
    r.t = Math.min(Math.max(t !== undefined && t !== null ? t : first, 0), found.length);
    if (!found.fixes) cover(h("b", {}, say("empty", { day: date })), h("p", {}, say("empty.what")), nearestDay());
    page().classList.toggle("is-shares", !found.may);
    document.getElementById("workers-page").classList.toggle("is-shares", !found.may);
    if (w.heard) w.heard({ now: found.now });
    id("picked").hidden = true;
    if (!found.may) hidden();
    say_facts();
    r.scrub();
    r.list(true);
    r.loadCases().then(tick);
    d.loadStreets();
    if (!found.may) r.shares(true);
    else d.showShares([]);
    if (r.wanted) r.follow(r.wanted);
    if (r.area) r.ask();
    if (found.may) r.table();
    r.writeAddress();
    tick();
    document.documentElement.dataset.replay = "ready";
  };

  function nearestDay() {
    const days = s.config.replay.days.filter((day) => day !== r.date);
    if (!days.length) return null;
    const near = days.reduce((a, b) => (Math.abs(new Date(b) - new Date(r.date)) < Math.abs(new Date(a) - new Date(r.date)) ? b : a));
    return h("button", { type: "button", class: "inc-button", onclick: () => r.open(near) }, say("empty.go", { day: near }));
  }

  function say_facts() {
    const day = r.day;
    const n = (value) => value.toLocaleString("en-US");
    id("facts").textContent = say("facts", { workers: n(day.workers), staff: n(day.staff), fixes: n(day.fixes), removed: n(day.removed) });
    w.say(id("title"), say(day.may ? "title" : "title.shares", { day: day.day }));
    id("day").textContent = weekday(day.day);
  }
  function weekday(date) {
    const at = new Date(date + "T12:00:00Z");
    const day = s.config.words.date;
    return day.replace("{year}", at.getUTCFullYear()).replace("{month}", s.config.months[at.getUTCMonth()]).replace("{day}", at.getUTCDate())
      .replace("{weekday}", s.config.weekdays[(at.getUTCDay() + 6) % 7]);
  }
  function showDate() {
    const place = id("date");
    if (!place.firstChild) {
      place.append(h("input", { type: "date", class: "inc-input", id: "replay-date-input", "aria-label": say("date"), onchange: (event) => event.target.value && r.open(event.target.value, r.t) }));
    }
    place.firstChild.value = r.date;
  }
  function otherDay(step) {
    const at = new Date(r.date + "T12:00:00Z");
    at.setUTCDate(at.getUTCDate() + step);
    r.open(at.toISOString().slice(0, 10), r.t);
  }

  /* --- the clock ---------------------------------------------------------------------------------------------- */

  let last = 0;
  let asked = 0;
  function play() {
    if (!r.day || !r.day.fixes) return;
    if (r.t >= end() - 1) r.t = Math.floor(r.day.first / 60) * 60;
    r.playing = true;
    last = performance.now();
    showPlay();
    window.requestAnimationFrame(step);
  }
  function pause() {
    r.playing = false;
    showPlay();
    if (r.day) {
      r.writeAddress();
      if (r.day.may) r.table();
    }
  }
  const end = () => (r.day.whole ? r.day.length : Math.max(r.day.last, 60));
  r.toggle = () => (r.playing ? pause() : play());

  function step(at) {
    if (!r.playing || !page()) return;
    const gone = Math.min((at - last) / 1000, 1); // a page that was away goes on from where it was
    if (w.still() && at - last < SLOW_MS) return void window.requestAnimationFrame(step);
    last = at;
    // Time waits for the positions that belong to it.
    const slice = !r.day.may && !r.day.own ? { from: 0, to: Infinity } : r.sliceAt(r.t);
    const ready = slice && r.t >= slice.from - 1e-6 && r.t <= slice.to + 1e-6;
    if (ready) r.t += (w.still() ? SLOW_MS / 1000 : gone) * r.speed;
    r.waiting = !ready;
    if (r.t >= end()) {
      r.t = end();
      pause();
    }
    tick();
    if (r.playing) window.requestAnimationFrame(step);
  }
  r.stepped = step;

  let told = "";
  function tick() {
    if (!r.day) return;
    d.frame();
    d.fillStreets();
    r.keepInView();
    const text = r.clock(r.t);
    if (text === told && r.playing) return;
    told = text;
    id("clock").textContent = text;
    const range = id("scrub-range");
    if (range && document.activeElement !== range) range.value = Math.round(r.t);
    if (range) range.setAttribute("aria-valuetext", text);
    r.needle();
    const wall = performance.now();
    if (wall - asked < 250 && r.playing) return;
    asked = wall;
    figures();
    r.states();
    if (!r.day.may) r.shares(false);
    if (r.playing && Math.floor(wall / 4000) !== Math.floor((wall - 250) / 4000)) r.writeAddress();
  }
  r.tick = tick;
  r.seek = function (t) {
    if (!r.day) return;
    r.t = Math.min(Math.max(t, 0), end());
    tick();
    if (!r.playing) {
      later("seek", 250, () => {
        r.writeAddress();
        if (r.day.may) r.table();
      });
    }
  };
  const timers = {};
  function later(name, ms, run) {
    window.clearTimeout(timers[name]);
    timers[name] = window.setTimeout(run, ms);
  }

  function showPlay() {
    const button = document.querySelector('[data-do="play"]');
    if (!button) return;
    button.textContent = r.playing ? "❚❚" : "▶";
    button.setAttribute("aria-pressed", String(r.playing));
    const text = say(r.playing ? "do.pause" : "do.play");
    button.setAttribute("aria-label", text);
    button.title = text;
  }
  function setSpeed(speed) {
    r.speed = speed;
    document.querySelectorAll("[data-speed]").forEach((b) => b.setAttribute("aria-pressed", String(Number(b.dataset.speed) === speed)));
    if (r.day) r.writeAddress();
  }

  r.figures = figures;
  function figures() {
    const n = (value) => (value === null ? "–" : value.toLocaleString("en-US"));
    const knows = r.day.may || r.day.own;
    id("seen").textContent = knows ? n(d.seen) : r.share ? n(r.share.workers) : "–";
    id("silent").textContent = knows ? n(d.silent) : "–";
    id("open").textContent = n(r.openCases());
    const share = d.coveredShare();
    id("covered").textContent = share === null ? "–" : (share * 100).toFixed(1) + "%";
  }

  /* --- pointer, keys, life ------------------------------------------------------------------------------------------------ */

  function tip(found, point) {
    const place = id("tip");
    place.hidden = !found;
    if (!found) return;
    if (found.kind === "worker") {
      const p = r.byRow.get(found.row) || [0, "", "", ""];
      place.replaceChildren(h("b", {}, p[2]), h("span", { class: "inc-quiet" }, p[3]), h("span", {}, say(found.silent ? "silent" : "seen")));
    } else {
      const one = found.case;
      const when = one.from >= 0 ? r.clock(one.from, true) : say("case.before");
      place.replaceChildren(h("b", {}, one.what), h("span", { class: "inc-quiet" }, one.id), h("span", {}, say(found.state === "late" ? "case.late" : "case.open", { time: when })));
    }
    const box = document.querySelector(".rp-map .map-canvas");
    place.style.left = Math.min(point.x + 14, box.clientWidth - place.offsetWidth - 8) + "px";
    place.style.top = Math.min(point.y + 14, box.clientHeight - place.offsetHeight - 8) + "px";
  }
  function clicked(event) {
    if (!page() || !s.map) return;
    if (r.drawing) return r.point(event);
    const found = d.hit(s.map.project([event.lon, event.lat]));
    if (found && found.kind === "worker") r.follow(r.byRow.get(found.row)[1]);
    else if (found) window.location.assign("/incidents?" + new URLSearchParams({ case: found.case.id, lang: s.config.lang }));
  }
  function onMap(map) {
    if (!page()) return;
    d.dress(map);
    map.on("styledata", () => page() && map.isStyleLoaded() && !map.getLayer("rp-streets") && d.dress(map));
    map.on("render", () => page() && !r.playing && r.day && d.frame());
    map.on("move", () => page() && r.playing && d.frame());
    map.on("dragstart", () => {
      if (!r.followed || !r.held) return;
      r.held = false;
      const button = id("hold");
      if (button) button.setAttribute("aria-pressed", "false");
    });
    let waiting = false;
    map.on("mousemove", (event) => {
      if (waiting || !page() || !r.day) return;
      waiting = true;
      window.requestAnimationFrame(() => {
        waiting = false;
        const found = r.drawing ? null : d.hit(event.point);
        map.getCanvas().style.cursor = r.drawing ? "crosshair" : found ? "pointer" : "";
        tip(found, event.point);
        if (r.drawing) r.hover(event.lngLat);
      });
    });
    map.on("mouseout", () => page() && tip(null));
    tick();
  }

  document.addEventListener("keydown", (event) => {
    if (!page() || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.closest("input:not([type=range]),textarea,select,[contenteditable]");
    const onButton = event.target.closest("button,a,summary");
    const onMapCanvas = event.target.closest(".map-canvas");
    if (typing) return;
    const step = event.shiftKey ? 600 : 60;
    const speeds = s.config.replay.speeds;
    const at = speeds.indexOf(r.speed);
    if (event.key === " " && !onButton) r.toggle();
    else if (event.key === "ArrowLeft" && !onMapCanvas) r.seek(r.t - step);
    else if (event.key === "ArrowRight" && !onMapCanvas) r.seek(r.t + step);
    else if (event.key === "ArrowUp" && !onMapCanvas && !onButton) setSpeed(speeds[Math.min(at + 1, speeds.length - 1)]);
    else if (event.key === "ArrowDown" && !onMapCanvas && !onButton) setSpeed(speeds[Math.max(at - 1, 0)]);
    else if (event.key === "/") id("search").focus();
    else if (event.key === "Escape") {
      if (r.drawing) r.stopDrawing();
      else if (r.followed) r.unfollow();
      else return;
    } else return;
    event.preventDefault();
  });

  function listen() {
    const acts = { play: r.toggle, back: () => r.seek(r.t - 600), forth: () => r.seek(r.t + 600), yesterday: () => otherDay(-1), tomorrow: () => otherDay(1) };
    page().addEventListener("click", (event) => {
      const button = event.target.closest("[data-do],[data-speed]");
      if (!button) return;
      if (button.dataset.speed) setSpeed(Number(button.dataset.speed));
      else acts[button.dataset.do]();
    });
    document.querySelector(".rp-switches").addEventListener("click", (event) => {
      const button = event.target.closest("[data-show]");
      if (!button) return;
      const name = button.dataset.show;
      d.shown[name] = !d.shown[name];
      button.setAttribute("aria-pressed", String(d.shown[name]));
      if (name === "streets") d.showStreets();
      tick();
    });
    document.querySelector(".rp-side-tabs").addEventListener("click", (event) => {
      const tab = event.target.closest("[data-side]");
      if (tab) r.side(tab.dataset.side);
    });
    id("list").addEventListener("scroll", () => r.lines());
    new ResizeObserver(() => {
      if (!page() || !r.day) return;
      r.drawScrub();
      tick();
      r.lines();
    }).observe(document.querySelector(".rp-scrub"));
  }
  r.side = function (name) {
    for (const one of ["people", "passed"]) {
      id("tab-" + one).setAttribute("aria-selected", String(one === name));
      id(one).hidden = one !== name;
    }
    if (name === "people") r.lines();
  };

  r.onSlice = () => !r.playing && tick();
  const loadCases = r.loadCases;
  r.loadCases = async () => {
    await loadCases();
    r.drawScrub();
  };

  /* The present day grows: what is new is asked for each minute, and streets that are being reckoned. */
  let renewed = 0;
  w.eachSecond(async () => {
    if (!page() || !r.day || document.hidden) return;
    id("state").classList.toggle("is-lost", Boolean(r.lost));
    if (r.lost && id("state").hidden) cover(h("b", {}, say("lost")));
    else if (!r.lost && id("state").classList.contains("was-lost")) cover();
    id("state").classList.toggle("was-lost", Boolean(r.lost));
    const wait = r.day.whole ? (r.day.streets ? Infinity : 3) : r.day.streets ? 60 : 5;
    if (performance.now() - renewed < wait * 1000) return;
    renewed = performance.now();
    if (await r.renew()) {
      say_facts();
      r.drawScrub();
      r.list(false);
      d.loadStreets();
      r.loadCases();
      tick();
    }
  });

  k.onBegin((config) => {
    if (!config.replay || r.key === config.key || !page()) return;
    const choice = config.replay;
    r.key = config.key;
    r.speed = choice.speed;
    r.wanted = choice.worker || null;
    r.area = choice.area;
    r.since = choice.since;
    r.until = choice.until;
    listen();
    r.listenScrub();
    r.beginAsking();
    w.map.onReady(onMap);
    w.map.onClick(clicked);
    k.onMe(() => page() && r.open(r.date, r.t));
    r.open(choice.day, r.seconds(choice.t));
  });
})();
