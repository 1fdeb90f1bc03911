/* Coverage in the browser: what is chosen stands in the address, the answer comes as JSON and is asked
   for again while it is being worked out. Lists and table are in 66-coverage-lists.js, the map in
   66-coverage-map.js. Words come with the page, none stand here. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const k = w.workers;
  const h = c.h;
  const v = (w.coverage = { config: null, choice: {}, body: null, timer: 0, turn: 0 });
  const FIELDS = ["what", "class", "m", "days", "by", "grid", "list"];
  const WAIT_MS = 700;
  const AGAIN_MS = 20000;

  v.say = function (key, values) {
    let text = v.config.words[key];
    if (text === undefined) throw new Error("no words for coverage.js." + key);
    for (const [name, value] of Object.entries(values || {})) text = text.replaceAll("{" + name + "}", value);
    return text;
  };
  v.number = (n, digits) => n.toLocaleString("en-US", { minimumFractionDigits: digits || 0, maximumFractionDigits: digits || 0 });
  /* What is not quite all or not quite nothing is never told as all or nothing. */
  v.percent = function (share) {
    if (share === null || !Number.isFinite(share)) return "–";
    if (share > 0 && share < 0.0005) return v.say("percent.least");
    return v.number(share < 1 ? Math.min(share * 100, 99.9) : 100, 1) + "%";
  };
  /* Metres as people read them: kilometres from one on. */
  v.length = (m) => (m >= 1000 ? v.say("km", { n: v.number(m / 1000, m >= 100000 ? 0 : 1) }) : v.say("m", { n: v.number(m) }));

  /* --- the choice, and the address --------------------------------------------------------------- */

  v.hasCameras = () => v.choice.what === "cameras" || v.choice.what === "both";
  v.by = () => (v.choice.by === "grids" || (v.body && !v.body.lines) ? "grids" : "streets");
  v.list = () => (v.choice.list === "spots" ? "spots" : "stretches");

  /* What the server is asked for: no more than the answer depends on. */
  v.query = function () {
    const query = { what: v.choice.what };
    if (v.choice.what === "assets") Object.assign(query, { class: v.choice.class, m: v.choice.m });
    if (v.hasCameras()) query.days = v.choice.days;
    return query;
  };

  function writeAddress() {
    const query = new URLSearchParams();
    const lang = w.address().get("lang");
    if (lang) query.set("lang", lang);
    for (const [name, value] of Object.entries(v.query())) if (value) query.set(name, value);
    for (const name of ["by", "grid", "list"]) if (v.choice[name]) query.set(name, v.choice[name]);
    window.history.replaceState(window.history.state, "", w.href(query));
  }

  v.choose = function (change) {
    const before = JSON.stringify(v.query());
    v.choice = { ...v.choice, ...change };
    for (const name of FIELDS) if (!v.choice[name]) delete v.choice[name];
    writeAddress();
    showBar();
    if (JSON.stringify(v.query()) !== before) {
      v.body = null;
      v.map.stretch(null);
      return v.load();
    }
    if (!v.body) return;
    if ("grid" in change) v.lists.chosen();
    if ("list" in change || "grid" in change) v.lists.show();
    if ("by" in change) v.map.paint();
  };

  /* --- asking the server ---------------------------------------------------------------------------- */

  function later(ms) {
    window.clearTimeout(v.timer);
    v.timer = window.setTimeout(() => (document.hidden ? later(2000) : v.load()), ms);
  }

  v.load = async function () {
    if (!v.config || v.config.empty || !document.getElementById("coverage-bar")) return;
    const mine = ++v.turn;
    window.clearTimeout(v.timer);
    const answer = await k.get("/coverage/state", v.query());
    if (mine !== v.turn || !document.getElementById("coverage-bar")) return;
    if (answer.status === 202) {
      tell(v.say("working"), false, answer.body.progress);
      if (!v.body) v.lists.clear();
      return later(WAIT_MS);
    }
    if (!answer.ok) {
      tell(answer.body.error || v.say("failed"), true);
      return answer.status === 404 ? undefined : later(5000);
    }
    const body = answer.body;
    const other = !v.body || v.body.mark !== body.mark || v.body.lines !== body.lines;
    v.body = body;
    tellAge();
    if (other) {
      showBar();
      showFigures();
      v.lists.show();
      v.lists.table();
      v.map.show();
      document.documentElement.dataset.coverage = body.mark;
    }
    later(body.working ? WAIT_MS * 2 : AGAIN_MS);
  };

  /* A sentence in the corner of the map, with how far the work is. */
  function tell(text, wrong, progress) {
    const place = document.getElementById("coverage-progress");
    place.classList.toggle("is-wrong", Boolean(wrong));
    place.replaceChildren(
      h("span", {}, progress ? progress.text : text),
      progress ? h("progress", { max: "1", value: String(progress.share), "aria-label": text }) : null
    );
    if (!v.body) document.getElementById("coverage-title").textContent = v.say("what." + v.choice.what);
  }

  function tellAge() {
    const body = v.body;
    document.getElementById("coverage-title").textContent = body.title;
    const place = document.getElementById("coverage-progress");
    place.classList.remove("is-wrong");
    const lines = [body.reason, body.lines ? "" : v.say(c.me ? "hidden" : "hidden.nobody"), body.trouble].filter(Boolean);
    const age = v.say("asof", { at: body.at, span: c.span(body.age_s) }) + (body.working ? " · " + v.say("again") : "");
    place.replaceChildren(...lines.map((text) => h("b", {}, text)), h("span", { class: "inc-quiet" }, age));
  }

  /* --- the bar ------------------------------------------------------------------------------------------ */

  const select = (id, label, value, options, run) =>
    h("label", { class: "cv-field" }, label,
      h("select", { class: "inc-input", id, onchange: (event) => run(event.target.value) },
        options.map(([code, text]) => h("option", { value: code, selected: String(code) === String(value) }, text))));

  const group = (names, chosen, say, run, id) =>
    names.map((name) => h("button", { type: "button", id: id + name, "aria-pressed": String(name === chosen), onclick: () => run(name) }, say(name)));

  function assetFields() {
    const options = v.config.classes.map((one) => [one.code, v.say("class.option", { name: one.name, n: v.number(one.n) })]);
    const take = (code) => v.choose({ class: code, m: (v.config.classes.find((one) => one.code === code) || {}).m });
    const metres = h("input", {
      type: "number", class: "inc-input cv-metres", id: "coverage-m", min: "1", max: "2000", step: "1", value: v.choice.m,
      onchange: (event) => {
        const value = Math.round(Number(event.target.value));
        if (value >= 1 && value <= 2000) v.choose({ m: value });
        else event.target.value = v.choice.m;
      },
    });
    return [
      select("coverage-class", v.say("class"), v.choice.class, options, take),
      h("label", { class: "cv-field" }, v.say("metres"), metres, h("span", {}, v.say("metres.unit"))),
    ];
  }

  function showBar() {
    const place = document.getElementById("coverage-bar");
    const focus = place.contains(document.activeElement) ? document.activeElement.id : null;
    const pickClass = v.config.classes[0];
    const whats = v.config.whats.filter((name) => name !== "assets" || pickClass);
    const pick = (name) => {
      const code = v.choice.class || (v.config.classes.find((one) => one.code === "0118") || pickClass || {}).code;
      const metres = v.choice.m || (v.config.classes.find((one) => one.code === code) || {}).m;
      v.choose(name === "assets" ? { what: name, class: code, m: metres } : { what: name });
    };
    const views = h("div", { class: "cv-views", role: "group", "aria-label": v.say("what") }, group(whats, v.choice.what, (name) => v.say("what." + name), pick, "coverage-what-"));
    const days = v.hasCameras()
      ? select("coverage-days", v.say("days"), v.choice.days || 90, v.config.days.map((n) => [n, v.say("days.option", { n })]), (n) => v.choose({ days: Number(n) }))
      : null;
    const query = new URLSearchParams({ ...v.query(), lang: c.config.lang }).toString();
    const files = h("div", { class: "cv-files" }, h("span", { class: "inc-quiet" }, v.say("export")),
      ["xlsx", "csv"].map((kind) => h("a", {
        class: "inc-button is-small", id: "coverage-" + kind, download: "", "aria-disabled": v.body ? null : "true",
        href: v.body ? "/coverage/grids." + kind + "?" + query : null,
      }, kind === "xlsx" ? "Excel" : "CSV")));
    place.replaceChildren(...[views, ...(v.choice.what === "assets" ? assetFields() : []), days, files].filter(Boolean));
    const by = document.getElementById("coverage-by");
    by.replaceChildren(...group(["streets", "grids"], v.by(), (name) => v.say("by." + name), (name) => v.choose({ by: name === "streets" ? "" : name }), "coverage-by-"));
    by.querySelector("#coverage-by-streets").disabled = Boolean(v.body && !v.body.lines);
    const again = focus && document.getElementById(focus);
    if (again) again.focus();
  }

  /* --- figures --------------------------------------------------------------------------------------------- */

  const SHAPES = { covered: "disc", blind: "square", unknown: "diamond" };
  function figure(id, name, value, more, kind) {
    const mark = kind ? h("i", { class: "mark mark-" + SHAPES[kind] + " cv-is-" + kind, "aria-hidden": "true" }) : null;
    return h("div", { class: "panel cv-figure", id: "coverage-f-" + id }, h("span", { class: "cv-figure-name" }, mark, name), h("b", {}, value), h("span", { class: "inc-quiet" }, more));
  }

  function showFigures() {
    const t = v.body.totals;
    const share = (m) => (t.street_m > 0 ? m / t.street_m : null);
    const found = ["covered", "blind", "unknown"].map((name) =>
      figure(name, v.say("figure." + name), v.percent(share(t[name + "_m"])), v.length(t[name + "_m"]), name));
    found.push(figure("street", v.say("figure.street"), v.length(t.street_m), v.say("count", { n: v.number(v.body.rows.length) })));
    for (const name of ["incidents", "assets"]) {
      if (t[name] === undefined) continue;
      found.push(figure(name, v.say("figure." + name), v.number(t[name + "_blind"]), v.say("of", { n: v.number(t[name]) }) + " · " + v.percent(t[name] ? t[name + "_blind"] / t[name] : null)));
    }
    if (t.households !== undefined) {
      found.push(figure("homes", v.say("figure.homes"), v.percent(t.households ? t.served / t.households : null), v.number(t.served) + " / " + v.number(t.households)));
    }
    document.getElementById("coverage-figures").replaceChildren(...found);
  }

  /* --- begin ------------------------------------------------------------------------------------------------ */

  k.onBegin(async (config) => {
    if (!config.coverage) return;
    v.config = config.coverage;
    v.config.palette = v.config.palettes[c.kept("night") === true ? "night" : "day"];
    v.choice = {};
    for (const name of FIELDS) if (config.coverage.choice[name]) v.choice[name] = config.coverage.choice[name];
    v.body = null;
    showBar();
    v.map.begin();
    await v.lists.begin();
    v.load();
  });
  k.onMe(() => v.config && v.load());
})();
