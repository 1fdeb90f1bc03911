/* Two tabs of the right panel: all grids as a table (the twin of the map, and the list of what needs a hand),
   and the history, which can be clicked through; and what waits for a decision between two planners. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const plan = w.plan;
  const at = (id) => document.getElementById(id);
  const ROW_REM = 2.125;
  const FILTERS = ["all", "rest", "low", "high", "apart", "locked", "conflict", "changed"];
  const COLUMNS = ["name", "households", "band", "people", "compactness"];
  const t = { filter: "all", sort: "households", down: true, text: "", rows: [], apart: new Set(), changed: new Set(), first: null };

  /* --- what needs a hand ----------------------------------------------------------------------------- */

  /* Grids in more than one piece: one search over all blocks. */
  function findApart() {
    const { label } = plan.s;
    const g = plan.g;
    const seen = new Uint8Array(g.n);
    const met = new Set();
    t.apart = new Set();
    for (let first = 0; first < g.n; first++) {
      if (seen[first]) continue;
      const row = label[first];
      if (met.has(row)) t.apart.add(row);
      met.add(row);
      const queue = [first];
      seen[first] = 1;
      while (queue.length) {
        const i = queue.pop();
        for (let k = g.start[i]; k < g.start[i + 1]; k++) {
          const j = g.other[k];
          if (!seen[j] && label[j] === row) {
            seen[j] = 1;
            queue.push(j);
          }
        }
      }
    }
  }
  const inConflict = () => new Set(plan.s.conflicts.flatMap((one) => one.blocks.map((i) => plan.s.label[i])));
  const IS = {
    all: () => true,
    rest: (grid) => grid.rest,
    low: (grid) => plan.status(grid.row) === "low",
    high: (grid) => plan.status(grid.row) === "high",
    apart: (grid) => t.apart.has(grid.row),
    locked: (grid) => grid.locked,
    conflict: (grid) => t.conflicts.has(grid.row),
    changed: (grid) => t.changed.has(grid.row),
  };
  const VALUES = {
    name: (grid) => grid.name,
    households: (grid) => grid.households,
    band: (grid) => off(grid),
    people: (grid) => grid.people,
    compactness: (grid) => plan.compactness(grid),
  };
  /* How many households a grid is away from the band; below is negative. */
  function off(grid) {
    const [low, high] = plan.s.band;
    if (grid.rest || grid.kind !== "base") return 0;
    return grid.households < low ? grid.households - low : grid.households > high ? grid.households - high : 0;
  }

  /* --- the table --------------------------------------------------------------------------------------- */

  function build(place) {
    place.replaceChildren(
      h("div", { class: "plan-find" },
        h("input", { id: "plan-search", type: "search", class: "inc-input", placeholder: plan.words("find.search"), "aria-label": plan.words("find.search"), oninput: (event) => { t.text = event.target.value.trim().toLowerCase(); show(); } }),
        h("div", { class: "plan-filters", role: "group", "aria-label": plan.words("find.filters"), id: "plan-filters" })),
      h("div", { class: "plan-table", role: "table", "aria-label": plan.words("table.label"), id: "plan-table" },
        h("div", { class: "plan-tr is-head", role: "row" }, COLUMNS.map((name) =>
          h("div", { role: "columnheader", class: "plan-td is-" + name, "data-column": name }, h("button", { type: "button", onclick: () => sort(name) }, plan.words("column." + name), h("i", { "aria-hidden": "true" }))))),
        h("div", { class: "plan-rows", id: "plan-rows", role: "rowgroup", tabindex: "0", onscroll: paint, onkeydown: keys }, h("div", { class: "plan-rows-in", id: "plan-rows-in" }))),
      h("div", { class: "inc-foot", id: "plan-count", role: "status" })
    );
  }
  function sort(name) {
    if (t.sort === name) t.down = !t.down;
    else [t.sort, t.down] = [name, name !== "name"];
    show();
  }
  /* Names in the order of the language; making the rule costs more than a thousand comparisons. */
  let collator = null;
  const order = () => (collator = collator || new Intl.Collator(plan.config.lang === "zh" ? "zh-CN" : "en", { numeric: true }));
  function show() {
    if (!plan.s || !at("plan-rows")) return;
    t.conflicts = inConflict();
    const living = plan.living();
    const counts = Object.fromEntries(FILTERS.map((name) => [name, 0]));
    for (const grid of living) for (const name of FILTERS) if (IS[name](grid)) counts[name]++;
    t.counts = counts;
    at("plan-filters").replaceChildren(
      ...FILTERS.filter((name) => name === "all" || counts[name] || t.filter === name).map((name) =>
        h("button", { type: "button", class: "plan-filter is-" + name, "data-filter": name, "aria-pressed": String(t.filter === name), onclick: () => { t.filter = t.filter === name ? "all" : name; at("plan-rows").scrollTop = 0; show(); } },
          plan.words("find." + name), h("b", {}, plan.text(counts[name]))))
    );
    const value = VALUES[t.sort];
    const sign = t.down ? -1 : 1;
    const text = (a, b) => order().compare(a.name, b.name);
    const compare = t.sort === "name" ? (a, b) => sign * text(a, b) : t.sort === "band" ? (a, b) => Math.abs(value(b)) - Math.abs(value(a)) || text(a, b) : (a, b) => sign * (value(a) - value(b)) || text(a, b);
    t.rows = living.filter((grid) => IS[t.filter](grid) && (!t.text || (grid.name + " " + grid.id).toLowerCase().includes(t.text))).sort(t.sort === "band" && !t.down ? (a, b) => -compare(a, b) : compare);
    for (const head of document.querySelectorAll("#plan-table [data-column]")) head.setAttribute("aria-sort", head.dataset.column !== t.sort ? "none" : t.down ? "descending" : "ascending");
    at("plan-table").setAttribute("aria-rowcount", String(t.rows.length + 1));
    const homes = living.reduce((sum, grid) => sum + grid.households, 0);
    at("plan-count").textContent = plan.words("table.count", { shown: plan.text(t.rows.length), all: plan.text(living.length), homes: plan.text(homes) });
    t.first = null;
    paint();
  }
  /* Only the rows that can be seen are in the document. */
  function paint() {
    const box = at("plan-rows");
    if (!box || !plan.s) return;
    const high = ROW_REM * 16 * w.scale();
    const from = Math.max(0, Math.floor(box.scrollTop / high) - 4);
    const to = Math.min(t.rows.length, Math.ceil((box.scrollTop + box.clientHeight) / high) + 4);
    const inner = at("plan-rows-in");
    inner.style.height = t.rows.length * high + "px";
    const key = from + ":" + to;
    if (t.first === key) return;
    t.first = key;
    const chosen = new Set(plan.selected());
    if (!t.rows.length) return inner.replaceChildren(h("p", { class: "inc-empty" }, plan.words("find.nothing")));
    inner.replaceChildren(...t.rows.slice(from, to).map((grid, k) => line(grid, from + k, high, chosen)));
  }
  function line(grid, k, high, chosen) {
    const away = off(grid);
    const [low, bound] = plan.s.band;
    const most = bound * 1.5;
    const share = (value) => Math.min(100, (value / most) * 100);
    return h("div", { class: "plan-tr" + (chosen.has(grid.row) ? " is-chosen" : ""), role: "row", "aria-rowindex": String(k + 2), "aria-selected": String(chosen.has(grid.row)), "data-row": String(grid.row), "data-grid": grid.id, style: "top:" + k * high + "px", onclick: (event) => pick(grid.row, event.shiftKey) },
      h("div", { class: "plan-td is-name", role: "cell", title: grid.name + " · " + grid.id }, grid.name, grid.locked ? h("span", { class: "plan-lock", title: plan.words("find.locked") }, " ⊘") : null),
      h("div", { class: "plan-td is-households", role: "cell" }, plan.text(grid.households)),
      h("div", { class: "plan-td is-band", role: "cell" },
        h("span", { class: "plan-bar", "aria-hidden": "true" }, h("i", { class: "plan-bar-band", style: "left:" + share(low) + "%;width:" + (share(bound) - share(low)) + "%" }), h("i", { class: "plan-bar-at is-" + plan.status(grid.row), style: "left:" + share(grid.households) + "%" })),
        h("span", { class: "plan-off is-" + plan.status(grid.row) }, away ? (away > 0 ? "▲ +" : "▼ −") + plan.text(Math.abs(away)) : plan.words("status." + (plan.status(grid.row) === "in" ? "in" : plan.status(grid.row))))),
      h("div", { class: "plan-td is-people", role: "cell" }, plan.text(grid.people)),
      h("div", { class: "plan-td is-compactness", role: "cell" }, plan.compactness(grid).toFixed(2)));
  }
  function pick(row, more) {
    if (more) plan.select([...new Set([...plan.selected(), row])]);
    else {
      plan.select([row]);
      plan.goTo(row);
    }
  }
  function keys(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12 }[event.key];
    if (!step && event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter") {
      const [row] = plan.selected();
      if (row !== undefined) plan.goTo(row);
      return;
    }
    move(step, false);
  }
  function move(step, jump) {
    if (!t.rows.length) return;
    const now = t.rows.findIndex((grid) => grid.row === plan.selected()[0]);
    const next = jump ? (now + step + t.rows.length) % t.rows.length : Math.min(Math.max(now + step, 0), t.rows.length - 1);
    plan.select([t.rows[next].row]);
    if (jump) plan.goTo(t.rows[next].row);
    reveal(next);
  }
  function reveal(k) {
    const box = at("plan-rows");
    const high = ROW_REM * 16 * w.scale();
    if (k * high < box.scrollTop) box.scrollTop = k * high;
    else if ((k + 1) * high > box.scrollTop + box.clientHeight) box.scrollTop = (k + 1) * high - box.clientHeight;
    t.first = null;
    paint();
  }
  /* The next grid of the list, and the map goes there. */
  plan.jump = function (step) {
    if (!t.rows.length) return plan.say(plan.words("find.nothing"), { seconds: 4 });
    move(step, true);
    const grid = plan.s.grids[plan.selected()[0]];
    plan.say(plan.words("find.at", { grid: grid.name, n: plan.text(grid.households), k: t.rows.indexOf(grid) + 1, all: t.rows.length }));
  };

  /* --- history ------------------------------------------------------------------------------------------- */

  function showHistory() {
    const place = at("plan-history");
    if (!place || place.hidden || !plan.s) return;
    const { done, undone } = plan.stack();
    const mine = c.viewer().by;
    const when = (row) => (row.at ? c.wall(row.at).time : "");
    const item = (row, k, state) =>
      h("li", { class: "plan-step is-" + state },
        h("button", { type: "button", "data-step": String(k), "aria-current": state === "now" ? "step" : null, onclick: () => plan.goToEdit(k), title: plan.words("history.go") },
          h("span", { class: "plan-step-what" }, plan.did(row)), h("span", { class: "inc-quiet" }, (row.by === mine ? plan.words("me") : row.by) + " · " + when(row)), row.waiting ? h("span", { class: "plan-step-wait" }, plan.words("history.waiting")) : null));
    const list = [
      ...undone.map((row, k) => item(row, done.length + undone.length - k, "undone")),
      ...done.map((row, k) => item(row, k + 1, k === done.length - 1 ? "now" : "done")).reverse(),
      h("li", { class: "plan-step" + (done.length ? " is-done" : " is-now") }, h("button", { type: "button", "data-step": "0", onclick: () => plan.goToEdit(0) }, h("span", { class: "plan-step-what" }, plan.words("history.first")))),
    ];
    place.replaceChildren(conflicts(), h("ol", { class: "plan-steps", reversed: true }, list));
  }

  /* --- two wishes for one place ------------------------------------------------------------------------------ */

  function conflicts() {
    const list = plan.s.conflicts;
    if (!list.length) return h("div", {});
    return h("section", { class: "plan-conflicts", "aria-label": plan.words("conflict.title") },
      h("h3", {}, plan.words("conflict.title"), h("span", { class: "inc-count" }, String(list.length))),
      h("p", { class: "inc-quiet" }, plan.words("conflict.what")),
      list.map((one) =>
        h("article", { class: "plan-conflict", "data-conflict": String(one.seq) },
          h("p", {}, h("b", {}, one.by), " ", plan.did(one.wish)),
          one.theirs.map((row) => h("p", { class: "is-theirs" }, h("b", {}, row.by), " ", plan.did(row))),
          h("p", { class: "inc-quiet" }, one.why),
          h("div", { class: "plan-row" },
            h("button", { type: "button", class: "inc-button is-small", onclick: () => goto(one) }, plan.words("conflict.show")),
            h("button", { type: "button", class: "inc-button is-small is-main", onclick: () => decide(one, true) }, plan.words("conflict.take")),
            h("button", { type: "button", class: "inc-button is-small", onclick: () => decide(one, false) }, plan.words("conflict.drop"))))));
  }
  function goto(one) {
    if (one.blocks.length) plan.goTo({ blocks: one.blocks });
    if (one.place) plan.flash({ type: "Point", coordinates: one.place });
  }
  async function decide(one, taken) {
    if (!plan.mayEdit()) return;
    const told = await plan.settle(one.seq, taken);
    if (told.ok) plan.say(plan.words(taken ? "conflict.taken" : "conflict.dropped"), { kind: "good", seconds: 6 });
  }
  plan.on("conflict", (list) => {
    plan.badges();
    showHistory();
    if (list.length) plan.say(plan.words("conflict.some", { n: list.length }), { kind: "wrong" });
  });

  /* --- follow the plan ------------------------------------------------------------------------------------------ */

  let asked = 0;
  function soon() {
    if (asked) return;
    asked = window.setTimeout(() => {
      asked = 0;
      if (at("plan-grids") && !at("plan-grids").hidden) show();
      showHistory();
    }, 120);
  }
  let pieces = 0;
  function piecesSoon() {
    window.clearTimeout(pieces);
    pieces = window.setTimeout(() => plan.s && !plan.stroke && (findApart(), soon()), 200);
  }
  // The map comes first: what hangs together is asked once it is drawn.
  plan.on("load", () => { t.changed = new Set(); t.apart = new Set(); show(); showHistory(); plan.badges(); piecesSoon(); });
  plan.on("change", (event) => {
    if (event.from === "stroke") return soon();
    for (const row of event.grids) if (event.from !== "band") t.changed.add(row);
    piecesSoon();
    soon();
  });
  plan.on("log", soon);
  plan.on("select", (rows) => {
    t.first = null;
    paint();
    const k = rows.length === 1 ? t.rows.findIndex((grid) => grid.row === rows[0]) : -1;
    if (k >= 0) reveal(k);
  });

  plan.onBegin(() => {
    build(at("plan-grids"));
    plan.panel("grids", { title: plan.words("tab.grids"), element: "plan-grids", shown: show });
    plan.panel("history", { title: plan.words("tab.history"), element: "plan-history", shown: showHistory, badge: () => (plan.s && plan.s.conflicts.length ? plan.s.conflicts.length : null) });
  });
})();
