/* Who is there: the list with search, the one who is followed, and how many a grid has for those who may
   not see tracks. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const c = w.cases;
  const h = c.h;
  const k = w.workers;
  const r = k.replay;
  const d = r.draw;
  const id = (name) => document.getElementById("replay-" + name);
  const say = k.say;

  const LIST_PX = 3.25; // rem of a line of the list
  /* --- people -------------------------------------------------------------------------------------------------------- */

  let shown = [];
  let now = new Map(); // row -> [state, grid] at the time of the last look
  r.list = function (anew) {
    if (!id("search")) {
      id("search-place").replaceChildren(h("input", { type: "search", id: "replay-search", class: "inc-input", placeholder: say("search"), "aria-label": say("search"), oninput: () => r.list(true) }));
    }
    const parts = id("search").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    if (anew) {
      shown = r.day.people.filter((p) => parts.every((part) => (p[1] + " " + p[2] + " " + p[3]).toLowerCase().includes(part)));
      shown.sort((a, b) => a[2].localeCompare(b[2], "zh-CN") || (a[1] < b[1] ? -1 : 1));
      id("list").scrollTop = 0;
    }
    const place = id("list");
    if (!r.day.may && !r.day.own) return r.shareList();
    id("count").textContent = shown.length === r.day.people.length ? say("people.count", { n: shown.length.toLocaleString("en-US") }) : say("people.found", { n: shown.length, all: r.day.people.length });
    document.querySelector('#replay-tab-people .inc-count').textContent = r.day.people.length.toLocaleString("en-US");
    if (!shown.length) return place.replaceChildren(h("p", { class: "inc-empty" }, say(r.day.people.length ? "people.none" : "people.empty")));
    lines();
  };
  /* Only the lines in view are in the document, whatever the number of people. */
  function lines() {
    const place = id("list");
    if (!shown.length || (!r.day.may && !r.day.own)) return;
    const u = LIST_PX * 16 * w.scale();
    const begin = Math.max(0, Math.floor(place.scrollTop / u) - 6);
    const stop = Math.min(shown.length, begin + Math.ceil(place.clientHeight / u) + 12);
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.row : undefined;
    place.replaceChildren(h("div", { class: "rp-lines", style: "height:" + shown.length * u + "px", role: "list" },
      shown.slice(begin, stop).map((p, i) => {
        const is = now.get(p[0]);
        const chosen = r.followed && r.followed.row === p[0];
        return h("div", { class: "rp-line" + (chosen ? " is-chosen" : ""), role: "listitem", style: "top:" + (begin + i) * u + "px" },
          h("button", { type: "button", class: "rp-person", "data-row": p[0], "data-worker": p[1], "aria-pressed": String(Boolean(chosen)), onclick: () => (chosen ? r.unfollow() : r.follow(p[1])) },
            h("i", { class: "mark " + (is && is[0] === 1 ? "rp-mark-seen" : is ? "mark-diamond state-unknown" : "rp-mark-away"), "aria-hidden": "true" }),
            h("b", {}, p[2]), h("span", { class: "inc-quiet" }, p[3] || p[1]),
            h("span", { class: "rp-person-now inc-quiet" }, is ? (is[0] === 1 ? is[1] || say("outside") : say("silent")) : say("away"))));
      })));
    if (focused !== undefined) {
      const again = place.querySelector('[data-row="' + focused + '"]');
      if (again) again.focus({ preventScroll: true });
    }
  }
  r.lines = lines;

  /* The table twin: state and grid of everybody at this time, asked where time stands still. */
  r.table = async function () {
    const [turn, t] = [r.turn, r.t];
    const answer = await k.get("/replay/at", { day: r.date, at: Math.floor(t) });
    if (turn !== r.turn || !answer.ok || answer.status === 202 || Math.abs(t - r.t) > 90) return;
    now = new Map(answer.body.rows.map((one) => [one[0], [one[1], one[2]]]));
    lines();
  };
  /* While time runs the list says who has signal, as far as the slices know. */
  let looked = 0;
  r.states = function () {
    if (!r.playing || !r.day.may) return;
    if (performance.now() - looked > 5000) {
      looked = performance.now();
      r.table();
    }
  };

  /* --- one who is followed --------------------------------------------------------------------------------------------- */

  r.follow = async function (worker) {
    r.wanted = worker;
    const person = r.byId.get(worker);
    if (!person) {
      r.followed = null;
      if (r.day.may || r.day.own) {
        id("picked").hidden = false;
        id("picked").replaceChildren(h("p", { class: "rp-why" }, say("nofixes", { worker })));
      }
      return r.writeAddress();
    }
    r.followed = { row: person[0], id: person[1], name: person[2], unit: person[3] };
    r.track = null;
    r.held = true;
    r.writeAddress();
    lines();
    card();
    const mine = r.turn;
    const answer = await k.get("/replay/track", { day: r.date, worker });
    if (mine !== r.turn || !r.followed || r.followed.id !== worker) return;
    if (!answer.ok || answer.status === 202) return c.notice(c.trouble(answer));
    const way = answer.body;
    r.track = { ...way, x: way.lon.map((lon) => (lon + 180) / 360), y: way.lat.map(w.mercatorY) };
    d.showTracks(pieces(way, "day"));
    const here = d.placeOf(r.followed.row);
    // Where the clock stands before or behind the worker's day, the first place is shown.
    if (!here && way.lon.length) fly(way.lon[0], way.lat[0]);
    r.tick();
    card();
  };
  function pieces(way, kind) {
    const lines = new Map();
    way.lon.forEach((lon, i) => {
      if (!lines.has(way.piece[i])) lines.set(way.piece[i], []);
      lines.get(way.piece[i]).push([lon, way.lat[i]]);
    });
    return [...lines.values()].filter((line) => line.length > 1).map((coordinates) => ({ type: "Feature", properties: { kind }, geometry: { type: "LineString", coordinates } }));
  }
  r.pieces = pieces;
  r.unfollow = function () {
    r.followed = r.wanted = r.track = null;
    id("picked").hidden = true;
    d.showTracks([]);
    r.writeAddress();
    lines();
    r.tick();
  };
  function fly(lon, lat) {
    w.map.fly({ center: { lon, lat }, zoom: Math.max(s.map.getZoom(), 14.5 + w.shift()) });
  }
  const lonOf = (x) => x * 360 - 180;
  const latOf = (y) => (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;

  /* The map stays with who is followed: moved only when he nears the edge, so that it mostly rests. */
  let flown = 0;
  let told = 0;
  r.keepInView = function () {
    if (!r.followed || !s.map || !r.held) return;
    const here = d.placeOf(r.followed.row);
    if (!here) return;
    const at = performance.now();
    if (!r.playing || at - told > 500) {
      told = at;
      card(true);
    }
    const box = s.map.getContainer();
    const point = s.map.project([lonOf(here.x), latOf(here.y)]);
    const zoom = s.map.getZoom();
    const near = zoom < 13.5 + w.shift();
    const inside = point.x > box.clientWidth * 0.25 && point.x < box.clientWidth * 0.75 && point.y > box.clientHeight * 0.25 && point.y < box.clientHeight * 0.75;
    if ((inside && !near) || at - flown < 900) return;
    flown = at;
    fly(lonOf(here.x), latOf(here.y));
  };
  function nowOf(way) {
    let found = -1;
    for (let i = 0; i < way.t.length && way.t[i] <= r.t; i++) found = i;
    return found;
  }
  function card(light) {
    const place = id("picked");
    const one = r.followed;
    if (!one) return;
    const way = r.track;
    const i = way ? nowOf(way) : -1;
    const here = d.placeOf(one.row);
    const state = !here ? "away" : here.silent ? "silent" : "seen";
    const where = i >= 0 && way.grid[i] >= 0 ? way.grids[way.grid[i]] : say("outside");
    const text = state === "away" ? say("away") : state === "silent" ? say("silent.for", { span: c.span(r.t - way_t(way, i)) }) : say("seen");
    if (light && place.firstChild && place.dataset.worker === one.id) {
      const told = place.querySelector(".rp-now");
      if (told) {
        told.replaceChildren(stateChip(state, text));
        place.querySelector(".rp-where").textContent = state === "away" ? "–" : where;
      }
      return;
    }
    place.hidden = false;
    place.dataset.worker = one.id;
    const sheet = new URLSearchParams({ worker: one.id, day: r.date, lang: s.config.lang });
    place.replaceChildren(
      h("div", { class: "rp-picked-head" }, h("b", {}, one.name), h("span", { class: "inc-quiet" }, one.id),
        h("button", { type: "button", class: "inc-close", "aria-label": say("unfollow"), title: say("unfollow"), onclick: r.unfollow }, "×")),
      h("dl", { class: "rp-picked-facts" },
        h("div", {}, h("dt", {}, say("picked.post")), h("dd", {}, one.unit || "–")),
        h("div", {}, h("dt", {}, say("picked.now")), h("dd", { class: "rp-where" }, state === "away" ? "–" : where)),
        h("div", {}, h("dt", {}, say("picked.state")), h("dd", { class: "rp-now" }, stateChip(state, text)))),
      h("div", { class: "inc-row rp-row" },
        h("button", { type: "button", class: "inc-button is-small", "aria-pressed": String(Boolean(r.held)), id: "replay-hold", onclick: (event) => {
          r.held = !r.held;
          event.currentTarget.setAttribute("aria-pressed", String(r.held));
        } }, say("hold")),
        h("a", { class: "inc-button is-small", href: "/workers/sheet?" + sheet }, say("sheet"))));
  }
  const way_t = (way, i) => (way && i >= 0 ? way.t[i] : r.t);
  function stateChip(state, text) {
    const shape = { seen: "rp-mark-seen", silent: "mark-diamond state-unknown", away: "rp-mark-away" }[state];
    return h("span", { class: "chip" }, h("i", { class: "mark " + shape, "aria-hidden": "true" }), text);
  }

  /* --- shares, for those who may not see tracks ------------------------------------------------------------------------- */

  let sharesOf = null;
  r.shares = async function (anew) {
    const bin = Math.floor(r.t / 1800);
    if (!anew && sharesOf === r.turn + ":" + bin) return;
    sharesOf = r.turn + ":" + bin;
    const answer = await k.get("/replay/shares", { day: r.date, at: Math.floor(r.t) });
    if (!answer.ok || answer.status === 202 || sharesOf !== r.turn + ":" + bin) return;
    r.share = answer.body;
    d.showShares(answer.body.grids);
    const steps = [[1, "1"], [2, "2"], [4, "3–4"], [8, "5–8"], [9, "≥ 9"]];
    id("share-legend").hidden = false;
    id("share-legend").replaceChildren(h("li", { class: "legend-title" }, say("share.legend")),
      ...steps.map(([n, text]) => h("li", {}, h("i", { class: "rp-mark-share", style: "opacity:" + d.strength(n) }), text)));
    r.shareList();
    r.figures();
  };
  r.shareList = function () {
    if (!r.share || r.day.own) return;
    const { grids, empty } = r.share;
    const span = r.clock(r.share.from, true) + "–" + r.clock(r.share.to, true);
    id("count").textContent = say("share.count", { span, grids: grids.length, empty });
    document.querySelector("#replay-tab-people .inc-count").textContent = "";
    id("list").replaceChildren(h("table", { class: "rp-table" },
      h("thead", {}, h("tr", {}, h("th", {}, say("share.grid")), h("th", { class: "is-number" }, say("share.workers")))),
      h("tbody", {}, grids.slice(0, 300).map((one) => h("tr", {}, h("td", {}, h("button", { type: "button", class: "inc-link", onclick: () => w.map.flyToUnit("grid", one[0]) }, one[1])), h("td", { class: "is-number" }, one[2]))))));
  };
})();
