/* The balance chart of the consequences panel: households of every grid from the fewest to the most against the
   band. The present is a grey line, the plan marks; out of the band they are triangles, and the farthest have
   their names. Drawn from the plan in the browser, so it follows the hand. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const impact = plan.impact;
  const NS = "http://www.w3.org/2000/svg";
  const [WIDE, HIGH, LEFT, RIGHT, TOP, BOTTOM] = [420, 190, 38, 8, 10, 12];
  const NAMED = 3;
  const MANY = 300;
  let frame = 0;

  function s(tag, attributes, text) {
    const element = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }
  function stepOf(top) {
    for (let power = 1; ; power *= 10) for (const factor of [1, 2, 5]) if (top / (factor * power) <= 4) return factor * power;
  }

  function draw() {
    frame = 0;
    const place = document.getElementById("pi-chart");
    if (!place || !plan.s) return;
    const ranked = plan
      .living()
      .filter((grid) => ["low", "in", "high"].includes(plan.status(grid.row)))
      .sort((a, b) => a.households - b.households || (a.name < b.name ? -1 : 1));
    if (!ranked.length) {
      place.replaceChildren(s("svg", {}));
      place.textContent = impact.say("chart.empty");
      return;
    }
    const before = impact.answer ? impact.answer.before : [];
    const [low, high] = plan.s.band;
    const top = Math.max(ranked[ranked.length - 1].households, before[before.length - 1] || 0, high) * 1.06;
    const x = (rank, count) => LEFT + ((WIDE - LEFT - RIGHT) * rank) / Math.max(count - 1, 1);
    const y = (value) => TOP + (HIGH - TOP - BOTTOM) * (1 - value / top);
    const counts = { low: 0, in: 0, high: 0 };
    for (const grid of ranked) counts[plan.status(grid.row)]++;
    const label = impact.say("chart.label", { low: plan.text(counts.low), inside: plan.text(counts.in), high: plan.text(counts.high) });
    const svg = s("svg", { class: "pi-svg", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label, "data-low": counts.low, "data-in": counts.in, "data-high": counts.high });
    svg.append(s("rect", { class: "pi-svg-band", x: LEFT, y: y(high), width: WIDE - LEFT - RIGHT, height: Math.max(0, y(low) - y(high)) }));
    const step = stepOf(top);
    for (let value = 0; value <= top; value += step) {
      svg.append(s("line", { class: "pi-svg-grid", x1: LEFT, x2: WIDE - RIGHT, y1: y(value), y2: y(value) }), s("text", { class: "pi-svg-tick", x: LEFT - 5, y: y(value) + 3.5, "text-anchor": "end" }, value.toLocaleString("en-US")));
    }
    svg.append(s("text", { class: "pi-svg-tick", x: LEFT + 5, y: y(high) + 11 }, impact.say("chart.band", { low: plan.text(low), high: plan.text(high) })));
    if (before.length) svg.append(s("polyline", { class: "pi-svg-before", points: before.map((value, k) => x(k, before.length).toFixed(1) + "," + y(value).toFixed(1)).join(" ") }));
    // One path for each kind: thousands of elements would cost more than the chart.
    const radius = ranked.length > MANY ? 1.1 : 1.9;
    const paths = { low: "", in: "", high: "" };
    ranked.forEach((grid, k) => {
      const [cx, cy, kind] = [x(k, ranked.length), y(grid.households), plan.status(grid.row)];
      if (kind === "in") paths.in += `M${(cx - radius).toFixed(1)} ${cy.toFixed(1)}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`;
      else paths[kind] += kind === "low" ? `M${(cx - 3).toFixed(1)} ${(cy - 2).toFixed(1)}h6l-3 5z` : `M${(cx - 3).toFixed(1)} ${(cy + 2).toFixed(1)}h6l-3 -5z`;
    });
    for (const [kind, d] of Object.entries(paths)) if (d) svg.append(s("path", { class: "pi-svg-" + kind, d }));
    name(svg, ranked.filter((grid) => plan.status(grid.row) === "low").slice(0, NAMED), ranked, x, y, "start", 6, -11);
    name(svg, ranked.filter((grid) => plan.status(grid.row) === "high").slice(-NAMED).reverse(), ranked, x, y, "end", -6, 11);
    place.replaceChildren(svg);
  }
  function name(svg, grids, ranked, x, y, anchor, shift, apart) {
    let last = null;
    for (const grid of grids) {
      let line = y(grid.households) + 3.5;
      if (last !== null) line = apart > 0 ? Math.max(line, last + apart) : Math.min(line, last + apart);
      last = line;
      const text = s("text", { class: "pi-svg-name", x: x(ranked.indexOf(grid), ranked.length) + shift, y: line, "text-anchor": anchor, "data-go": grid.id, "data-was": "" }, grid.name + " " + plan.text(grid.households));
      svg.append(text);
    }
  }
  impact.chart = function () {
    if (!frame) frame = window.requestAnimationFrame(draw);
  };
})();
