/* The tools of the hand: choose, brush, lasso. A stroke shows at once what it does: blocks change their grid,
   totals and borders follow, and what lies in another community or a locked grid is left out. When the hand
   lets go, what would be cut off from its grid is offered to come along. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const plan = w.plan;
  const SIZES = [0, 12, 24, 44, 72]; // radius in pixels of a screen with 1080 lines; 0: one block
  let size = 0;
  const radius = () => SIZES[size] * w.scale();
  plan.brushSize = () => size;
  plan.setBrush = function (next) {
    size = Math.min(Math.max(next, 0), SIZES.length - 1);
    plan.tell("brush", size);
    plan.hint();
  };
  plan.BRUSHES = SIZES.length;

  /* --- a stroke ---------------------------------------------------------------------------------------- */

  /* Blocks that go to `to`; each is shown at once. `blocks` keeps them with the grid that they came from. */
  function beginStroke(to) {
    const { label, grids } = plan.s;
    const stroke = {
      to, from: new Map(), was: new Map([[to, grids[to].households]]), skipped: { community: 0, locked: 0 }, seen: new Set(), touched: new Set([to]), last: -1,
    };
    stroke.add = function (i) {
      if (stroke.seen.has(i)) return;
      stroke.seen.add(i);
      const row = label[i];
      if (row === to) return;
      if (plan.g.community[i] !== grids[to].community) return void stroke.skipped.community++;
      if (grids[row].locked || grids[to].locked) return void stroke.skipped.locked++;
      if (!stroke.was.has(row)) stroke.was.set(row, grids[row].households);
      stroke.from.set(i, row);
      stroke.touched.add(row);
      stroke.last = row;
      plan.marks[i] |= 1;
      plan.moveBlock(i, to);
      stroke.changed.push(i);
    };
    stroke.changed = [];
    stroke.flush = function () {
      if (!stroke.changed.length) return;
      const touched = { grids: stroke.touched, blocks: new Set(stroke.changed), looks: new Set(), moved: new Set() };
      stroke.changed = [];
      plan.touched(touched, "stroke");
      stroke.tell();
    };
    stroke.tell = function () {
      const rows = [to, ...(stroke.last >= 0 ? [stroke.last] : [])];
      plan.figures(rows.map((row) => ({ row, was: stroke.was.get(row) })));
    };
    /* Back to what was there, and again on what is there now. */
    stroke.lift = function () {
      const blocks = [...stroke.from.keys()].reverse();
      for (const i of blocks) {
        plan.moveBlock(i, stroke.from.get(i));
        plan.marks[i] &= ~1;
      }
      plan.touched({ grids: new Set(stroke.touched), blocks: new Set(blocks), looks: new Set(), moved: new Set() }, "stroke");
    };
    stroke.lay = function () {
      const blocks = [...stroke.from.keys()];
      stroke.from.clear();
      stroke.seen.clear();
      for (const i of blocks) if (i < plan.g.n) stroke.add(i);
      stroke.flush();
    };
    stroke.finish = () => finish(stroke, true);
    plan.stroke = stroke;
    return stroke;
  }

  function drop(stroke) {
    stroke.lift();
    end();
  }
  function end() {
    plan.stroke = null;
    plan.figures(null);
    plan.tell("change", { grids: [], blocks: [], shape: false, from: "local" });
  }

  /* The hand has let go: does every grid still hang together? */
  function finish(stroke, leaving) {
    const { grids } = plan.s;
    stroke.flush();
    if (!stroke.from.size) {
      end();
      return say(stroke, 0);
    }
    const lone = farFrom(stroke);
    for (const i of lone) {
      plan.moveBlock(i, stroke.from.get(i));
      plan.marks[i] &= ~1;
      stroke.from.delete(i);
    }
    if (lone.length) plan.touched({ grids: new Set(stroke.touched), blocks: new Set(lone), looks: new Set(), moved: new Set() }, "stroke");
    if (!stroke.from.size) {
      end();
      return plan.say(plan.words("brush.apart", { n: lone.length }), { kind: "wrong", seconds: 8 });
    }
    const emptied = [...stroke.touched].filter((row) => row !== stroke.to && grids[row].blocks === 0);
    const cut = [...stroke.touched].filter((row) => row !== stroke.to && grids[row].blocks > 0).flatMap((row) => plan.smallerPieces(plan.members(row)));
    if (leaving || (!emptied.length && !cut.length)) return commit(stroke, false, lone.length);
    if (emptied.length) return offerMerge(stroke, emptied);
    offerAlong(stroke, cut);
  }

  /* Painted blocks that do not touch their new grid, not even by way of others. */
  function farFrom(stroke) {
    const found = [];
    const near = (i) => Array.from(plan.neighbours(i)).some((j) => plan.s.label[j] === stroke.to && !stroke.from.has(j));
    for (const piece of plan.piecesOf([...stroke.from.keys()])) if (!piece.some(near)) found.push(...piece);
    return found;
  }

  function commit(stroke, along, apart) {
    const blocks = [...stroke.from.keys()];
    const edit = { do: "paint", blocks: blocks.map((i) => plan.s.blocks.ids[i]), grid: plan.s.grids[stroke.to].id, along };
    stroke.lift();
    end();
    plan.send(edit);
    say(stroke, blocks.length, apart);
  }
  function say(stroke, n, apart) {
    const more = [];
    if (stroke.skipped.community) more.push(plan.words("brush.community", { n: stroke.skipped.community }));
    if (stroke.skipped.locked) more.push(plan.words("brush.locked", { n: stroke.skipped.locked }));
    if (apart) more.push(plan.words("brush.apart", { n: apart }));
    const done = n ? plan.words("brush.done", { n, grid: plan.gridName(stroke.to) }) : "";
    if (done || more.length) plan.say([done, ...more].filter(Boolean).join(plan.words("stop")), { kind: more.length ? "wrong" : "good", seconds: 8 });
    else plan.hint();
  }

  function offerAlong(stroke, cut) {
    const homes = cut.reduce((sum, i) => sum + plan.g.households[i], 0);
    const names = [...new Set(cut.map((i) => plan.gridName(plan.s.label[i])))].join(plan.words("and"));
    plan.tint(cut, 2);
    const text = plan.words("brush.cut", { grid: names, n: cut.length, homes: plan.text(homes) });
    plan.say(text, { kind: "wrong" });
    const close = (run) => () => {
      plan.tint(null, 2);
      if (plan.stroke === stroke) run();
    };
    plan.ask({
      text,
      place: [plan.g.middle[2 * cut[0]], plan.g.middle[2 * cut[0] + 1]],
      buttons: [
        { text: plan.words("offer.along.to", { grid: plan.gridName(stroke.to), n: cut.length }), main: true, run: close(() => commit(stroke, true)) },
        { text: plan.words("offer.drop"), run: close(() => { drop(stroke); plan.hint(); }) },
      ],
    });
  }
  function offerMerge(stroke, emptied) {
    const { grids } = plan.s;
    const names = emptied.map((row) => grids[row].name).join(plan.words("and"));
    const text = plan.words("brush.emptied", { grid: names, to: grids[stroke.to].name });
    const close = (run) => () => plan.stroke === stroke && run();
    const whole = [...stroke.from.values()].every((row) => emptied.includes(row));
    plan.say(text, { kind: "wrong" });
    plan.ask({
      text,
      place: [plan.g.middle[2 * [...stroke.from.keys()][0]], plan.g.middle[2 * [...stroke.from.keys()][0] + 1]],
      buttons: [
        ...(whole ? [{ text: plan.words("offer.merge", { to: grids[stroke.to].name }), main: true, run: close(() => {
          const ids = [grids[stroke.to].id, ...emptied.map((row) => grids[row].id)];
          drop(stroke);
          plan.send({ do: "merge", grids: ids, into: ids[0] });
        }) }] : []),
        { text: plan.words("offer.drop"), run: close(() => { drop(stroke); plan.hint(); }) },
      ],
    });
  }

  /* --- blocks under the brush ------------------------------------------------------------------------------ */

  /* The block under the hand, and those whose middle the brush covers; along the way from the last place. */
  function cover(stroke, p, last) {
    const r = radius();
    const far = last ? Math.hypot(p.x - last.x, p.y - last.y) : 0;
    const step = Math.max(5, r * 0.6);
    const count = Math.max(1, Math.ceil(far / step));
    for (let k = 1; k <= count; k++) {
      const x = last ? last.x + ((p.x - last.x) * k) / count : p.x;
      const y = last ? last.y + ((p.y - last.y) * k) / count : p.y;
      const [lon, lat] = k === count ? [p.lon, p.lat] : plan.unproject(x, y);
      const under = k === count ? p.block : plan.blockAt(lon, lat);
      if (under >= 0) stroke.add(under);
      if (r <= 0) continue;
      const [west, north] = plan.unproject(x - r, y - r);
      const [east, south] = plan.unproject(x + r, y + r);
      const [rx, ry] = [(east - west) / 2, (north - south) / 2];
      plan.blocksNear(west, south, east, north, (i) => {
        const dx = (plan.g.middle[2 * i] - lon) / rx;
        const dy = (plan.g.middle[2 * i + 1] - lat) / ry;
        if (dx * dx + dy * dy <= 1) stroke.add(i);
      });
    }
  }

  /* Which grid the brush gives to: the one under the hand when it goes down; with Shift the chosen one. */
  function target(p) {
    const chosen = plan.selected();
    if (p.shift && chosen.length === 1) return chosen[0];
    // A hand on the keys paints into what was chosen before.
    if (!p.event && chosen.length === 1) return chosen[0];
    return p.grid;
  }
  function mayEdit() {
    if (plan.s.readOnly) return plan.say(plan.words("readonly"), { kind: "wrong", seconds: 8 }), false;
    if (!c.me) return c.chooseMe(plan.words("who")), false;
    return true;
  }
  plan.mayEdit = mayEdit;
  function mayGive(row) {
    if (row < 0) return plan.say(plan.words("brush.nothing"), { seconds: 5 }), false;
    if (plan.s.grids[row].locked) return plan.say(plan.words("brush.target.locked", { grid: plan.gridName(row) }), { kind: "wrong", seconds: 6 }), false;
    return true;
  }

  let last = null;
  let held = false;
  const brush = {
    key: "b", group: 1,
    start() { held = false; },
    stop() { plan.ring(0, 0, 0); },
    down(p) {
      if (plan.stroke || !mayEdit()) return;
      const row = target(p);
      if (!mayGive(row)) return;
      plan.select([row]);
      beginStroke(row);
      held = true;
      last = null;
      brush.move(p);
    },
    move(p) {
      plan.ring(p.x, p.y, radius());
      if (!held || !plan.stroke) return;
      cover(plan.stroke, p, last);
      last = { x: p.x, y: p.y };
      // With keys the map moves under the cross, so every place is the middle again.
      if (!p.event) last = null;
      plan.stroke.flush();
    },
    hover(p) { plan.ring(p.x, p.y, radius()); },
    up(p) {
      if (!held || !plan.stroke) return;
      held = false;
      finish(plan.stroke, false);
    },
    cancel() {
      held = false;
      if (!plan.stroke) return false;
      plan.tint(null, 2);
      drop(plan.stroke);
      plan.hint();
      return true;
    },
    keydown(event) {
      if (event.key === "[" || event.key === "]") {
        plan.setBrush(size + (event.key === "]" ? 1 : -1));
        return true;
      }
      return false;
    },
    hint: () => plan.words("brush.hint", { size: size + 1, most: SIZES.length }),
  };

  /* --- lasso ------------------------------------------------------------------------------------------------- */

  let line = null;
  const lasso = {
    key: "l", group: 1,
    start() {
      if (plan.selected().length !== 1) plan.say(plan.words("lasso.choose"));
    },
    stop() { lasso.cancel(); },
    down(p) {
      if (plan.stroke || !mayEdit()) return;
      const row = plan.selected().length === 1 && !p.alt ? plan.selected()[0] : p.grid;
      if (!mayGive(row)) return;
      plan.select([row]);
      line = { row, points: [[p.lon, p.lat]], x: p.x, y: p.y };
    },
    move(p) {
      if (!line || Math.hypot(p.x - line.x, p.y - line.y) < 4) return;
      [line.x, line.y] = [p.x, p.y];
      line.points.push([p.lon, p.lat]);
      plan.overlay("lasso", area(line.points), { line: "accent", width: 2, dash: [2, 1.5], fill: "accent", fillOpacity: 0.1 });
      const homes = within(line.points).reduce((sum, i) => sum + (plan.s.label[i] === line.row ? 0 : plan.g.households[i]), 0);
      plan.figures([{ row: line.row, add: homes }]);
    },
    up() {
      if (!line) return;
      const { row, points } = line;
      lasso.cancel();
      if (points.length < 3) return plan.hint();
      const stroke = beginStroke(row);
      for (const i of within(points)) stroke.add(i);
      finish(stroke, false);
    },
    cancel() {
      const had = Boolean(line);
      line = null;
      plan.overlay("lasso", null);
      plan.figures(null);
      if (plan.stroke && !had) return brush.cancel();
      return had;
    },
    hint: () => (plan.selected().length === 1 ? plan.words("lasso.hint", { grid: plan.gridName(plan.selected()[0]) }) : plan.words("lasso.choose")),
  };
  const area = (points) => ({ type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [[...points, points[0]]] } });
  function within(points) {
    if (points.length < 3) return [];
    const lons = points.map((p) => p[0]);
    const lats = points.map((p) => p[1]);
    const found = [];
    plan.blocksNear(Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats), (i) => {
      const [x, y] = [plan.g.middle[2 * i], plan.g.middle[2 * i + 1]];
      let inside = false;
      for (let k = 0, j = points.length - 1; k < points.length; j = k++) {
        const [[x1, y1], [x2, y2]] = [points[k], points[j]];
        if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
      }
      if (inside) found.push(i);
    });
    return found;
  }

  /* --- choose -------------------------------------------------------------------------------------------------- */

  let from = null;
  const select = { key: "a", group: 1, pans: true, hint: () => plan.words(plan.selected().length ? "select.hint.some" : "select.hint"), dbl: (p) => p.grid >= 0 && plan.goTo(p.grid), down: choose };
  function choose(p) {
    if (p.grid < 0) return plan.select([]);
    const chosen = plan.selected();
    if (!p.shift) return plan.select([p.grid]);
    plan.select(chosen.includes(p.grid) ? chosen.filter((row) => row !== p.grid) : [...chosen, p.grid]);
  }
  /* A tool that pans hears of a click by the map, so that a drag is none. */
  plan.listenClicks = function (map) {
    map.on("mousedown", (event) => (from = event.point));
    map.on("click", (event) => {
      const using = plan.tools.get(plan.current());
      if (!plan.s || !using || !using.pans || plan.asking()) return;
      if (from && Math.hypot(event.point.x - from.x, event.point.y - from.y) > 4) return;
      const { lng, lat } = event.lngLat;
      const block = plan.blockAt(lng, lat);
      const p = {
        x: event.point.x, y: event.point.y, lon: lng, lat, block, grid: block >= 0 ? plan.s.label[block] : -1, vertex: -1,
        shift: event.originalEvent.shiftKey, alt: event.originalEvent.altKey, ctrl: event.originalEvent.ctrlKey || event.originalEvent.metaKey, touch: false, event: event.originalEvent,
      };
      if (using.down) using.down(p);
      if (using.up) using.up(p);
    });
  };

  plan.onBegin(() => {
    const ICONS = {
      select: "M5 3l14 8-6 1.5L10 19z",
      brush: "M4 20c3 0 5-1 5-4a2.5 2.5 0 0 0-4-1c-1 1-.5 3-1 5zM9 14L19 4l1 1L10 15",
      lasso: "M6 15c-2-1-3-2.5-3-4.5C3 6.5 7 4 12 4s9 2.5 9 6-4 6-9 6c-1.500 0-3-.2-4-.6M6 15a2 2 0 1 0 2 2.500M7 19c0 1-.5 2-2 2",
    };
    for (const [name, tool] of Object.entries({ select, brush, lasso })) {
      plan.tool(name, { ...tool, icon: '<path d="' + ICONS[name] + '"/>', title: plan.words("tool." + name), help: plan.words("tool." + name + ".help") });
    }
  });
})();
