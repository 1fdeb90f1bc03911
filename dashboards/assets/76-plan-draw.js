/* Drawing a line or an area by clicks or freehand, for the tools that cut (76-plan-split.js): the places, the rubber line, snapping, finishing, and the tool around it. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const t = w.planTools;
  const g = w.planGeometry;
  const word = t.word;
  const REST_MS = 260;
  const SAME_PX = 4;
  const OVER_M = 0.5; // how far a line that ends on a border is drawn beyond it

  /* A pencil: places in metres, and what the tool makes of them. `tool` has begin(), update(places, sure)
     -> answer, commit(answer). */
  t.pencil = function (tool) {
    let places = [];
    let loose = null; // where the hand is, not yet a place
    let pressed = null;
    let freehand = null;
    let rest = 0;
    let answer = null;
    let joining = Promise.resolve();

    const all = () => (loose && places.length ? [...places, loose] : places);
    function show() {
      const drawn = all();
      t.over("pt-line", drawn.length > 1 ? t.line(tool.closed ? [...drawn, drawn[0]] : drawn) : null, { line: "accent", width: 3, dash: [2, 1.2] });
      t.over("pt-point", places.length ? t.collection(places.map(t.point)) : null, { line: "accent", width: 2, circle: 5 });
      answer = drawn.length > 1 ? tool.update(drawn) : null;
      if (!answer) t.preview(null);
      window.clearTimeout(rest);
      t.forget();
      if (answer && !answer.problem && answer.ask && !loose) rest = window.setTimeout(() => tool.ask(answer), REST_MS);
    }
    function clear() {
      [places, loose, pressed, freehand, answer] = [[], null, null, null, null];
      window.clearTimeout(rest);
      t.forget();
      t.clear();
    }
    /* With "along streets" the way from the last place goes along them, if both lie on one. */
    async function add(found) {
      const last = places[places.length - 1];
      if (last && g.distance(last, found.at) < SAME_PX * t.perPixel()) return;
      const turn = places;
      if (last && t.options.snap && t.options.follow && found.to) {
        const [from, to] = [t.degrees(last), t.degrees(found.at)];
        const told = await w.cases.get("/plan/snap/follow", { from: from.join(), to: to.join() });
        if (turn !== places) return;
        if (told.ok && told.body.line) places.push(...told.body.line.slice(1, -1).map((p) => t.metres(p[0], p[1])));
      }
      places.push(found.at);
      loose = null;
      show();
      plan.say(word("drawn", { n: places.length }));
    }

    return {
      places: () => places,
      answer: () => answer,
      clear,
      refresh: () => plan.s && show(),
      down(p) {
        pressed = { x: p.x, y: p.y, found: t.snap(p) };
        freehand = null;
      },
      move(p) {
        if (!pressed) return;
        if (!freehand && Math.hypot(p.x - pressed.x, p.y - pressed.y) < 8) return;
        freehand = freehand || [pressed.found.at];
        freehand.push(t.metres(p.lon, p.lat));
        loose = null;
        const before = places;
        places = [...before, ...freehand];
        show();
        places = before;
      },
      hover(p) {
        const found = t.snap(p);
        t.showSnap(found);
        if (!places.length) return;
        loose = found.at;
        show();
      },
      up(p) {
        const begun = pressed;
        pressed = null;
        if (!begun) return;
        const found = t.snap(p);
        if (freehand) {
          const drawn = g.simplify([...freehand, found.at], 1.5 * t.perPixel());
          drawn[drawn.length - 1] = found.at;
          freehand = null;
          loose = null;
          places.push(...drawn);
          show();
          plan.say(word("drawn", { n: places.length }));
          return;
        }
        const first = places[0];
        if (tool.closed && places.length > 2 && g.distance(first, found.at) < 1.2 * t.options.reach * t.perPixel()) return void this.finish();
        joining = joining.then(() => add(found));
      },
      back() {
        places = places.slice(0, -1);
        loose = null;
        show();
        plan.say(word("drawn", { n: places.length }));
      },
      async finish() {
        await joining;
        loose = null;
        show();
        if (places.length < 2) return void t.refuse("no_line", places[0]);
        if (!answer) return;
        if (answer.problem) return void t.refuse(answer.problem, answer.at, answer.values);
        if (t.readOnly()) return;
        const made = answer;
        const told = await tool.commit(made, places.slice());
        if (told && told.ok) {
          clear();
          if (tool.done) tool.done(made);
        }
      },
    };
  };

  /* Ends that lie on the border of the ground, or a hair inside, are drawn a little beyond it. */
  t.beyond = function (places, outline) {
    const reach = 1.5 * t.options.reach * t.perPixel();
    const line = places.slice();
    for (const atStart of [true, false]) {
      const [p, q] = atStart ? [line[0], line[1]] : [line[line.length - 1], line[line.length - 2]];
      if (!q) continue;
      let near = null;
      for (const ring of outline) {
        const found = g.nearest(p, [...ring, ring[0]]);
        if (!near || found.away < near.away) near = found;
      }
      const inside = g.inside(p, outline);
      if (!near || near.away > (inside ? reach : OVER_M)) continue;
      const long = g.distance(p, q) || 1;
      const away = inside && near.away > 1e-6 ? g.distance(near.at, p) : 0;
      // Out along the shorter way: over the nearest place of the border, or straight on where it is there.
      const to = away > 0.05 ? [(near.at[0] - p[0]) / away, (near.at[1] - p[1]) / away] : [(p[0] - q[0]) / long, (p[1] - q[1]) / long];
      const out = [p[0] + to[0] * (away + OVER_M), p[1] + to[1] * (away + OVER_M)];
      if (atStart) line.unshift(out);
      else line.push(out);
    }
    return line;
  };

  /* --- as tools ------------------------------------------------------------------------------------------------- */

  t.asTool = function (pen, name, more) {
    const buttons = () => [
      t.action("finish", () => pen.finish(), { main: true, key: "Enter" }),
      t.action("back", () => pen.back(), { key: "⌫" }),
      t.action("stop", () => pen.clear(), { key: "Esc" }),
    ];
    return {
      group: 2, cursor: "crosshair", touch: true,
      title: word(name), help: word(name + ".help"),
      start() {
        t.loadStreets();
        t.changed = () => pen.places().length && pen.refresh();
        t.bar(() => [...more.controls(), ...t.snapping(), t.options.snap ? t.flag("follow", "follow") : null, ...buttons()].filter(Boolean));
      },
      stop() {
        pen.clear();
        t.changed = null;
        t.bar(null);
      },
      down: (p) => pen.down(p),
      move: (p) => pen.move(p),
      hover: (p) => pen.hover(p),
      up: (p) => pen.up(p),
      dbl: () => pen.places().length > 1 && pen.finish(),
      cancel() {
        const any = pen.places().length > 0;
        pen.clear();
        return any;
      },
      keydown(event) {
        if (!t.onMap(event)) return false;
        // Without a place yet, Enter puts one at the cross.
        if (event.key === "Enter" && pen.places().length > 1) pen.finish();
        else if (event.key === "Backspace" && pen.places().length) pen.back();
        else return false;
        return true;
      },
      hint: () => word(pen.places().length ? name + ".go" : name + ".hint"),
      ...more.tool,
    };
  };
})();
