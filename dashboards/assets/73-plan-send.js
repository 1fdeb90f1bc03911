/* Edits on their way. Each is kept by the browser (localStorage) before anything else happens and until the
   server has said what became of it; it has an id of its own, so that one sent twice counts once. Edits go
   one after the other. An answer takes back all that is still on its way, shows what the server says, and
   shows the rest again on top: so the screen is always "confirmed + mine". */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const plan = w.plan;
  const POLL_MS = 2000;
  const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
  const PREFIX = "wangge.plan.out.";
  let pending = []; // {id, edit, base, at, back, resolve, quiet, sent}
  let backs = new Map(); // edit_id -> steps that lead back
  let forths = new Map();
  let busy = false;
  let offline = false;
  let unkept = false;
  let tries = 0;
  let timer = 0;
  let made = 0;
  let loading = null;

  plan.waiting = () => pending.length;
  plan.pending = () => pending;

  /* --- what the browser keeps ------------------------------------------------------------------------ */

  const keyOf = (one) => PREFIX + plan.s.id + "." + one.id;
  function keep(one) {
    try {
      const { id, edit, base, at, n, by, role } = one;
      localStorage.setItem(keyOf(one), JSON.stringify({ id, edit, base, at, n, by, role }));
    } catch (error) {
      unkept = true; // a full or forbidden store: said at the chip, and asked before the page closes
    }
  }
  function forget(one) {
    try {
      localStorage.removeItem(keyOf(one));
    } catch (error) {
      unkept = true;
    }
    if (pending.length === 0) unkept = false;
  }
  function kept() {
    const found = [];
    try {
      for (let k = 0; k < localStorage.length; k++) {
        const key = localStorage.key(k);
        if (key.startsWith(PREFIX + plan.s.id + ".")) found.push(JSON.parse(localStorage.getItem(key)));
      }
    } catch (error) {
      return found;
    }
    return found.sort((a, b) => a.at - b.at || a.n - b.n);
  }

  /* --- the chip ------------------------------------------------------------------------------------------ */

  function show() {
    const chip = document.getElementById("plan-saved");
    if (!chip || !plan.s) return;
    const n = pending.length;
    const state = unkept ? "unkept" : offline ? "offline" : n ? "saving" : plan.s.readOnly ? "closed" : "saved";
    chip.className = "plan-saved is-" + state;
    w.say(chip, plan.words(state === "offline" && !n ? "saved.away" : "saved." + state, { n }));
    document.documentElement.dataset.planSaved = state;
  }
  plan.showSaved = show;

  /* --- sending --------------------------------------------------------------------------------------------- */

  plan.send = function (edit, options) {
    const quiet = Boolean(options && options.quiet);
    if (!plan.s) return Promise.resolve({ ok: false, code: "no_plan", error: "" });
    if (plan.s.readOnly) return Promise.resolve(no("state", plan.words("readonly"), quiet));
    if (!c.me) {
      c.chooseMe(plan.words("who"));
      return Promise.resolve(no("nobody", plan.words("who"), quiet));
    }
    if (edit.do === "undo" || edit.do === "redo") {
      const why = mayNot(edit.do);
      if (why) return Promise.resolve(no(edit.do, why, quiet));
    }
    const { by, role } = c.viewer();
    const one = { id: c.key(), edit, base: plan.s.seq, at: Date.now(), n: made++, by, role, quiet, back: null };
    keep(one);
    pending.push(one);
    one.back = (options && options.back) || locally(one);
    if (one.back) backs.set(one.id, one.back);
    return new Promise((resolve) => {
      one.resolve = resolve;
      show();
      plan.tell("log");
      next();
    });
  };
  function no(code, error, quiet) {
    const told = { ok: false, code, error };
    if (!quiet) plan.say(error, { kind: "wrong", seconds: 8 });
    return told;
  }

  function locally(one) {
    if (one.edit.do === "undo") return undoLocally(one);
    if (one.edit.do === "redo") return redoLocally(one);
    return plan.tryLocally(one.edit);
  }

  /* Edits in force, as the log and what is on its way tell them. */
  plan.stack = function () {
    const { done, undone } = plan.standing();
    for (const one of pending) {
      if (one.edit.do === "undo") {
        const k = ownNewest(done, one.by);
        if (k >= 0 && k < done.length - 1) undone.length = 0;
        if (k >= 0) undone.push(done.splice(k, 1)[0]);
      } else if (one.edit.do === "redo") {
        if (undone.length) done.push(undone.pop());
      } else {
        done.push({ edit_id: one.id, by: one.by, at: one.at, waiting: true, ...plan.summary(one.edit) });
        undone.length = 0;
      }
    }
    return { done, undone };
  };
  /* Where the newest edit of somebody stands among others; -1 if none does. */
  function ownNewest(done, by) {
    for (let k = done.length - 1; k >= 0; k--) if (done[k].by === by) return k;
    return -1;
  }
  /* What undo or redo would take: of undo one's own newest edit, be it under those of others. */
  plan.nextStep = function (what) {
    const { done, undone } = plan.stack();
    const list = what === "undo" ? done : undone;
    const mine = c.viewer().by;
    const own = what === "undo" && mine ? ownNewest(done, mine) : -1;
    return list[own >= 0 ? own : list.length - 1] || null;
  };
  function mayNot(what) {
    const step = plan.nextStep(what);
    if (!step) return plan.words(what + ".nothing");
    return step.by === c.viewer().by ? "" : plan.words(what + ".other", { by: step.by });
  }
  /* The edit that an undo on its way takes back if it is the newest; one under others' the server takes out. */
  function topBefore(one, what) {
    const at = pending.indexOf(one);
    const later = pending.splice(at);
    const { done, undone } = plan.stack();
    pending.push(...later);
    const list = what === "undo" ? done : undone;
    const top = list[list.length - 1];
    return top && top.by === one.by ? top : null;
  }
  function undoLocally(one) {
    const top = topBefore(one, "undo");
    const back = top && backs.get(top.edit_id);
    if (!back) return null;
    const forth = plan.take(back, "undo");
    forths.set(top.edit_id, forth);
    return forth;
  }
  function redoLocally(one) {
    const top = topBefore(one, "redo");
    const forth = top && forths.get(top.edit_id);
    if (!forth) return null;
    const back = plan.take(forth, "undo");
    backs.set(top.edit_id, back);
    return back;
  }

  plan.undo = () => plan.send({ do: "undo" });
  plan.redo = () => plan.send({ do: "redo" });
  /* Undo or redo until `count` edits stand. */
  plan.goToEdit = async function (count) {
    for (;;) {
      const { done } = plan.stack();
      const now = done.length;
      if (now === count) return;
      const top = done[now - 1];
      // Going back means the newest first; what others did is not skipped.
      if (now > count && c.me && top.by !== c.viewer().by) return plan.say(plan.words("undo.other", { by: top.by }), { kind: "wrong", seconds: 8 });
      const told = await plan.send({ do: now > count ? "undo" : "redo" });
      if (!told.ok) return;
    }
  };

  function next() {
    window.clearTimeout(timer);
    if (busy || !pending.length || !plan.s) return;
    busy = true;
    post(pending[0]).finally(() => {
      busy = false;
      show();
      if (pending.length) timer = window.setTimeout(next, offline ? RETRY_MS[Math.min(tries, RETRY_MS.length - 1)] : 0);
    });
  }
  plan.retry = next;

  async function post(one) {
    const body = { edit_id: one.id, edit: one.edit, on_seq: one.base, by: one.by, role: one.role, shown: plan.s.seq, epoch: plan.s.epoch };
    const id = plan.s.id;
    const answer = await c.post("/plan/" + encodeURIComponent(id) + "/edits", body);
    if (!plan.s || plan.s.id !== id) return;
    if (answer.offline || answer.status >= 500) {
      offline = true;
      tries++;
      if (one.resolve) one.resolve({ ok: true, waiting: true });
      one.resolve = null;
      return;
    }
    offline = false;
    tries = 0;
    await settle(one, answer.body);
  }

  async function settle(one, body) {
    const stroke = lift();
    pending.shift();
    forget(one);
    if (body.ok && !body.reload) {
      take(body);
      // One that was stored but not applied leaves nothing on the screen but its conflict.
      if (body.result !== "applied") backs.delete(one.id);
    } else if (!body.ok) backs.delete(one.id);
    const more = body.ok && body.reload;
    if (more) await load(plan.s.id, true);
    lay(stroke);
    if (body.ok) {
      if (body.result === "conflict") plan.say(plan.words("conflict.now"), { kind: "wrong", seconds: 10 });
    } else if (!one.quiet) plan.refused(body, one);
    if (one.resolve) one.resolve(body.ok ? { ok: true, seq: body.at_seq, result: body.result } : body);
    show();
    plan.tell("log");
    if (!pending.length) plan.tell("saved", { seq: plan.s.seq });
  }

  /* Take back all that the server does not know yet; gives the stroke that the hand is in. */
  function lift() {
    const stroke = plan.stroke || null;
    if (stroke) stroke.lift();
    for (const one of pending.slice().reverse()) {
      if (one.back) plan.take(one.back, "server");
      one.back = null;
    }
    return stroke;
  }
  function lay(stroke) {
    for (const one of pending) {
      one.back = locally(one);
      if (one.back) backs.set(one.id, one.back);
    }
    if (stroke && plan.stroke === stroke) stroke.lay();
  }
  function take(news) {
    if (news.patch) plan.takePatch(news.patch, "server");
    plan.s.seq = news.seq;
    plan.takeLog(news);
  }

  /* What an edit does in a few words, as the server tells it of those that it knows. */
  plan.summary = function (edit) {
    const name = (id) => (plan.s.rows.has(id) ? plan.gridName(plan.s.rows.get(id)) : id);
    const found = { do: edit.do };
    if (edit.do === "paint") Object.assign(found, { n: edit.blocks.length, grids: [name(edit.grid)] });
    else if (edit.do === "assign") Object.assign(found, { n: Object.keys(edit.blocks).length, grids: [...new Set(Object.values(edit.blocks))].slice(0, 3).map(name) });
    else if (edit.do === "lock_border") found.grids = [name(edit.one), name(edit.two)];
    else if (edit.grids) Object.assign(found, { grids: edit.grids.slice(0, 3).map(name), n: edit.grids.length });
    else if (edit.grid) found.grids = [name(edit.grid)];
    if (edit.on !== undefined) found.on = edit.on;
    if (edit.name) found.name = edit.name;
    if (edit.vertices) found.n = edit.vertices.length;
    return found;
  };

  /* --- refused -------------------------------------------------------------------------------------------------- */

  plan.refused = function (told, one) {
    const edit = one && one.edit;
    plan.say(told.error, { kind: "wrong", seconds: 12 });
    if (told.place) plan.flash(told.place);
    if (!told.offer || !told.offer.length || !edit || edit.do !== "paint") return;
    const blocks = told.offer;
    plan.tint(blocks, 2);
    plan.ask({
      text: told.error,
      place: [plan.g.middle[2 * blocks[0]], plan.g.middle[2 * blocks[0] + 1]],
      buttons: [
        { text: plan.words("offer.along"), main: true, run: () => { plan.tint(null, 2); plan.send({ ...edit, along: true }); } },
        { text: plan.words("offer.leave"), run: () => plan.tint(null, 2) },
      ],
    });
  };

  /* --- conflicts -------------------------------------------------------------------------------------------------- */

  plan.settle = async function (seq, taken, edit) {
    const body = { seq, take: taken, edit_id: c.key(), ...c.viewer(), shown: plan.s.seq, epoch: plan.s.epoch };
    if (edit) body.edit = edit;
    const answer = await c.post("/plan/" + encodeURIComponent(plan.s.id) + "/settle", body);
    if (!answer.ok) {
      plan.say(c.trouble(answer), { kind: "wrong", seconds: 12 });
      return { ok: false };
    }
    await refresh(answer.body);
    return { ok: true };
  };
  async function refresh(body) {
    const stroke = lift();
    if (body.reload) await load(plan.s.id, true);
    else take(body);
    lay(stroke);
    show();
    plan.tell("log");
  }

  /* --- the others ---------------------------------------------------------------------------------------------------- */

  async function poll() {
    if (!plan.s || busy || loading || document.hidden) return;
    const { id, seq, epoch } = plan.s;
    const answer = await c.get("/plan/" + encodeURIComponent(id) + "/edits", { since: seq, epoch });
    if (!plan.s || plan.s.id !== id || plan.s.seq !== seq || busy) return;
    if (answer.offline || answer.status >= 500) {
      if (!offline) tries = 0;
      offline = true;
    } else {
      if (offline) {
        offline = false;
        next();
      }
      if (answer.ok && (answer.body.reload || answer.body.seq !== seq)) {
        const mine = c.viewer().by;
        const others = [...new Set((answer.body.history || []).filter((row) => row.by !== mine).map((row) => row.by))];
        await refresh(answer.body);
        if (others.length) plan.say(plan.words("others", { by: others.join(plan.words("and")) }), { seconds: 6 });
      } else if (answer.ok) plan.takeLog(answer.body);
    }
    show();
  }
  plan.poll = poll;

  /* --- loading --------------------------------------------------------------------------------------------------------- */

  /* The plan of the address is asked for while the rest of the page is still on its way. */
  const early = new Map();
  const asked = new URLSearchParams(window.location.search).get("plan");
  if (asked && /\/planner\/?$/.test(window.location.pathname)) {
    for (const part of ["state", "topo"]) {
      const answer = fetch("/plan/" + encodeURIComponent(asked) + "/" + part);
      answer.catch(() => early.delete(asked + "/" + part)); // away: asked again when it is needed
      early.set(asked + "/" + part, answer);
    }
  }
  function taken(id, part) {
    const answer = early.get(id + "/" + part);
    early.delete(id + "/" + part);
    return answer;
  }
  async function fetchGround(id) {
    const answer = await (taken(id, "topo") || fetch("/plan/" + encodeURIComponent(id) + "/topo"));
    if (!answer.ok) throw new Error("topo " + answer.status);
    const key = answer.headers.get("X-Plan-Ground");
    return { key, buffer: await answer.arrayBuffer() };
  }
  async function fetchState(id) {
    const answer = await (taken(id, "state") || Promise.reject(new Error("not asked yet"))).catch(() => null);
    if (answer && answer.ok) return { ok: true, status: answer.status, body: await answer.json() };
    return c.get("/plan/" + encodeURIComponent(id) + "/state");
  }
  async function load(id, again) {
    loading = id;
    try {
      const known = again && plan.s ? plan.s.ground : null;
      let [state, ground] = await Promise.all([fetchState(id), known ? null : fetchGround(id)]);
      if (!state.ok) return { ok: false, error: c.trouble(state) };
      if (known && state.body.ground !== known) ground = await fetchGround(id);
      // Somebody moved a border between the two answers.
      for (let k = 0; ground && ground.key !== state.body.ground && k < 5; k++) {
        [state, ground] = await Promise.all([fetchState(id), fetchGround(id)]);
      }
      const chosen = again ? plan.selected().map((row) => plan.s.grids[row] && plan.s.grids[row].id) : [];
      const read = ground ? plan.readGround(ground.buffer) : plan.g;
      plan.readState(state.body, read);
      plan.drawAll();
      if (again) plan.select(chosen.filter((id) => plan.s.rows.has(id)).map((id) => plan.s.rows.get(id)));
      return { ok: true };
    } finally {
      loading = null;
    }
  }
  plan.load = async function (id) {
    plan.tell("loading", true);
    pending = [];
    backs = new Map();
    forths = new Map();
    const told = await load(id, false).catch((error) => {
      console.error(error);
      return { ok: false, error: plan.words("load.failed") };
    });
    plan.tell("loading", false);
    if (!told.ok) {
      plan.s = null;
      plan.tell("failed", told.error);
      return told;
    }
    for (const one of kept()) {
      // What was left when the page was closed: the server knows it by its id, if it came that far.
      const mine = { ...one, quiet: false, back: null };
      pending.push(mine);
      mine.back = locally(mine);
      if (mine.back) backs.set(mine.id, mine.back);
    }
    plan.tell("load");
    plan.tell("log");
    if (plan.s.conflicts.length) plan.tell("conflict", plan.s.conflicts);
    show();
    next();
    return told;
  };

  plan.onBegin(() => {
    if (plan.polling) return;
    plan.polling = window.setInterval(poll, POLL_MS);
    document.addEventListener("visibilitychange", poll);
    window.addEventListener("online", () => { tries = 0; next(); poll(); });
    window.addEventListener("offline", () => { offline = true; show(); });
    window.addEventListener("beforeunload", (event) => {
      if (unkept && pending.length) event.preventDefault();
    });
  });
})();
