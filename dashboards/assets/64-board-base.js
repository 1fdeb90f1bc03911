/* The shift board in the browser: what is chosen stands in the address, rows come as JSON, today is
   asked anew while somebody looks. The table is in 64-board-table.js, the evidence of a grid in
   64-board-evidence.js. Words come with the page, none stand here. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const k = w.workers;
  const h = c.h;
  const b = (w.board = { config: null, choice: {}, day: null, month: null, people: null, timer: 0, stopped: false });
  const FIELDS = ["view", "day", "month", "level", "unit", "status", "q", "sort", "grid"];
  const TODAY_MS = 10000;
  const WAIT_MS = 1000;

  b.say = function (key, values) {
    let text = b.config.words[key];
    if (text === undefined) throw new Error("no words for board.js." + key);
    for (const [name, value] of Object.entries(values || {})) text = text.replaceAll("{" + name + "}", value);
    return text;
  };
  b.number = (n) => n.toLocaleString("en-US");
  b.page = () => document.getElementById("board-table");

  /* --- the choice, and the address --------------------------------------------------------------- */

  b.today = () => c.wall(w.now()).day;
  b.dayOf = () => b.choice.day || b.today();
  b.monthOf = () => b.choice.month || b.dayOf().slice(0, 7);
  b.view = () => (["month", "people"].includes(b.choice.view) ? b.choice.view : "day");
  b.level = function () {
    const known = [...b.config.levels, "grid"];
    const usual = b.view() === "month" ? (known.includes("street") ? "street" : known[0]) : "grid";
    return known.includes(b.choice.level) ? b.choice.level : usual;
  };
  b.statuses = () => (b.choice.status || "").split(",").filter((name) => b.config.statuses.includes(name));

  b.writeAddress = function () {
    const query = new URLSearchParams();
    const lang = w.address().get("lang");
    if (lang) query.set("lang", lang);
    for (const name of FIELDS) if (b.choice[name]) query.set(name, b.choice[name]);
    window.history.replaceState(window.history.state, "", w.href(query));
  };

  /* Take another choice. What needs other data asks for it; the rest is done in the table. */
  b.choose = function (change) {
    const before = { view: b.view(), day: b.dayOf(), month: b.monthOf(), level: b.level() };
    b.choice = { ...b.choice, ...change };
    for (const name of FIELDS) if (!b.choice[name]) delete b.choice[name];
    b.writeAddress();
    const now = { view: b.view(), day: b.dayOf(), month: b.monthOf(), level: b.level() };
    const other = Object.keys(now).some((name) => now[name] !== before[name]);
    b.showBar();
    if (other) {
      b.stopped = false;
      if (now.day !== before.day) b.day = null;
      if (now.month !== before.month || now.level !== before.level || now.view !== before.view) b.month = b.people = null;
      b.load();
    } else b.table.filter();
    if (now.day !== before.day || now.view !== before.view || "grid" in change) b.evidence.show();
  };

  /* --- asking the server --------------------------------------------------------------------------- */

  function later(ms) {
    window.clearTimeout(b.timer);
    b.timer = window.setTimeout(() => (document.hidden ? later(2000) : b.load()), ms);
  }

  let turn = 0;
  b.load = async function () {
    if (!b.page() || !b.config) return;
    const mine = ++turn;
    const view = b.view();
    window.clearTimeout(b.timer);
    const query = view === "day" ? { day: b.dayOf() } : { month: b.monthOf(), level: b.level() };
    const answer = await k.get("/board/" + view, query);
    if (mine !== turn || !b.page()) return;
    if (!answer.ok) {
      const final = answer.status === 400 || answer.status === 404;
      b.tell(final || answer.offline === false ? answer.body.error || b.say("failed") : b.say("failed"), true);
      if (final) b.table.clear();
      else later(5000);
      return;
    }
    const body = answer.body;
    if (answer.status === 202) {
      b.tell(b.say("working"), false, body.progress);
      if (!b.day) b.table.clear();
      return later(WAIT_MS);
    }
    if (view === "day") takeDay(body);
    else takeMonth(view, body);
  };

  function takeDay(body) {
    const same = b.day && b.day.mark === body.mark && b.day.day === body.day;
    b.day = body;
    b.tell("", false);
    if (!same || !b.table.columnsOf || !b.table.columnsOf.startsWith("day|" + b.level() + "|")) {
      b.table.showDay();
      if (b.choice.grid) b.evidence.show(true);
    }
    if (body.live) later(TODAY_MS);
  }

  function takeMonth(view, body) {
    const waits = body.progress && body.progress.done < body.progress.total;
    if (view === "month") {
      const same = b.month && b.month.mark === body.mark;
      b.month = body;
      if (!same || !b.table.columnsOf || !b.table.columnsOf.startsWith("month")) b.table.showMonth();
    } else {
      b.people = body;
      b.table.showPeople();
    }
    if (!body.progress.total) b.tell(b.say("month.none"), false);
    else if (waits && !b.stopped) b.tell(b.say("working.month", body.progress), false, body.progress, true);
    else if (waits) b.tell(b.say("stopped"), false, body.progress, true);
    else b.tell(body.progress.trouble || "", Boolean(body.progress.trouble));
    b.showBar();
    if (waits && !b.stopped) later(WAIT_MS * 1.5);
    else if (!waits && body.days && body.days.some((day) => day.live)) later(TODAY_MS * 3);
  }

  b.stop = async function () {
    b.stopped = true;
    window.clearTimeout(b.timer);
    turn++;
    await fetch("/board/stop?month=" + b.monthOf(), { method: "POST" });
    const body = b.month || b.people;
    b.tell(b.say("stopped"), false, body && body.progress, true);
  };

  /* A sentence over the table, with how far the work is and a way to end it. */
  b.tell = function (text, wrong, progress, canStop) {
    const place = document.getElementById("board-progress");
    if (!place) return;
    place.classList.toggle("is-wrong", Boolean(wrong));
    if (!text) return place.replaceChildren();
    const parts = [h("span", {}, text)];
    if (progress && progress.total > 1) parts.push(h("progress", { max: String(progress.total), value: String(progress.done) }));
    if (canStop && progress) {
      parts.push(
        b.stopped
          ? h("button", { type: "button", class: "inc-button is-small", id: "board-resume", onclick: () => { b.stopped = false; b.load(); } }, b.say("resume"))
          : h("button", { type: "button", class: "inc-button is-small", id: "board-stop", onclick: b.stop }, b.say("stop"))
      );
    }
    place.replaceChildren(...parts);
  };

  /* --- the bar: view, day or month, level, unit, search, files -------------------------------------- */

  function shiftDay(day, step) {
    const moved = new Date(day + "T12:00:00Z");
    moved.setUTCDate(moved.getUTCDate() + step);
    return moved.toISOString().slice(0, 10);
  }
  function shiftMonth(month, step) {
    const moved = new Date(month + "-15T12:00:00Z");
    moved.setUTCMonth(moved.getUTCMonth() + step);
    return moved.toISOString().slice(0, 7);
  }
  const button = (label, text, run, more) =>
    h("button", { type: "button", class: "inc-button is-small", "aria-label": label, title: label, onclick: run, ...more }, text);

  function stepper() {
    const day = b.view() === "day";
    const value = day ? b.dayOf() : b.monthOf();
    const most = day ? b.today() : b.today().slice(0, 7);
    const move = (step) => {
      const next = day ? shiftDay(value, step) : shiftMonth(value, step);
      if (next <= most) b.choose(day ? { day: next === most ? "" : next } : { month: next });
    };
    const input = h("input", {
      type: day ? "date" : "month", class: "inc-input", id: "board-when", value, max: most, "aria-label": b.say(day ? "day" : "month"),
      onchange: (event) => event.target.value && event.target.value <= most && b.choose(day ? { day: event.target.value } : { month: event.target.value }),
    });
    return h("div", { class: "board-when" },
      button(b.say(day ? "before" : "month.before"), "‹", () => move(-1), { id: "board-before" }), input,
      button(b.say(day ? "after" : "month.after"), "›", () => move(1), { id: "board-after", disabled: value >= most }),
      day ? button(b.say("today"), b.say("today"), () => b.choose({ day: "" }), { disabled: value === most }) : null);
  }

  function select(id, label, value, options, run) {
    return h("select", { class: "inc-input", id, "aria-label": label, title: label, onchange: (event) => run(event.target.value) },
      options.map(([code, text]) => h("option", { value: code, selected: code === value }, text)));
  }

  /* The unit that is chosen and those above it, by level. */
  b.chain = function () {
    const found = {};
    if (!b.day) return found;
    let code = b.choice.unit;
    while (code) {
      for (const level of b.config.levels) if ((b.day.units[level] || []).some((row) => row[0] === code)) found[level] = code;
      code = b.day.parents[code];
    }
    return found;
  };

  function unitFields() {
    if (b.view() !== "day" || !b.day) return [];
    const chain = b.chain();
    const fields = [];
    let above = null;
    for (const level of b.config.levels) {
      const all = (b.day.units[level] || []).filter((row) => row[0] && (!above || b.day.parents[row[0]] === above));
      if ((b.day.units[level] || []).length < 2) {
        continue;
      }
      const options = [["", b.say("all." + level)], ...all.map((row) => [row[0], row[1]])];
      const up = above;
      fields.push(select("board-unit-" + level, b.say("filter.unit"), chain[level] || "", options, (code) => b.choose({ unit: code || up || "" })));
      above = chain[level];
      if (!above) break;
    }
    return fields;
  }

  b.query = function () {
    const query = { lang: c.config.lang };
    if (b.view() === "day") Object.assign(query, { day: b.dayOf() });
    else Object.assign(query, { month: b.monthOf(), level: b.level() });
    for (const name of ["unit", "status", "q"]) if (b.choice[name]) query[name] = b.choice[name];
    return new URLSearchParams(query).toString();
  };

  b.showBar = function () {
    const place = document.getElementById("board-bar");
    if (!place) return;
    const focus = document.activeElement && place.contains(document.activeElement) ? document.activeElement.id : null;
    const view = b.view();
    const ready = view === "day" ? Boolean(b.day) : Boolean(b.month && b.month.progress.done >= b.month.progress.total);
    const search = place.querySelector("#board-q") || h("input", {
      type: "search", class: "inc-input board-search", id: "board-q", placeholder: b.say("search"), "aria-label": b.say("search"),
      oninput: (event) => {
        window.clearTimeout(b.typing);
        b.typing = window.setTimeout(() => b.choose({ q: event.target.value.trim() }), 180);
      },
    });
    if (document.activeElement !== search) search.value = b.choice.q || "";
    const views = h("div", { class: "board-views", role: "group" }, ["day", "month", "people"].map((name) =>
      h("button", { type: "button", id: "board-view-" + name, "aria-pressed": String(view === name), onclick: () => b.choose({ view: name === "day" ? "" : name, level: "", sort: "" }) }, b.say("view." + name))));
    const levels = [...b.config.levels, "grid"].map((level) => [level, b.say("level." + level)]);
    const level = view === "people" ? null
      : h("label", { class: "board-level" }, b.say("level"), select("board-level", b.say("level"), b.level(), levels, (value) => b.choose({ level: value, sort: "" })));
    const files = view === "people" ? null : h("div", { class: "board-files" }, h("span", { class: "inc-quiet" }, b.say("export")),
      ["xlsx", "csv"].map((kind) => h("a", {
        class: "inc-button is-small", id: "board-" + kind, download: "", "aria-disabled": ready ? null : "true",
        href: ready ? "/board/" + view + "." + kind + "?" + b.query() : null,
      }, kind === "xlsx" ? "Excel" : "CSV")));
    const filtered = b.choice.unit || b.choice.status || b.choice.q;
    const clear = h("button", { type: "button", class: "inc-link", hidden: !filtered, onclick: () => b.choose({ unit: "", status: "", q: "" }) }, b.say("clear"));
    place.replaceChildren(...[views, stepper(), level, ...unitFields(), search, clear, files].filter(Boolean));
    if (focus) {
      const again = document.getElementById(focus);
      if (again && again !== document.activeElement) again.focus();
    }
  };

  /* --- states ------------------------------------------------------------------------------------------ */

  /* A state is a shape, a colour and a word. */
  b.mark = (status) => h("i", { class: "board-mark is-" + status, "aria-hidden": "true" });

  b.showChips = function (counts) {
    const place = document.getElementById("board-chips");
    if (!place) return;
    if (b.view() !== "day" || !b.day) return place.replaceChildren();
    const chosen = b.statuses();
    const focus = place.contains(document.activeElement) ? document.activeElement.id : null;
    const chips = b.config.statuses
      .filter((name) => counts[b.config.counts.indexOf(name)] || chosen.includes(name) || !["running", "ahead"].includes(name))
      .map((name) => {
        const n = counts[b.config.counts.indexOf(name)];
        const next = chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name];
        return h("button", {
          type: "button", class: "board-chip is-" + name, id: "board-chip-" + name, "aria-pressed": String(chosen.includes(name)),
          title: b.say("legend." + name), onclick: () => b.choose({ status: next.join(",") }),
        }, b.mark(name), h("span", {}, b.say("status." + name)), h("b", {}, b.number(n)));
      });
    const required = h("div", { class: "board-required", title: b.say("legend.sum") },
      h("span", {}, b.say("count.required")), h("b", { id: "board-required" }, b.number(counts[0])), h("span", { class: "inc-quiet" }, b.say("unit.rounds")));
    const as = h("span", { class: "board-asof inc-quiet" }, b.day.live ? b.say("live") + " · " + b.say("asof", { at: b.day.at }) : b.say("over"));
    place.replaceChildren(required, h("span", { class: "board-equals", "aria-hidden": "true" }, "="), ...chips, as);
    if (focus && document.getElementById(focus)) document.getElementById(focus).focus();
  };

  b.showFoot = function (shown, notes) {
    const place = document.getElementById("board-foot");
    if (place) place.replaceChildren(...[shown, ...(notes || [])].filter(Boolean).map((text) => h("span", {}, text)));
  };

  /* --- begin ---------------------------------------------------------------------------------------------- */

  k.onBegin(async (config) => {
    if (!config.board) return;
    b.config = config.board;
    b.choice = {};
    for (const name of FIELDS) if (config.board.choice[name]) b.choice[name] = config.board.choice[name];
    b.day = b.month = b.people = null;
    b.showBar();
    await b.table.begin();
    b.load();
    b.evidence.show();
    document.documentElement.dataset.board = "ready";
  });
  k.onMe(() => {
    if (b.config && b.page()) b.evidence.show(true);
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && b.config && b.page() && !b.stopped) b.load();
  });
  document.addEventListener("keydown", (event) => {
    if (!b.config || !b.page() || event.defaultPrevented) return;
    const typing = event.target.closest("input,textarea,select,dialog");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      document.getElementById("board-q").focus();
    } else if (event.key === "Escape" && !typing && b.choice.grid && !document.querySelector("dialog[open]")) b.choose({ grid: "" });
  });
})();
