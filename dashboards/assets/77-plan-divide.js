/* Automatic division on /planner: choose what and how, watch the best so far on the map, stop at any time, read what
   is proven, take it over. The work is done by a process of the server (dashboards/divide_jobs.py); this file asks
   for the newest look twice a second while the job runs and draws it over the plan, which stays untouched. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const plan = w.plan;
  const ASK_MS = 500;
  const AGAIN_MS = 3000;
  const NAMES = ["households", "population", "incidents", "assets", "street_km"];
  const STANDS = [[-1, "low"], [0, "in"], [1, "high"], [2, "big"]];
  const SHOWN = 8;
  const fresh = () => ({ area: "all", communities: new Set(), band: null, bands: new Map(), weights: { households: 1, population: 0, incidents: 0, assets: 0, street_km: 0 }, mode: "least", effort: "full" });
  const d = (plan.divide = { form: fresh(), plan: null, job: null, state: "form", looks: -1, body: null, labels: null, status: null, said: null, stopping: false, busy: false, name: null });
  const say = (key, values) => plan.words("divide." + key, values);
  const place = () => document.getElementById("plan-divide");
  const isWork = () => NAMES.some((name) => d.form.weights[name] !== (name === "households" ? 1 : 0));
  const communityName = (code) => (plan.s.communities.find((one) => one.code === code) || { name: code }).name;
  /* A unit by its compound or id, and its load: as the server writes them, "id (1,204)". */
  const number = (value) => plan.text(Math.round(value * 10) / 10);

  /* --- the form ------------------------------------------------------------------------------------------ */

  function part(title, ...children) {
    return h("section", { class: "pd-part" }, title ? h("h3", {}, title) : null, children);
  }
  function numberInput(value, label, change) {
    return h("input", { type: "number", min: 0, step: "any", class: "inc-input pd-number", value, "aria-label": label, onchange: (event) => change(Number(event.target.value), event.target) });
  }
  function pick(name, value, current, text, help, change) {
    const id = "pd-" + name + "-" + value;
    return h("label", { class: "pd-pick", for: id },
      h("input", { type: "radio", id, name: "pd-" + name, value, checked: value === current, onchange: () => { change(value); } }),
      h("span", {}, text, help ? h("small", {}, help) : null));
  }

  function areaPart() {
    const f = d.form;
    const chosen = plan.selected().length;
    const change = (value) => { f.area = value; show(); };
    const list = () => {
      const search = h("input", { type: "search", class: "inc-input", placeholder: say("area.search"), "aria-label": say("area.search"), oninput: (event) => filter(event.target.value) });
      const rows = plan.s.communities.map((one) => h("label", { class: "pd-check", "data-name": one.name + " " + one.code },
        h("input", { type: "checkbox", value: one.code, checked: f.communities.has(one.code), onchange: (event) => { event.target.checked ? f.communities.add(one.code) : f.communities.delete(one.code); count.textContent = say("area.chosen", { n: plan.text(f.communities.size) }); } }),
        h("span", {}, one.name)));
      const count = h("p", { class: "pd-note", "aria-live": "polite" }, say("area.chosen", { n: plan.text(f.communities.size) }));
      const filter = (text) => rows.forEach((row) => { row.hidden = !row.dataset.name.toLowerCase().includes(text.trim().toLowerCase()); });
      return [search, h("div", { class: "pd-list" }, rows), count];
    };
    return part(say("area"),
      pick("area", "all", f.area, say("area.all", { n: plan.text(plan.s.communities.length) }), null, change),
      pick("area", "communities", f.area, say("area.communities"), null, change),
      f.area === "communities" ? list() : null,
      pick("area", "grids", f.area, say("area.grids", { n: plan.text(chosen) }), f.area === "grids" && !chosen ? say("area.nogrids") : null, change));
  }

  function bandPart() {
    const f = d.form;
    if (!f.band) f.band = plan.s.band.slice();
    const title = say(isWork() ? "band.work" : "band");
    const row = (label, pair, remove) => h("div", { class: "pd-band" },
      label.name ? h("span", { class: "pd-band-name" }, label.name) : null,
      numberInput(pair[0], label.low, (value) => { pair[0] = value; }), h("span", {}, say("band.to")),
      numberInput(pair[1], label.high, (value) => { pair[1] = value; }),
      remove ? h("button", { type: "button", class: "inc-button is-small", "aria-label": say("bands.remove", { name: label.name }), onclick: remove }, "×") : h("span", { class: "pd-note" }, isWork() ? "" : say("units")));
    const others = plan.s.communities.filter((one) => !f.bands.has(one.code));
    const add = h("select", { class: "inc-input", "aria-label": say("bands.add"), onchange: (event) => { if (event.target.value) { f.bands.set(event.target.value, f.band.slice()); show(); } } },
      h("option", { value: "" }, say("bands.add")), others.map((one) => h("option", { value: one.code }, one.name)));
    return part(title,
      row({ low: title, high: title }, f.band),
      h("details", { class: "pd-more", open: f.bands.size > 0 }, h("summary", {}, say("bands")),
        [...f.bands].map(([code, pair]) => {
          const name = communityName(code);
          return row({ name, low: say("bands.low", { name }), high: say("bands.high", { name }) }, pair, () => { f.bands.delete(code); show(); });
        }), add));
  }

  function weightsPart() {
    const f = d.form;
    return h("section", { class: "pd-part" }, h("details", { class: "pd-more", open: isWork() },
      h("summary", {}, h("b", {}, say("weights")), h("span", { class: "pd-note" }, NAMES.filter((name) => f.weights[name]).map((name) => say("weights." + name)).join("、"))),
      h("p", { class: "pd-note" }, say("weights.help")),
      h("div", { class: "pd-weights" }, NAMES.map((name) => h("label", {}, h("span", {}, say("weights." + name)),
        numberInput(f.weights[name], say("weights." + name), (value) => { f.weights[name] = value; show(); }))))));
  }

  function form() {
    const f = d.form;
    const locked = plan.living().filter((grid) => grid.locked).length;
    const mode = (value) => { f.mode = value; };
    return [
      areaPart(), bandPart(), weightsPart(),
      part(say("mode"),
        pick("mode", "least", f.mode, say("mode.least"), say("mode.least.help"), mode),
        pick("mode", "fresh", f.mode, say("mode.fresh"), say("mode.fresh.help"), mode),
        h("p", { class: "pd-note" }, locked ? say("locks", { n: plan.text(locked) }) : say("locks.none"), " ", plan.living().some((grid) => grid.kind !== "base" && !grid.rest) ? say("apart") : "")),
      part(say("effort"),
        h("div", { class: "pd-two" }, ["full", "fast"].map((name) => pick("effort", name, f.effort, say("effort." + name), null, (value) => { f.effort = value; })))),
      d.said ? h("p", { class: "pd-said", role: "alert" }, d.said) : null,
      h("div", { class: "pd-do" }, h("button", { type: "button", class: "inc-button is-main", id: "pd-start", onclick: start }, say("start"))),
    ];
  }

  /* --- work ----------------------------------------------------------------------------------------------- */

  async function start() {
    const f = d.form;
    d.said = null;
    if (!c.me) return c.chooseMe();
    const body = { ...c.viewer(), band: f.band, bands: Object.fromEntries(f.bands), weights: f.weights, fresh: f.mode === "fresh", effort: f.effort };
    if (f.area === "communities") body.communities = [...f.communities];
    if (f.area === "grids") body.grids = plan.selected().map((row) => plan.s.grids[row].id);
    if ((body.communities && !body.communities.length) || (body.grids && !body.grids.length)) {
      d.said = say(body.grids ? "area.nogrids" : "area.chosen", { n: 0 });
      return show();
    }
    Object.assign(d, { plan: plan.s.id, state: "working", job: null, looks: -1, body: null, labels: null, status: null, stopping: false, busy: false });
    show();
    const answer = await c.post("/plan/divide/" + encodeURIComponent(plan.s.id), body);
    if (!answer.ok) {
      Object.assign(d, { state: "form", said: c.trouble(answer) });
      return show();
    }
    d.job = answer.body.job;
    look();
  }

  async function look() {
    const job = d.job;
    if (!job) return;
    const answer = await c.get("/plan/divide/jobs/" + job, { seen: d.looks });
    if (d.job !== job) return;
    if (!answer.ok) {
      if (answer.offline || answer.status >= 500) {
        d.lost = true;
        show();
        window.setTimeout(look, AGAIN_MS);
      } else {
        Object.assign(d, { state: "form", job: null, said: c.trouble(answer) });
        draw();
        show();
      }
      return;
    }
    d.lost = false;
    const body = (d.body = answer.body);
    if (body.labels) {
      d.looks = body.looks;
      d.labels = new Int32Array(bytes(body.labels).buffer);
      d.status = new Int8Array(bytes(body.status).buffer);
      draw();
    }
    if (body.state === "done") d.state = "done";
    else if (body.state === "failed") Object.assign(d, { state: "form", job: null, labels: null, said: body.error ? say("failed.why", { why: body.error }) : say("failed") });
    if (d.state === "form") draw();
    show();
    plan.tell("divide", d.state);
    if (d.state === "working") window.setTimeout(look, ASK_MS);
  }
  const bytes = (text) => Uint8Array.from(window.atob(text), (ch) => ch.charCodeAt(0));

  async function stop() {
    d.stopping = true;
    show();
    await c.post("/plan/divide/jobs/" + d.job + "/stop", {});
  }
  function drop() {
    Object.assign(d, { state: "form", job: null, body: null, labels: null, status: null, said: null, stopping: false });
    draw();
    show();
    plan.tell("divide", "form");
  }

  function working() {
    const b = d.body || {};
    const share = b.total ? b.done / b.total : 0;
    const told = d.stopping ? say("stopping") : b.compiling ? say("compiling") : b.total ? say("progress", { done: plan.text(b.done), total: plan.text(b.total), community: communityName(b.community) }) : b.units ? say("progress.first") : say("starting");
    return [part(null,
      h("div", { class: "pd-bar", role: "progressbar", "aria-label": say("bar"), "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(100 * share) }, h("i", { style: null })),
      h("p", { id: "pd-told", role: "status" }, d.lost ? say("lost") : told),
      b.units ? h("p", { class: "pd-best", id: "pd-best" }, say(isWork() ? "best.work" : "best", { grids: plan.text(b.grids), bad: plan.text(b.bad), off: number(b.off) })) : null,
      legend(),
      h("div", { class: "pd-do" }, h("button", { type: "button", class: "inc-button is-main", id: "pd-stop", disabled: d.stopping || !d.job, onclick: stop }, say("stop"))))];
  }

  /* --- what came out ------------------------------------------------------------------------------------------ */

  function figure(name, value, note, kind) {
    return h("div", { class: "pd-figure" + (kind ? " is-" + kind : ""), "data-figure": name }, h("span", {}, say("r." + name)), h("b", {}, value), note ? h("small", {}, note) : null);
  }
  function go(blocks) {
    return () => { plan.goTo({ blocks }); plan.flash({ type: "FeatureCollection", features: blocks.slice(0, 400).map((i) => ({ type: "Feature", properties: {}, geometry: plan.block(i) })) }); };
  }
  function ofCommunity(code) {
    const row = plan.s.communities.findIndex((one) => one.code === code);
    const found = [];
    for (let i = 0; i < plan.s.blocks.n; i++) if (plan.s.blocks.community[i] === row) found.push(i);
    return found;
  }
  function more(rows, all) {
    return all > rows.length ? h("li", { class: "pd-note" }, say("oversize.more", { n: plan.text(all - rows.length) })) : null;
  }

  function why(one, isComplete) {
    const values = { cause: one.cause, bad: plan.text(one.bad), off: number(one.off), bound: number(one.bound), left: number(one.left) };
    if (one.verdict === "cannot") return say(one.left ? "out.cannot.left" : "out.cannot", values);
    if (!isComplete) return say("out.unfinished", values);
    return say(one.bound ? "out.within" : "out.open", values);
  }

  function done() {
    const r = d.body.result;
    const t = r.totals;
    const isProven = t.off <= t.bound;
    const free = t.grids - t.forced;
    const moved = t.load ? ((100 * t.moved) / t.load).toFixed(1) + "%" : null;
    return [
      part(say(r.complete ? "done" : "done.stopped", { seconds: r.seconds.toFixed(1) }),
        r.oversize.count ? h("div", { class: "pd-first" }, h("p", {}, say("oversize", { n: plan.text(r.oversize.count) })),
          h("ul", { class: "pd-rows" }, r.oversize.first.slice(0, SHOWN).map((one) => h("li", {}, h("button", { type: "button", onclick: go(one.row === null ? [] : [one.row]) }, one.unit), h("b", {}, number(one.load)))), more(r.oversize.first.slice(0, SHOWN), r.oversize.count))) : null,
        h("div", { class: "pd-figures" },
          figure("grids", plan.text(t.grids)),
          t.bad ? figure("out", plan.text(t.bad), null, "late") : figure("in", plan.text(free), say("r.all"), "fine"),
          t.bad ? figure("off", number(t.off), isProven ? say("r.off.proven") : say("r.off.bound", { bound: number(t.bound) })) : null,
          r.fresh ? null : figure("moved", number(t.moved), moved)),
        r.islands.count ? h("p", { class: "pd-note" }, say("islands", { n: plan.text(r.islands.count) })) : null,
        legend()),
      r.out.length ? part(say("out"), h("ul", { class: "pd-out" }, r.out.map((one) => h("li", { "data-verdict": one.verdict }, h("button", { type: "button", onclick: go(ofCommunity(one.community)) }, communityName(one.community)), h("p", {}, why(one, r.complete)))))) : null,
      part(say("proof"), h("ul", { class: "pd-proofs" }, ["optimal", "in_band", "cannot", "within"].filter((name) => r.verdicts[name]).map((name) => h("li", { "data-verdict": name }, say("proof." + (!r.fresh && plan.has("divide.proof.least." + name) ? "least." : "") + name, { n: plan.text(r.verdicts[name]) }))))),
      takePart(r),
    ];
  }

  function takePart(r) {
    const day = new Date().toLocaleDateString("sv-SE", { timeZone: w.s.config.timezone || undefined });
    const name = h("input", { class: "inc-input", id: "pd-name", value: d.name || say("take.default", { day }), "aria-label": say("take.name"), oninput: (event) => { d.name = event.target.value; } });
    const count = r.changes ? Object.keys(r.changes).length : 0;
    const apply = r.changes === null ? null : count ? [
      h("button", { type: "button", class: "inc-button", id: "pd-apply", disabled: plan.s.readOnly || d.busy, onclick: () => use(r.changes, count) }, say("take.apply")),
      h("p", { class: "pd-note" }, say("take.apply.help", { n: plan.text(count) }))] : h("p", { class: "pd-note" }, say("take.nochange"));
    return part(say("take"),
      r.newest ? null : h("p", { class: "pd-note" }, say("take.old")),
      apply,
      h("label", { class: "pd-name", for: "pd-name" }, h("span", {}, say("take.name")), name),
      h("div", { class: "pd-do" },
        h("button", { type: "button", class: "inc-button is-main", id: "pd-draft", disabled: d.busy, onclick: save }, say("take.draft")),
        h("button", { type: "button", class: "inc-button", id: "pd-drop", onclick: drop }, say("drop"))),
      d.said ? h("p", { class: "pd-said", role: "alert" }, d.said) : null);
  }

  async function use(changes, count) {
    d.busy = true;
    show();
    const answer = await plan.send({ do: "assign", blocks: changes });
    d.busy = false;
    if (!answer.ok) return show();
    drop();
    plan.say(say("take.applied", { n: plan.text(count) }), { kind: "good", seconds: 8 });
  }
  async function save() {
    if (!c.me) return c.chooseMe();
    const name = document.getElementById("pd-name").value;
    Object.assign(d, { busy: true, said: null, name });
    show();
    const answer = await c.post("/plan/divide/jobs/" + d.job + "/draft", { ...c.viewer(), name });
    d.busy = false;
    if (!answer.ok) {
      d.said = c.trouble(answer);
      return show();
    }
    drop();
    d.name = null;
    plan.say(say("take.made"), { kind: "good", seconds: 8 });
    await plan.open(answer.body.id);
  }

  /* --- the map --------------------------------------------------------------------------------------------------- */

  function tones() {
    const band = plan.config.palettes.band;
    return { low: band[1], in: band[Math.floor(band.length / 2)], high: band[band.length - 2], big: plan.config.palettes.none };
  }
  function legend() {
    return h("div", { class: "pd-legend", "aria-label": say("legend") }, h("b", {}, say("legend")), STANDS.map(([, name]) => h("span", {}, h("i", { "data-tone": name }), say("legend." + name))));
  }
  let cache = { ground: null, shapes: [] };
  function shapeOf(i) {
    if (cache.ground !== plan.g) cache = { ground: plan.g, shapes: [] };
    return cache.shapes[i] || (cache.shapes[i] = plan.block(i));
  }
  function draw() {
    const colours = tones();
    const labels = plan.s && d.plan === plan.s.id && d.labels && d.labels.length === plan.s.blocks.n ? d.labels : null;
    const isShown = Boolean(labels && d.state !== "form");
    // The figures on the map are those of the plan, not of what is proposed.
    document.body.classList.toggle("is-divided", isShown);
    for (const [stand, name] of STANDS) {
      const found = [];
      if (isShown) for (let i = 0; i < labels.length; i++) if (labels[i] >= 0 && d.status[labels[i]] === stand) found.push({ type: "Feature", properties: {}, geometry: shapeOf(i) });
      plan.overlay("divide-" + name, { type: "FeatureCollection", features: found }, { fill: colours[name], fillOpacity: 0.88, line: null, before: "plan-lines" });
    }
    const lines = [];
    if (isShown) {
      const { tail, head, block, other } = plan.edges();
      const at = plan.s.vertices;
      for (let e = 0; e < tail.length; e++) {
        const one = labels[block[e]];
        if (one < 0 || (other[e] >= 0 && (other[e] < block[e] || labels[other[e]] === one))) continue;
        lines.push([[at[2 * tail[e]], at[2 * tail[e] + 1]], [at[2 * head[e]], at[2 * head[e] + 1]]]);
      }
    }
    plan.overlay("divide-lines", { type: "Feature", properties: {}, geometry: { type: "MultiLineString", coordinates: lines } }, { line: "accent", width: 2 });
  }

  /* --- the panel ---------------------------------------------------------------------------------------------------- */

  function show() {
    const root = place();
    if (!root || !plan.s) return;
    root.dataset.state = d.state;
    root.dataset.looks = String(d.looks);
    const focus = document.activeElement && root.contains(document.activeElement) ? document.activeElement.id : null;
    const top = root.scrollTop;
    root.replaceChildren(...(d.state === "form" ? form() : d.state === "done" ? done() : working()).filter(Boolean));
    const share = d.body && d.body.total ? d.body.done / d.body.total : 0;
    const bar = root.querySelector(".pd-bar i");
    if (bar) bar.style.width = 100 * share + "%";
    const colours = tones();
    root.querySelectorAll(".pd-legend i").forEach((one) => { one.style.background = colours[one.dataset.tone]; });
    root.scrollTop = top;
    if (focus && document.getElementById(focus)) document.getElementById(focus).focus({ preventScroll: true });
  }

  plan.onBegin(() => {
    plan.panel("divide", { title: say("title"), element: "plan-divide", shown: show });
  });
  plan.on("load", () => {
    if (d.plan && d.plan !== plan.s.id && d.state !== "form") drop();
    if (d.plan !== plan.s.id) d.form = fresh();
    d.plan = plan.s.id;
    draw();
    show();
  });
  plan.on("select", () => d.state === "form" && plan.tab === "divide" && show());
  plan.on("change", (what) => d.state === "form" && plan.tab === "divide" && what.from !== "local" && show());
})();
