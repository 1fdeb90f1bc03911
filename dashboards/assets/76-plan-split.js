/* The tools that cut: split a grid, cut one block, take out a dedicated grid. While the hand moves, the sides
   and their people are worked out here; where only the server can tell (people by buildings, lines over
   holes), it is asked when the hand rests. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const t = w.planTools;
  const g = w.planGeometry;
  const word = t.word;
  const homesOf = () => (t.options.share === "buildings" ? "buildings" : undefined);
  const LEAST_M2 = 1; // as geo._redraw_shapes
  const sum = (blocks, column, shares) => blocks.reduce((total, i, k) => total + column[i] * (shares ? shares[k] : 1), 0);

  /* --- split a grid ------------------------------------------------------------------------------------- */

  /* The grid that is meant: the chosen one, else the one with most of the line whose split holds. */
  function meant(line) {
    const chosen = plan.selected();
    if (chosen.length === 1) return chosen;
    const hits = new Map();
    const long = g.length(line);
    for (let k = 0; k <= 40; k++) {
      const p = along(line, (long * k) / 40);
      const [lon, lat] = t.degrees(p);
      const i = plan.blockAt(lon, lat);
      if (i >= 0) hits.set(plan.s.label[i], (hits.get(plan.s.label[i]) || 0) + 1);
    }
    return [...hits].sort((a, b) => b[1] - a[1]).map(([row]) => row).slice(0, 6);
  }
  function along(line, metres) {
    let left = metres;
    for (let k = 0; k + 1 < line.length; k++) {
      const part = g.distance(line[k], line[k + 1]);
      if (left <= part && part > 0) {
        const s = left / part;
        return [line[k][0] + s * (line[k + 1][0] - line[k][0]), line[k][1] + s * (line[k + 1][1] - line[k][1])];
      }
      left -= part;
    }
    return line[line.length - 1];
  }

  function splitOf(places) {
    const knot = g.selfCrossing(places);
    if (knot) return { problem: "line_crosses_itself", at: knot };
    let first = null;
    for (const row of meant(places)) {
      const found = splitGrid(row, places);
      if (!found.problem) return found;
      first = first || found;
    }
    return first || { problem: "line_misses", at: places[0], values: { grid: "" } };
  }
  function splitGrid(row, places) {
    const grid = plan.s.grids[row];
    const blocks = plan.members(row);
    const outline = t.outlineOf(row);
    const line = t.beyond(places, outline);
    const found = g.sides(line, outline, blocks.map(t.ringsOf));
    const values = { grid: grid.name, n: found.parts };
    const edit = { do: "split", grid: grid.id, through: t.options.through, name: null };
    if (grid.locked) return { problem: "locked", at: line[0], values, row };
    if (found.problem) return { problem: found.problem, at: found.at, values, row };
    if (t.options.through && homesOf()) edit.homes = homesOf();
    const made = { problem: null, row, line, edit, ask: t.options.through || found.unsure, values, sides: null };
    if (found.unsure) return made;
    const left = t.options.through ? found.left : found.left.map((share) => (share > 0.5 ? 1 : 0));
    if (!left.some((s) => s > 1e-3) || !left.some((s) => s < 1 - 1e-3)) return { problem: "no_whole_block", at: line[0], values, row };
    if (!t.options.through) {
      for (const side of [0, 1]) {
        const pieces = plan.piecesOf(blocks.filter((_, k) => left[k] === side));
        if (pieces.length > 1) {
          const small = pieces.sort((a, b) => a.length - b.length)[0][0];
          return { problem: "falls_apart", at: t.metres(plan.g.middle[2 * small], plan.g.middle[2 * small + 1]), values, row };
        }
      }
    }
    made.blocks = [blocks.filter((_, k) => left[k] >= 0.5), blocks.filter((_, k) => left[k] < 0.5)];
    made.halves = t.options.through ? found.halves : null;
    const { households, people } = plan.s.blocks;
    const homes = shared(blocks, left, households);
    const heads = shared(blocks, left, people);
    made.sides = [0, 1].map((k) => ({
      households: homes[k], people: heads[k], ...(made.halves ? t.figuresOf(made.halves[k]) : t.figuresOfBlocks(made.blocks[k])),
    }));
    return made;
  }
  /* A whole number for each side, shared block by block as the server does; a sliver under a square metre stays. */
  function shared(blocks, left, column) {
    const total = [0, 0];
    blocks.forEach((i, k) => {
      const cut = Math.min(left[k], 1 - left[k]) * plan.s.blocks.area[i];
      const share = cut < LEAST_M2 ? Math.round(left[k]) : left[k];
      g.shareWhole(column[i], [share, 1 - share]).forEach((n, side) => (total[side] += n));
    });
    return total;
  }
  function showSides(made, nearly) {
    const keeps = made.sides[0].households >= made.sides[1].households ? 0 : 1;
    if (made.halves) t.showNewShape(t.shape(made.halves[1 - keeps]));
    else t.showNew(made.blocks[1 - keeps]);
    const name = plan.gridName(made.row);
    t.preview([keeps, 1 - keeps].map((k, n) => ({ key: n ? "new" : "old", name: n ? word("side.new") : name, ...made.sides[k] })),
      { nearly, text: t.options.through ? word("side.through") : "" });
  }
  function problemOf(made) {
    t.showNew(null);
    t.preview(null, { text: word("bad." + made.problem, made.values), wrong: true });
  }
  /* What the server would refuse is said, and its place shown, before anything is sent. */
  function refusedBy(told) {
    if (told.ok || !told.error) return;
    t.preview(null, { text: told.error, wrong: true });
    if (told.place) plan.flash(told.place);
  }
  async function askSides(made) {
    const told = await t.tryEdit({ ...made.edit, line: made.line.map(t.degrees) });
    if (!told) return;
    if (!told.grids) return refusedBy(told);
    const fresh = told.grids.find((one) => one.was === null);
    if (t.options.through && fresh && fresh.shape) t.showNewShape(fresh.shape);
    t.preview(told.grids.map((one) => ({ ...one, key: one.was === null ? "new" : "old", name: one.was === null ? word("side.new") : one.name })),
      { text: homesOf() && t.options.through ? word("side.buildings") : "" });
  }
  const split = t.pencil({
    update(places) {
      const made = splitOf(places);
      if (made.problem) problemOf(made);
      else if (made.sides) showSides(made, made.ask);
      return made;
    },
    ask: askSides,
    commit: (made) => plan.send({ ...made.edit, line: made.line.map(t.degrees) }),
    done: (made) => plan.say(word("done.split", made.values), { kind: "good", seconds: 6 }),
  });

  /* --- cut one block --------------------------------------------------------------------------------------- */

  function cutOf(places) {
    const knot = g.selfCrossing(places);
    if (knot) return { problem: "line_crosses_itself", at: knot };
    const [lon, lat] = t.degrees(along(places, g.length(places) / 2));
    const i = plan.blockAt(lon, lat);
    if (i < 0) return { problem: "line_misses_block", at: places[0] };
    const grid = plan.s.grids[plan.s.label[i]];
    if (grid.locked) return { problem: "locked", at: places[0], values: { grid: grid.name } };
    const rings = t.ringsOf(i);
    const line = t.beyond(places, rings);
    const found = g.sides(line, rings, [rings]);
    if (found.problem) return { problem: found.problem === "line_misses" ? "line_misses_block" : found.problem, at: found.at, values: { n: found.parts, grid: grid.name } };
    const edit = { do: "cut", block: plan.s.blocks.ids[i] };
    if (homesOf()) edit.homes = homesOf();
    const made = { problem: null, block: i, line, edit, ask: true, values: { grid: grid.name }, sides: null };
    if (found.unsure) return made;
    const share = found.left[0];
    const [homes, heads] = [plan.s.blocks.households[i], plan.s.blocks.people[i]].map((n) => g.shareWhole(n, [share, 1 - share]));
    made.halves = found.halves;
    made.sides = found.halves.map((rings, k) => ({ households: homes[k], people: heads[k], ...t.figuresOf(rings) }));
    return made;
  }
  const part = (one, k) => ({ key: k ? "new" : "old", name: word("part", { n: k + 1 }), banded: false, ...one });
  const cut = t.pencil({
    update(places) {
      const made = cutOf(places);
      if (made.problem) problemOf(made);
      else {
        if (made.halves) t.showNewShape(t.shape(made.halves[1]));
        else t.showNew([made.block]);
        if (made.sides) t.preview(made.sides.map(part), { nearly: true });
      }
      return made;
    },
    async ask(made) {
      const told = await t.tryEdit({ ...made.edit, line: made.line.map(t.degrees) });
      if (!told) return;
      if (!told.ok) return refusedBy(told);
      if (!told.parts || !told.parts.length) return;
      const last = told.parts[told.parts.length - 1];
      t.showNewShape(last.shape);
      t.preview(told.parts.map(part), { text: homesOf() ? word("side.buildings") : "" });
    },
    commit: (made) => plan.send({ ...made.edit, line: made.line.map(t.degrees) }),
    done: (made) => plan.say(word("done.cut", made.values), { kind: "good", seconds: 6 }),
  });

  /* --- a dedicated grid out of its surroundings ------------------------------------------------------------ */

  let dedicatedName = "";
  function areaOf(places) {
    const knot = places.length > 2 && g.selfCrossing(places, true);
    if (knot) return { problem: "area_crosses_itself", at: knot };
    if (places.length < 3) return { problem: "no_area", at: places[0] };
    const xs = places.map((p) => p[0]);
    const ys = places.map((p) => p[1]);
    const [west, south] = t.degrees([Math.min(...xs), Math.min(...ys)]);
    const [east, north] = t.degrees([Math.max(...xs), Math.max(...ys)]);
    const near = [];
    const share = [];
    plan.blocksNear(west, south, east, north, (i) => {
      const s = g.shareInside(places, t.ringsOf(i));
      if (t.options.through ? s > 1e-6 : s > 0.5) {
        near.push(i);
        share.push(t.options.through ? s : 1);
      }
    });
    if (!near.length) return { problem: "empty_area", at: places[0] };
    const middle = (i) => t.metres(plan.g.middle[2 * i], plan.g.middle[2 * i + 1]);
    const shut = near.find((i) => plan.s.grids[plan.s.label[i]].locked);
    if (shut !== undefined) return { problem: "locked", at: middle(shut), values: { grid: plan.gridName(plan.s.label[shut]) } };
    const home = plan.s.blocks.community[near[0]];
    const strange = near.find((i) => plan.s.blocks.community[i] !== home);
    if (strange !== undefined) return { problem: "over_community", at: middle(strange) };
    const { households, people, area } = plan.s.blocks;
    const [homes, heads] = [households, people].map((column) => shared(near, share, column)[0]);
    const through = t.options.through && g.area(places) !== 0;
    const ring = g.area(places) < 0 ? places.slice().reverse() : places;
    const side = { households: homes, people: heads, ...(through ? t.figuresOf([ring]) : t.figuresOfBlocks(near)), area: sum(near, area, share) };
    const edit = { do: "cut_out", through: t.options.through, kind: "dedicated" };
    if (t.options.through && homesOf()) edit.homes = homesOf();
    return { problem: null, edit, blocks: near, halves: through ? [[ring]] : null, sides: [side], ask: true, values: {} };
  }
  const ring = (places) => [...places, places[0]].map(t.degrees);
  const nameOf = () => dedicatedName.trim() || word("dedicated.name");
  const area = t.pencil({
    closed: true,
    update(places) {
      const made = areaOf(places);
      made.places = places;
      t.over("pt-area", places.length > 2 ? { type: "Polygon", coordinates: [ring(places)] } : null, { fill: "accent", fillOpacity: 0.1 });
      if (made.problem) problemOf(made);
      else {
        if (made.halves) t.showNewShape(t.shape(made.halves[0]));
        else t.showNew(made.blocks);
        t.preview([{ key: "new", name: nameOf(), banded: false, ...made.sides[0] }], { nearly: t.options.through });
      }
      return made;
    },
    async ask(made) {
      const told = await t.tryEdit({ ...made.edit, name: nameOf(), area: ring(made.places) });
      if (!told) return;
      if (!told.grids) return refusedBy(told);
      const fresh = told.grids.find((one) => one.was === null);
      if (made.halves && fresh && fresh.shape) t.showNewShape(fresh.shape);
      t.preview(told.grids.map((one) => ({ key: one.was === null ? "new" : "old", banded: one.was !== null, ...one })));
    },
    commit: (made, places) => plan.send({ ...made.edit, name: nameOf(), area: ring(places) }),
    done() {
      plan.say(word("done.dedicated", { grid: nameOf() }), { kind: "good", seconds: 6 });
      dedicatedName = "";
      t.bar();
    },
  });

  const sharing = () => (t.options.through ? [t.choice("share", "share", ["area", "buildings"])] : []);
  const through = () => [t.choice("through", "through", [false, true]), ...sharing()];

  plan.onBegin(() => {
    plan.tool("split", t.asTool(split, "split", {
      controls: through,
      tool: { key: "s", icon: '<path d="M4 6h7v12H4zM13 6h7v12h-7z"/><path d="M12 2v3M12 8v3M12 13v3M12 19v3"/>' },
    }));
    plan.tool("cut", t.asTool(cut, "cut", {
      controls: () => [t.choice("share", "share", ["area", "buildings"])],
      tool: { key: "x", icon: '<path d="M8 15.5 17 3M16 15.5 7 3"/><path d="M3.5 18a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0M15.5 18a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0"/>' },
    }));
    plan.tool("dedicated", t.asTool(area, "dedicated", {
      controls: () => [
        w.cases.h("input", {
          class: "inc-input pt-name", "data-pt": "name", maxlength: 60, placeholder: word("dedicated.name"), "aria-label": word("dedicated.label"), value: dedicatedName,
          oninput: (event) => { dedicatedName = event.target.value; },
          onkeydown: (event) => { event.stopPropagation(); if (event.key === "Enter") area.finish(); },
        }),
        ...through(),
      ],
      tool: { key: "g", icon: '<path d="M3 8V4h4M17 4h4v4M21 16v4h-4M7 20H3v-4"/><path d="m12 7 4.5 3.5L15 16H9l-1.5-5.5z"/>' },
    }));
  });
})();
