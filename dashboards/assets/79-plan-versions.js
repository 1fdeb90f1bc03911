/* The tab of review and versions: in which state the plan is and what comes next, what the rules say of it (each
   breach with its place), which versions there were, and the grids of any day laid over the map. The server
   judges; this shows what it said and for which edit it said it. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const plan = w.plan;
  const word = (key, values) => plan.words("versions." + key, values);
  const at = (id) => document.getElementById(id);
  const FIRST = 12;
  const v = { moves: null, verdict: null, running: false, versions: null, parents: new Map(), open: null, said: null, day: "", note: "", busy: false, most: FIRST };
  plan.versions = v;

  const path = (end) => "/plan/" + encodeURIComponent(plan.s.id) + "/" + end;
  const stateOf = (m) => (m.state === "approved" && m.version !== null ? "ahead" : m.state);

  /* --- reading --------------------------------------------------------------------------------------------- */

  async function read() {
    if (!plan.s) return show();
    const id = plan.s.id;
    const [moves, versions] = await Promise.all([c.get(path("moves")), c.get("/plan/versions")]);
    if (!plan.s || plan.s.id !== id) return;
    v.trouble = moves.ok && versions.ok ? null : word("trouble");
    if (moves.ok) take(moves.body);
    if (versions.ok) v.versions = versions.body.versions;
    show();
  }
  function take(body) {
    const before = v.moves;
    v.moves = body;
    if (!before || before.from !== body.from) v.day = body.from || v.day;
  }
  /* In languages of long words the tabs are wider than the panel: the open one is brought into view. */
  function open() {
    const tab = document.querySelector('[data-tab="versions"]');
    if (tab) window.requestAnimationFrame(() => tab.scrollIntoView({ block: "nearest", inline: "nearest" }));
    return read();
  }
  async function judge() {
    if (!plan.s || v.running) return;
    v.running = true;
    v.most = FIRST;
    show();
    const id = plan.s.id;
    const answer = await c.get(path("verdict"), v.day ? { from: v.day } : {});
    v.running = false;
    if (!plan.s || plan.s.id !== id) return;
    if (answer.ok) v.verdict = answer.body.verdict;
    else v.said = { text: c.trouble(answer), wrong: true };
    show();
  }

  /* --- doing ------------------------------------------------------------------------------------------------ */

  async function send(end, body) {
    if (!c.me) return c.chooseMe(word("who"));
    v.busy = true;
    v.said = { text: word("busy") };
    show();
    const answer = await c.post(path(end), { ...body, ...c.viewer() });
    v.busy = false;
    if (answer.body.verdict) {
      v.verdict = answer.body.verdict;
      v.said = null;
    } else v.said = answer.ok ? (answer.body.text ? { text: answer.body.text, good: true } : null) : { text: c.trouble(answer), wrong: true };
    if (answer.ok) {
      v.note = "";
      take(answer.body);
      if (end === "publish" || end === "rebase") v.verdict = null;
      const said = v.said;
      await plan.load(plan.s.id);
      v.said = said;
      await read();
    } else show();
  }
  const move = (state) => send("moves", { state, note: v.note, from: v.day || null });
  function publish() {
    if (!v.day) {
      v.said = { text: word("from.missing"), wrong: true };
      show();
      const field = at("pv-from");
      if (field) field.focus();
      return;
    }
    send("publish", { from: v.day, note: v.note });
  }

  /* --- showing: state ------------------------------------------------------------------------------------------ */

  const button = (name, run, kind, off) => h("button", { type: "button", class: "inc-button" + (kind || ""), "data-do": name, disabled: v.busy || Boolean(off), onclick: run }, word("do." + name));
  /* Four eyes: names as geo.four_eyes compares them. */
  const plain = (name) => name.normalize("NFKC").replace(/\s+/g, "").toLowerCase();
  const isMe = (name) => Boolean(name && c.me && plain(name) === plain(c.viewer().by));
  const mustWait = (m) => m.four_eyes && isMe(m.submitter);
  function fourEyes(m) {
    if (!m.submitter) return null;
    const key = !m.four_eyes ? "eyes.off" : isMe(m.submitter) ? "eyes.mine" : "eyes.other";
    return h("p", { class: "pv-note" + (mustWait(m) ? " is-stop" : ""), id: "pv-eyes", role: "status" }, word(key, { by: m.submitter }));
  }
  const STEPS = ["draft", "review", "approved", "in_force"];

  function showState() {
    const m = v.moves;
    const state = stateOf(m);
    const reached = STEPS.indexOf(m.state === "past" ? "in_force" : m.state);
    const steps = m.state === "dropped"
      ? h("p", { class: "pv-chip is-dropped" }, word("state.dropped"))
      : h("ol", { class: "pv-steps", "aria-label": word("state.title") }, STEPS.map((name, k) =>
          h("li", { class: k < reached ? "is-past" : k === reached ? "is-now" : "", "aria-current": k === reached ? "step" : null },
            h("i", { "aria-hidden": "true" }), word("state." + (k === reached ? state : name)))));
    const can = new Set(m.follows);
    const asks = can.has("review") || can.has("approved") || can.has("publish");
    return h("section", { class: "pv-part", id: "pv-state", "aria-label": word("state.title"), "data-state": state },
      steps,
      m.outdated ? h("div", { class: "pv-note" }, h("span", {}, word("outdated")), button("rebase", () => send("rebase", {}), " is-small")) : null,
      asks ? h("div", { class: "pv-form" },
        h("label", { for: "pv-from" }, word("from")),
        h("input", { type: "date", id: "pv-from", class: "inc-input", value: v.day, "aria-describedby": "pv-from-help", onchange: (event) => { v.day = event.target.value; } }),
        h("p", { class: "pv-help", id: "pv-from-help" }, word("from.help")),
        h("label", { for: "pv-note" }, word("note")),
        h("textarea", { id: "pv-note", class: "inc-input", maxlength: "2000", oninput: (event) => { v.note = event.target.value; } }, v.note)) : null,
      can.has("approved") ? fourEyes(m) : null,
      h("div", { class: "pv-do" },
        can.has("review") ? button("review", () => move("review"), " is-main") : null,
        can.has("publish") ? button("publish", publish, " is-main") : null,
        can.has("approved") ? button("approved", () => move("approved"), " is-main", mustWait(m)) : null,
        can.has("draft") ? button(m.state === "dropped" ? "restore" : "draft", () => move("draft")) : null,
        can.has("dropped") ? button("dropped", () => move("dropped"), " is-hard") : null),
      h("p", { class: "pv-said" + (v.said && v.said.wrong ? " is-wrong" : v.said && v.said.good ? " is-good" : ""), role: "status", id: "pv-said" }, v.said ? v.said.text : ""));
  }

  /* --- showing: verdict -------------------------------------------------------------------------------------- */

  function goTo(finding) {
    if (finding.box) {
      const [west, south, east, north] = finding.box;
      plan.goTo([west - 1e-4, south - 1e-4, east + 1e-4, north + 1e-4]);
      plan.flash({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: finding.point } });
    }
    const row = plan.s.rows ? plan.s.rows.get(finding.grid) : undefined;
    if (row !== undefined) plan.select([row]);
  }
  function findingRow(finding) {
    return h("li", { class: "pv-finding is-" + finding.severity, "data-rule": finding.rule },
      h("span", { class: "pv-mark", title: word(finding.severity) }, finding.severity === "error" ? "×" : "!"),
      h("span", { class: "pv-text" }, h("span", { class: "pv-hidden" }, word(finding.severity) + " "), finding.text),
      finding.point ? h("button", { type: "button", class: "pv-goto", "aria-label": word("verdict.goto"), title: word("verdict.goto"), onclick: () => goTo(finding) }) : null);
  }
  function showVerdict() {
    const told = v.verdict;
    const parts = [];
    if (v.running) parts.push(h("p", { class: "pv-help", role: "status" }, word("verdict.running")));
    else if (!told) parts.push(h("p", { class: "pv-help" }, word("verdict.never")));
    else {
      const errors = told.findings.filter((f) => f.severity === "error");
      const warnings = told.findings.filter((f) => f.severity !== "error");
      const mine = warnings.filter((f) => !f.was_so);
      const listed = [...errors, ...mine];
      const text = errors.length ? word("verdict.refused", { n: plan.text(errors.length) }) : warnings.length ? word("verdict.warned", { n: plan.text(warnings.length) }) : word("verdict.passed");
      parts.push(h("p", { class: "pv-verdict is-" + (errors.length ? "refused" : warnings.length ? "warned" : "passed"), role: "status", id: "pv-verdict" }, text));
      if (plan.s && told.seq !== plan.s.seq) parts.push(h("p", { class: "pv-help" }, word("verdict.old")));
      parts.push(h("ul", { class: "pv-findings" }, listed.slice(0, v.most).map(findingRow)));
      const left = listed.length - v.most;
      if (left > 0) parts.push(h("button", { type: "button", class: "inc-button is-small", onclick: () => { v.most += 50; show(); } }, word("verdict.more", { n: plan.text(Math.min(left, 50)) })));
      if (mine.length < warnings.length) parts.push(h("p", { class: "pv-help" }, word("verdict.before", { n: plan.text(warnings.length - mine.length) })));
    }
    return h("section", { class: "pv-part", "aria-labelledby": "pv-verdict-title" },
      h("header", { class: "pv-head" }, h("h3", { id: "pv-verdict-title" }, word("verdict")),
        h("button", { type: "button", class: "inc-button is-small", id: "pv-judge", disabled: v.running, onclick: judge }, word(told ? "verdict.again" : "verdict.run"))),
      parts);
  }

  /* --- showing: history and versions -------------------------------------------------------------------------- */

  function showMoves() {
    const m = v.moves;
    return h("section", { class: "pv-part", "aria-labelledby": "pv-moves-title" },
      h("header", { class: "pv-head" }, h("h3", { id: "pv-moves-title" }, word("moves"))),
      h("ol", { class: "pv-moves" }, m.moves.map((one, k) => {
        const isPublished = m.version !== null && one.state === "approved" && k > 0 && m.moves[k - 1].state === "approved";
        return h("li", {}, h("b", {}, isPublished ? word("moves.published", { version: m.version }) : word("state." + one.state)),
          h("span", { class: "inc-quiet" }, one.by + " · " + one.at),
          one.eyes ? h("p", { class: "pv-eyes is-" + one.eyes }, word("eyes." + one.eyes, { by: one.submitter, who: one.by })) : null, one.note ? h("p", {}, one.note) : null);
      })));
  }
  async function openParents(version) {
    v.open = v.open === version ? null : version;
    show();
    if (v.open === null || v.parents.has(version)) return;
    const answer = await c.get("/plan/versions/" + version + "/parents");
    if (answer.ok) v.parents.set(version, answer.body.parents);
    show();
  }
  function parentRows(version) {
    const rows = v.parents.get(version);
    if (!rows) return h("p", { class: "pv-help" }, word("busy"));
    if (!rows.length) return h("p", { class: "pv-help" }, word("parents.none"));
    const by = new Map();
    for (const row of rows) by.set(row.grid, [...(by.get(row.grid) || []), row]);
    return h("ul", { class: "pv-parents" }, [...by.values()].map((mine) =>
      h("li", {}, h("b", { title: mine[0].grid }, mine[0].name),
        mine.map((row) => h("span", { class: "is-" + row.change }, origin(row))))));
  }
  /* Where a grid's households come from, in one line. */
  function origin(row) {
    const values = { name: row.from_name, share: row.share === null ? plan.words("none") : Math.round(row.share * 100) + "%", households: plan.text(row.households) };
    if (row.change === "kept") return word("parents.kept");
    if (row.from === row.grid) return word("parents.own", values);
    return word("parents." + row.change) + " " + word("parents.row", values);
  }
  function showVersions() {
    const list = v.versions || [];
    return h("section", { class: "pv-part", "aria-labelledby": "pv-versions-title", id: "pv-versions" },
      h("header", { class: "pv-head" }, h("h3", { id: "pv-versions-title" }, word("versions"))),
      plan.past.form(),
      list.length ? h("ol", { class: "pv-versions" }, list.map((one) => {
        const facts = [["changed", one.changed], ["made", one.split_from + one.made_from], ["merged", one.merged_from], ["ended", one.ended]].filter(([, n]) => n > 0);
        return h("li", { "data-version": one.version, class: "is-" + one.state },
          h("div", { class: "pv-version" },
            h("b", {}, word("versions.title", { n: one.version })),
            h("span", { class: "pv-chip is-" + one.state }, word("state." + one.state)),
            h("span", { class: "inc-quiet" }, word("versions.from", { day: one.begins.slice(0, 10) }) + " · " + word("versions.count", { total: plan.text(one.total) }))),
          h("p", { class: "pv-facts" }, (one.name ? one.name + (one.by ? " · " + one.by : "") : word("versions.imported")) + (facts.length ? " · " + facts.map(([key, n]) => word("versions." + key, { n: plan.text(n) })).join(" · ") : "")),
          h("div", { class: "pv-do" },
            h("button", { type: "button", class: "inc-button is-small", "data-show": one.begins.slice(0, 10), onclick: () => plan.past.show(one.begins.slice(0, 10)) }, word("versions.show")),
            h("button", { type: "button", class: "inc-button is-small", "aria-expanded": String(v.open === one.version), "data-parents": one.version, onclick: () => openParents(one.version) }, word("versions.parents"))),
          v.open === one.version ? parentRows(one.version) : null);
      })) : h("p", { class: "pv-help" }, word("versions.none")));
  }

  /* --- the whole panel ----------------------------------------------------------------------------------------------- */

  function show() {
    const place = at("plan-versions");
    if (!place) return;
    if (!plan.s) return place.replaceChildren(h("p", { class: "pv-help" }, word("noplan")));
    if (!v.moves) return place.replaceChildren(h("p", { class: "pv-help" }, v.trouble || word("busy")));
    const top = place.scrollTop;
    const held = document.activeElement && place.contains(document.activeElement) ? document.activeElement.id : "";
    place.replaceChildren(...[showState(), showVerdict(), showVersions(), showMoves()]);
    place.scrollTop = top;
    if (held && at(held)) at(held).focus();
  }
  v.show = show;
  plan.onBegin(() => {
    c.on("me", () => plan.tab === "versions" && show());
    plan.panel("versions", { title: word("tab"), element: "plan-versions", shown: open, badge: () => (v.verdict ? v.verdict.findings.filter((f) => f.severity === "error").length || null : null) });
  });
  plan.on("load", () => {
    if (v.id !== plan.s.id) Object.assign(v, { id: plan.s.id, moves: null, verdict: null, said: null, day: "", note: "" });
    if (plan.tab === "versions") read();
  });
  plan.on("state", () => plan.tab === "versions" && read());
  plan.on("saved", () => plan.tab === "versions" && v.verdict && show());
})();
