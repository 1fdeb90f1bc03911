/* The consequences panel of /planner: what the plan changes against the present, for which grid and for whom.
   Each confirmed edit is followed by one question to the server; what differs in the answer is changed in place
   (11-morph.js), so nothing flickers and an open list stays open. The chart follows the hand at once, from the
   plan in the browser (78-plan-impact-chart.js); the second map is 78-plan-impact-pane.js. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const plan = w.plan;
  const at = (id) => document.getElementById(id);
  const impact = (plan.impact = { answer: null, figure: "households", state: "idle" });
  const FIGURES = ["households", "population", "incidents", "assets", "street_m", "patrol_m", "area_m2", "workload", "compactness", "seen_share", "off_band"];
  const ADDS = new Set(["households", "population", "incidents", "assets", "street_m", "patrol_m", "area_m2", "workload"]);
  const SHOWN = 60;
  const WAIT_MS = 120;
  const AGAIN_MS = 1500;
  let turn = 0;
  let timer = 0;
  let isOld = true;
  let mode = "plan";

  const shown = () => plan.tab === "impact";
  const say = (key, values) => plan.words("impact." + key, values);
  /* An element as dash would send it, for 11-morph.js. */
  const t = (type, props, ...children) => ({ type, props: { ...props, children: children.flat(4).filter((one) => one !== null && one !== undefined && one !== false) } });

  /* --- figures as text --------------------------------------------------------------------------------- */

  function text(name, value) {
    if (value === null || value === undefined) return plan.words("none");
    if (name === "compactness") return value.toFixed(2);
    if (name === "seen_share") return (100 * value).toFixed(1) + "%";
    if (name === "off_band" && value) return (value > 0 ? "+" : "−") + plan.text(Math.abs(value));
    return plan.text(value);
  }
  function change(name, value) {
    if (value === null || value === undefined) return plan.words("none");
    const size = Math.abs(value);
    const body = name === "compactness" ? size.toFixed(2) : name === "seen_share" ? (100 * size).toFixed(1) + "%" : plan.text(size);
    const isZero = !/[1-9]/.test(body);
    return isZero ? (name === "compactness" || name === "seen_share" ? "±0" : "0") : (value > 0 ? "+" : "−") + body;
  }
  const way = (value) => (value > 0 ? " is-more" : value < 0 ? " is-less" : "");

  /* --- asking ----------------------------------------------------------------------------------------------- */

  function ask(wait) {
    isOld = true;
    if (!shown() && mode === "plan") return;
    window.clearTimeout(timer);
    timer = window.setTimeout(load, wait === undefined ? WAIT_MS : wait);
  }
  async function load() {
    if (!plan.s) return;
    const mine = ++turn;
    const id = plan.s.id;
    const [low, high] = plan.s.band;
    if (impact.state === "idle") impact.state = "working";
    show();
    const answer = await c.get("/plan/" + encodeURIComponent(id) + "/impact", { low, high });
    if (mine !== turn || !plan.s || plan.s.id !== id) return;
    if (answer.ok && answer.status !== 202) {
      impact.answer = answer.body;
      impact.state = "done";
      isOld = false;
      plan.tell("impact", impact.answer);
    } else if (answer.status === 202) {
      impact.state = impact.answer ? "done" : "working";
      ask(AGAIN_MS);
    } else {
      impact.state = answer.offline ? "offline" : "trouble";
      ask(AGAIN_MS * 6);
    }
    show();
    if (mode === "change") shade();
  }

  /* --- the panel ---------------------------------------------------------------------------------------------- */

  function show() {
    const place = at("plan-impact");
    if (!place || !plan.s) return;
    const found = impact.answer;
    place.dataset.state = impact.state;
    place.dataset.seq = found ? found.seq : "";
    place.classList.toggle("is-old", isOld && Boolean(found));
    if (!found) {
      w.morph(place, [t("p", { className: "pi-waiting", role: "status" }, say(impact.state === "idle" ? "working" : impact.state))]);
      return;
    }
    w.morph(place, [head(found), cards(found), t("div", { className: "pi-chart-head" }, t("h3", {}, say("chart")), keys()), t("div", { id: "pi-chart", className: "pi-chart", "data-key": "chart" }), grids(found), people(found), workers(found), places(found), assets(found), cases(found)]);
    impact.chart();
  }

  function head(found) {
    const time = new Date(found.at).toLocaleString("sv-SE", { dateStyle: "short", timeStyle: "short", timeZone: w.s.config.timezone || undefined });
    const [low, high] = found.band;
    const link = (kind) => t("a", { className: "inc-button is-small", href: "/plan/" + encodeURIComponent(plan.s.id) + "/report." + kind + "?lang=" + c.config.lang + "&low=" + low + "&high=" + high, download: "", title: say("report.tip"), "data-report": kind }, say("report." + kind));
    return t("div", { className: "pi-head" },
      t("div", { className: "pi-modes", role: "group", "aria-label": say("compare.mode") },
        ["plan", "change"].map((name) => t("button", { type: "button", "data-mode": name, "aria-pressed": String(mode === name) }, say("shade." + name))),
        t("button", { type: "button", "data-mode": "compare", "aria-pressed": String(Boolean(impact.pane && impact.pane.open)) }, say("compare"))),
      mode === "change" ? legend() : null,
      t("div", { className: "pi-links" }, link("html"), link("xlsx"),
        t("p", { className: "pi-note", role: "status" }, impact.state === "offline" ? say("offline") : impact.state === "trouble" ? say("trouble") : say("as_of", { time }))));
  }
  function legend() {
    const ramp = plan.config.palettes.band;
    return t("div", { className: "pi-legend" }, t("b", {}, say("shade.legend")), t("span", {}, say("shade.less")), ramp.map((colour) => t("i", { style: { background: colour } })), t("span", {}, say("shade.more")));
  }
  function keys() {
    return t("span", { className: "pi-keys" }, t("span", { className: "is-before" }, say("chart.before")), t("span", { className: "is-now" }, say("chart.now")));
  }

  function card(name, before, now, note, extra) {
    return t("div", { className: "pi-card" + (extra || ""), "data-card": name }, t("span", {}, say("card." + name)), t("b", {}, before === null ? null : t("s", {}, before + " → "), now), note ? t("small", {}, note) : null);
  }
  function cards(found) {
    const { before, now } = found.summary;
    const who = found.people;
    const worst = Math.max(...Object.values(found.sums).map(Math.abs));
    const notes = [say("card.kept", { share: (100 * who.kept).toFixed(1) + "%" })];
    if (who.unknown) notes.push(say("card.unknown", { n: plan.text(who.unknown) }));
    return t("div", { className: "pi-cards" },
      card("in_band", plan.text(before.in_band), plan.text(now.in_band)),
      card("changed", null, plan.text(who.changed), notes.join(" · ")),
      card("off", plan.text(before.off_band), plan.text(now.off_band)),
      card("sum", null, plan.text(worst), worst === 0 ? say("card.sum.zero") : null, worst === 0 ? " is-fine" : " is-wrong"));
  }

  const section = (name, count, ...children) => t("section", { className: "pi-part", "data-key": name }, t("h3", {}, say(name), count === null ? null : t("span", {}, say("grids.count", { n: plan.text(count) }))), ...children);
  const none = (key) => t("p", { className: "pi-none" }, say(key));
  const more = (total, shown) => (total > shown ? t("p", { className: "pi-none" }, say("more", { n: plan.text(total - shown) })) : null);

  /* Grids that change by one figure, the largest change of households first, and the sum of all. */
  function grids(found) {
    const name = impact.figure;
    const rows = found.rows.slice(0, SHOWN);
    const picker = t("select", { className: "inc-input", id: "pi-figure", "aria-label": say("figure") }, FIGURES.map((one) => t("option", { value: one, selected: one === name }, say("figure." + one))));
    if (!found.rows.length) return section("grids", 0, none("nothing"));
    const total = found.rows.reduce((sum, row) => sum + (row.figures[name][2] || 0), 0);
    return section("grids", found.rows.length, picker,
      t("div", { className: "pi-table", role: "table", "aria-label": say("grids") },
        t("div", { className: "pi-tr is-head", role: "row" }, ["grid", "before", "now", "change"].map((one) => t("span", { role: "columnheader" }, say("head." + one)))),
        rows.map((row) => line(row, name)),
        ADDS.has(name) ? t("div", { className: "pi-tr is-sum", role: "row", "data-sum": name }, t("span", { role: "cell" }, say("sum")), t("span", { role: "cell" }), t("span", { role: "cell" }), t("span", { role: "cell", "data-value": String(name in found.sums ? found.sums[name] : Math.round(total * 1e6) / 1e6) }, change(name, name in found.sums ? found.sums[name] : Math.round(total * 1e6) / 1e6))) : null),
      more(found.rows.length, rows.length),
      weights(found));
  }
  /* No standard names weights: they are told as ours, with the place to change them. */
  function weights(found) {
    const told = Object.entries(found.weights).filter(([, weight]) => weight > 0).map(([name, weight]) => say("figure." + name) + " " + weight);
    return t("p", { className: "pi-none pi-weights", "data-key": "weights" }, say("weights", { weights: told.join(say("comma")) }));
  }
  function line(row, name) {
    const [before, now, by] = row.figures[name];
    const band = row.status === "ended" ? row.band_before : row.band;
    const label = row.name + (row.status === "changed" ? "" : " · " + say("change." + row.status));
    const goal = row.grid_id || "";
    return t("button", { type: "button", className: "pi-tr is-" + row.status, role: "row", "data-key": (row.grid_id || "-") + "|" + (row.was || "-"), "data-go": goal, "data-was": row.was || "", title: say("show", { name: row.name }) },
      t("span", { role: "cell", className: "pi-name" }, t("i", { className: "pi-band is-" + band, "aria-hidden": "true" }), t("span", {}, label), t("em", {}, say("status." + band))),
      t("span", { role: "cell" }, text(name, before)), t("span", { role: "cell" }, row.status === "ended" && !ADDS.has(name) ? plan.words("none") : text(name, now)),
      t("span", { role: "cell", className: "pi-by" + way(by), "data-by": by === null ? "" : String(by) }, change(name, by)));
  }

  function people(found) {
    const rows = found.flows.rows.filter((one) => one.households > 0 || one.population > 0);
    const other = rows.filter((one) => one.is_other);
    if (!rows.length) return section("people", 0, none("people.none"));
    return section("people", found.people.changed,
      t("ul", { className: "pi-list" }, [...other, ...rows.filter((one) => !one.is_other)].slice(0, SHOWN).map((one) =>
        t("li", { "data-key": one.from_grid + "|" + one.to_grid }, t("button", { type: "button", "data-go": one.to_grid },
          t("span", { className: "pi-what" }, say("people.row", { from: one.from_name, to: one.to_name }),
            t("small", {}, one.is_other || !one.from_person ? say("people.row", { from: one.from_person || say("people.nobody"), to: one.to_person || say("people.nobody") }) : say("people.same"))),
          t("b", {}, say("homes", { n: plan.text(one.households) })))))),
      more(found.flows.total, found.flows.rows.length));
  }
  function workers(found) {
    const rows = found.workers.rows;
    if (!rows.length) return section("workers", 0, none("workers.none"));
    return section("workers", found.workers.total,
      t("ul", { className: "pi-list is-workers" }, rows.slice(0, SHOWN).map((one) =>
        t("li", { "data-key": one.worker_id || "-" },
          t("span", { className: "pi-what" }, one.name || say("workers.vacant"), t("small", {}, [say("to", { a: plan.text(one.households_before), b: plan.text(one.households) }) + " " + say("homes", { n: "" }).trim(), ...["incidents", "assets", "patrol_m"].filter((name) => one[name + "_change"]).map((name) => say("figure." + name) + " " + change(name, one[name + "_change"]))].join(" · "))),
          t("b", { className: "pi-by" + way(one.households_change) }, change("households", one.households_change))))),
      more(found.workers.total, Math.min(rows.length, SHOWN)));
  }
  function places(found) {
    const schools = found.places.rows.filter((one) => ["school", "kindergarten"].includes(one.kind));
    const rows = found.compounds.rows;
    if (!rows.length && !schools.length) return section("places", 0, none("places.none"));
    const item = (key, name, kind, from, to, strong) => t("li", { "data-key": key }, t("span", { className: "pi-what" }, name, t("small", {}, say("people.row", { from, to }))), t("b", { className: strong ? "is-cut" : "" }, kind));
    return section("places", schools.length + found.compounds.total,
      t("ul", { className: "pi-list" },
        schools.slice(0, SHOWN).map((one) => item("p" + one.place_id, one.name || one.place_id, say("kind." + one.kind) + " · " + say("place." + one.change), one.from_name, one.to_name, one.change === "cut")),
        rows.slice(0, SHOWN).map((one) => item("c" + one.community_code + one.compound, one.compound, say("compound." + one.change), one.from_names, one.to_names, one.change === "cut"))),
      more(found.compounds.total, Math.min(rows.length, SHOWN)));
  }
  function assets(found) {
    if (!found.assets.total) return section("assets", 0, none("assets.none"));
    return section("assets", found.assets.total, t("ul", { className: "pi-classes" }, found.classes.map((one) => t("li", { "data-key": one.code }, one.name, t("b", {}, plan.text(one.count))))));
  }
  function cases(found) {
    if (!found.cases.total) return section("cases", 0, none("cases.none"));
    return section("cases", found.cases.total,
      t("ul", { className: "pi-list" }, found.cases.rows.slice(0, SHOWN).map((one) =>
        t("li", { "data-key": one.incident_id }, t("span", { className: "pi-what" }, one["class"] + " · " + (one.address || one.incident_id), t("small", {}, say("people.row", { from: one.from_name, to: one.to_name })))))),
      more(found.cases.total, Math.min(found.cases.rows.length, SHOWN)));
  }

  /* --- the map of the change ----------------------------------------------------------------------------------- */

  function shade() {
    const found = impact.answer;
    if (!plan.s || !found) return;
    const ramp = plan.config.palettes.band;
    const by = new Map(found.rows.filter((row) => row.grid_id).map((row) => [row.grid_id, row.figures.households[2]]));
    const sizes = [...by.values()].map(Math.abs).filter((n) => n > 0).sort((a, b) => a - b);
    const reach = sizes.length ? sizes[Math.floor(0.9 * (sizes.length - 1))] : 1;
    const middle = (ramp.length - 1) / 2;
    plan.shade((row) => {
      const value = by.get(plan.s.grids[row].id) || 0;
      if (!value) return ramp[middle];
      const step = Math.min(middle, Math.max(1, Math.ceil((Math.abs(value) / reach) * middle)));
      return ramp[middle + Math.sign(value) * step];
    });
    const rows = new Map(plan.s.blocks.ids.map((id, k) => [id, k]));
    const features = found.moved.filter((id) => rows.has(id)).map((id) => ({ type: "Feature", properties: {}, geometry: plan.block(rows.get(id)) }));
    plan.overlay("impact-moved", { type: "FeatureCollection", features }, { line: "text", width: 1.5, dash: [2, 2] });
  }
  function setMode(next) {
    if (next === "compare") return impact.pane.toggle();
    if (mode === next) return;
    mode = next;
    if (mode === "change") {
      shade();
      if (isOld) ask(0);
    } else {
      plan.overlay("impact-moved", null);
      plan.shade("band");
    }
    show();
  }
  impact.show = show;
  impact.say = say;

  /* --- hands ------------------------------------------------------------------------------------------------------ */

  function go(button) {
    const row = plan.s.grids.findIndex((grid) => grid.id === button.dataset.go && grid.blocks > 0);
    if (row >= 0) {
      plan.select([row]);
      plan.goTo(row);
      return;
    }
    const flow = impact.answer.flows.rows.find((one) => one.from_grid === button.dataset.was);
    if (flow) go({ dataset: { go: flow.to_grid, was: "" } });
  }
  plan.onBegin(() => {
    const place = at("plan-impact");
    if (!place) return;
    place.addEventListener("click", (event) => {
      const button = event.target.closest("[data-go], [data-mode]");
      if (!button) return;
      if (button.dataset.mode) setMode(button.dataset.mode);
      else go(button);
    });
    place.addEventListener("change", (event) => {
      if (event.target.id !== "pi-figure") return;
      impact.figure = event.target.value;
      show();
    });
    plan.panel("impact", {
      title: say("title"),
      element: place,
      badge: () => (impact.answer && impact.answer.rows.length) || null,
      shown() {
        if (isOld) ask(0);
        else show();
      },
    });
  });
  plan.on("load", () => {
    turn++;
    impact.answer = null;
    impact.state = "idle";
    if (mode === "change") plan.overlay("impact-moved", null);
    mode = "plan";
    ask(0);
    show();
  });
  plan.on("saved", () => ask());
  plan.on("change", (what) => {
    isOld = true;
    if (shown()) impact.chart();
    if (what.from !== "local") ask();
    const place = at("plan-impact");
    if (place) place.classList.toggle("is-old", Boolean(impact.answer));
  });
  plan.on("shade", (name) => {
    // Somebody chose another shade of the page: this mode is over.
    if (name !== "own" && mode === "change") {
      mode = "plan";
      plan.overlay("impact-moved", null);
      show();
    }
  });
})();
