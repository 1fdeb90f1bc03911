/* The evidence of one grid beside the board: each round with its minutes, people and places. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const k = w.workers;
  const h = c.h;
  const b = w.board;
  const e = (b.evidence = { shift: null, of: "" });
  const place = () => document.getElementById("board-evidence");

  /* Shown for the grid of the choice; asked again only if another one, or told to. */
  e.show = async function (again) {
    const aside = place();
    if (!aside) return;
    const grid = b.view() === "day" ? b.choice.grid : "";
    aside.hidden = !grid;
    aside.parentElement.classList.toggle("has-evidence", Boolean(grid));
    if (b.table.api) b.table.select();
    if (!grid) {
      e.of = "";
      return aside.replaceChildren();
    }
    const key = b.dayOf() + "|" + grid;
    if (e.of === key && !again) return e.scroll();
    const first = e.of !== key;
    e.of = key;
    if (first) aside.replaceChildren(head(grid, ""), h("p", { class: "inc-empty" }, b.say("evidence.loading")));
    const answer = await k.get("/board/evidence", { day: b.dayOf(), grid });
    if (e.of !== key || !place()) return;
    if (answer.status === 202) return window.setTimeout(() => e.of === key && e.show(true), 1000);
    if (!answer.ok) return aside.replaceChildren(head(grid, ""), h("p", { class: "inc-empty" }, answer.body.error || b.say("failed")));
    const kept = aside.scrollTop;
    draw(aside, answer.body);
    if (first) e.scroll();
    else aside.scrollTop = kept;
  };

  e.scroll = function () {
    const rounds = place().querySelectorAll(".board-round");
    const one = e.shift === null ? null : rounds[Math.min(e.shift, rounds.length - 1)];
    rounds.forEach((round) => round.classList.toggle("is-chosen", round === one));
    if (one) one.scrollIntoView({ block: "nearest" });
  };

  function head(name, under) {
    return h("div", { class: "board-evidence-head" },
      h("div", {}, h("h2", {}, name), under ? h("p", { class: "inc-quiet" }, under) : null),
      h("button", { type: "button", class: "inc-close", "aria-label": b.say("evidence.close"), onclick: () => b.choose({ grid: "" }) }, "×"));
  }

  function draw(aside, body) {
    const parts = [
      head(body.name, [body.place === body.name ? "" : body.place, body.grid].filter(Boolean).join(" · ")),
      body.hidden ? h("p", { class: "inc-warning" }, body.hidden) : null,
      ...body.rounds.map((round) => drawRound(round, body.may)),
      body.rounds.length ? null : h("p", { class: "inc-empty" }, b.say("notowed")),
    ];
    aside.replaceChildren(...parts.filter(Boolean));
  }

  const KINDS = { 1: "here", 2: "away", 0: "unknown" };
  /* Minutes one after the other, runs of the same kind as one piece. */
  function strip(round) {
    const pieces = [];
    const text = round.strip.padEnd(round.minutes, ".");
    for (const letter of text) {
      const kind = KINDS[letter] || "coming";
      const last = pieces[pieces.length - 1];
      if (last && last.kind === kind) last.n++;
      else pieces.push({ kind, n: 1 });
    }
    const label = pieces.map((piece) => b.say("key." + piece.kind) + " " + piece.n).join(", ");
    return h("div", { class: "board-strip", role: "img", "aria-label": label },
      pieces.map((piece) => h("i", { class: "is-" + piece.kind, style: "flex:" + piece.n, title: b.say("key." + piece.kind) + " " + piece.n })));
  }
  /* Without the right to single minutes: how many of each, as one bar. */
  function shares(round) {
    const parts = [["here", round.here], ["away", round.away], ["unknown", round.unknown]];
    parts.push(["coming", Math.max(0, round.minutes - round.here - round.away - round.unknown)]);
    return h("div", { class: "board-strip", role: "img", "aria-label": parts.map(([kind, n]) => b.say("key." + kind) + " " + n).join(", ") },
      parts.filter(([, n]) => n).map(([kind, n]) => h("i", { class: "is-" + kind, style: "flex:" + n, title: b.say("key." + kind) + " " + n })));
  }

  function drawRound(round, may) {
    const [from, to] = round.hours.split("–");
    return h("section", { class: "board-round" },
      h("div", { class: "board-round-head" },
        h("h3", {}, round.label, h("span", { class: "inc-quiet" }, " " + round.hours)),
        h("span", { class: "board-state is-" + round.status }, b.mark(round.status), h("b", {}, round.word))),
      h("p", { class: "board-why" }, round.reason),
      may ? strip(round) : shares(round),
      may ? h("div", { class: "board-strip-hours inc-quiet" }, h("span", {}, from), h("span", {}, to)) : null,
      h("ul", { class: "board-minutes" },
        ["here", "away", "unknown"].map((kind) => h("li", {}, h("i", { class: "board-key is-" + kind }), b.say(kind + ".min", { n: round[kind] }))),
        h("li", { class: "inc-quiet" }, b.say("need", { n: round.need }))),
      h("p", { class: "inc-note" }, [...round.facts, ...(round.seen ? [round.seen] : [])].join(" · ")),
      may && round.workers.length ? h("ul", { class: "board-people" }, round.workers.map(drawWorker)) : null,
      may && round.places.length ? h("details", { class: "board-places", open: round.places.some((one) => one.state !== "visited") },
        h("summary", {}, b.say("evidence.places") + " " + round.places.length),
        h("ul", {}, round.places.map((one) => h("li", { class: "is-" + one.state },
          h("i", { class: "board-visit is-" + one.state, "aria-hidden": "true" }), h("b", {}, one.word), h("span", {}, one.kind + " " + one.name), h("span", { class: "inc-quiet" }, one.text))))) : null);
  }

  function drawWorker(one) {
    const query = new URLSearchParams(one.href.split("?")[1]);
    const lang = w.address().get("lang");
    if (lang) query.set("lang", lang);
    return h("li", {},
      h("div", {}, h("b", {}, one.name), h("span", { class: "inc-quiet" }, " " + one.role), one.reason ? h("span", { class: "board-tag" }, one.reason) : null,
        h("a", { class: "inc-link", href: "/workers/sheet?" + query }, b.say("evidence.sheet"))),
      h("p", { class: "inc-note" }, [b.say("minutes", { here: one.here, away: one.away, unknown: one.unknown }), one.text, one.far].filter(Boolean).join(" · ")));
  }
})();
