/* The page /incidents in the browser: it begins the parts, and keeps them up to date. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const same = () => window.dash_clientside.no_update;
  const page = () => document.getElementById("incidents-page");

  /* The mood must be on the root before the map asks for its colours. */
  w.onBegin((config) => {
    if (!config.cases) return;
    const night = c.kept("night") === true;
    config.mood = night ? "night" : "day";
    for (const place of [document.documentElement, document.querySelector(".inc, .wk")]) {
      if (place) place.classList.toggle("mood-day", !night);
    }
    const ground = config.figure && config.figure.layout;
    if (ground) ground.paper_bgcolor = ground.plot_bgcolor = w.colour("land");
  });

  c.begin = function (config) {
    if (!w.begin(config) || !config.cases) return false;
    if (c.key_of_page === config.key) return true;
    c.key_of_page = config.key;
    c.config = { ...config.cases, lang: config.lang, timezone: config.timezone };
    c.listeners = {};
    c.panel.id = c.panel.file = c.panel.form = c.panel.host = null;
    c.report.form = null;
    return true;
  };

  function beginDesk() {
    c.readMe();
    c.table.beginFilters();
    c.map.begin();
    c.on("choice", () => { c.map.load(); c.spots.show(); });
    c.on("hover", c.map.hover);
    c.on("opened", (event) => {
      c.table.makeRoom(true);
      c.table.mark();
      c.map.choose(event.id);
      c.table.writeAddress();
    });
    c.on("file", (file) => {
      if (file.lon !== null && c.flown !== file.id) {
        c.flown = file.id;
        // The map gives way to the case first, so what it shows is known a little later.
        window.setTimeout(() => c.panel.id === file.id && c.map.reach(file.lon, file.lat), 500);
      }
    });
    c.on("closed", (id) => {
      c.table.makeRoom(c.report.isOpen());
      c.table.mark();
      c.map.choose(null);
      c.table.writeAddress();
      const row = id && document.querySelector('#incidents-table .ag-row[row-id="' + CSS.escape(id) + '"] .ag-cell');
      if (row) row.focus();
    });
    c.on("show", (file) => c.map.fly(file.lon, file.lat));
    c.on("moved", fresh);
    c.on("reported", (file) => {
      fresh();
      if (file.lon !== null) c.map.reach(file.lon, file.lat);
    });
    c.on("reporting", (on) => {
      c.table.makeRoom(on || Boolean(c.panel.id));
      if (!on) c.map.spot(null);
      if (!on && w.map) w.map.select(null);
    });
    c.on("placed", c.map.spot);
    c.on("me", () => c.panel.id && c.panel.load(true));
    document.getElementById("incidents-me").addEventListener("click", () => c.chooseMe());
    document.getElementById("incidents-report").addEventListener("click", () => c.report.open(document.getElementById("incidents-case")));
    document.getElementById("incidents-night").addEventListener("click", () => {
      c.keep("night", c.kept("night") === true ? null : true);
      window.location.reload();
    });
    c.table.begin().then(() => {
      c.map.load();
      c.spots.show();
      const id = c.config.choice_case;
      if (id) c.panel.open(id, { from: "address" });
      document.documentElement.dataset.cases = "ready";
    });
  }

  /* What is shown is asked anew: the same rows, the same scroll, and whatever is typed stays. */
  function fresh() {
    c.table.refresh();
    c.table.count();
    c.map.load();
    c.spots.show();
  }
  const soonFresh = () => c.table.later("fresh", 400, fresh);

  /* --- live ------------------------------------------------------------------------------------------- */

  let listening = false;
  function listen() {
    if (listening || !w.live) return;
    listening = true;
    w.live.on("cases", (event) => {
      if (!page()) return;
      soonFresh();
      const ids = [...(event.changed || []).map((one) => one.id), ...(event.gone || [])];
      if (c.panel.id && ids.includes(c.panel.id)) c.table.later("panel", 200, () => c.panel.id && c.panel.load(true));
    });
    w.live.on("version", () => page() && poll());
  }

  /* Without live events the page asks for the number of the newest change. */
  let known = null;
  let asked = 0;
  async function poll() {
    asked = performance.now();
    const answer = await c.get("/cases/pulse");
    if (!answer.ok) return;
    const changed = known !== null && known !== answer.body.version;
    known = answer.body.version;
    if (!changed) return;
    soonFresh();
    if (c.panel.id) c.panel.load(true);
  }
  w.eachSecond(() => {
    if (!page() || !c.config) return;
    listen();
    c.table.tick();
    c.panel.tick();
    const wait = w.live && w.live.state === "live" ? 30 : c.config.refreshS;
    if (performance.now() - asked > wait * 1000) poll();
  });

  /* --- keys -------------------------------------------------------------------------------------------- */

  document.addEventListener("keydown", (event) => {
    if (!page() || event.defaultPrevented) return;
    const typing = event.target.closest("input,textarea,select,dialog,[contenteditable]");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      document.getElementById("incidents-q").focus();
    } else if (event.key === "Escape" && !typing && c.panel.id && !document.querySelector("dialog[open]")) c.panel.close();
    else if (event.key.toLowerCase() === "n" && event.altKey) {
      event.preventDefault();
      c.report.open(document.getElementById("incidents-case"));
    }
  });

  /* --- black spots ----------------------------------------------------------------------------------------- */

  c.spots = {
    async show() {
      const place = document.getElementById("incidents-spots");
      if (!place || c.table.choice.tab !== "spots") return;
      if (!place.childElementCount) place.replaceChildren(h("div", { class: "inc-empty" }, c.say("loading")));
      const query = c.table.query();
      const answer = await c.get("/cases/spots", query);
      if (!answer.ok) return place.replaceChildren(h("div", { class: "inc-empty" }, c.trouble(answer)));
      const open = new Set([...place.querySelectorAll("details[open]")].map((d) => d.dataset.spot));
      const spots = answer.body.spots;
      c.table.say(answer.body.note, false);
      place.replaceChildren(
        ...(spots.length
          ? spots.map((spot, number) =>
              h("details", { class: "inc-spot", "data-spot": spot.id, open: open.has(spot.id) },
                h("summary", {},
                  h("span", { class: "inc-spot-rank" }, String(number + 1)),
                  h("span", { class: "inc-spot-what" }, h("b", {}, spot.what), h("span", { class: "inc-quiet" }, spot.where)),
                  h("span", { class: "inc-spot-count" }, h("b", {}, spot.cases_text), h("span", { class: "inc-quiet" }, spot.returns_text)),
                  h("span", { class: "inc-spot-span inc-quiet" }, spot.span_text),
                  spot.open_text ? c.chip("late", spot.open_text) : c.chip("done", c.say("spot.calm"))),
                h("div", { class: "inc-row" }, h("button", { type: "button", class: "inc-button is-small", onclick: () => c.map.fly(spot.lon, spot.lat) }, c.say("case.show"))),
                h("ol", { class: "inc-similar" }, spot.history.map((one) =>
                  h("li", {}, h("button", { type: "button", class: "inc-link", "data-open": one.id, onclick: () => c.panel.open(one.id, { from: "spots" }) }, one.id),
                    h("span", {}, " " + one.stage_word), h("div", { class: "inc-quiet" }, one.text)))))
            )
          : [h("div", { class: "inc-empty" }, answer.body.note)])
      );
    },
  };

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.incidents = {
    begin(config) {
      if (!config || !config.cases) return same();
      const first = c.key_of_page !== config.key;
      if (!c.begin(config)) return same();
      if (first && config.cases.page === "worker") c.worker.begin();
      else if (first) beginDesk();
      return config.key;
    },
  };
})();
