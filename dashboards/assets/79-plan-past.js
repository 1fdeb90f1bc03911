/* The grids of any day over the map: dashed borders, and names and households as they were (or will be) on it.
   The plan's own names make way meanwhile, so nobody reads a figure of today for one of that day. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const c = w.cases;
  const h = c.h;
  const plan = w.plan;
  const word = (key, values) => plan.words("versions." + key, values);
  const at = (id) => document.getElementById(id);
  const MOST_NAMES = 260;
  const MOST_ROWS = 300;
  const t = { day: "", said: "", grids: [], band: null };
  const past = (plan.past = { now: () => t });

  /* --- the form -------------------------------------------------------------------------------------------- */

  past.form = function () {
    const moves = plan.versions.moves;
    return h("form", { class: "pv-past", onsubmit: (event) => { event.preventDefault(); past.show(); } },
      h("label", { for: "pv-past-day" }, word("past")),
      h("div", { class: "pv-row" },
        h("input", { type: "date", id: "pv-past-day", class: "inc-input", "aria-label": word("past.day"), value: t.day || (moves && moves.today) || "", onchange: (event) => { t.day = event.target.value; } }),
        h("button", { type: "submit", class: "inc-button is-small", id: "pv-past-show" }, word("past.show")),
        t.grids.length ? h("button", { type: "button", class: "inc-button is-small", id: "pv-past-clear", onclick: past.clear }, word("past.clear")) : null),
      h("p", { class: "pv-help", role: "status", id: "pv-past-said" }, t.said),
      t.grids.length ? table() : null);
  };
  /* The same as the map, for those who read and do not look. */
  function table() {
    const rows = t.grids.slice(0, MOST_ROWS);
    const cell = (value) => h("td", {}, value === null ? plan.words("none") : plan.text(value));
    return h("details", { class: "pv-past-grids", open: t.open ? "" : null, ontoggle: (event) => { t.open = event.target.open; } },
      h("summary", {}, word("past.table")),
      h("div", { class: "pv-past-table", tabindex: "0", role: "region", "aria-label": word("past.table") },
        h("table", {},
          h("thead", {}, h("tr", {}, ["name", "households", "people"].map((key) => h("th", { scope: "col" }, word("past." + key))))),
          h("tbody", {}, rows.map((one) => h("tr", {}, h("th", { scope: "row" }, h("button", { type: "button", onclick: () => goTo(one) }, one.name)), cell(one.households), cell(one.people)))))),
      rows.length < t.grids.length ? h("p", { class: "pv-help" }, word("past.more", { n: plan.text(t.grids.length - rows.length) })) : null);
  }
  function goTo(one) {
    const half = Math.sqrt(one.area) / 2 / plan.g.ky;
    plan.goTo([one.lon - half, one.lat - half, one.lon + half, one.lat + half]);
  }

  /* --- showing ------------------------------------------------------------------------------------------------ */

  past.show = async function (day) {
    t.day = day || t.day || (at("pv-past-day") && at("pv-past-day").value) || "";
    if (!t.day) return;
    const asked = t.day;
    const answer = await c.get("/plan/shown", { at: asked });
    if (asked !== t.day) return;
    if (!answer.ok) {
      drop();
      t.said = c.trouble(answer);
    } else {
      const told = answer.body;
      plan.overlay("past", told, { line: "accent", width: 2.5, dash: [2.5, 1.75] });
      t.grids = told.features.map((one) => one.properties).sort((a, b) => (b.households || 0) - (a.households || 0));
      t.band = told.band;
      t.said = word("past.shown", { day: asked, n: plan.text(told.n), version: told.version, households: plan.text(told.households), people: plan.text(told.people) });
      follow();
    }
    dress();
    plan.versions.show();
  };
  past.clear = function () {
    drop();
    t.said = "";
    dress();
    plan.versions.show();
  };
  function drop() {
    plan.overlay("past", null);
    t.grids = [];
  }
  function dress() {
    const page = plan.page();
    if (page) page.classList.toggle("is-past", t.grids.length > 0);
    draw();
  }

  /* --- names on a canvas of their own ---------------------------------------------------------------------------- */

  let followed = null;
  function follow() {
    if (followed === s.map || !s.map) return;
    followed = s.map;
    s.map.on("render", draw);
  }
  function canvas() {
    const own = at("pv-names");
    const beside = at("plan-names");
    if (own || !beside || !t.grids.length) return own;
    const made = h("canvas", { id: "pv-names", class: "pv-names", "aria-hidden": "true" });
    beside.after(made);
    return made;
  }
  /* Households against the band of that page, with the sign that the plan's own names carry. */
  const sign = ({ kind, households: n }) => (kind !== "base" || n === null ? "" : n < t.band[0] ? "▼ " : n > t.band[1] ? "▲ " : "");
  function draw() {
    const place = canvas();
    if (!place || !s.map || !plan.g) return;
    const p = plan.projection();
    const ratio = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(p.wide * ratio), Math.round(p.high * ratio)];
    if (place.width !== wide || place.height !== high) [place.width, place.height] = [wide, high];
    const g = place.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, p.wide, p.high);
    if (!t.grids.length) return;
    const k = w.scale();
    const perMetre = p.size / (40075016.7 * Math.cos((p.lat * Math.PI) / 180));
    const shown = [];
    for (const one of t.grids) {
      const across = Math.sqrt(one.area) * perMetre;
      if (across < 46 * k) continue;
      const spot = plan.project(one.lon, one.lat);
      if (spot.x > -40 && spot.y > -20 && spot.x < p.wide + 40 && spot.y < p.high + 20) shown.push([across, one, spot]);
    }
    shown.sort((a, b) => b[0] - a[0]);
    const font = w.colour("font");
    const [ink, accent, halo] = ["text", "accent", "panel"].map((name) => w.colour(name));
    g.textAlign = "center";
    g.lineJoin = "round";
    g.strokeStyle = halo;
    for (const [across, one, spot] of shown.slice(0, MOST_NAMES)) {
      const full = across > 84 * k;
      const count = one.households === null ? plan.words("none") : plan.text(one.households);
      const lines = [[sign(one) + count, (full ? 15 : 13) * k, "600", ink]];
      if (full) lines.unshift([short(one.name, across, k), 11.5 * k, "600", accent]);
      let y = spot.y - (full ? 4 * k : -4 * k);
      for (const [text, size, weight, fill] of lines) {
        g.font = weight + " " + size + "px " + font;
        g.lineWidth = 3.5 * k;
        g.strokeText(text, spot.x, y);
        g.fillStyle = fill;
        g.fillText(text, spot.x, y);
        y += size * 1.2 + 2 * k;
      }
    }
  }
  /* Without the name of its community, which all its neighbours have too; of what is too long the end. */
  function short(whole, across, k) {
    const community = plan.s ? plan.s.communities.find((one) => whole.startsWith(one.name) && whole !== one.name) : null;
    const name = community ? whole.slice(community.name.length).trim() : whole;
    const room = Math.max(4, Math.floor(across / (11.5 * k)));
    return name.length > room ? "…" + name.slice(-(room - 1)) : name;
  }
  plan.on("load", () => t.grids.length && draw());
})();
