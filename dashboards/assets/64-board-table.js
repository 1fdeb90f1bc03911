/* The table of the shift board: grids by shift, units by day, people by shares. Rows keep their
   identity, so new data changes cells and leaves scroll, focus and selection alone. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const b = w.board;
  const t = (b.table = { api: null, columnsOf: null, rows: [] });

  /* Cells are plain elements; `draw(row)` gives the children and may set a class. */
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
        const drawn = params.data ? draw(params.data, this.element, params) : [];
        this.element.replaceChildren(...[drawn].flat(2).filter((one) => one !== null && one !== undefined && one !== false));
        return true;
      }
    };
  }
  const one = (text, more) => h("span", { class: "inc-one", title: text, ...more }, text);
  const two = (text) => h("span", { class: "inc-two", title: text }, text);
  const at = (name) => b.config.counts.indexOf(name);
  const ENDED = ["done", "partly", "missed", "unknown", "vacant"];
  const COMING = ["running", "ahead"];

  /* --- what counts add up to ------------------------------------------------------------------------- */

  const nothing = () => b.config.counts.map(() => 0);
  /* Counts of the rounds of a grid, as geo.shifts counts them. */
  t.count = function (cells) {
    const counts = nothing();
    for (const one of cells) {
      if (!one) continue;
      const name = b.config.statuses[one[0]];
      counts[at(name)]++;
      if (ENDED.includes(name)) counts[0]++;
    }
    return counts;
  };
  const add = (sum, counts) => sum.map((n, number) => n + counts[number]);
  const share = (counts) => (counts[0] > counts[at("unknown")] ? counts[at("done")] / (counts[0] - counts[at("unknown")]) : null);
  const unknown = (counts) => (counts[0] ? counts[at("unknown")] / counts[0] : null);
  const percent = (value) => (value === null ? "–" : Math.round(value * 100) + "%");

  /* --- columns --------------------------------------------------------------------------------------- */

  function sorted(columns) {
    const [name, way] = (b.choice.sort || "").split(".");
    return columns.map((column) => ({ ...column, sort: column.colId === name ? (way === "desc" ? "desc" : "asc") : null }));
  }
  const size = (px) => Math.round(px * w.scale());
  const column = (colId, headerName, px, draw, value, more) => ({
    colId, headerName, headerTooltip: headerName, width: size(px), minWidth: size(Math.min(px, 44)), sortable: true, resizable: true,
    cellClass: "inc-td", valueGetter: (params) => (params.data ? value(params.data) : null), cellRenderer: cell(draw), ...more,
  });
  const total = (row) => row.id === TOTAL;
  const TOTAL = " total";

  function countColumns(rows, sum) {
    const shown = ["required", ...ENDED, ...COMING.filter((name) => sum[at(name)] > 0)];
    const found = shown.map((name) =>
      column("n-" + name, b.say("count." + name), c.config.lang === "en" ? 78 : 66,
        (row, element) => {
          element.classList.add("board-n");
          const n = row.counts[at(name)];
          return h("span", { class: "board-count is-" + name + (n ? "" : " is-zero"), title: b.say("count.title", { word: b.say("count." + name), n }) }, b.number(n));
        },
        (row) => row.counts[at(name)], { type: "rightAligned", headerClass: "ag-right-aligned-header board-head is-" + name, cellDataType: "number" }));
    found.push(column("share", b.say("column.share"), 84, (row, element) => {
      element.classList.add("board-n");
      return h("span", {}, percent(share(row.counts)));
    }, (row) => share(row.counts), { type: "rightAligned" }));
    found.push(column("unclear", b.say("column.unknown_share"), 76, (row, element) => {
      element.classList.add("board-n");
      return h("span", { class: unknown(row.counts) ? "" : "is-zero" }, percent(unknown(row.counts)));
    }, (row) => unknown(row.counts), { type: "rightAligned" }));
    return found;
  }

  function shiftCell(number) {
    return function (row, element) {
      element.className = "inc-cell board-shift";
      if (total(row)) return [];
      const told = row.cells[number];
      if (!told) return h("span", { class: "inc-two" }, b.say("notowed"));
      const [status, reason, here, away, unclear, , visited, places] = told;
      const name = b.config.statuses[status];
      element.classList.add("is-" + name);
      const why = b.config.reasons[reason];
      const minutes = b.say("minutes", { here, away, unknown: unclear });
      const parts = [why ? b.say("reason." + why) : "", places ? b.say("places", { visited, places }) : ""].filter(Boolean);
      const line = parts.length ? parts.join(" · ") : name === "ahead" ? "" : minutes;
      return [
        h("span", { class: "board-state is-" + name, title: minutes }, b.mark(name), h("span", {}, b.say("status." + name))),
        h("span", { class: "inc-two", title: line + " " + minutes }, line),
      ];
    };
  }
  /* The gravest first: what must be looked at. */
  const GRAVE = ["missed", "vacant", "unknown", "partly", "running", "ahead", "done"];
  const gravity = (told) => (told ? GRAVE.indexOf(b.config.statuses[told[0]]) : GRAVE.length);

  function dayColumns(sum) {
    const level = b.level();
    const named = column("name", b.say(level === "grid" ? "column.grid" : "column.unit"), level === "grid" ? 210 : 240,
      (row) => (total(row) ? one(row.name) : [one(row.name), two(row.above)]), (row) => row.name,
      { pinned: "left", flex: undefined, comparator: (a, z) => String(a).localeCompare(String(z), "zh-Hans-CN", { numeric: true }), cellClass: "inc-td inc-td-what" });
    if (level !== "grid") return [named, ...countColumns(t.rows, sum)];
    const shifts = b.day.columns.map((shift, number) =>
      column("s-" + number, shift.label + (shift.hours ? " " + shift.hours : ""), 168, shiftCell(number),
        (row) => (total(row) ? null : gravity(row.cells[number])), { flex: 1, minWidth: size(118), cellClass: "inc-td board-td-shift" }));
    const people = column("people", b.say("column.people"), 116,
      (row) => (total(row) ? [] : row.people.length > 2 ? [one(row.people.slice(0, 2).join(b.say("comma"))), two(b.say("people.all", { n: row.people.length }))] : one(row.people.join(b.say("comma")) || "–")),
      (row) => (row.people || []).join(" "));
    return [named, people, ...shifts, ...countColumns(t.rows, sum)];
  }

  /* --- rows of a day ----------------------------------------------------------------------------------- */

  function names() {
    const found = {};
    for (const level of b.config.levels) for (const row of b.day.units[level] || []) found[row[0]] = row[1];
    return found;
  }

  t.gridRows = function () {
    const called = names();
    const last = b.config.levels.length;
    return b.day.rows.map(([id, name, codes, people, cells]) => {
      const above = codes.slice(Math.max(0, last - 2)).map((code) => called[code] || "").filter(Boolean).join(" · ");
      return { id, name, codes, people, cells, above, counts: t.count(cells), hay: (id + " " + name + " " + people.join(" ")).toLowerCase() };
    });
  };
  function unitRows(level) {
    const called = names();
    return (b.day.units[level] || []).map(([code, name, counts]) => ({
      id: code || "-", code, name: name || b.say("nounit"), counts, above: called[b.day.parents[code]] || "", hay: (code + " " + name).toLowerCase(),
    }));
  }

  /* Whether a row is chosen by unit, words and, if asked, result. */
  function passes(row, withStatus) {
    const unit = b.choice.unit;
    if (unit && b.view() === "day") {
      if (row.codes ? !row.codes.includes(unit) && row.id !== unit : !under(row.code, unit)) return false;
    }
    const text = (b.choice.q || "").toLowerCase().split(/\s+/).filter(Boolean);
    if (text.length && !text.every((part) => row.hay.includes(part))) return false;
    const chosen = withStatus && b.view() === "day" ? b.statuses() : [];
    return !chosen.length || chosen.some((name) => row.counts[at(name)] > 0);
  }
  function under(code, unit) {
    for (let up = code; up; up = b.day.parents[up]) if (up === unit) return true;
    return false;
  }

  t.showDay = function () {
    if (!t.api) return;
    const level = b.level();
    t.rows = level === "grid" ? t.gridRows() : unitRows(level);
    const sum = b.day.total;
    const key = "day|" + level + "|" + JSON.stringify(b.day.columns) + "|" + COMING.map((name) => sum[at(name)] > 0) + "|" + c.config.lang;
    setColumns(key, 46, () => dayColumns(sum));
    t.api.setGridOption("rowData", t.rows);
    if (level === "grid" && !b.day.columns.length) b.tell(b.say("nothing"), false);
    t.filter();
    b.showBar();
  };

  /* Rows of another kind go before their columns do: a cell draws only what its row has. */
  const kind = (key) => (key || "").split("|").slice(0, 2).join("|");
  function setColumns(key, px, make) {
    if (t.rowPx !== px) t.api.setGridOption("rowHeight", size((t.rowPx = px)));
    if (t.columnsOf === key) return;
    if (kind(t.columnsOf) !== kind(key)) {
      t.api.setGridOption("pinnedBottomRowData", []);
      t.api.setGridOption("rowData", []);
    }
    t.columnsOf = key;
    t.api.setGridOption("columnDefs", []);
    t.api.setGridOption("columnDefs", sorted(make()));
  }

  /* The choice changed: which rows are seen, and what they add up to. */
  t.filter = function () {
    if (!t.api || !t.columnsOf) return;
    t.api.onFilterChanged();
    const seen = t.rows.filter((row) => passes(row, true));
    if (b.view() === "people") {
      t.api.setGridOption("pinnedBottomRowData", []);
      return b.showFoot(b.say("people.note"));
    }
    if (b.view() === "month") return monthTotal(seen);
    const sum = seen.reduce((all, row) => add(all, row.counts), nothing());
    const grids = b.level() === "grid";
    const named = b.say(grids ? "total.of" : "total.units", { n: b.number(seen.length) });
    t.api.setGridOption("pinnedBottomRowData", [{ id: TOTAL, name: named, counts: sum, cells: [], people: [] }]);
    const wide = t.rows.filter((row) => passes(row, false)).reduce((all, row) => add(all, row.counts), nothing());
    b.showChips(wide);
    const shown = grids ? b.say("shown", { n: b.number(seen.length), total: b.number(t.rows.length) }) : "";
    b.showFoot(seen.length ? shown : b.say("none"), b.day.notes);
    select();
  };

  /* --- a month --------------------------------------------------------------------------------------------- */

  const heat = (value) => (value >= 1 ? 6 : 1 + Math.floor(value * 5));
  function monthCell(number) {
    return function (row, element) {
      const counts = row.days[number];
      const day = b.month.days[number];
      element.className = "board-heat";
      if (!counts[0]) {
        element.classList.add(day.ready || day.empty ? "is-none" : "is-waiting");
        return [];
      }
      const known = share(counts);
      const unclear = unknown(counts);
      if (known !== null) element.classList.add("is-" + heat(known));
      if (unclear > 0.3) element.classList.add("is-mixed");
      element.title = b.say("month.cell", {
        unit: row.name, day: day.day, ...Object.fromEntries(b.config.counts.map((name, place) => [name, counts[place]])),
      });
      return [
        unclear ? h("i", { class: "board-hatch", style: "width:" + Math.max(unclear * 100, 8).toFixed(0) + "%" }) : null,
        h("span", {}, known === null ? "◇" : String(Math.round(known * 100))),
      ];
    };
  }

  function monthColumns(sum) {
    const named = column("name", b.say("level." + b.level()), 230, (row) => one(row.name), (row) => row.name, {
      pinned: "left", cellClass: "inc-td inc-td-what", comparator: (a, z) => String(a).localeCompare(String(z), "zh-Hans-CN", { numeric: true }),
    });
    const days = b.month.days.map((day, number) =>
      column("d-" + number, String(day.number), 38, monthCell(number), (row) => {
        const value = share(row.days[number]);
        return value === null ? -1 : value;
      }, { flex: 1, minWidth: size(27), cellClass: "board-td-heat", headerTooltip: day.day + " " + day.weekday, headerClass: "board-day" + (day.rest ? " is-rest" : "") }));
    return [named, ...countColumns(t.rows, sum).map((one) => ({ ...one, width: size(c.config.lang === "en" ? 74 : 62) })), ...days];
  }

  t.showMonth = function () {
    if (!t.api) return;
    t.rows = b.month.rows.map(([code, name, counts, days]) => ({
      id: code || "-", code, name: name || b.say("nounit"), counts, days, hay: (code + " " + name).toLowerCase(),
    }));
    const sum = b.month.total[0];
    const key = "month " + b.monthOf() + "|" + b.level() + "|" + COMING.map((name) => sum[at(name)] > 0) + "|" + c.config.lang;
    setColumns(key, 30, () => monthColumns(sum));
    t.api.setGridOption("rowData", t.rows);
    t.api.refreshCells({ force: true });
    b.showChips(sum);
    t.filter();
  };

  function monthTotal(seen) {
    const days = b.month.days.map((_, number) => seen.reduce((all, row) => add(all, row.days[number]), nothing()));
    const sum = seen.reduce((all, row) => add(all, row.counts), nothing());
    t.api.setGridOption("pinnedBottomRowData", [{ id: TOTAL, name: b.say("total.units", { n: b.number(seen.length) }), counts: sum, days }]);
    b.showFoot(seen.length ? b.say("month.legend") : b.say("none"), [b.say("legend.sum")]);
  }

  /* --- people ----------------------------------------------------------------------------------------------- */

  t.showPeople = function () {
    if (!t.api) return;
    t.rows = b.people.people.map((row) => ({ ...row, counts: nothing(), hay: (row.id + " " + row.name + " " + row.grid).toLowerCase() }));
    const bar = (value, kind) => (row, element) => {
      element.className = "board-bar-cell";
      const told = row[value];
      if (value === "done" && row.few) return h("span", { class: "inc-two" }, b.say("people.few"));
      if (told === null) return h("span", { class: "inc-two" }, "–");
      return [h("i", { class: "board-share is-" + kind }, h("i", { style: "width:" + told * 100 + "%" })), h("span", {}, percent(told))];
    };
    setColumns("people|" + c.config.lang, 36, () => [
      column("name", b.say("people.name"), 150, (row) => one(row.name), (row) => row.name, { pinned: "left", cellClass: "inc-td inc-td-what" }),
      column("role", b.say("people.role"), 110, (row) => one(row.role), (row) => row.role),
      column("grid", b.say("people.grid"), 320, (row) => one(row.grid), (row) => row.grid, { flex: 1 }),
      column("done", b.say("column.share"), 300, bar("done", "done"), (row) => row.done, { cellClass: "inc-td board-td-wide" }),
      column("unknown", b.say("column.unknown_share"), 300, bar("unknown", "unknown"), (row) => row.unknown, { cellClass: "inc-td board-td-wide" }),
    ]);
    t.api.setGridOption("rowData", t.rows);
    b.showChips([]);
    t.filter();
  };

  t.clear = function () {
    if (!t.api) return;
    t.rows = [];
    t.columnsOf = null;
    t.api.setGridOption("pinnedBottomRowData", []);
    t.api.setGridOption("rowData", []);
    t.api.setGridOption("columnDefs", []);
    document.getElementById("board-chips").replaceChildren();
    b.showFoot("");
  };

  /* --- choosing a row ------------------------------------------------------------------------------------------ */

  function select() {
    if (!t.api || t.api.isDestroyed()) return;
    t.api.forEachNode((node) => {
      const mine = Boolean(node.data && node.data.id === b.choice.grid);
      if (node.isSelected() !== mine) node.setSelected(mine);
    });
  }
  t.select = select;

  function open(event) {
    const row = event.data;
    if (!row || total(row)) return;
    const name = event.column ? event.column.getColId() : "";
    if (b.view() === "day" && b.level() === "grid") {
      b.evidence.shift = name.startsWith("s-") ? Number(name.slice(2)) : null;
      return b.choose({ grid: row.id });
    }
    if (b.view() === "day") return b.choose({ unit: row.code, level: below(b.level()), sort: "" });
    if (b.view() !== "month" || !name.startsWith("d-")) return;
    const day = b.month.days[Number(name.slice(2))];
    if (!day.ready) return;
    const grid = b.level() === "grid";
    b.choose({ view: "", day: day.day === b.today() ? "" : day.day, month: "", level: "", sort: "", unit: grid ? "" : row.code, q: "", grid: grid ? row.id : "" });
  }
  const below = (level) => ({ district: "street", street: "community" })[level] || "";

  t.begin = async function () {
    t.api = null;
    t.columnsOf = null;
    t.rowPx = null;
    const api = await window.dash_ag_grid.getApiAsync("board-table");
    // The api is told before the grid has made its rows; options that touch them must wait.
    while (!document.querySelector("#board-table .ag-center-cols-viewport")) {
      await new Promise((done) => window.setTimeout(done, 30));
    }
    t.api = api;
    api.setGridOption("isExternalFilterPresent", () => true);
    api.setGridOption("doesExternalFilterPass", (node) => passes(node.data, true));
    api.setGridOption("getRowClass", (params) => (params.data && total(params.data) ? "board-total" : ""));
    // The component that wraps the table puts its own selection back after new rows.
    for (const name of ["rowDataUpdated", "selectionChanged"]) api.addEventListener(name, () => window.setTimeout(select, 0));
    api.addEventListener("cellClicked", open);
    api.addEventListener("cellKeyDown", (event) => {
      if (event.event.key !== "Enter") return;
      event.event.preventDefault();
      open(event);
    });
    api.addEventListener("sortChanged", () => {
      const first = api.getColumnState().find((one) => one.sort);
      b.choice.sort = first ? first.colId + "." + first.sort : "";
      if (!b.choice.sort) delete b.choice.sort;
      b.writeAddress();
    });
  };
})();
