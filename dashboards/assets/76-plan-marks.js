/* Tools that point at whole grids: merge neighbours, lock grids and borders, rename, number anew. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const c = w.cases;
  const h = c.h;
  const t = w.planTools;
  const word = t.word;
  const EDGE_PX = 12;
  const MOST_ROWS = 6; // grids listed one by one before a merge
  const title = (name) => ({ group: name === "merge" ? 2 : 4, touch: true, title: word(name), help: word(name + ".help"), hint: () => word(name + ".hint") });
  const placeOf = (row) => {
    const box = plan.boxOf(plan.members(row));
    return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  };
  const flashGrid = (row) => plan.flash(plan.outline(row));

  /* --- merge ---------------------------------------------------------------------------------------------- */

  let chosen = [];
  let sweep = null; // {x, y, begun} while Shift is held and the hand goes over grids
  function touching(row, others) {
    return plan.members(row).some((i) => Array.from(plan.neighbours(i)).some((j) => others.includes(plan.s.label[j])));
  }
  /* Grids that do not hang together with the first of the chosen ones. */
  function apart() {
    const joined = chosen.slice(0, 1);
    let left = chosen.slice(1);
    for (let more = true; more && left.length; ) {
      const found = left.filter((row) => touching(row, joined));
      more = found.length > 0;
      joined.push(...found);
      left = left.filter((row) => !found.includes(row));
    }
    return left;
  }
  function showMerge() {
    chosen = chosen.filter((row) => plan.s.grids[row] && plan.s.grids[row].blocks > 0);
    plan.select(chosen);
    const blocks = chosen.flatMap((row) => plan.members(row));
    t.showNew(blocks);
    t.bar();
    if (chosen.length < 2) return void t.preview(null, { text: word("merge.hint") });
    const grids = chosen.map((row) => plan.s.grids[row]);
    const total = (name) => grids.reduce((sum, grid) => sum + grid[name], 0);
    const keeps = grids.reduce((a, b) => (b.households > a.households ? b : a));
    const loose = apart();
    const old = (grid) => ({ key: "old", name: grid.name, households: grid.households, people: grid.people, area: grid.area, compactness: plan.compactness(grid) });
    t.preview(
      [...grids.slice(0, MOST_ROWS).map(old), { key: "new", name: word("merge.sum"), households: total("households"), people: total("people"), ...t.figuresOfBlocks(blocks) }],
      loose.length
        ? { text: word("merge.apart", { grids: loose.map((row) => plan.gridName(row)).join(word("comma")) }), wrong: true }
        : { text: word("merge.keeps", { grid: keeps.name }) });
  }
  /* A click adds a neighbour or leaves one out; with Shift grids are only added, also such that others will join. */
  function pick(row, adding) {
    if (row < 0 || (adding && chosen.includes(row))) return;
    const grid = plan.s.grids[row];
    if (chosen.includes(row)) {
      chosen = chosen.filter((one) => one !== row);
    } else if (grid.locked) {
      flashGrid(row);
      return void t.refuse("locked", null, { grid: grid.name });
    } else if (chosen.length && plan.s.grids[chosen[0]].community !== grid.community) {
      flashGrid(row);
      return void t.refuse("merge_community", null, { grid: grid.name });
    } else if (chosen.length && !adding && !touching(row, chosen)) {
      flashGrid(row);
      return void t.refuse("not_beside", null, { grid: grid.name });
    } else chosen = [...chosen, row];
    showMerge();
    plan.say(word("merge.chosen", { n: chosen.length, grid: grid.name }));
  }
  async function merge() {
    if (chosen.length < 2) return void t.refuse("one_grid_alone");
    const loose = apart();
    if (loose.length) {
      flashGrid(loose[0]);
      return void t.refuse("not_beside", null, { grid: plan.gridName(loose[0]) });
    }
    if (t.readOnly()) return;
    const rows = chosen;
    const names = rows.map((row) => plan.gridName(row)).join(word("comma"));
    const keeps = rows.reduce((a, b) => (plan.s.grids[b].households > plan.s.grids[a].households ? b : a));
    const told = await plan.send({ do: "merge", grids: rows.map((row) => plan.s.grids[row].id), into: null });
    if (!told.ok) return;
    chosen = [];
    t.clear();
    t.bar();
    plan.select([keeps]);
    plan.say(word("done.merge", { grids: names, grid: plan.gridName(keeps) }), { kind: "good", seconds: 6 });
  }
  const mergeTool = {
    key: "m", cursor: "pointer",
    icon: '<path d="M3 5h8v14H3zM13 5h8v14h-8z"/><path d="M8 12h8m-2.5-2.5L16 12l-2.5 2.5"/>',
    start() {
      chosen = plan.selected().filter((row) => !plan.s.grids[row].locked);
      t.bar(() => [
        t.action("merge.do", merge, { main: true, key: "Enter", off: chosen.length < 2 || apart().length > 0 }),
        t.action("stop", () => { chosen = []; showMerge(); }, { key: "Esc" }),
      ]);
      showMerge();
    },
    stop() {
      chosen = [];
      sweep = null;
      t.clear();
      t.bar(null);
    },
    down(p) {
      sweep = p.shift ? { x: p.x, y: p.y, begun: false } : null;
    },
    move(p) {
      if (!sweep || (!sweep.begun && Math.hypot(p.x - sweep.x, p.y - sweep.y) < 6)) return;
      if (!sweep.begun) pick(plan.s.label[plan.blockAt(...plan.unproject(sweep.x, sweep.y))] ?? -1, true);
      sweep.begun = true;
      pick(p.grid, true);
    },
    up(p) {
      const swept = sweep && sweep.begun;
      sweep = null;
      if (!swept) pick(p.grid, p.shift);
    },
    cancel() {
      const any = chosen.length > 0;
      chosen = [];
      sweep = null;
      if (plan.s) showMerge();
      return any;
    },
    keydown(event) {
      if (event.key !== "Enter" || !t.onMap(event)) return false;
      if (chosen.length > 1) merge();
      else pick(underCross());
      return true;
    },
  };
  function underCross() {
    const middle = plan.middle();
    const i = plan.blockAt(...plan.unproject(middle.x, middle.y));
    return i < 0 ? -1 : plan.s.label[i];
  }

  /* --- lock ------------------------------------------------------------------------------------------------- */

  const sameEdge = (a, b) => (a[0] === b[0] && a[1] === b[1]) || (a[0] === b[1] && a[1] === b[0]);
  t.isLockedEdge = (edge) => plan.s.lockedEdges.some((one) => sameEdge(one, edge));
  /* The border between two grids under the hand: rows and its edges, or null. */
  t.borderAt = function (x, y, px) {
    const edge = plan.edgeAt(x, y, (px || EDGE_PX) * w.scale());
    if (!edge) return null;
    const { label } = plan.s;
    let two = edge.other >= 0 ? label[edge.other] : -1;
    const one = label[edge.block];
    if (two < 0) return { one, two: -1, edges: [], edge };
    if (one === two) return null;
    return { one, two, edges: plan.border(one, two), edge };
  };
  function showLocked() {
    if (!plan.s) return;
    const lines = plan.s.lockedEdges.map(([a, b]) => [t.lonlat(a), t.lonlat(b)]);
    t.over("pt-locked", lines.length ? { type: "MultiLineString", coordinates: lines } : null, { line: "soon", width: 4.5 });
  }
  async function lockGrid(row) {
    if (row < 0 || t.readOnly()) return;
    const grid = plan.s.grids[row];
    const on = !grid.locked;
    const told = await plan.send({ do: "lock", grids: [grid.id], on });
    if (told.ok) plan.say(word(on ? "done.lock" : "done.unlock", { grid: grid.name }), { kind: "good", seconds: 5 });
  }
  t.lockBorder = async function (found) {
    if (!found) return void t.refuse("no_border_here");
    if (found.two < 0 || !found.edges.length) return void t.refuse("held.fixed");
    if (t.readOnly()) return;
    const on = !found.edges.every(t.isLockedEdge);
    const values = { one: plan.gridName(found.one), two: plan.gridName(found.two) };
    const told = await plan.send({ do: "lock_border", one: plan.s.grids[found.one].id, two: plan.s.grids[found.two].id, on });
    if (told.ok) plan.say(word(on ? "done.lock_border" : "done.unlock_border", values), { kind: "good", seconds: 5 });
    showLocked();
  };
  function lockAt(p) {
    if (t.options.what === "border") t.lockBorder(t.borderAt(p.x, p.y, 16));
    else lockGrid(p.grid);
  }
  const lockTool = {
    key: "k", cursor: "pointer",
    icon: '<path d="M5 11h14v9H5zM8 11V8a4 4 0 0 1 8 0v3"/>',
    start() {
      t.bar(() => [
        t.choice("what", "lock.what", ["grid", "border"]),
        t.action("unlock.all", unlockAll, { off: !plan.s || !plan.s.grids.some((grid) => grid.locked && grid.blocks) }),
      ]);
    },
    stop() {
      t.clear();
      t.bar(null);
    },
    hover(p) {
      const found = t.options.what === "border" ? t.borderAt(p.x, p.y, 16) : null;
      const edges = found ? found.edges : [];
      t.over("pt-chosen", edges.length ? { type: "MultiLineString", coordinates: edges.map(([a, b]) => [t.lonlat(a), t.lonlat(b)]) } : null, { line: "accent", width: 5 });
    },
    up: lockAt,
  };
  async function unlockAll() {
    if (t.readOnly()) return;
    const grids = plan.s.grids.filter((grid) => grid.locked && grid.blocks).map((grid) => grid.id);
    if (!grids.length) return;
    const told = await plan.send({ do: "lock", grids, on: false });
    if (told.ok) plan.say(word("done.unlock_all", { n: grids.length }), { kind: "good", seconds: 5 });
  }

  /* --- rename ------------------------------------------------------------------------------------------------- */

  function rename(row) {
    if (row < 0 || t.readOnly()) return;
    const grid = plan.s.grids[row];
    if (grid.locked) {
      flashGrid(row);
      return void t.refuse("locked", null, { grid: grid.name });
    }
    plan.select([row]);
    const input = h("input", { class: "inc-input pt-name", maxlength: 60, value: grid.name, "aria-label": word("rename.label") });
    const save = async () => {
      const name = input.value.trim();
      if (!name) return void t.refuse("no_name", null, { grid: grid.name });
      if (name === grid.name) return;
      const was = grid.name;
      const told = await plan.send({ do: "rename", grid: grid.id, name });
      if (told.ok) plan.say(word("done.rename", { was, grid: name }), { kind: "good", seconds: 5 });
    };
    plan.ask({
      text: word("rename.ask", { grid: grid.name }), place: placeOf(row), more: input,
      buttons: [{ text: word("save"), main: true, run: save }, { text: word("stop") }],
    });
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      event.stopPropagation();
      plan.ask(null);
      save();
      plan.focusMap();
    });
    input.focus();
    input.select();
  }
  const renameTool = {
    key: "n", cursor: "text",
    icon: '<path d="M4 20h16"/><path d="m6 16 1-4 9-9 3 3-9 9z"/>',
    start() {
      t.bar(null);
      const rows = plan.s ? plan.selected() : [];
      if (rows.length === 1) rename(rows[0]);
    },
    stop: () => plan.ask(null),
    up: (p) => rename(p.grid),
    keydown(event) {
      if (event.key !== "Enter" || !t.onMap(event)) return false;
      rename(underCross());
      return true;
    },
  };

  /* --- number anew --------------------------------------------------------------------------------------------- */

  let numbers = null;
  async function askNumbers() {
    if (!plan.s) return;
    numbers = null;
    t.bar();
    t.preview(null, { text: word("renumber.wait") });
    const told = await t.tryEdit({ do: "renumber", digits: 3 });
    if (!told || plan.current() !== "renumber") return;
    if (!told.ok) return void t.preview(null, { text: told.error || word("failed"), wrong: true });
    numbers = Object.entries(told.names);
    t.bar();
    if (!numbers.length) return void t.preview(null, { text: word("renumber.none") });
    t.preview(null, { text: word("renumber.changes", { n: plan.text(numbers.length) }) });
    document.getElementById("pt-preview").append(table());
    t.showNew(numbers.flatMap(([id]) => (plan.s.rows.has(id) ? plan.members(plan.s.rows.get(id)) : [])));
  }
  function table() {
    const line = ([was, now]) =>
      h("tr", {}, h("td", {}, plan.s.rows.has(was) ? plan.gridName(plan.s.rows.get(was)) : was), h("td", {}, was), h("td", {}, now));
    return h("div", { class: "pt-numbers", tabindex: "0", role: "region", "aria-label": word("renumber") },
      h("table", {},
        h("thead", {}, h("tr", {}, ["name", "was", "now"].map((key) => h("th", { scope: "col" }, word("renumber." + key))))),
        h("tbody", {}, numbers.map(line))));
  }
  async function renumber() {
    if (!numbers || !numbers.length || t.readOnly()) return;
    const n = numbers.length;
    const told = await plan.send({ do: "renumber", digits: 3 });
    if (!told.ok) return;
    plan.use("select");
    plan.say(word("done.renumber", { n: plan.text(n) }), { kind: "good", seconds: 6 });
  }
  const renumberTool = {
    key: "r", cursor: "default",
    icon: '<path d="M10 6h10M10 12h10M10 18h10M4 4.5 5.5 4v5M4 14h2.5L4 18h2.5"/>',
    start() {
      t.bar(() => [
        t.action("renumber.do", renumber, { main: true, key: "Enter", off: !numbers || !numbers.length }),
        t.action("stop", () => plan.use("select"), { key: "Esc" }),
      ]);
      askNumbers();
    },
    stop() {
      numbers = null;
      t.forget();
      t.clear();
      t.bar(null);
    },
    keydown(event) {
      if (event.key !== "Enter" || !t.onMap(event)) return false;
      renumber();
      return true;
    },
  };

  plan.onBegin(() => {
    for (const [name, tool] of Object.entries({ merge: mergeTool, lock: lockTool, rename: renameTool, renumber: renumberTool })) {
      plan.tool(name, { ...title(name), ...tool });
    }
  });
  for (const name of ["load", "change", "log"]) plan.on(name, showLocked);
  plan.on("change", () => {
    if (plan.current() === "lock") t.bar();
    if (plan.current() === "merge" && chosen.length) showMerge();
  });
})();
