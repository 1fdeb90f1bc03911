/* The table of cases: blocks of rows are asked of the server as they are scrolled to, so that a
   million cases cost no more than the rows that are seen. What is filtered, sorted and chosen
   stands in the address. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const BLOCK = 100;
  const t = (c.table = { api: null, total: null, choice: {}, sort: "", ticking: 0 });

  /* --- the choice ------------------------------------------------------------------------------------ */

  const FIELDS = ["tab", "q", "class", "unit", "level", "source", "owner", "clock", "from", "to", "grid"];
  c.FILTERS = FIELDS;

  t.query = function (more) {
    const query = {};
    for (const name of FIELDS) if (t.choice[name]) query[name] = t.choice[name];
    if (t.sort) query.sort = t.sort;
    return { ...query, ...more };
  };

  t.writeAddress = function () {
    const query = new URLSearchParams();
    if (c.config.lang !== c.config.language) query.set("lang", c.config.lang);
    for (const [name, value] of Object.entries(t.query())) {
      if (name === "tab" && value === c.config.tabs[0]) continue;
      query.set(name, value);
    }
    if (c.panel && c.panel.id) query.set("case", c.panel.id);
    const text = query.toString().replaceAll("%2C", ",");
    window.history.replaceState(window.history.state, "", window.location.pathname + (text ? "?" + text : ""));
  };

  /* Take another choice; everything that shows cases follows. */
  t.choose = function (change) {
    t.choice = { ...t.choice, ...change };
    t.showChoice();
    t.writeAddress();
    t.reload();
    t.count();
    c.tell("choice", t.choice);
  };

  /* --- tabs ------------------------------------------------------------------------------------------- */

  t.showChoice = function () {
    for (const tab of document.querySelectorAll("#incidents-tabs [role=tab]")) {
      const mine = tab.dataset.tab === t.choice.tab;
      tab.setAttribute("aria-selected", String(mine));
      tab.tabIndex = mine ? 0 : -1;
    }
    const page = document.getElementById("incidents-page");
    page.classList.toggle("is-spots", t.choice.tab === "spots");
    for (const field of document.querySelectorAll("#incidents-filters [data-filter]")) {
      const value = t.choice[field.dataset.filter] || "";
      if (field.value !== value && document.activeElement !== field) field.value = value;
    }
    for (const name of ["class", "unit"]) {
      const box = t[name + "Box"];
      const value = t.choice[name] || "";
      if (box && (box.value || "") !== value) {
        const known = name === "class" ? c.config.classes : c.config.chosen_units;
        box.set(value ? known.find((o) => o.value === value) || { value, label: value } : null);
      }
    }
    const filtered = FIELDS.some((name) => name !== "tab" && t.choice[name]);
    document.getElementById("incidents-clear").hidden = !filtered;
    document.getElementById("incidents-keep").hidden = !filtered;
    for (const link of document.querySelectorAll("a[data-export]")) {
      const query = new URLSearchParams({ ...t.query(), lang: c.config.lang });
      link.href = "/cases/export." + link.dataset.export + "?" + query;
    }
  };

  t.count = async function () {
    const query = t.query();
    delete query.sort;
    const mine = (t.counting = (t.counting || 0) + 1);
    const answer = await c.get("/cases/counts", query);
    if (mine !== t.counting) return;
    if (!answer.ok) return;
    for (const [name, n] of Object.entries(answer.body.counts)) {
      const place = document.querySelector('#incidents-tabs [data-tab="' + name + '"] .inc-count');
      if (place) place.textContent = n.text;
      if (place) place.title = n.exact;
    }
  };

  function keptTabs() {
    const place = document.getElementById("incidents-kept");
    const kept = c.kept("filters") || [];
    place.replaceChildren(
      ...kept.map((k, number) =>
        h("li", {},
          h("button", { type: "button", class: "inc-kept", title: c.say("kept.help"), onclick: () => t.choose({ ...emptied(), ...k.query }) }, k.name),
          h("button", { type: "button", class: "inc-kept-drop", "aria-label": c.say("kept.drop", { name: k.name }), onclick: () => {
            c.keep("filters", kept.filter((_, n) => n !== number));
            keptTabs();
          } }, "×"))
      )
    );
  }
  function emptied() {
    return Object.fromEntries(FIELDS.map((name) => [name, name === "tab" ? t.choice.tab : ""]));
  }
  function keepFilter() {
    const query = t.query();
    delete query.sort;
    const dialog = h("dialog", { class: "inc-dialog", "aria-labelledby": "inc-keep-title" });
    const name = h("input", { class: "inc-input", id: "inc-keep-name", required: true, maxlength: "20" });
    dialog.append(
      h("form", { method: "dialog", onsubmit: () => {
        c.keep("filters", [...(c.kept("filters") || []), { name: name.value.trim() || "?", query }].slice(-12));
        keptTabs();
      } },
        h("h2", { id: "inc-keep-title" }, c.say("kept.title")),
        h("label", { for: "inc-keep-name" }, c.say("kept.name")), name,
        h("div", { class: "inc-form-foot" },
          h("button", { class: "inc-button", type: "button", onclick: () => dialog.close() }, c.say("cancel")),
          h("button", { class: "inc-button is-main", type: "submit" }, c.say("kept.keep"))))
    );
    dialog.addEventListener("close", () => dialog.remove());
    document.getElementById("incidents-page").append(dialog);
    dialog.showModal();
  }

  /* --- rows ------------------------------------------------------------------------------------------- */

  /* Cells are plain elements: `draw(row)` gives the children; grid asks anew when a row changed. */
  function cell(draw) {
    return class {
      init(params) {
        this.element = h("div", { class: "inc-cell" });
        this.refresh(params);
      }
      getGui() {
        return this.element;
      }
      refresh(params) {
        const row = params.data;
        this.element.replaceChildren(...(row ? draw(row).filter(Boolean) : [h("i", { class: "inc-ghost" })]));
        return true;
      }
    };
  }
  const two = (one, other) => [h("span", { class: "inc-one" }, one || "–"), h("span", { class: "inc-two" }, other || "")];

  function clockCell(row) {
    const clock = c.clock(row);
    const chip = c.chip(clock.state, clock.text);
    chip.dataset.due = row.due === null || row.due === undefined ? "" : row.due;
    chip.dataset.row = row.id;
    return [chip, h("span", { class: "inc-two" }, row.due_text || "")];
  }

  const COLUMNS = {
    id: { width: 162, sort: true, draw: (r) => two(r.id, r.source) },
    what: { width: 190, flex: 3, sort: true, draw: (r) => two(r.what, r.description) },
    where: { width: 170, flex: 3, draw: (r) => two(r.where, r.address) },
    stage: { width: 112, sort: true, draw: (r) => [c.chip(r.stage, r.stage_word)] },
    level: { width: 132, flex: 1, sort: true, draw: (r) => two(r.owner, r.level_word) },
    clock: { width: 150, sort: true, draw: clockCell },
    reported: { width: 118, sort: true, draw: (r) => two(r.reported_text, r.age) },
    person: { width: 96, draw: (r) => two(r.person, r.person_role) },
  };

  function columns() {
    const k = w.scale();
    return Object.entries(COLUMNS).map(([name, column]) => ({
      colId: name,
      field: "id",
      headerName: c.say("column." + name),
      headerTooltip: c.say("column." + name),
      width: Math.round(column.width * k),
      minWidth: Math.round((column.flex ? Math.min(column.width, 120) : 64) * k),
      flex: column.flex,
      sortable: Boolean(column.sort),
      comparator: undefined,
      resizable: true,
      suppressMovable: false,
      valueGetter: (params) => (params.data ? params.data[name === "level" ? "owner" : name === "stage" ? "stage_word" : name === "reported" ? "reported_text" : name] : ""),
      cellRenderer: cell(column.draw),
      sort: t.sort.startsWith(name + ".") ? t.sort.split(".")[1] : undefined,
      cellClass: "inc-td inc-td-" + name,
    }));
  }

  const source = {
    async getRows(params) {
      t.asked++;
      const sort = params.sortModel[0];
      t.sort = sort ? sort.colId + "." + sort.sort : "";
      const mine = t.round;
      const answer = await c.get("/cases/page", t.query({ offset: params.startRow, limit: params.endRow - params.startRow }));
      if (mine !== t.round || !t.api) return params.failCallback();
      if (!answer.ok) {
        t.say(c.trouble(answer), true);
        return params.failCallback();
      }
      const { rows, total } = answer.body;
      t.total = total;
      params.successCallback(rows, total);
      t.say(total ? c.say("table.count", { n: total.toLocaleString("en-US") }) : c.say("table.none"), false);
      mark();
    },
    rowCount: undefined,
  };

  t.say = function (text, wrong) {
    const place = document.getElementById("incidents-count");
    if (!place) return;
    place.textContent = text;
    place.classList.toggle("is-wrong", Boolean(wrong));
  };

  /* Another filter: from the top. */
  t.round = 0;
  t.reload = function () {
    if (!t.api) return;
    t.round++;
    t.api.setGridOption("datasource", { ...source });
  };
  /* The same filter, newer data: what is loaded is asked again; scroll and selection stay. */
  t.refresh = function () {
    if (t.api && !t.api.isDestroyed()) t.api.refreshInfiniteCache();
  };
  const soon = {};
  t.later = function (name, ms, run) {
    if (soon[name]) return;
    soon[name] = window.setTimeout(() => {
      soon[name] = 0;
      run();
    }, ms);
  };

  /* Show which case is open, wherever the choice came from. */
  function mark() {
    if (!t.api) return;
    t.api.forEachNode((node) => {
      const mine = Boolean(node.data && c.panel && node.data.id === c.panel.id);
      if (node.isSelected() !== mine) node.setSelected(mine);
    });
  }
  t.mark = mark;
  t.hover = function (id) {
    for (const row of document.querySelectorAll("#incidents-table .ag-row.is-hovered")) row.classList.remove("is-hovered");
    if (id) for (const row of document.querySelectorAll('#incidents-table .ag-row[row-id="' + CSS.escape(id) + '"]')) row.classList.add("is-hovered");
  };
  t.rowOf = function (id) {
    let found = null;
    if (t.api) t.api.forEachNode((node) => { if (node.data && node.data.id === id) found = node; });
    return found;
  };

  function listen(api) {
    const open = (event) => event.data && c.panel.open(event.data.id, { from: "table" });
    api.addEventListener("rowClicked", open);
    api.addEventListener("cellKeyDown", (event) => {
      if (event.event.key === "Enter" || event.event.key === " ") {
        event.event.preventDefault();
        open(event);
      }
    });
    api.addEventListener("cellMouseOver", (event) => event.data && c.tell("hover", event.data.id));
    api.addEventListener("cellMouseOut", () => c.tell("hover", null));
    api.addEventListener("sortChanged", () => {
      const sorted = api.getColumnState().find((column) => column.sort);
      t.sort = sorted ? sorted.colId + "." + sorted.sort : "";
      t.writeAddress();
      t.showChoice();
    });
  }

  t.begin = async function () {
    t.choice = { ...c.config.choice };
    t.sort = c.config.choice.sort || "";
    delete t.choice.sort;
    t.api = null;
    const api = await window.dash_ag_grid.getApiAsync("incidents-table");
    // The api is told before the grid has made its rows; options that touch them must wait.
    while (!document.querySelector("#incidents-table .ag-center-cols-viewport")) {
      await new Promise((done) => window.setTimeout(done, 30));
    }
    t.api = api;
    api.setGridOption("columnDefs", columns());
    listen(api);
    t.showChoice();
    t.count();
    // Dash gives the grid a source of its own when the grid is ready, which may be after this.
    api.addEventListener("gridReady", t.reload);
    t.asked = 0;
    for (let turn = 0; turn < 40 && !t.asked; turn++) {
      t.reload();
      await new Promise((done) => window.setTimeout(done, 150));
    }
  };

  /* Beside an open case there is less room: what its file tells anyway gives way. */
  t.makeRoom = function (less) {
    if (t.api && !t.api.isDestroyed()) t.api.setColumnsVisible(["level", "person"], !less);
  };

  /* Clocks of the rows that are seen count on by themselves. */
  t.tick = function () {
    if (!t.api || t.api.isDestroyed()) return;
    for (const node of t.api.getRenderedNodes()) {
      const row = node.data;
      if (!row) continue;
      const chip = document.querySelector('#incidents-table .inc-chip[data-row="' + CSS.escape(row.id) + '"]');
      if (!chip) continue;
      const clock = c.clock(row);
      const words = chip.lastElementChild;
      if (words.textContent !== clock.text) words.textContent = clock.text;
      if (!chip.classList.contains("is-" + clock.state)) chip.replaceWith(clockCell(row)[0]);
    }
  };

  /* --- the filters' fields ------------------------------------------------------------------------------- */

  /* Divisions and grids whose name or code has the text. */
  c.units = async function (text) {
    const answer = await c.get("/cases/units", { q: text });
    return answer.ok ? answer.body.units : [];
  };

  t.beginFilters = function () {
    t.classBox = c.combo({
      id: "incidents-class", options: c.config.classes, placeholder: c.say("filter.class"), label: c.say("filter.class"),
      onchange: (o) => t.choose({ class: o ? o.value : "" }),
    });
    t.unitBox = c.combo({
      id: "incidents-unit", options: c.units, placeholder: c.say("filter.unit"), label: c.say("filter.unit"),
      onchange: (o) => t.choose({ unit: o ? o.value : "" }),
    });
    const select = (name) =>
      h("select", { class: "inc-input", "data-filter": name, "aria-label": c.say("filter." + name), id: "incidents-filter-" + name },
        h("option", { value: "" }, c.say("filter." + name)),
        c.config.choices[name].map((o) => h("option", { value: o.value }, o.label)));
    const day = (name) =>
      h("label", { class: "inc-day" }, h("span", { class: "inc-quiet" }, c.say("filter." + name)),
        h("input", { type: "date", class: "inc-input", "data-filter": name, id: "incidents-filter-" + name }));
    const filters = document.getElementById("incidents-filters");
    filters.replaceChildren(
      h("input", { type: "search", class: "inc-input inc-search", id: "incidents-q", "data-filter": "q", placeholder: c.say("filter.q"), "aria-label": c.say("filter.q"), autocomplete: "off" }),
      h("div", { class: "inc-filter-class" }, t.classBox.element),
      h("div", { class: "inc-filter-unit" }, t.unitBox.element),
      select("clock"), select("level"), select("source"), day("from"), day("to"),
      h("button", { type: "button", class: "inc-button is-small", id: "incidents-clear", hidden: true, onclick: () => t.choose(emptied()) }, c.say("filter.clear")),
      h("button", { type: "button", class: "inc-button is-small", id: "incidents-keep", hidden: true, onclick: keepFilter }, c.say("filter.keep"))
    );
    let typing = 0;
    filters.addEventListener("input", (event) => {
      const name = event.target.dataset.filter;
      if (!name) return;
      window.clearTimeout(typing);
      const wait = name === "q" ? 300 : 0;
      typing = window.setTimeout(() => t.choose({ [name]: event.target.value.trim() }), wait);
    });
    const tabs = document.getElementById("incidents-tabs");
    tabs.addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      if (tab) t.choose({ tab: tab.dataset.tab });
    });
    tabs.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const all = [...tabs.querySelectorAll("[role=tab]")];
      const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
      next.focus();
      t.choose({ tab: next.dataset.tab });
    });
    keptTabs();
  };
  t.BLOCK = BLOCK;
})();
