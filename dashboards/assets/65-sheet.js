/* A worker's day on paper: the server makes the sheet, this asks for it as who looks, and prints. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const k = w.workers;
  const h = c.h;
  const s = (w.sheet = { config: null });
  const place = () => document.getElementById("sheet-place");

  s.say = function (key, values) {
    let text = s.config.words[key];
    if (text === undefined) throw new Error("no words for sheet.js." + key);
    for (const [name, value] of Object.entries(values || {})) text = text.replaceAll("{" + name + "}", value);
    return text;
  };

  function writeAddress() {
    const query = new URLSearchParams();
    const lang = w.address().get("lang");
    if (lang) query.set("lang", lang);
    query.set("worker", s.config.worker);
    query.set("day", s.config.day);
    window.history.replaceState(window.history.state, "", w.href(query));
  }

  function go(day) {
    if (!day || day > s.config.today) return;
    s.config.day = day;
    writeAddress();
    bar();
    s.load();
  }
  function step(days) {
    const moved = new Date(s.config.day + "T12:00:00Z");
    moved.setUTCDate(moved.getUTCDate() + days);
    go(moved.toISOString().slice(0, 10));
  }

  function bar() {
    const button = (label, text, run, more) => h("button", { type: "button", class: "inc-button", "aria-label": label, title: label, onclick: run, ...more }, text);
    const lang = w.address().get("lang");
    const back = new URLSearchParams({ ...(lang ? { lang } : {}), day: s.config.day });
    document.getElementById("sheet-bar").replaceChildren(
      h("a", { class: "inc-button", href: "/workers/board?" + back }, "‹ " + s.say("back")),
      button(s.say("before"), "‹", () => step(-1), { id: "sheet-before" }),
      h("input", { type: "date", class: "inc-input", id: "sheet-day", value: s.config.day, max: s.config.today, "aria-label": s.say("day"), onchange: (event) => go(event.target.value) }),
      button(s.say("after"), "›", () => step(1), { id: "sheet-after", disabled: s.config.day >= s.config.today }),
      button(s.say("print"), s.say("print"), () => window.print(), { id: "sheet-print", class: "inc-button is-main", disabled: !s.ready }));
  }

  const state = (text, ...more) => place().replaceChildren(h("div", { class: "ws-state" }, h("b", {}, text), ...more));

  let turn = 0;
  s.load = async function () {
    if (!place()) return;
    const mine = ++turn;
    s.ready = false;
    bar();
    if (!s.config.worker) return state(s.say("choose"));
    if (!place().firstElementChild) state(s.say("loading"));
    const answer = await k.get("/board/sheet", { worker: s.config.worker, day: s.config.day });
    if (mine !== turn || !place()) return;
    if (answer.status === 202) {
      state(s.say("loading"));
      return window.setTimeout(() => mine === turn && s.load(), 1000);
    }
    if (!answer.ok) return state(answer.body.error || s.say("failed"));
    if (answer.body.state === "shares") return shares(answer.body);
    // The text comes from our own server, which escapes whatever a person wrote.
    place().innerHTML = answer.body.html;
    document.title = answer.body.title;
    s.ready = true;
    bar();
    document.documentElement.dataset.sheet = "ready";
  };

  function shares(body) {
    const percent = (value) => Math.round(value * 100);
    const lines = body.people.map((one) =>
      h("p", {}, one.name + " · " + one.grid + " · " +
        [one.few ? s.say("few") : s.say("done", { n: percent(one.done) }), one.unknown === null ? "" : s.say("unknown", { n: percent(one.unknown) })].filter(Boolean).join(" · ")));
    state(body.hidden,
      h("p", {}, s.say("shares", { month: body.month })),
      ...(lines.length ? lines : [h("p", {}, s.say("none"))]),
      c.me ? null : h("button", { type: "button", class: "inc-button is-main", onclick: () => c.chooseMe() }, s.say("who")));
    document.documentElement.dataset.sheet = "shares";
  }

  k.onBegin((config) => {
    if (!config.sheet) return;
    s.config = config.sheet;
    s.load();
  });
  k.onMe(() => {
    if (s.config && place()) s.load();
  });
})();
