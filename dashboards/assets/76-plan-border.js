/* Moving the whole border between two grids; its ends stay. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const t = w.planTools;
  const word = t.word;
  const hold = t.hand;
  const FINGER_PX = 22;

  let drag = null;
  let border = null; // {one, two, edges, grabbed}
  /* The run of edges that hangs together with one of them. */
  function runOf(edges, edge) {
    const at = new Map();
    for (const one of edges) for (const v of one) at.set(v, [...(at.get(v) || []), one]);
    const found = new Set();
    const stack = edges.filter(([a, b]) => (a === edge.tail && b === edge.head) || (a === edge.head && b === edge.tail));
    while (stack.length) {
      const one = stack.pop();
      if (found.has(one)) continue;
      found.add(one);
      for (const v of one) stack.push(...at.get(v));
    }
    return [...found];
  }
  function pickBorder(found, at) {
    dropBorder();
    if (!found) return void t.refuse("no_border_here");
    if (found.two < 0 || !found.edges.length) return void t.refuse("held.fixed", at);
    for (const row of [found.one, found.two]) {
      if (plan.s.grids[row].locked) return void t.refuse("held.grid", at, { grid: plan.gridName(row) });
    }
    const edges = runOf(found.edges, found.edge);
    if (edges.some(t.isLockedEdge)) {
      border = { ...found, edges, free: [] };
      return void t.refuse("held.border", at);
    }
    const free = [...new Set(edges.flat())].filter((v) => !plan.g.fixed[v] && t.blocksAt(v).every((i) => [found.one, found.two].includes(plan.s.label[i])));
    border = { ...found, edges, free };
    const names = { one: plan.gridName(found.one), two: plan.gridName(found.two) };
    if (!free.length) return void t.refuse("bare_border", at, names);
    hold.take(free);
    plan.say(word("border.chosen", { n: free.length, ...names }));
  }
  function dropBorder() {
    border = null;
    drag = null;
    hold.drop();
  }
  const near = (p) => t.borderAt(p.x, p.y, p.touch ? FINGER_PX : 12);
  const borderTool = {
    key: "e", cursor: "move", group: 3, touch: true,
    icon: '<path d="M12 2v3M12 7v3M12 14v3M12 19v3"/><path d="M9 12H3m2.5-2.5L3 12l2.5 2.5M15 12h6m-2.5-2.5L21 12l-2.5 2.5"/>',
    start() {
      t.loadStreets();
      t.bar(() => [
        ...t.snapping(),
        t.action("border.lock", () => t.lockBorder(border), { key: "L", off: !border }),
      ]);
    },
    stop() {
      dropBorder();
      t.clear();
      t.bar(null);
    },
    hover(p) {
      if (hold.now()) return;
      const found = near(p);
      const edges = found ? found.edges : [];
      t.over("pt-chosen", edges.length ? { type: "MultiLineString", coordinates: edges.map(([a, b]) => [t.lonlat(a), t.lonlat(b)]) } : null, { line: "accent", width: 5, circle: 7 });
    },
    down(p) {
      const found = near(p);
      pickBorder(found, t.metres(p.lon, p.lat));
      t.bar();
      if (!hold.now() || !found.edge) return;
      const [a, b] = [t.at(found.edge.tail), t.at(found.edge.head)];
      const s = found.edge.t;
      drag = { x: p.x, y: p.y, begun: false, grabbed: [a[0] + s * (b[0] - a[0]), a[1] + s * (b[1] - a[1])] };
    },
    move(p) {
      if (!drag || !hold.now()) return;
      if (!drag.begun && Math.hypot(p.x - drag.x, p.y - drag.y) < 3) return;
      drag.begun = true;
      const { vertices, from } = hold.now();
      const places = ([x, y]) => from.map((q) => [q[0] + x - drag.grabbed[0], q[1] + y - drag.grabbed[1]]);
      const found = t.snap(p, { vertices, places });
      t.showSnap(found);
      hold.attempt(places(found.at));
    },
    async up() {
      const begun = drag && drag.begun;
      drag = null;
      if (!begun || !hold.now()) return;
      const said = hold.why();
      if (hold.now().dirty) await hold.commit();
      dropBorder();
      if (said) plan.say(said, { kind: "wrong", seconds: 6 });
      t.bar();
    },
    cancel() {
      const any = Boolean(border);
      dropBorder();
      return any;
    },
    keydown(event) {
      if (!t.onMap(event) || !plan.s) return false;
      const { key } = event;
      if (key === "Enter") {
        if (hold.now() && hold.now().dirty) hold.commit().then(dropBorder);
        else {
          const middle = plan.middle();
          pickBorder(t.borderAt(middle.x, middle.y, 60), null);
        }
      } else if (key === "Tab") nextBorder(event.shiftKey);
      else if ((key === "l" || key === "L") && border) t.lockBorder(border);
      else return hold.nudge(event);
      t.bar();
      return true;
    },
    hint: () => word(border ? "border.go" : "border.hint"),
  };
  /* The border of the same grid with its next neighbour. */
  function nextBorder(back) {
    const row = border ? border.one : plan.selected()[0];
    if (row === undefined) return void t.refuse("no_border_here");
    const others = new Map();
    plan.eachBorder(row, (tail, head, i, j) => {
      if (j >= 0 && plan.s.blocks.community[i] === plan.s.blocks.community[j] && !others.has(plan.s.label[j])) others.set(plan.s.label[j], { tail, head, block: i, other: j, t: 0.5 });
    });
    const rows = [...others.keys()];
    if (!rows.length) return void t.refuse("no_border_here");
    const at = border ? rows.indexOf(border.two) : -1;
    const two = rows[(at + (back ? -1 : 1) + rows.length) % rows.length];
    const go = () => pickBorder({ one: row, two, edges: plan.border(row, two), edge: others.get(two) }, null);
    if (hold.now() && hold.now().dirty) hold.commit().then(go);
    else go();
  }

  plan.onBegin(() => plan.tool("border", { title: word("border"), help: word("border.help"), ...borderTool }));
})();
