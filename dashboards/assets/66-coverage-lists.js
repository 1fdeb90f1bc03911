/* The ten longest blind stretches, the proposed spots, and the table of grids. A click moves the map. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const v = w.coverage;
  const l = (v.lists = { api: null, names: new Map(), columnsOf: "", mark: "", ofGrid: {} });
  const TOTAL = " total";

  /* --- lists ------------------------------------------------------------------------------------------ */

  function line(rank, title, where, value, run, id, hint) {
    return h("li", {}, h("button", { type: "button", class: "cv-line", id, title: hint, onclick: run },
      h("span", { class: "cv-rank" }, String(rank)), h("b", {}, title), h("span", { class: "cv-where" }, where), h("span", { class: "cv-value" }, value)));
  }
  const gridName = (id) => (id ? l.names.get(id) || id : v.say("stretch.outside"));

  function stretches() {
    const grid = v.choice.grid;
    const mine = grid ? l.ofGrid[grid] : v.body.stretches;
    const head = grid
      ? h("div", { class: "cv-list-head" }, h("span", {}, v.say("stretch.of", { name: gridName(grid) })),
          h("button", { type: "button", class: "inc-link", id: "coverage-all", onclick: () => v.choose({ grid: "" }) }, v.say("stretch.all")))
      : null;
    if (!mine) return [head];
    if (!mine.length) return [head, h("p", { class: "empty-line cv-none" }, v.say(grid ? "stretch.none.grid" : "stretch.none"))];
    const lines = mine.map(([rank, street, of, metres, box], place) =>
      line(place + 1, street || v.say("stretch.noname"), gridName(of), v.say("list.metres", { n: v.number(metres) }),
        () => v.map.stretch(rank, box), "coverage-stretch-" + (place + 1)));
    return [head, h("ol", {}, lines)];
  }

  function spots() {
    const told = v.body.spots;
    if (!told) return [h("p", { class: "empty-line cv-none" }, v.say("spot.other"))];
    if (!told.list.length) return [h("p", { class: "empty-line cv-none" }, v.say("spot.none"))];
    const lines = told.list.map((one) => {
      const near = one.street ? v.say("spot.near", { street: one.street }) : v.say("spot.nowhere");
      const where = gridName(one.grid) + " · " + v.say("spot." + one.kind);
      const value = h("span", { class: "cv-two" }, h("b", {}, v.say("spot.gain", { n: v.number(one.gain) })), h("span", { class: "inc-quiet" }, v.say("spot.total", { n: v.number(one.total) })));
      return line(one.rank, near, where, value, () => v.map.spot(one.at), "coverage-spot-" + one.rank, one.id ? v.say("spot.pole.id", { id: one.id }) : null);
    });
    const last = told.list[told.list.length - 1];
    const bound = v.say("spot.bound", {
      n: told.list.length, total: v.number(last.total), most: v.number(last.most), weight: v.number(told.weight),
      m: v.number(told.range_m), share: v.number(last.most ? Math.floor((last.total / last.most) * 100) : 100),
    });
    return [h("ol", {}, lines), h("p", { class: "cv-note" }, bound)];
  }

  /* The stretches of the chosen grid, asked for once an answer. */
  async function fetchGrid() {
    const [grid, mark] = [v.choice.grid, v.body.mark];
    const answer = await window.wangge.workers.get("/coverage/stretches", { ...v.query(), grid });
    if (!answer.ok || !v.body || v.body.mark !== mark || answer.body.mark !== mark) return;
    l.ofGrid[grid] = answer.body.stretches;
    if (v.choice.grid === grid) l.show();
  }

  l.show = function () {
    if (!v.body) return;
    if (l.mark !== v.body.mark) {
      l.mark = v.body.mark;
      l.ofGrid = {};
    }
    if (v.choice.grid && !l.ofGrid[v.choice.grid]) fetchGrid();
    l.names = new Map(v.body.rows.map((row) => [row[0], row[1]]));
    const list = v.list();
    for (const name of ["stretches", "spots"]) {
      const tab = document.getElementById("coverage-tab-" + name);
      tab.setAttribute("aria-selected", String(name === list));
      tab.tabIndex = name === list ? 0 : -1;
    }
    document.getElementById("coverage-lists").replaceChildren(...(list === "spots" ? spots() : stretches()).filter(Boolean));
    document.getElementById("coverage-foot").replaceChildren(...v.body.notes.map((text) => h("span", {}, text)));
  };

  l.clear = function () {
    document.getElementById("coverage-lists").replaceChildren();
    document.getElementById("coverage-figures").replaceChildren();
    document.getElementById("coverage-foot").replaceChildren();
    document.getElementById("coverage-count").textContent = "";
    if (!l.api) return;
    l.api.setGridOption("pinnedBottomRowData", []);
    l.api.setGridOption("rowData", []);
  };

  /* --- the table ----------------------------------------------------------------------------------------- */

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
        const drawn = params.data ? draw(params.data) : [];
        this.element.replaceChildren(...[drawn].flat(2).filter((one) => one !== null && one !== undefined && one !== false));
        return true;
      }
    };
  }
  const size = (px) => Math.round(px * w.scale());
  const figureOf = (name, draw, value, px) => ({
    colId: name, headerName: v.say("column." + name), headerTooltip: v.say("column." + name), flex: px || 60, minWidth: size(px || 60),
    type: "rightAligned", headerClass: "ag-right-aligned-header", cellClass: "inc-td cv-n", sortable: true, resizable: true, wrapHeaderText: true, autoHeaderHeight: true,
    valueGetter: (params) => (params.data ? value(params.data) : null), cellRenderer: cell((row) => [draw(row)].flat().map((text) => (text instanceof Node ? text : h("span", {}, text)))),
  });
  const ofAll = (some, all) => [v.number(some), h("span", { class: "inc-two" }, v.say("column.of", { n: v.number(all) }))];

  /* Covered, not covered and unknown as parts of a bar: the three are the whole street. */
  function bar(row) {
    if (!row.street_m) return h("span", { class: "inc-two" }, "–");
    const part = (name) => h("i", { class: "cv-is-" + name, style: "width:" + (row[name + "_m"] / row.street_m) * 100 + "%" });
    const share = (name) => v.percent(row[name + "_m"] / row.street_m);
    const allUnknown = row.unknown_m > 0.999 * row.street_m;
    return h("span", { class: "cv-share", title: v.say("bar", { a: share("covered"), b: share("blind"), c: share("unknown") }) },
      h("span", { class: "cv-bar-parts", "aria-hidden": "true" }, part("covered"), part("blind"), part("unknown")),
      h("span", { class: allUnknown ? "inc-quiet" : "" }, allUnknown ? "◇ " + v.say("all.unknown") : share("covered")));
  }
  const shareOf = (row) => (row.street_m && row.unknown_m <= 0.999 * row.street_m ? row.covered_m / row.street_m : null);

  function columns() {
    const has = (name) => v.body.columns.includes(name);
    const metres = (name) => (row) => v.number(row[name]);
    const unseen = (name) => figureOf(name, (row) => ofAll(row[name + "_blind"], row[name]), (row) => row[name + "_blind"], 76);
    return [
      {
        colId: "name", headerName: v.say("column.name"), width: size(146), minWidth: size(90), pinned: "left", sortable: true, resizable: true, cellClass: "inc-td inc-td-what",
        valueGetter: (params) => (params.data ? params.data.name : null),
        comparator: (a, z) => String(a).localeCompare(String(z), "zh-Hans-CN", { numeric: true }),
        cellRenderer: cell((row) => [h("span", { class: "inc-one", title: row.name }, row.name), h("span", { class: "inc-two", title: row.place }, row.place)]),
      },
      {
        colId: "share", headerName: v.say("column.share"), flex: 126, minWidth: size(120), sortable: true, resizable: true, cellClass: "inc-td",
        valueGetter: (params) => (params.data ? shareOf(params.data) : null), cellRenderer: cell(bar),
      },
      figureOf("blind", metres("blind_m"), (row) => row.blind_m, 82),
      figureOf("worst", (row) => (row.worst_m === undefined ? "" : v.number(row.worst_m)), (row) => row.worst_m, 72),
      figureOf("unknown", metres("unknown_m"), (row) => row.unknown_m, 66),
      has("area_share") ? figureOf("area", (row) => (row.id === TOTAL ? "" : v.percent(row.area_share)), (row) => row.area_share, 64) : null,
      has("incidents") ? unseen("incidents") : null,
      has("assets") ? unseen("assets") : null,
      has("households") ? figureOf("homes", (row) => ofAll(row.served, row.households), (row) => (row.households ? row.served / row.households : null), 72) : null,
    ].filter(Boolean);
  }

  l.table = function () {
    if (!l.api || !v.body) return;
    const key = v.body.columns.join() + c.config.lang;
    if (l.columnsOf !== key) {
      l.columnsOf = key;
      l.api.setGridOption("columnDefs", columns());
      l.api.applyColumnState({ state: [{ colId: "blind", sort: "desc" }], defaultState: { sort: null } });
    }
    const rows = v.body.rows.map(([id, name, place, ...values]) => ({
      id, name, place, ...Object.fromEntries(v.body.columns.map((column, number) => [column, values[number]])),
    }));
    l.api.setGridOption("rowData", rows);
    l.api.setGridOption("pinnedBottomRowData", [{ id: TOTAL, name: v.say("total"), place: "", ...v.body.totals }]);
    l.api.refreshCells({ force: true });
    document.getElementById("coverage-count").textContent = v.say("count", { n: v.number(rows.length) });
    l.chosen();
  };

  /* The grid of the address is marked in the table and outlined on the map. */
  l.chosen = function () {
    w.map.select(v.choice.grid || null);
    if (!l.api) return;
    l.api.forEachNode((node) => {
      const mine = node.data.id === v.choice.grid;
      if (node.isSelected() !== mine) node.setSelected(mine);
      if (mine) l.api.ensureNodeVisible(node);
    });
  };

  function open(event) {
    const row = event.data;
    if (!row || row.id === TOTAL) return;
    v.choose({ grid: row.id });
    w.map.flyToUnit("grid", row.id);
  }

  l.begin = async function () {
    l.columnsOf = "";
    l.api = null;
    for (const tab of document.querySelectorAll(".cv-tabs [role=tab]")) {
      tab.addEventListener("click", () => v.choose({ list: tab.dataset.list === "spots" ? "spots" : "" }));
      tab.addEventListener("keydown", (event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        const other = [...document.querySelectorAll(".cv-tabs [role=tab]")].find((one) => one !== tab);
        other.focus();
        other.click();
      });
    }
    const api = await window.dash_ag_grid.getApiAsync("coverage-table");
    // The api is told before the grid has made its rows; options that touch them must wait.
    while (!document.querySelector("#coverage-table .ag-center-cols-viewport")) {
      await new Promise((done) => window.setTimeout(done, 30));
    }
    l.api = api;
    api.setGridOption("getRowClass", (params) => (params.data && params.data.id === TOTAL ? "cv-total" : ""));
    // The component forgets the selection once it hears of new rows; it hears after we told the grid.
    api.addEventListener("rowDataUpdated", () => window.setTimeout(l.chosen, 0));
    api.addEventListener("selectionChanged", (event) => {
      if (event.source !== "rowClicked" && v.choice.grid && !api.getSelectedRows().length) window.setTimeout(l.chosen, 0);
    });
    api.addEventListener("cellClicked", open);
    api.addEventListener("cellKeyDown", (event) => {
      if (event.event.key !== "Enter") return;
      event.event.preventDefault();
      open(event);
    });
  };
})();
