/* The plan on the screen: who has which block, totals of grids, colours, and edits that are shown before
   the server has said yes. What an edit changes is kept as steps that can be taken back exactly:
   {blocks, label}, {names}, {locked}, {vertices, places}; taking one back gives the step that does it again. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const FIELDS = ["row", "id", "name", "kind", "community", "households", "people", "area", "perimeter", "blocks", "locked", "rest"];
  let colours = new Int32Array(0);
  let shader = null;
  plan.shadeName = "band";

  /* --- reading -------------------------------------------------------------------------------------- */

  const gridOf = function (values) {
    const grid = Object.fromEntries(FIELDS.map((name, k) => [name, values[k]]));
    grid.locked = Boolean(grid.locked);
    grid.rest = Boolean(grid.rest);
    return grid;
  };
  function labels(text) {
    const bytes = Uint8Array.from(window.atob(text), (ch) => ch.charCodeAt(0));
    return new Int32Array(bytes.buffer);
  }

  const blocksOf = ({ n, ids, households, people, area, community, box, middle }) => ({ n, ids, households, people, area, community, box, middle });
  plan.readState = function (state, ground) {
    plan.g = ground;
    ground.meanArea = ground.area.reduce((sum, a) => sum + a, 0) / Math.max(ground.n, 1);
    plan.s = {
      id: state.id, name: state.name, epoch: state.epoch, ground: state.ground, author: state.author,
      band: plan.bandAsked || state.band, communities: state.communities, notes: state.notes,
      lockedEdges: state.lockedEdges || [],
      blocks: blocksOf(ground),
      label: labels(state.label), grids: state.grids.map(gridOf), vertices: ground.vertices, fixed: ground.fixed,
      rows: new Map(), blockRows: new Map(ground.ids.map((id, i) => [id, i])), history: [], conflicts: [],
    };
    plan.marks = new Uint8Array(ground.n);
    nameRows();
    takeLog(state);
    plan.s.seq = state.seq;
    spread();
    colourAll();
  };
  function nameRows() {
    plan.s.rows = new Map(plan.s.grids.filter((grid) => grid.blocks > 0).map((grid) => [grid.id, grid.row]));
  }
  /* State, log and conflicts as the server last told them. */
  function takeLog(news) {
    const s = plan.s;
    const known = new Set(s.history.map((row) => row.seq));
    for (const row of news.history || []) if (!known.has(row.seq)) s.history.push(row);
    const byQueue = new Map(s.history.map((row) => [row.seq, row]));
    for (const row of s.history) {
      if (row.do === "take" && byQueue.has(row.of)) byQueue.get(row.of).state = "taken";
      if (row.do === "drop" && byQueue.has(row.of)) byQueue.get(row.of).state = "dropped";
    }
    const changed = s.state !== undefined && s.state !== news.state;
    const renamed = news.name !== undefined && news.name !== s.name;
    if (renamed) s.name = news.name;
    s.state = news.state;
    s.readOnly = news.state !== "draft";
    s.canUndo = news.canUndo;
    s.canRedo = news.canRedo;
    s.outdated = news.outdated;
    const before = s.conflicts.map((one) => one.seq).join();
    s.conflicts = news.conflicts || [];
    markConflicts();
    if (changed) plan.tell("state", s.state);
    if (renamed) {
      plan.tell("name", s.name);
      if (!plan.renaming()) plan.say(plan.words("rename.other", { name: s.name }), { seconds: 6 });
    }
    if (before !== s.conflicts.map((one) => one.seq).join()) plan.tell("conflict", s.conflicts);
  }
  plan.takeLog = takeLog;

  /* What is in force of the log, oldest first: edits that were neither undone nor left aside. */
  plan.standing = function () {
    const done = [];
    const away = new Map();
    for (const row of plan.s.history) {
      if (row.state !== "applied" && row.state !== "taken") continue;
      if (row.do === "undo") {
        const at = row.of === undefined ? done.length - 1 : done.findIndex((one) => one.seq === row.of);
        if (at < 0) continue;
        if (at < done.length - 1) away.clear(); // from under others' edits: only itself can be redone
        away.set(done[at].seq, done.splice(at, 1)[0]);
      } else if (row.do === "redo") {
        const back = away.get(row.of);
        if (back) done.push(back);
        away.delete(row.of);
      } else if (row.do !== "drop" && row.do !== "rebase" && !(row.state === "taken" && row.do !== "take")) {
        done.push(row);
        away.clear();
      }
    }
    return { done, undone: [...away.values()] };
  };

  /* --- one block into another grid --------------------------------------------------------------------- */

  plan.moveBlock = function (i, to) {
    const { label, grids } = plan.s;
    const g = plan.g;
    const from = label[i];
    if (from === to) return;
    let withFrom = 0;
    let withTo = 0;
    for (let k = g.start[i]; k < g.start[i + 1]; k++) {
      const near = label[g.other[k]];
      if (near === from) withFrom += g.shared[k];
      else if (near === to) withTo += g.shared[k];
    }
    label[i] = to;
    const [old, now] = [grids[from], grids[to]];
    for (const [grid, sign] of [[old, -1], [now, 1]]) {
      grid.households += sign * g.households[i];
      grid.people += sign * g.people[i];
      grid.area += sign * g.area[i];
      grid.blocks += sign;
    }
    old.perimeter += 2 * withFrom - g.perimeter[i];
    now.perimeter += g.perimeter[i] - 2 * withTo;
  };

  /* --- steps ----------------------------------------------------------------------------------------------- */

  /* Take a step; gives the step that leads back, and notes what was touched. */
  function step(one, touched) {
    const { grids, label } = plan.s;
    if (one.blocks) {
      const before = one.blocks.map((i) => label[i]);
      one.blocks.forEach((i, k) => {
        touched.grids.add(label[i]).add(one.label[k]);
        touched.blocks.add(i);
        plan.moveBlock(i, one.label[k]);
      });
      return { blocks: one.blocks, label: before };
    }
    if (one.names) {
      const before = one.names.map(([row]) => [row, grids[row].name]);
      for (const [row, name] of one.names) {
        grids[row].name = name;
        touched.grids.add(row);
      }
      return { names: before };
    }
    if (one.locked) {
      const before = one.locked.map(([row]) => [row, grids[row].locked]);
      for (const [row, on] of one.locked) {
        grids[row].locked = on;
        touched.grids.add(row);
        touched.looks.add(row);
      }
      return { locked: before };
    }
    const before = one.vertices.flatMap((v) => [plan.g.vertices[2 * v], plan.g.vertices[2 * v + 1]]);
    shift(one, touched);
    return { vertices: one.vertices, places: before };
  }
  function shift(one, touched) {
    const { label, grids } = plan.s;
    const old = new Map();
    const near = new Set();
    const moved = new Set(one.vertices);
    for (let e = 0; e < plan.g.ring.length; e++) if (moved.has(plan.g.ring[e])) near.add(plan.g.of[e]);
    for (const i of near) old.set(i, plan.g.area[i]);
    plan.moveVertices(one.vertices, one.places).forEach((i) => touched.moved.add(i));
    for (const i of near) {
      grids[label[i]].area += plan.g.area[i] - old.get(i);
      touched.grids.add(label[i]);
    }
  }

  const nothing = () => ({ grids: new Set(), blocks: new Set(), looks: new Set(), moved: new Set() });

  /* The steps of an edit that this page can take by itself, or null: the server will tell. */
  function stepsOf(edit) {
    const { rows, blockRows, label, grids } = plan.s;
    if (edit.do === "paint") {
      const to = rows.get(edit.grid);
      const blocks = edit.blocks.map((id) => blockRows.get(id)).filter((i) => i !== undefined && label[i] !== to);
      if (to === undefined || !blocks.length) return null;
      const all = edit.along ? blocks.concat(plan.cutOff(blocks, to)) : blocks;
      return [{ blocks: all, label: all.map(() => to) }];
    }
    if (edit.do === "assign") {
      const pairs = Object.entries(edit.blocks).map(([id, grid]) => [blockRows.get(id), rows.get(grid)]);
      if (pairs.some(([i, to]) => i === undefined || to === undefined)) return null;
      return [{ blocks: pairs.map(([i]) => i), label: pairs.map(([, to]) => to) }];
    }
    if (edit.do === "merge") {
      const from = edit.grids.map((id) => rows.get(id));
      if (from.some((row) => row === undefined)) return null;
      const into = edit.into ? rows.get(edit.into) : from.reduce((a, b) => (grids[b].households > grids[a].households ? b : a));
      const blocks = from.filter((row) => row !== into).flatMap((row) => plan.members(row));
      return [{ blocks, label: blocks.map(() => into) }];
    }
    if (edit.do === "rename" && rows.has(edit.grid)) return [{ names: [[rows.get(edit.grid), edit.name.trim()]] }];
    if (edit.do === "lock") return [{ locked: edit.grids.filter((id) => rows.has(id)).map((id) => [rows.get(id), edit.on !== false]) }];
    if (edit.do === "move") return [{ vertices: edit.vertices, places: edit.xy.flat() }];
    return null;
  }

  /* Show an edit at once; gives the steps back, or null if only the server can tell. */
  plan.tryLocally = function (edit) {
    const steps = stepsOf(edit);
    return steps && plan.take(steps, "local");
  };
  plan.take = function (steps, from) {
    const touched = nothing();
    const back = steps.map((one) => step(one, touched)).reverse();
    plan.touched(touched, from);
    return back;
  };

  /* Grids of blocks that would lose touch with the main part of theirs: the one with most households. */
  plan.cutOff = function (blocks, to) {
    const { label } = plan.s;
    const gone = new Set(blocks);
    const found = [];
    for (const row of new Set(blocks.map((i) => label[i]))) {
      if (row === to) continue;
      found.push(...smaller(plan.members(row).filter((i) => !gone.has(i))));
    }
    return found;
  };
  function smaller(blocks) {
    const pieces = plan.piecesOf(blocks);
    if (pieces.length < 2) return [];
    const homes = (piece) => piece.reduce((sum, i) => sum + plan.g.households[i], 0);
    const first = (piece) => piece.reduce((a, b) => Math.min(a, b));
    return pieces.sort((a, b) => homes(b) - homes(a) || first(a) - first(b)).slice(1).flat();
  }
  plan.smallerPieces = smaller;

  /* --- what the server says ------------------------------------------------------------------------------------ */

  plan.takePatch = function (patch, from) {
    const touched = nothing();
    const { grids } = plan.s;
    patch.blocks.forEach((i) => {
      if (i < plan.s.label.length) touched.grids.add(plan.s.label[i]);
      touched.blocks.add(i);
    });
    if (patch.swap) swapBlocks(patch, touched);
    else if (patch.vertices.length) shift({ vertices: patch.vertices, places: patch.places }, touched);
    for (const values of patch.grids) {
      const grid = gridOf(values);
      if (!grids[grid.row] || grids[grid.row].locked !== grid.locked || grids[grid.row].rest !== grid.rest) touched.looks.add(grid.row);
      grid.tone = grids[grid.row] && grids[grid.row].tone;
      grids[grid.row] = grid;
      touched.grids.add(grid.row);
    }
    patch.blocks.forEach((i, k) => (plan.s.label[i] = patch.label[k]));
    grids.length = patch.gridCount;
    plan.s.lockedEdges = patch.lockedEdges;
    for (const row of [...touched.grids]) if (!grids[row]) touched.grids.delete(row);
    nameRows();
    plan.touched(touched, from || "server");
  };

  /* Blocks came or went: the ground is put right, and what goes by block is as long as it. */
  function swapBlocks(patch, touched) {
    const s = plan.s;
    const { ground, moved } = plan.swapGround(plan.g, patch.swap, patch.vertices, patch.places);
    const same = Math.min(s.label.length, ground.n);
    for (const i of moved) if (i < same) touched.grids.add(s.label[i]);
    const lengthen = (values) => {
      const made = new values.constructor(ground.n);
      made.set(values.subarray(0, same));
      return made;
    };
    for (let i = ground.n; i < s.label.length; i++) s.blockRows.delete(s.blocks.ids[i]);
    for (const i of moved) {
      if (i < same && s.blockRows.get(s.blocks.ids[i]) === i) s.blockRows.delete(s.blocks.ids[i]);
      s.blockRows.set(ground.ids[i], i);
    }
    plan.g = ground;
    s.label = lengthen(s.label);
    plan.marks = lengthen(plan.marks);
    s.blocks = blocksOf(ground);
    [s.vertices, s.fixed, s.ground] = [ground.vertices, ground.fixed, null];
    touched.swapped = true;
    for (const i of moved) {
      touched.moved.add(i);
      touched.blocks.add(i);
    }
  }

  /* After a change: names, colours, drawing, and those who listen. */
  plan.touched = function (touched, from) {
    const { rows, grids } = plan.s;
    for (const row of touched.grids) {
      const grid = grids[row];
      if (grid.blocks > 0) rows.set(grid.id, row);
      else if (rows.get(grid.id) === row) rows.delete(grid.id);
    }
    const looks = new Set(touched.looks);
    for (const row of touched.grids) if (colourRow(row)) looks.add(row);
    const blocks = new Set(touched.blocks);
    if (looks.size && !touched.swapped) plan.s.label.forEach((row, i) => looks.has(row) && blocks.add(i));
    if (touched.swapped) plan.drawSwapped(touched.moved);
    else if (touched.moved.size) plan.drawMoved([...touched.moved]);
    if (!touched.swapped) plan.drawBlocks(blocks);
    // What is chosen stays chosen as long as it is there.
    if (plan.selected().some((row) => !plan.s.grids[row] || !plan.s.grids[row].blocks)) plan.select(plan.selected());
    plan.drawAccents();
    plan.tell("change", { grids: [...touched.grids], blocks: [...touched.blocks], shape: touched.moved.size > 0, from });
  };

  /* --- looks ---------------------------------------------------------------------------------------------------------- */

  const rgb = (hex) => parseInt(hex.slice(1, 7), 16);
  /* Colours of neighbours differ: greedy over grids that touch, the rarest colour first. */
  function spread() {
    const { grids, label } = plan.s;
    const near = grids.map(() => new Set());
    for (let i = 0; i < plan.g.n; i++) {
      for (const j of plan.neighbours(i)) if (label[i] !== label[j]) near[label[i]].add(label[j]);
    }
    const most = plan.config.palettes.grids.length;
    for (const grid of grids) {
      const used = new Set([...near[grid.row]].map((row) => grids[row].tone));
      let tone = grid.row % most;
      for (let k = 0; k < most && used.has(tone); k++) tone = (tone + 1) % most;
      grid.tone = tone;
    }
  }
  function shadeOf(row) {
    const grid = plan.s.grids[row];
    const { band, grids, none } = plan.config.palettes;
    if (shader) return shader(row);
    if (plan.shadeName === "grids") return grids[(grid.tone === undefined ? grid.row : grid.tone) % grids.length];
    const status = plan.status(row);
    if (status === "rest" || status === "free") return none;
    const [low, high] = plan.s.band;
    const middle = (band.length - 1) / 2;
    // A grid at half the lower or at one and a half of the upper bound has the strongest colour.
    const away = grid.households < low ? (grid.households - low) / (low / 2) : grid.households > high ? (grid.households - high) / (high / 2) : 0;
    const steps = Math.sign(away) * Math.min(middle, Math.ceil(Math.abs(away) * middle));
    return band[middle + steps];
  }
  function colourRow(row) {
    if (row >= colours.length) {
      const larger = new Int32Array(Math.max(64, row * 2)).fill(-1);
      larger.set(colours);
      colours = larger;
    }
    if (!plan.s.grids[row]) return false;
    if (plan.shadeName === "grids" && plan.s.grids[row].tone === undefined) plan.s.grids[row].tone = row % plan.config.palettes.grids.length;
    const next = rgb(shadeOf(row));
    const differs = colours[row] !== next;
    colours[row] = next;
    return differs;
  }
  function colourAll() {
    colours = new Int32Array(plan.s.grids.length + 64).fill(-1);
    for (const grid of plan.s.grids) colourRow(grid.row);
  }
  plan.colourOf = (i) => colours[plan.s.label[i]];
  plan.opacityOf = (i) => (plan.marks[i] & 1 ? 235 : plan.shadeName === "grids" && !shader ? 150 : 178);
  plan.flagsOf = function (i) {
    const grid = plan.s.grids[plan.s.label[i]];
    return (grid.locked ? 1 : 0) | (plan.marks[i] & 2) | (plan.marks[i] & 4) | (grid.rest ? 8 : 0);
  };

  /* Mark blocks on the map: 1 under the hand, 2 cut off, 3 in conflict; null takes the marks away. */
  plan.tint = function (blocks, kind) {
    const bit = [0, 1, 2, 4][kind];
    const changed = [];
    const wanted = new Set(blocks || []);
    for (let i = 0; i < plan.marks.length; i++) {
      if (Boolean(plan.marks[i] & bit) === wanted.has(i)) continue;
      plan.marks[i] ^= bit;
      changed.push(i);
    }
    if (changed.length) plan.drawBlocks(changed);
  };
  function markConflicts() {
    if (plan.marks) plan.tint(plan.s.conflicts.flatMap((one) => one.blocks), 3);
  }
  /* "band", "grids", or a function that gives a row its colour (#rrggbb). */
  plan.shade = function (how) {
    shader = typeof how === "function" ? how : null;
    plan.shadeName = shader ? "own" : how;
    if (!plan.s) return;
    colourAll();
    plan.drawEvery();
    plan.tell("shade", plan.shadeName);
    plan.address();
  };
  plan.setBand = function (band) {
    plan.bandAsked = band;
    if (!plan.s) return;
    plan.s.band = band;
    colourAll();
    plan.drawEvery();
    plan.tell("change", { grids: plan.living().map((grid) => grid.row), blocks: [], shape: false, from: "band" });
  };
})();
