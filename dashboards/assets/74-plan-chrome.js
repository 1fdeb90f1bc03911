/* What stands around the map of /planner: the strip of tools, the bar with plan, state, undo and band, the tabs
   of the right panel, the shortcuts. Tools and panels come from whoever registers them. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const plan = w.plan;
  const at = (id) => document.getElementById(id);
  const NS = "http://www.w3.org/2000/svg";

  /* --- tools ------------------------------------------------------------------------------------------ */

  function icon(paths) {
    const svg = document.createElementNS(NS, "svg");
    for (const [name, value] of Object.entries({ viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.7", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" })) svg.setAttribute(name, value);
    for (const found of String(paths || "").matchAll(/d="([^"]+)"/g)) {
      const path = document.createElementNS(NS, "path");
      path.setAttribute("d", found[1]);
      svg.append(path);
    }
    return svg;
  }
  plan.icon = icon;

  function showTools() {
    const strip = at("plan-tools");
    if (!strip) return;
    const groups = new Map();
    for (const tool of plan.tools.values()) groups.set(tool.group, [...(groups.get(tool.group) || []), tool]);
    strip.replaceChildren(
      ...[...groups.keys()].sort().map((group) =>
        h("div", { class: "plan-tool-group", role: "group" }, groups.get(group).map((tool) =>
          h("button", {
            type: "button", class: "plan-tool", "data-tool": tool.name, "aria-pressed": String(tool.name === plan.current()),
            title: tool.title + (tool.key ? " (" + tool.key.toUpperCase() + ")" : "") + (tool.help ? "\n" + tool.help : ""),
            "aria-label": tool.title, "aria-keyshortcuts": tool.key || null, onclick: () => { plan.use(tool.name); plan.focusMap(); },
          }, icon(tool.icon), h("span", { class: "plan-tool-name" }, tool.title), tool.key ? h("kbd", { "aria-hidden": "true" }, tool.key.toUpperCase()) : null)
        ))
      ),
      h("div", { class: "plan-tool-group is-size", role: "group", "aria-label": plan.words("brush.size"), id: "plan-sizes", hidden: plan.current() !== "brush" },
        Array.from({ length: plan.BRUSHES }, (_, k) =>
          h("button", { type: "button", class: "plan-size", "data-size": String(k), "aria-pressed": String(k === plan.brushSize()), title: plan.words("brush.size.n", { n: k + 1 }), "aria-label": plan.words("brush.size.n", { n: k + 1 }), onclick: () => { plan.setBrush(k); plan.focusMap(); } },
            h("i", { style: "width:" + (0.3 + k * 0.22) + "rem;height:" + (0.3 + k * 0.22) + "rem", "aria-hidden": "true" }))))
    );
  }
  function markTool() {
    const strip = at("plan-tools");
    if (!strip) return;
    for (const button of strip.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === plan.current()));
    const sizes = at("plan-sizes");
    if (sizes) sizes.hidden = plan.current() !== "brush";
    const map = w.s.map;
    const tool = plan.tools.get(plan.current());
    if (map) map.getContainer().classList.toggle("is-drawing", Boolean(tool && !tool.pans));
    plan.page().dataset.tool = plan.current();
  }
  plan.on("tools", showTools);
  plan.on("tool", markTool);
  plan.on("brush", () => {
    for (const button of document.querySelectorAll("[data-size]")) button.setAttribute("aria-pressed", String(Number(button.dataset.size) === plan.brushSize()));
  });

  /* --- panels ------------------------------------------------------------------------------------------- */

  function showPanels() {
    const tabs = at("plan-tabs");
    if (!tabs) return;
    const store = at("plan-panels");
    const body = at("plan-body");
    if (!plan.panels.has(plan.tab) && plan.panels.has("grids")) plan.shownTab = "grids";
    else plan.shownTab = plan.tab;
    tabs.replaceChildren(
      ...[...plan.panels.values()].map((panel) => {
        const badge = panel.badge ? panel.badge() : null;
        return h("button", {
          type: "button", role: "tab", "data-tab": panel.name, id: "plan-tab-" + panel.name, "aria-controls": "plan-body", "aria-selected": String(panel.name === plan.shownTab),
          tabindex: panel.name === plan.shownTab ? "0" : "-1", onclick: () => plan.openPanel(panel.name),
        }, h("span", {}, panel.title), badge ? h("span", { class: "inc-count" }, String(badge)) : null);
      })
    );
    for (const panel of plan.panels.values()) {
      const element = typeof panel.element === "string" ? at(panel.element) : panel.element;
      if (!element) continue;
      const mine = panel.name === plan.shownTab;
      element.hidden = !mine;
      if (element.parentElement !== (mine ? body : store)) (mine ? body : store).append(element);
    }
  }
  plan.on("panels", showPanels);
  plan.badges = showPanels;

  /* --- the bar ------------------------------------------------------------------------------------------- */

  async function list() {
    const answer = await c.get("/plan/list");
    return answer.ok ? answer.body.plans : [];
  }
  async function showChooser() {
    const button = at("plan-chooser");
    if (!button) return;
    button.title = plan.s ? plan.s.name : "";
    button.replaceChildren(
      h("b", {}, plan.s ? plan.s.name : plan.words("chooser.none")),
      ...(plan.s ? [h("span", { class: "plan-state is-" + plan.s.state }, plan.words("state." + plan.s.state))] : []),
      h("span", { "aria-hidden": "true" }, "▾")
    );
  }
  plan.chooser = async function () {
    const dialog = h("dialog", { class: "inc-dialog plan-dialog", "aria-labelledby": "plan-dialog-title" });
    const rows = h("ul", { class: "plan-list" }, h("li", { class: "inc-empty" }, plan.words("loading")));
    const name = h("input", { class: "inc-input", id: "plan-new-name", required: true, maxlength: "100", value: plan.words("new.name", { day: c.wall(w.now()).day }) });
    const wrong = h("p", { class: "inc-warning", role: "alert", hidden: true });
    const make = h("button", { type: "submit", class: "inc-button is-main" }, plan.words("new.make"));
    const form = h("form", { class: "plan-new", onsubmit: (event) => { event.preventDefault(); begin(null); } }, h("label", { for: "plan-new-name" }, plan.words("new.title")), h("div", { class: "plan-row" }, name, make));
    async function begin(source) {
      if (!c.me) return c.chooseMe(plan.words("who"));
      make.disabled = true;
      make.setAttribute("aria-busy", "true");
      wrong.hidden = true;
      const answer = await c.post("/plan/new", { name: source ? source.name.slice(0, 100 - plan.words("copy.of").length) + plan.words("copy.of") : name.value, copy_of: source ? source.id : null, ...c.viewer() });
      make.disabled = false;
      make.removeAttribute("aria-busy");
      if (!answer.ok) {
        wrong.textContent = c.trouble(answer);
        wrong.hidden = false;
        return;
      }
      dialog.close();
      await plan.open(answer.body.id);
    }
    dialog.append(
      h("div", { class: "inc-dialog-head" }, h("h2", { id: "plan-dialog-title" }, plan.words("chooser")), h("button", { type: "button", class: "inc-close", "aria-label": c.say("close"), onclick: () => dialog.close() }, "×")),
      form, wrong, rows
    );
    dialog.addEventListener("close", () => dialog.remove());
    plan.page().append(dialog);
    dialog.showModal();
    const found = await list();
    rows.replaceChildren(
      ...(found.length ? found.map((one) =>
        h("li", {},
          h("button", { type: "button", class: "plan-list-one", "data-plan": one.id, "aria-current": plan.s && plan.s.id === one.id ? "true" : null, onclick: () => { dialog.close(); plan.open(one.id); } },
            h("b", {}, one.name), h("span", { class: "plan-state is-" + one.state }, plan.words("state." + one.state)),
            h("span", { class: "inc-quiet" }, plan.words("list.by", { by: one.author, when: c.wall(one.changed).day + " " + c.wall(one.changed).time })),
            one.conflicts ? h("span", { class: "plan-list-note" }, plan.words("list.conflicts", { n: one.conflicts })) : null),
          h("button", { type: "button", class: "inc-button is-small", title: plan.words("copy.help"), onclick: () => begin(one) }, plan.words("copy")))
      ) : [h("li", { class: "inc-empty" }, plan.words("list.empty"))])
    );
  };

  plan.open = async function (id) {
    plan.select([]);
    const told = await plan.load(id);
    plan.address();
    return told;
  };

  function showBand() {
    const [low, high] = plan.s ? plan.s.band : plan.config.band;
    for (const [id, value] of [["plan-band-low", low], ["plan-band-high", high]]) if (at(id) && document.activeElement !== at(id)) at(id).value = value;
  }
  function readBand() {
    const low = Number(at("plan-band-low").value);
    const high = Number(at("plan-band-high").value);
    const wrong = !(low >= 1 && high > low);
    for (const id of ["plan-band-low", "plan-band-high"]) at(id).setAttribute("aria-invalid", String(wrong));
    if (wrong) return plan.say(plan.words("band.wrong"), { kind: "wrong", seconds: 6 });
    plan.setBand([Math.round(low), Math.round(high)]);
    const query = w.address();
    query.set("band", Math.round(low) + "-" + Math.round(high));
    window.history.replaceState(window.history.state, "", w.href(query));
  }
  function showSteps() {
    if (!plan.s || !at("plan-undo")) return;
    const mine = c.viewer().by;
    for (const [id, what] of [["plan-undo", "undo"], ["plan-redo", "redo"]]) {
      const top = plan.nextStep(what);
      at(id).disabled = plan.s.readOnly || !top || (Boolean(mine) && top.by !== mine);
      at(id).title = top ? plan.words(what + ".what", { what: plan.did(top) }) : plan.words(what + ".nothing");
    }
  }
  /* What an edit did, as a sentence. */
  plan.did = function (row) {
    const key = "did." + row.do + (row.on === false ? ".off" : "");
    if (!plan.has(key)) return plan.words("did.other");
    const grids = (row.grids || []).join(plan.words("and"));
    return plan.words(key, { n: row.n === undefined ? "" : row.n, grid: grids, name: row.name || "", what: row.inner ? plan.did(row.inner) : "" });
  };
  plan.showSteps = showSteps;

  /* --- shades, notes, legend ----------------------------------------------------------------------------- */

  function showShade() {
    for (const button of document.querySelectorAll("[data-shade]")) button.setAttribute("aria-pressed", String(button.dataset.shade === plan.shadeName));
    const legend = at("plan-legend");
    if (!legend || !plan.s) return;
    const { band, none } = plan.config.palettes;
    const [low, high] = plan.s.band;
    const middle = (band.length - 1) / 2;
    const item = (colour, text, extra) => h("li", {}, h("i", { class: "swatch" + (extra ? " " + extra : ""), style: colour ? "background:" + colour : "" }), text);
    const rows = plan.shadeName === "band"
      ? [item(band[0], plan.words("legend.low.far", { n: plan.text(low / 2) })), item(band[middle - 1], plan.words("legend.low", { n: plan.text(low) })), item(band[middle], plan.words("legend.in", { low: plan.text(low), high: plan.text(high) })),
         item(band[middle + 1], plan.words("legend.high", { n: plan.text(high) })), item(band[band.length - 1], plan.words("legend.high.far", { n: plan.text(high * 1.5) })), item(none, plan.words("legend.none"))]
      : plan.shadeName === "grids" ? [h("li", { class: "inc-quiet" }, plan.words("legend.grids"))] : [];
    legend.replaceChildren(
      h("div", { class: "legend-head" }, h("span", { class: "legend-title" }, plan.words("legend.title." + (plan.shadeName === "band" ? "band" : "grids")))),
      h("ul", { class: "legend-classes" }, rows, item("", plan.words("legend.locked"), "plan-swatch-locked"), item("", plan.words("legend.rest"), "plan-swatch-rest"), plan.s.conflicts.length ? item("", plan.words("legend.conflict"), "plan-swatch-conflict") : null)
    );
  }
  plan.on("shade", showShade);
  plan.on("conflict", showShade);

  /* --- keys ------------------------------------------------------------------------------------------------ */

  plan.shortcut = function (event) {
    const run = { "?": () => plan.help(), ".": () => plan.jump(1), ",": () => plan.jump(-1), "+": () => zoom(1), "=": () => zoom(1), "-": () => zoom(-1), 0: () => w.map.fit(plan.g.bounds), "/": () => { plan.openPanel("grids"); at("plan-search").focus(); } }[event.key.toLowerCase()];
    if (!run) return;
    event.preventDefault();
    run();
  };
  const zoom = (by) => w.map.fly({ center: w.map.view().center, zoom: w.map.view().zoom + by });
  plan.help = function () {
    const dialog = h("dialog", { class: "inc-dialog plan-help", "aria-labelledby": "plan-help-title" });
    const tools = [...plan.tools.values()].map((tool) => [tool.key ? tool.key.toUpperCase() : "", tool.title, tool.help || ""]);
    const keys = ["undo", "redo", "size", "cross", "space", "enter", "escape", "next", "search", "zoom", "home", "help"].map((name) => [plan.words("key." + name), plan.words("key." + name + ".does"), ""]);
    const table = (title, rows) => h("section", {}, h("h3", {}, title), h("dl", {}, rows.map(([key, does, more]) => h("div", {}, h("dt", {}, key.split(" ").filter(Boolean).map((one) => h("kbd", {}, one))), h("dd", {}, h("b", {}, does), more ? h("span", { class: "inc-quiet" }, more) : null)))));
    dialog.append(
      h("div", { class: "inc-dialog-head" }, h("h2", { id: "plan-help-title" }, plan.words("help")), h("button", { type: "button", class: "inc-close", "aria-label": c.say("close"), onclick: () => dialog.close() }, "×")),
      h("div", { class: "plan-help-body" }, table(plan.words("help.tools"), tools), table(plan.words("help.keys"), keys))
    );
    dialog.addEventListener("close", () => { dialog.remove(); plan.focusMap(); });
    plan.page().append(dialog);
    dialog.showModal();
  };

  /* --- begin ------------------------------------------------------------------------------------------------ */

  function showState(text) {
    const place = at("plan-state");
    place.hidden = !text;
    place.replaceChildren(...(text ? [h("p", {}, text)] : []));
  }
  plan.on("loading", (on) => showState(on ? plan.words("loading") : ""));
  plan.on("failed", (text) => {
    showState("");
    at("plan-state").hidden = false;
    at("plan-state").replaceChildren(h("p", {}, text), h("button", { type: "button", class: "inc-button is-main", onclick: plan.chooser }, plan.words("chooser")));
    showChooser();
  });
  for (const name of ["load", "state", "saved", "name"]) plan.on(name, () => { showChooser(); plan.showSaved(); });
  for (const name of ["log", "load", "change"]) plan.on(name, (event) => event && event.from === "stroke" ? null : showSteps());
  for (const name of ["load", "change"]) plan.on(name, (event) => event && event.from !== "band" && name === "change" ? null : (showShade(), showBand()));
  plan.on("load", () => {
    document.documentElement.dataset.planner = "ready";
    if (w.s.map && w.s.map.getLayer("plan-fill")) plan.dress(w.s.map);
    const grid = new URLSearchParams(window.location.search).get("grid");
    if (grid && plan.s.rows.has(grid)) {
      plan.select([plan.s.rows.get(grid)]);
      plan.goTo(plan.s.rows.get(grid));
    }
    plan.hint();
  });
  plan.on("select", () => { plan.drawAccents(); if (!plan.stroke) plan.hint(); });

  plan.onBegin((config) => {
    showTools();
    showPanels();
    showChooser();
    const query = new URLSearchParams(window.location.search);
    const band = (query.get("band") || "").match(/^(\d+)-(\d+)$/);
    if (band && Number(band[2]) > Number(band[1])) plan.bandAsked = [Number(band[1]), Number(band[2])];
    if (query.get("shade") === "grids") plan.shadeName = "grids";
    const number = (id, label) => h("input", { id, type: "number", min: "1", step: "1", class: "inc-input plan-number", "aria-label": plan.words(label), onchange: readBand });
    at("plan-band").replaceChildren(h("label", { for: "plan-band-low" }, plan.words("band")), number("plan-band-low", "band.low"), h("span", { "aria-hidden": "true" }, "–"), number("plan-band-high", "band.high"), h("span", { class: "inc-quiet" }, plan.words("band.unit")));
    showBand();
    at("plan-undo").addEventListener("click", () => plan.undo());
    at("plan-redo").addEventListener("click", () => plan.redo());
    at("plan-chooser").addEventListener("click", plan.chooser);
    at("plan-help").addEventListener("click", plan.help);
    at("incidents-me").addEventListener("click", () => c.chooseMe());
    at("incidents-night").addEventListener("click", () => {
      c.keep("night", c.kept("night") === true ? null : true);
      window.location.reload();
    });
    for (const button of document.querySelectorAll("[data-shade]")) button.addEventListener("click", () => plan.shade(button.dataset.shade));
    at("plan-tabs").addEventListener("keydown", (event) => {
      const names = [...plan.panels.keys()];
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      plan.openPanel(names[(names.indexOf(plan.shownTab) + step + names.length) % names.length]);
      at("plan-tab-" + plan.shownTab).focus();
    });
    c.on("me", showSteps);
    const first = config.plan;
    const loaded = first ? plan.load(first) : null;
    w.map.onReady((map) => {
      plan.dress(map);
      plan.dressOver();
      plan.followMap(map);
      plan.listenClicks(map);
      map.doubleClickZoom.disable();
      map.keyboard.disable();
      map.on("styledata", () => map.isStyleLoaded() && !map.getLayer("plan-fill") && map.getLayer("w-names-grid") && plan.dress(map));
      markTool();
      if (plan.s) plan.drawAll();
      document.documentElement.dataset.planMap = "ready";
    });
    if (!loaded) {
      at("plan-state").hidden = false;
      at("plan-state").replaceChildren(h("h2", {}, plan.words("empty.title")), h("p", {}, plan.words(config.plans ? "empty.choose" : "empty.begin")), h("button", { type: "button", class: "inc-button is-main", onclick: plan.chooser }, plan.words("chooser")));
    }
  });
})();
