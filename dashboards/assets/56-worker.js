/* The grid worker's page on a phone: my grid's open cases, a report from where I stand, and what
   could not be sent yet. Nothing is sent again by itself: what waits is shown, and a touch sends it. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const k = (c.worker = { rows: [], turn: 0 });
  const page = () => document.getElementById("worker-page");
  const host = () => document.getElementById("incidents-case");
  const status = (text) => (document.getElementById("worker-status").textContent = text || "");

  /* --- my cases ------------------------------------------------------------------------------------------ */

  k.load = async function () {
    const list = document.getElementById("worker-list");
    if (!c.me) {
      list.replaceChildren(h("button", { type: "button", class: "inc-button is-main", onclick: () => c.chooseMe() }, c.say("me.choose")));
      return;
    }
    if (!c.me.unit) return list.replaceChildren(h("p", { class: "inc-empty" }, c.say("worker.nounit")));
    const mine = ++k.turn;
    const answer = await c.get("/cases/page", { tab: "all", clock: "open", unit: c.me.unit, sort: "clock.asc", offset: 0, limit: 200 });
    if (mine !== k.turn || !page()) return;
    if (!answer.ok) {
      status(c.trouble(answer));
      if (!k.rows.length) list.replaceChildren(h("p", { class: "inc-empty" }, c.trouble(answer)));
      return;
    }
    document.getElementById("worker-count").textContent = c.say("worker.count", { n: answer.body.total });
    k.rows = answer.body.rows;
    list.replaceChildren(
      ...(k.rows.length
        ? [h("ul", { class: "wk-cases" }, k.rows.map(card))]
        : [h("p", { class: "inc-empty" }, c.say("worker.none"))])
    );
  };

  function card(row) {
    const clock = c.clock(row);
    return h("li", {}, h("button", { type: "button", class: "wk-case", "data-open": row.id, onclick: () => c.panel.open(row.id, { from: "worker", focus: true }) },
      h("span", { class: "wk-case-what" }, row.what), c.chip(clock.state, clock.text),
      h("span", { class: "wk-case-said inc-quiet" }, [row.description, row.address].filter(Boolean).join(" · ") || row.id),
      c.chip(row.stage, row.stage_word)));
  }

  /* --- reporting --------------------------------------------------------------------------------------------- */

  function here(button) {
    if (!navigator.geolocation) return status(c.say("worker.nogps"));
    button.disabled = true;
    navigator.geolocation.getCurrentPosition(
      (found) => {
        button.disabled = false;
        const { longitude, latitude, accuracy } = found.coords;
        if (c.report.form) c.report.form.place(longitude, latitude, accuracy);
        if (w.s.map) w.map.fly({ center: { lon: longitude, lat: latitude }, zoom: 16.5 + w.shift() });
      },
      () => {
        button.disabled = false;
        status(c.say("worker.nogps"));
      },
      { enableHighAccuracy: true, timeout: 15000, maximumAge: 10000 }
    );
  }
  function middle() {
    const view = w.map.view();
    if (c.report.form) c.report.form.place(view.center.lon, view.center.lat);
  }

  k.report = function (values) {
    const mapPlace = document.getElementById("worker-map");
    const tools = h("div", { class: "inc-row" },
      h("button", { type: "button", class: "inc-button", id: "worker-here", onclick: (event) => here(event.currentTarget) }, c.say("worker.here")),
      h("button", { type: "button", class: "inc-button", id: "worker-middle", onclick: middle }, c.say("worker.middle")));
    c.report.open(host(), {
      phone: true, tools, values, source: "phone",
      done: (file) => {
        status(c.say("worker.sent", { id: file.id }));
        c.panel.open(file.id, { from: "worker", focus: true });
        k.load();
      },
      offline: (body) => {
        const kept = keepUnsent(body);
        status(c.say(kept ? "worker.saved" : "me.forgotten"));
        showUnsent();
      },
    });
    if (!c.report.form) return;
    mapPlace.scrollIntoView({ block: "nearest" });
    // Where one works is where one reports; nothing happens if the unit is no grid.
    if (!c.report.form.spot && c.me.unit && w.map) w.map.flyToUnit("grid", c.me.unit);
  };

  /* --- what waits ------------------------------------------------------------------------------------------------ */

  const unsent = () => c.kept("unsent") || [];
  function keepUnsent(body) {
    return c.keep("unsent", [...unsent().filter((one) => one.key !== body.key), { ...body, kept: c.now() }]);
  }
  function drop(key) {
    c.keep("unsent", unsent().filter((one) => one.key !== key));
    showUnsent();
  }
  function showUnsent() {
    const place = document.getElementById("worker-outbox");
    const all = unsent();
    place.hidden = !all.length;
    place.replaceChildren(
      h("h2", {}, c.say("worker.unsent", { n: all.length })),
      h("ul", { class: "wk-unsent" }, all.map((body) =>
        h("li", {},
          h("div", {}, h("b", {}, (c.config.classes.find((o) => o.value === body.class_code) || { label: body.class_code }).label),
            h("span", { class: "inc-quiet" }, " " + c.wall(body.kept).day + " " + c.wall(body.kept).time)),
          body.description ? h("p", {}, body.description) : null,
          h("div", { class: "inc-row" },
            h("button", { type: "button", class: "inc-button is-main", "data-resend": body.key, onclick: (event) => resend(body, event.currentTarget) }, c.say("worker.resend")),
            h("button", { type: "button", class: "inc-button is-hard", onclick: () => window.confirm(c.say("worker.drop.sure")) && drop(body.key) }, c.say("worker.drop"))))))
    );
  }
  async function resend(body, button) {
    button.disabled = true;
    const { kept, ...rest } = body;
    const answer = await c.post("/cases/report", rest);
    button.disabled = false;
    if (!answer.ok) return status(c.trouble(answer));
    drop(body.key);
    status(c.say("worker.sent", { id: answer.body.file.id }));
    k.load();
  }

  /* --- life ---------------------------------------------------------------------------------------------------------- */

  k.begin = function () {
    c.readMe();
    document.getElementById("incidents-me").addEventListener("click", () => c.chooseMe());
    document.getElementById("incidents-report").addEventListener("click", () => k.report());
    document.getElementById("worker-refresh").addEventListener("click", k.load);
    c.on("me", () => {
      k.rows = [];
      k.load();
      if (c.panel.id) c.panel.load(true);
    });
    c.on("moved", k.load);
    c.on("opened", () => host().scrollIntoView({ block: "start" }));
    c.on("closed", (id) => {
      const back = document.querySelector('.wk-case[data-open="' + CSS.escape(id || "") + '"]');
      if (back) back.focus();
    });
    showUnsent();
    k.load();
    const id = c.config.choice_case;
    if (id) c.panel.open(id, { from: "address" });
    if (!c.me) c.chooseMe();
    document.documentElement.dataset.cases = "ready";
  };

  let asked = 0;
  w.eachSecond(() => {
    if (!page() || !c.config || !c.me) return;
    c.panel.tick();
    if (performance.now() - asked < 30000) return;
    if (asked && !document.hidden) k.load();
    asked = performance.now();
  });
})();
