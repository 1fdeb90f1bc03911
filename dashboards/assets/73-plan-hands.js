/* What hands do on the map: pointer, finger and keys become down, move and up of the tool in use. Pointer
   events are taken on the window in the capture phase, so that plotly and MapLibre begin no pan of their
   own. The space bar is the pointer's button at the cross in the middle; arrow keys move the cross. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const plan = w.plan;
  let held = null; // pointer that is down: {id, tool}
  let spaced = false;
  let touches = new Set();
  const spent = []; // milliseconds of JavaScript a move, newest last
  plan.spent = spent;

  const tool = () => plan.tools.get(plan.current());
  const canvas = () => (s.map ? s.map.getCanvas() : null);
  const onMap = (event) => Boolean(canvas() && event.target === canvas());
  plan.spaceHeld = () => panning;
  let panning = false; // H or the middle button: the hand pans whatever the tool

  function at(event, point) {
    const box = canvas().getBoundingClientRect();
    const x = point ? point.x : event.clientX - box.left;
    const y = point ? point.y : event.clientY - box.top;
    const [lon, lat] = plan.unproject(x, y);
    const block = plan.blockAt(lon, lat);
    const using = tool();
    return {
      x, y, lon, lat, block, grid: block >= 0 ? plan.s.label[block] : -1,
      vertex: using && using.vertices ? plan.vertexAt(x, y) : -1,
      shift: Boolean(event && event.shiftKey), alt: Boolean(event && event.altKey), ctrl: Boolean(event && (event.ctrlKey || event.metaKey)),
      touch: Boolean(event && event.pointerType === "touch"), event,
    };
  }
  plan.middle = function () {
    const box = s.map.getContainer();
    return { x: box.clientWidth / 2, y: box.clientHeight / 2 };
  };

  function timed(run) {
    const begun = performance.now();
    run();
    spent.push(performance.now() - begun);
    if (spent.length > 2000) spent.shift();
  }

  function down(event) {
    if (!plan.s || !onMap(event)) return;
    if (event.pointerType === "touch") touches.add(event.pointerId);
    const using = tool();
    if (!using || using.pans || event.button !== 0) return;
    // A second finger means the map: what the first began is left.
    if (touches.size > 1) {
      if (held && using.cancel) using.cancel();
      held = null;
      quiet(false);
      return;
    }
    if (plan.asking()) return;
    event.stopPropagation();
    if (event.pointerType !== "touch") event.preventDefault();
    plan.focusMap();
    held = { id: event.pointerId, using };
    quiet(true);
    using.down && using.down({ ...at(event), down: true });
  }
  /* The map neither pans nor zooms by the same press. */
  function quiet(on) {
    const map = s.map;
    if (!map) return;
    for (const hand of [map.dragPan, map.touchZoomRotate, map.boxZoom]) on ? hand.disable() : hand.enable();
    map.touchZoomRotate.disableRotation();
  }
  function move(event) {
    if (!plan.s || !s.map) return;
    if (held && event.pointerId === held.id) {
      event.stopPropagation();
      timed(() => {
        const steps = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
        const last = steps.length > 1 ? steps[steps.length - 1] : event;
        held.using.move && held.using.move({ ...at(last), down: true });
      });
      return;
    }
    if (held || !onMap(event)) {
      if (!held) plan.hover(-1);
      return;
    }
    timed(() => {
      const p = at(event);
      plan.hover(p.block);
      const using = tool();
      if (!using || !using.hover) return;
      if (typeof using.hover === "function") using.hover(p);
      else using.move({ ...p, down: false });
    });
  }
  function up(event) {
    touches.delete(event.pointerId);
    if (!held || event.pointerId !== held.id) return;
    event.stopPropagation();
    const { using } = held;
    held = null;
    quiet(false);
    if (event.type === "pointercancel") using.cancel && using.cancel();
    else using.up && using.up(at(event));
  }
  /* MapLibre listens to mouse and touch events too; while a tool is down they are not for it. */
  function swallow(event) {
    if (plan.s && onMap(event) && tool() && !tool().pans && (event.button === undefined || event.button === 0) && touches.size < 2) event.stopPropagation();
  }
  function dbl(event) {
    if (!plan.s || !onMap(event)) return;
    const using = tool();
    if (using && using.dbl) {
      event.stopPropagation();
      event.preventDefault();
      using.dbl(at(event));
    }
  }

  /* --- keys ---------------------------------------------------------------------------------------------- */

  const typing = (event) => event.target.closest && event.target.closest("input, textarea, select, [contenteditable], dialog, .ag-root");

  function press(event) {
    if (!plan.s || typing(event)) return;
    const control = event.ctrlKey || event.metaKey;
    const letter = event.key.toLowerCase();
    if (control && (letter === "z" || letter === "y")) {
      event.preventDefault();
      return letter === "y" || event.shiftKey ? plan.redo() : plan.undo();
    }
    if (control || event.altKey) return;
    const using = tool();
    const map = s.map && document.activeElement === canvas();
    if (using && using.keydown && using.keydown(event)) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    if (event.key === "Escape") return escape(event);
    if (map && event.key === " ") return space(event, true);
    if (map && event.key === "Enter" && using) {
      event.preventDefault();
      event.stopPropagation();
      const p = at(null, plan.middle());
      if (using.dbl) using.dbl(p);
      else if (using.down) {
        using.down(p);
        if (using.up) using.up(p);
      }
      return;
    }
    if (map && event.key.startsWith("Arrow")) return arrow(event);
    if (event.target.closest && event.target.closest("button, a, [role=tab], [role=row]") && (event.key === " " || event.key === "Enter")) return;
    for (const one of plan.tools.values()) {
      if (one.key && one.key.toLowerCase() === letter && !event.repeat) {
        event.preventDefault();
        plan.use(one.name);
        return;
      }
    }
    plan.shortcut(event);
  }
  function escape(event) {
    const using = tool();
    if (held || spaced) {
      held = null;
      spaced = false;
      quiet(false);
      if (using.cancel) using.cancel();
    } else if (using.cancel && using.cancel() === true) return;
    else if (plan.current() !== "select") plan.use("select");
    else plan.select([]);
    event.preventDefault();
  }
  function space(event, pressed) {
    event.preventDefault();
    event.stopPropagation();
    const using = tool();
    if (!using || event.repeat) return;
    const p = at(null, plan.middle());
    if (pressed && !spaced) {
      spaced = true;
      using.down && using.down(p);
    } else if (!pressed && spaced) {
      spaced = false;
      using.up && using.up(p);
    }
  }
  /* The cross stays in the middle, so the map goes the other way; what is held down is drawn along. */
  function arrow(event) {
    event.preventDefault();
    event.stopPropagation();
    const far = (event.shiftKey ? 96 : 24) * w.scale();
    const [dx, dy] = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
    const middle = plan.middle();
    const to = plan.unproject(middle.x + dx, middle.y + dy);
    s.map.jumpTo({ center: to });
    const p = at(null, middle);
    plan.hover(p.block);
    const using = tool();
    if (using && using.move && (spaced || using.hover === true)) using.move({ ...p, down: spaced });
    plan.tell("cross", p);
  }
  function release(event) {
    if (event.key === " " && spaced) space(event, false);
  }

  plan.onBegin(() => {
    if (plan.handed) return;
    plan.handed = true;
    const listen = (name, run) => window.addEventListener(name, run, { capture: true, passive: false });
    listen("pointerdown", down);
    listen("pointermove", move);
    listen("pointerup", up);
    listen("pointercancel", up);
    for (const name of ["mousedown", "touchstart"]) listen(name, swallow);
    listen("dblclick", dbl);
    listen("keydown", press);
    listen("keyup", release);
    // A page that goes away in the middle of a stroke keeps what was drawn.
    window.addEventListener("pagehide", () => plan.stroke && plan.stroke.finish());
  });
})();
