/* /planner in the browser: what its parts share. Others register tools and panels on `wangge.plan`:
   events, words, the choice of tool and grids, the line at the foot. The plan itself is `plan.s`
   (73-plan-model.js), its blocks 71-plan-ground.js, drawing 72-*, the server 73-plan-send.js. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const plan = (w.plan = { s: null, tools: new Map(), panels: new Map(), config: null });
  const listeners = {};
  const begun = [];
  let chosen = [];
  let hovered = { block: -1, grid: -1 };

  /* --- events, words ------------------------------------------------------------------------------- */

  plan.on = (name, run) => void (listeners[name] = listeners[name] || []).push(run);
  plan.tell = (name, value) => (listeners[name] || []).forEach((run) => run(value));
  plan.onBegin = function (run) {
    begun.push(run);
    if (plan.config) run(plan.config);
  };

  plan.words = function (key, values) {
    let text = plan.config.words[key];
    if (text === undefined) throw new Error("no words for " + key);
    for (const [name, value] of Object.entries(values || {})) text = text.replaceAll("{" + name + "}", value);
    return text;
  };
  plan.has = (key) => plan.config.words[key] !== undefined;
  /* 12,345; in Chinese 12.3万 from 100,000 on. */
  plan.text = function (n) {
    if (!Number.isFinite(n)) return plan.words("none");
    const zh = plan.config.lang === "zh";
    if (zh && Math.abs(n) >= 1e8) return String(Math.round(n / 1e6) / 100) + "亿";
    if (zh && Math.abs(n) >= 1e5) return String(Math.round(n / 1e3) / 10) + "万";
    return Math.round(n).toLocaleString("en-US");
  };

  /* --- grids --------------------------------------------------------------------------------------- */

  plan.gridName = (row) => (plan.s && plan.s.grids[row] ? plan.s.grids[row].name : "");
  /* Without the name of its community, which stands on the map anyway. */
  plan.shortName = function (row) {
    const grid = plan.s.grids[row];
    const community = plan.s.communities[grid.community];
    const rest = community && grid.name.startsWith(community.name) ? grid.name.slice(community.name.length).trim() : "";
    return rest || grid.name;
  };
  plan.bandOf = function (households) {
    const [low, high] = plan.s.band;
    return households < low ? -1 : households > high ? 1 : 0;
  };
  /* Dedicated grids and what is not divided yet have no band. */
  plan.status = function (row) {
    const grid = plan.s.grids[row];
    if (grid.rest) return "rest";
    if (grid.kind !== "base") return "free";
    return ["low", "in", "high"][plan.bandOf(grid.households) + 1];
  };
  plan.compactness = (grid) => (grid.perimeter ? (4 * Math.PI * grid.area) / grid.perimeter ** 2 : 0);
  plan.living = () => (plan.s ? plan.s.grids.filter((grid) => grid.blocks > 0) : []);

  plan.selected = () => chosen.slice();
  plan.select = function (rows) {
    const next = [...new Set(rows)].filter((row) => plan.s && plan.s.grids[row] && plan.s.grids[row].blocks > 0);
    if (next.length === chosen.length && next.every((row, k) => row === chosen[k])) return;
    chosen = next;
    plan.tell("select", plan.selected());
    address();
  };
  plan.hovered = () => hovered;
  plan.hover = function (block) {
    if (hovered.block === block) return;
    const grid = block >= 0 ? plan.s.label[block] : -1;
    const other = hovered.grid !== grid;
    hovered = { block, grid };
    plan.tell("hover", { block, grid, other });
  };

  /* --- the address: plan, open tab, one grid ---------------------------------------------------------- */

  function address() {
    const query = w.address();
    const grid = plan.s && chosen.length === 1 ? plan.s.grids[chosen[0]].id : null;
    for (const [name, value] of [["plan", plan.s && plan.s.id], ["tab", plan.tab], ["grid", grid], ["shade", plan.shadeName === "band" ? null : plan.shadeName]]) {
      if (value) query.set(name, value);
      else if (plan.s) query.delete(name);
    }
    const to = w.href(query);
    if (to !== window.location.pathname + window.location.search) window.history.replaceState(window.history.state, "", to);
  }
  plan.address = address;

  /* --- the line at the foot ------------------------------------------------------------------------------ */

  let sayTurn = 0;
  plan.say = function (text, options) {
    const place = document.getElementById("plan-say");
    if (!place) return;
    const { kind = "info", seconds = 0 } = options || {};
    const mine = ++sayTurn;
    place.className = "plan-say is-" + kind;
    place.textContent = text || "";
    if (seconds) window.setTimeout(() => mine === sayTurn && plan.hint(), seconds * 1000);
  };
  /* What the hand does now, as its tool says it. */
  plan.hint = function () {
    const tool = plan.tools.get(plan.current());
    plan.say(plan.s && tool && tool.hint ? tool.hint() : "");
  };

  function bandChip(households, row) {
    const status = row === undefined ? ["low", "in", "high"][plan.bandOf(households) + 1] : plan.status(row);
    const real = ["low", "in", "high"].includes(status) ? ["low", "in", "high"][plan.bandOf(households) + 1] : status;
    return h("span", { class: "plan-band is-" + real }, h("i", { "aria-hidden": "true" }), plan.words("status." + real));
  }
  plan.bandChip = bandChip;

  /* Grids and how their households change while the hand moves: {row, was} with what was there before, or
     {row, add} with what would come; null empties the place. */
  plan.figures = function (list) {
    const place = document.getElementById("plan-figures");
    if (!place) return;
    place.replaceChildren(
      ...(list || []).map((one) => {
        const grid = plan.s.grids[one.row];
        const now = grid.households + (one.add || 0);
        const was = one.was === undefined ? grid.households : one.was;
        const delta = now - was;
        return h("span", { class: "plan-figure", "data-grid": grid.id },
          h("b", {}, one.name || grid.name),
          h("span", { class: "plan-figure-n" }, plan.text(was), h("span", { "aria-hidden": "true" }, " → "), h("strong", {}, plan.text(now))),
          h("span", { class: "plan-figure-d" }, (delta > 0 ? "+" : delta < 0 ? "−" : "±") + plan.text(Math.abs(delta))),
          bandChip(now, one.row));
      })
    );
  };

  /* --- tools ------------------------------------------------------------------------------------------------ */

  let current = "select";
  plan.current = () => current;
  plan.tool = function (name, tool) {
    plan.tools.set(name, { name, group: 2, ...tool });
    plan.tell("tools");
  };
  plan.use = function (name) {
    if (!plan.tools.has(name)) return;
    const old = plan.tools.get(current);
    if (old && old.name !== name) {
      if (old.cancel) old.cancel();
      if (old.stop) old.stop();
    }
    current = name;
    const tool = plan.tools.get(name);
    plan.ask(null);
    if (tool.start) tool.start();
    plan.tell("tool", name);
    plan.hint();
  };

  /* --- panels ------------------------------------------------------------------------------------------------ */

  plan.panel = function (name, panel) {
    plan.panels.set(name, { name, ...panel });
    plan.tell("panels");
  };
  plan.openPanel = function (name) {
    if (!plan.panels.has(name)) return;
    const old = plan.panels.get(plan.tab);
    plan.tab = name;
    plan.tell("panels");
    if (old && old !== plan.panels.get(name) && old.hidden) old.hidden();
    const panel = plan.panels.get(name);
    if (panel.shown) panel.shown();
    address();
  };

  /* --- a small box at a place of the map ---------------------------------------------------------------------- */

  plan.ask = function (question) {
    const place = document.getElementById("plan-ask");
    if (!place) return;
    if (!question) {
      place.hidden = true;
      place.replaceChildren();
      return;
    }
    const close = () => plan.ask(null);
    place.replaceChildren(
      h("p", {}, question.text),
      ...(question.more ? [question.more] : []),
      h("div", { class: "plan-ask-buttons" }, question.buttons.map((b) =>
        h("button", { type: "button", class: "inc-button" + (b.main ? " is-main" : ""), onclick: () => { close(); if (b.run) b.run(); plan.focusMap(); } }, b.text)))
    );
    place.hidden = false;
    const box = document.querySelector(".map-canvas").getBoundingClientRect();
    const at = question.place ? plan.project(question.place[0], question.place[1]) : { x: box.width / 2, y: box.height / 2 };
    const left = Math.min(Math.max(at.x - place.offsetWidth / 2, 8), box.width - place.offsetWidth - 8);
    const below = at.y + 18 + place.offsetHeight < box.height - 8;
    place.style.left = left + "px";
    place.style.top = Math.max(8, below ? at.y + 18 : at.y - 18 - place.offsetHeight) + "px";
    place.onkeydown = (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      close();
      const last = question.buttons[question.buttons.length - 1];
      if (last.run) last.run();
      plan.focusMap();
    };
    const first = place.querySelector("button");
    if (first) first.focus();
  };
  plan.asking = () => {
    const place = document.getElementById("plan-ask");
    return Boolean(place && !place.hidden);
  };
  plan.focusMap = () => w.s.map && w.s.map.getCanvas().focus({ preventScroll: true });

  /* --- begin --------------------------------------------------------------------------------------------------- */

  plan.page = () => document.getElementById("planner-page");
  plan.begin = function (config) {
    plan.config = { ...config.planner, lang: config.lang };
    plan.config.palettes = plan.config.palettes[c.kept("night") === true ? "night" : "day"];
    plan.tab = new URLSearchParams(window.location.search).get("tab") || "grids";
    c.readMe();
    begun.forEach((run) => run(plan.config));
    document.documentElement.dataset.planner = "begun";
  };

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.planner = {
    begin(config) {
      if (!config || !config.planner || !plan.page()) return window.dash_clientside.no_update;
      if (plan.key === config.key || !c.begin(config)) return window.dash_clientside.no_update;
      plan.key = config.key;
      plan.begin(config);
      return config.key;
    },
  };
})();
