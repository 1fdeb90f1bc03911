/* The leader's briefing: what was chosen stands in the address, the sections come made from the server
   (/leader/view) and are put in place when they are other ones. Choosers are 81-leader-choose.js,
   the map is 81-leader-map.js. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const same = () => window.dash_clientside.no_update;
  const l = (w.leader = { config: null, view: null, listeners: [] });
  const SECTIONS = ["head", "brief", "spots", "table", "area", "department", "classes", "definitions"];
  const NAMES = ["kind", "day", "last", "against", "area", "level", "class", "map", "spots"];
  const by = (id) => document.getElementById("leader-" + id);

  l.say = function (key, values) {
    let text = l.config.words[key];
    if (text === undefined) throw new Error("no words for leader.js." + key);
    for (const [name, value] of Object.entries(values || {})) text = text.replaceAll("{" + name + "}", value);
    return text;
  };
  l.onView = (run) => {
    l.listeners.push(run);
    if (l.view) run(l.view);
  };

  /* --- what is chosen --------------------------------------------------------------------------- */

  l.choice = function () {
    const now = w.address();
    const chosen = {};
    for (const name of NAMES) if (now.get(name)) chosen[name] = now.get(name);
    return chosen;
  };
  l.query = function (more) {
    const { map, spots, ...chosen } = { ...l.choice(), ...more };
    for (const name of Object.keys(chosen)) if (!chosen[name]) delete chosen[name];
    return chosen;
  };
  /* Change what is chosen; a step to another period or area can be gone back with the browser. */
  l.choose = function (changes, quiet) {
    const query = new URLSearchParams(w.address());
    for (const [name, value] of Object.entries(changes)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    const href = w.href(query);
    if (quiet) window.history.replaceState(window.history.state, "", href);
    else window.history.pushState(window.history.state, "", href);
    if (quiet) return;
    l.markBar();
    load();
  };

  /* --- loading ------------------------------------------------------------------------------------ */

  let turn = 0;
  let timer = 0;
  async function load(again) {
    window.clearTimeout(timer);
    const mine = ++turn;
    const answer = await c.get("/leader/view", l.query());
    if (mine !== turn || !by("page")) return;
    if (answer.status === 202) {
      const share = Math.round(100 * (answer.body.progress || 0));
      wait(share < 100 && !l.view ? l.say("reading", { share }) : l.say("working"));
      timer = window.setTimeout(() => load(again), 600);
      return;
    }
    if (!answer.ok) {
      wait(answer.body.error || l.say("failed"), true);
      // What cannot be told has no figures; those of another choice must not stand below it.
      if (answer.status === 400) clear();
      timer = window.setTimeout(() => load(again), answer.status === 400 ? 30000 : 5000);
      return;
    }
    const view = answer.body;
    wait("");
    if (!l.view || view.mark !== l.view.mark || JSON.stringify(view.html) !== JSON.stringify(l.view.html)) show(view);
    // Patrols are counted beside; what they tell comes a moment later.
    timer = window.setTimeout(() => load(true), view.counting ? 3000 : Math.max(l.refreshS, 30) * 1000);
  }

  function wait(text, wrong) {
    const head = by("part-head");
    by("page").classList.toggle("is-working", Boolean(text) && !wrong);
    let line = document.getElementById("leader-wait");
    if (!text) return void (line && line.remove());
    if (!line) {
      line = c.h("p", { id: "leader-wait", class: "ld-wait", role: "status" });
      head.before(line);
    }
    line.replaceChildren(text, ...(wrong ? [c.h("button", { type: "button", class: "inc-button is-small", onclick: home }, l.say("home"))] : []));
    line.classList.toggle("is-wrong", Boolean(wrong));
  }

  function home() {
    l.choose(Object.fromEntries(NAMES.filter((name) => name !== "map").map((name) => [name, ""])));
  }
  function clear() {
    l.view = null;
    for (const name of SECTIONS) {
      by("part-" + name).dataset.text = "";
      by("part-" + name).replaceChildren();
    }
    for (const name of ["before", "after"]) by(name).disabled = true;
    by("today").disabled = false;
    by("period").textContent = "";
    by("age").textContent = "";
    by("path").replaceChildren(c.h("b", {}, l.config.city));
    if (l.tell) l.tell("", "", "");
  }

  function show(view) {
    l.view = view;
    by("before").disabled = false;
    for (const name of SECTIONS) {
      const place = by("part-" + name);
      if (place.dataset.text === view.html[name]) continue;
      place.dataset.text = "";
      place.innerHTML = view.html[name];
      place.dataset.mark = view.mark;
    }
    by("period").textContent = view.period;
    by("age").textContent = l.say("age", { at: view.at });
    by("after").disabled = !view.after;
    by("today").disabled = !w.address().get("day");
    path(view);
    l.listeners.forEach((run) => run(view));
    document.documentElement.dataset.leader = "ready";
  }

  function path(view) {
    const steps = view.path.slice();
    const links = steps.map((step, k) =>
      c.h(k === steps.length - 1 ? "b" : "button", k === steps.length - 1 ? {} : { type: "button", class: "ld-link", onclick: () => l.choose({ area: k ? step.code : "", level: "" }) }, step.name));
    const parts = links.flatMap((link, k) => (k ? [c.h("span", { "aria-hidden": "true" }, "›"), link] : [link]));
    by("path").replaceChildren(...(parts.length ? parts : [c.h("b", {}, l.config.city)]));
  }

  /* --- the cases behind a figure ------------------------------------------------------------------- */

  async function explain(cell) {
    const [code, indicator] = cell.dataset.explain.split("|");
    const table = cell.closest(".ld-part").classList.contains("is-area") ? "area" : "department";
    const answer = await c.get("/leader/explain", { ...l.query(), by: table, code, indicator });
    if (!answer.ok || answer.status === 202) return c.notice(answer.body.error || l.say("working"));
    const title = l.say("explain.title", {
      name: cell.parentElement.querySelector("th").textContent,
      indicator: cell.closest("table").querySelectorAll("thead th")[cell.cellIndex].textContent,
    });
    const lang = w.address().get("lang");
    const group = (name) => {
      const part = answer.body[name];
      const links = part.ids.slice(0, 60).map((id) => c.h("a", { href: "/incidents?" + new URLSearchParams({ ...(lang ? { lang } : {}), case: id }), target: "_blank" }, id));
      const more = part.n - links.length;
      return c.h("section", {}, c.h("h3", {}, l.say("explain." + name, { n: part.n })),
        c.h("p", { class: "ld-ids" }, ...(links.length ? links : [l.say("explain.none")]), more > 0 ? c.h("span", {}, l.say("more", { n: more })) : null));
    };
    const dialog = c.h("dialog", { class: "inc-dialog ld-dialog", "aria-label": title },
      c.h("h2", {}, title), group("hit"), group("missed"), group("left"),
      c.h("form", { method: "dialog" }, c.h("button", { class: "inc-button is-main" }, l.say("close"))));
    dialog.addEventListener("close", () => { dialog.remove(); cell.focus(); });
    by("page").append(dialog);
    dialog.showModal();
  }

  /* --- presentation --------------------------------------------------------------------------------- */

  const slides = { at: 0, on: false };
  const shown = () => ["head", "brief", "spots", "map", "table", "area", "department", "classes"].filter((name) => name === "map" || by("part-" + name).children.length);
  function present(on) {
    slides.on = on;
    slides.at = 0;
    by("page").classList.toggle("is-presenting", on);
    if (on && document.documentElement.requestFullscreen) document.documentElement.requestFullscreen().catch(() => c.notice(""));
    if (!on && document.fullscreenElement) document.exitFullscreen();
    turnTo(0);
  }
  function turnTo(number) {
    const names = shown();
    slides.at = Math.min(Math.max(number, 0), names.length - 1);
    by("page").dataset.slide = slides.on ? names[slides.at] : "";
    by("slides").hidden = !slides.on;
    if (slides.on) {
      const button = (key, run, text) => c.h("button", { type: "button", class: "inc-button", onclick: run, title: l.say(key), "aria-label": l.say(key) }, text);
      by("slides").replaceChildren(
        button("previous", () => turnTo(slides.at - 1), "‹"),
        c.h("span", { role: "status" }, l.say("slide", { n: slides.at + 1, all: names.length })),
        button("next", () => turnTo(slides.at + 1), "›"),
        button("leave", () => present(false), "×"));
    }
    window.dispatchEvent(new Event("resize"));
  }

  /* --- listening ------------------------------------------------------------------------------------- */

  function listen() {
    by("before").addEventListener("click", () => l.view && l.choose({ day: l.view.before }));
    by("after").addEventListener("click", () => l.view && l.view.after && l.choose({ day: l.view.after }));
    by("today").addEventListener("click", () => l.choose({ day: "", last: "" }));
    by("print").addEventListener("click", () => window.print());
    by("present").addEventListener("click", () => present(true));
    document.getElementById("incidents-me").addEventListener("click", () => c.chooseMe());
    document.getElementById("incidents-night").addEventListener("click", () => {
      c.keep("night", c.kept("night") === true ? null : true);
      window.location.reload();
    });
    by("main").addEventListener("click", (event) => {
      const down = event.target.closest("[data-area]");
      if (down) return l.choose({ area: down.dataset.area, level: "" });
      const cell = event.target.closest("[data-explain]");
      if (cell) return explain(cell);
      const spot = event.target.closest("[data-spot]");
      if (spot) return l.showSpot(Number(spot.dataset.spot));
      const row = event.target.closest("[data-code]");
      if (row && l.focus) l.focus(row.dataset.code);
    });
    by("main").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.matches("[data-explain]")) explain(event.target);
    });
    by("reports").addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link) return;
      const query = new URLSearchParams({ ...l.query(), lang: l.config.lang });
      link.setAttribute("href", "/leader/report." + link.dataset.report + "?" + query);
      link.closest("details").open = false;
    });
    document.addEventListener("keydown", (event) => {
      if (!slides.on) return;
      if (event.key === "Escape") present(false);
      if (event.key === "ArrowRight" || event.key === "PageDown" || event.key === " ") turnTo(slides.at + 1);
      if (event.key === "ArrowLeft" || event.key === "PageUp") turnTo(slides.at - 1);
    });
    document.addEventListener("fullscreenchange", () => {
      if (!document.fullscreenElement && slides.on) present(false);
    });
    window.addEventListener("popstate", () => { l.markBar(); load(); });
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.leader = {
    begin(config) {
      if (!config || !config.leader || !by("page")) return same();
      if (l.key === config.key) return same();
      if (!c.begin(config)) return same();
      l.key = config.key;
      l.config = { ...config.leader, lang: config.lang, city: document.querySelector(".inc-brand h1").textContent };
      l.refreshS = config.cases.refreshS;
      c.readMe();
      listen();
      l.beginBar();
      l.markBar();
      load();
      return config.key;
    },
  };
})();
