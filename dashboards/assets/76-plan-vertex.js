/* Moving one shared vertex, putting one in, taking one out. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const t = w.planTools;
  const g = w.planGeometry;
  const word = t.word;
  const hold = t.hand;
  const MOST_HANDLES = 900;
  const FINGER_PX = 22;
  const MOUSE_PX = 12;

  /* --- one vertex --------------------------------------------------------------------------------------------- */

  let chosen = -1;
  let drag = null;
  function why(v) {
    const key = t.held(v);
    if (!key) return false;
    t.refuse(key, t.at(v), { grid: t.blocksAt(v).map((i) => plan.s.grids[plan.s.label[i]]).filter((grid) => grid.locked).map((grid) => grid.name)[0] || "" });
    return true;
  }
  function choose(v, quietly) {
    if (v === chosen && hold.now()) return;
    hold.drop();
    chosen = v;
    if (v < 0) return;
    hold.take([v]);
    if (quietly) return;
    const rows = [...new Set(t.blocksAt(v).map((i) => plan.s.label[i]))];
    plan.say(word("vertex.chosen", { n: t.blocksAt(v).length, grids: rows.map((row) => plan.gridName(row)).join(word("comma")) }));
  }
  /* Vertices that may move, on borders of grids in view; with a chosen grid, all of that grid. */
  function handles() {
    if (!plan.s || plan.current() !== "vertex") return;
    const only = plan.selected();
    const box = document.querySelector(".map-canvas");
    const [west, north] = plan.unproject(0, 0);
    const [east, south] = plan.unproject(box.clientWidth, box.clientHeight);
    const found = new Set();
    const { label } = plan.s;
    plan.blocksNear(west, south, east, north, (i) => {
      if (found.size > MOST_HANDLES) return;
      if (only.length && !only.includes(label[i])) return;
      for (const ring of plan.rings(i)) {
        for (const v of ring) {
          if (found.has(v) || plan.g.fixed[v]) continue;
          if (only.length || t.blocksAt(v).some((j) => label[j] !== label[i])) found.add(v);
        }
      }
    });
    const crowded = found.size > MOST_HANDLES;
    const cells = new Set();
    // Where vertices crowd, one handle stands for all within its reach; each can be taken all the same.
    const alone = (v) => {
      const at = plan.project(...t.lonlat(v));
      const cell = Math.round(at.x / (11 * w.scale())) + "." + Math.round(at.y / (11 * w.scale()));
      return !cells.has(cell) && Boolean(cells.add(cell));
    };
    const free = crowded ? [] : [...found].filter((v) => !t.held(v) && alone(v));
    t.over("pt-handles", free.length ? t.collection(free.map((v) => t.point(t.at(v)))) : null, { line: "accent", width: 1.5, circle: 4 });
    if (crowded && !hold.now()) plan.say(word("vertex.closer"));
  }
  /* The next vertex along the border of the grid that has this one on its left. */
  function along(v, back) {
    const rows = plan.selected().length === 1 ? plan.selected() : [plan.s.label[t.blocksAt(v)[0]]];
    const edges = [];
    plan.eachBorder(rows[0], (tail, head) => edges.push([tail, head]));
    for (const ring of g.chain(edges)) {
      const at = ring.indexOf(v);
      if (at < 0) continue;
      for (let k = 1; k < ring.length; k++) {
        const next = ring[(at + (back ? -k : k) + ring.length) % ring.length];
        if (!t.held(next)) return next;
      }
    }
    const ring = edges.map((edge) => edge[0]).find((u) => !t.held(u));
    return ring === undefined ? v : ring;
  }
  function nearCross() {
    const middle = plan.middle();
    let best = plan.vertexAt(middle.x, middle.y, 60 * w.scale());
    if (best >= 0 && t.held(best)) best = along(best, false);
    return best;
  }
  async function insertAt(p) {
    if (t.readOnly()) return;
    const edge = plan.edgeAt(p.x, p.y, 16 * w.scale());
    if (!edge) return void t.refuse("no_edge", t.metres(p.lon, p.lat));
    const [a, b] = [t.at(edge.tail), t.at(edge.head)];
    const at = [a[0] + edge.t * (b[0] - a[0]), a[1] + edge.t * (b[1] - a[1])];
    await insert(edge.tail, edge.head, t.degrees(at));
  }
  async function insert(tail, head, xy) {
    const count = plan.g.x.length;
    const told = await plan.send({ do: "insert", tail, head, xy });
    if (!told.ok) return;
    handles();
    if (plan.g.x.length > count) choose(plan.g.x.length - 1, true);
    plan.say(word("done.insert"), { kind: "good", seconds: 5 });
  }
  async function remove() {
    if (chosen < 0) return void t.refuse("no_vertex_chosen");
    if (t.readOnly()) return;
    const v = chosen;
    hold.drop();
    chosen = -1;
    const told = await plan.send({ do: "remove", vertex: v });
    if (!told.ok) return;
    handles();
    plan.say(word("done.remove"), { kind: "good", seconds: 5 });
  }
  const vertexBar = () => [
    ...t.snapping(),
    t.action("insert", () => chosen >= 0 && insertNext(), { key: "I", off: chosen < 0 }),
    t.action("remove", remove, { key: "Del", off: chosen < 0 }),
  ];
  function insertNext() {
    const next = along(chosen, false);
    const edge = edgeBetween(chosen, next);
    if (edge) insert(edge[0], edge[1], null);
    else t.refuse("no_edge", t.at(chosen));
  }
  function edgeBetween(a, b) {
    for (const i of t.blocksAt(a)) {
      for (const ring of plan.rings(i)) {
        for (let k = 0; k < ring.length; k++) {
          const [from, to] = [ring[k], ring[(k + 1) % ring.length]];
          if ((from === a && to === b) || (from === b && to === a)) return [from, to];
        }
      }
    }
    return null;
  }

  const vertexTool = {
    key: "v", cursor: "default", group: 3, touch: true,
    icon: '<path d="m5.5 16 4-7M13.5 9l5 6M9 4h5v5H9zM2.5 17.5h3v3h-3zM18.5 15.5h3v3h-3z"/>',
    start() {
      t.loadStreets();
      t.bar(vertexBar);
      handles();
    },
    stop() {
      hold.drop();
      chosen = -1;
      drag = null;
      t.clear();
      t.bar(null);
    },
    down(p) {
      const v = plan.vertexAt(p.x, p.y, (p.touch ? FINGER_PX : MOUSE_PX) * w.scale());
      drag = null;
      if (v < 0) return void choose(-1);
      if (why(v)) return;
      choose(v);
      drag = { x: p.x, y: p.y, begun: false };
      t.bar();
    },
    move(p) {
      if (!drag || !hold.now()) return;
      if (!drag.begun && Math.hypot(p.x - drag.x, p.y - drag.y) < 3) return;
      drag.begun = true;
      const found = t.snap(p, { vertices: [chosen], places: (at) => [at] });
      t.showSnap(found);
      hold.attempt([found.at], found.weld);
    },
    async up() {
      const begun = drag && drag.begun;
      drag = null;
      if (!begun || !hold.now()) return;
      const v = chosen;
      const said = hold.why();
      const gone = hold.now().weld;
      if (hold.now().dirty) await hold.commit();
      else hold.drop();
      if (gone) return void choose(-1);
      if (plan.s && plan.current() === "vertex") choose(v, true);
      if (said) plan.say(said, { kind: "wrong", seconds: 6 });
    },
    dbl: insertAt,
    cancel() {
      const was = Boolean(hold.now() && hold.now().dirty);
      const any = chosen >= 0;
      drag = null;
      hold.drop();
      if (was) hold.take([chosen]);
      else chosen = -1;
      return any;
    },
    keydown(event) {
      if (!t.onMap(event) || !plan.s) return false;
      const { key } = event;
      if (key === "Tab") {
        const from = chosen;
        if (from < 0) choose(nearCross());
        else (hold.now() && hold.now().dirty ? hold.commit() : Promise.resolve()).then(() => choose(along(from, event.shiftKey)));
        t.bar();
        return true;
      }
      if (key === "Enter") {
        if (hold.now() && hold.now().dirty) hold.commit().then(() => choose(chosen, true));
        else if (chosen < 0) choose(nearCross());
        t.bar();
        return true;
      }
      if (chosen < 0) return false;
      if (key === "Delete" || key === "Backspace") remove();
      else if (key === "i" || key === "I") insertNext();
      else return hold.nudge(event);
      return true;
    },
    hint: () => word(chosen < 0 ? "vertex.hint" : "vertex.go"),
  };

  plan.onBegin(() => {
    plan.tool("vertex", { title: word("vertex"), help: word("vertex.help"), ...vertexTool });
    w.map.onMove(() => handles());
  });
  plan.on("select", handles);
  plan.on("change", () => window.requestAnimationFrame(handles));
})();
