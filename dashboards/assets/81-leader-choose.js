/* The choosers of a briefing: period, level and classes. What stands in the address is the choice;
   what may be chosen comes with the figures (`choosers` of /leader/view). */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const l = w.leader;
  const c = w.cases;
  const by = (id) => document.getElementById("leader-" + id);
  const KINDS = ["day", "week", "month", "quarter", "year", "span"];

  /* A field of a date is right only as a whole: half a year that was typed is no choice yet. */
  function dateField(name, run) {
    const place = by(name);
    const input = c.h("input", { type: "date", class: "inc-input", min: "1970-01-02", max: "2199-12-31", onchange: (event) => event.target.value && event.target.validity.valid && run(event.target.value) });
    place.replaceChildren(input);
    return input;
  }
  function span() {
    const first = by("first").firstChild.value;
    const last = by("last").firstChild.value;
    if (!first || !last) return;
    // Whoever names the later day first means the same days.
    const [day, end] = first <= last ? [first, last] : [last, first];
    l.choose({ kind: "span", day, last: end });
  }

  l.chooseKind = function (kind) {
    const view = l.view;
    if (kind !== "span") return l.choose({ kind: kind === "month" ? "" : kind, day: "", last: "" });
    if (view) l.choose({ kind, day: view.first, last: view.lastDay });
  };
  l.kind = function () {
    const chosen = l.choice();
    if (chosen.kind === "span" && !(chosen.day && chosen.last)) return "month";
    return KINDS.includes(chosen.kind) ? chosen.kind : "month";
  };

  /* --- classes ------------------------------------------------------------------------------------ */

  const chosenClasses = () => (l.choice().class || "").split(",").filter(Boolean);
  function toggle(codes, on) {
    const rest = chosenClasses().filter((code) => !codes.includes(code));
    l.choose({ class: (on ? [...rest, ...codes] : rest).join(",") });
  }
  function box(text, count, codes, chosen, kind) {
    const inside = codes.filter((code) => chosen.includes(code)).length;
    const input = c.h("input", { type: "checkbox", "data-codes": codes.join(","), onchange: (event) => toggle(codes, event.target.checked) });
    input.checked = inside === codes.length;
    input.indeterminate = inside > 0 && inside < codes.length;
    return c.h("label", { class: "ld-box is-" + kind }, input, c.h("span", {}, text), c.h("small", {}, count.toLocaleString("en-US")));
  }
  function classes(groups, chosen) {
    const all = groups.flatMap((group) => group.classes);
    const names = all.filter((one) => chosen.includes(one.code)).map((one) => one.name);
    by("class-text").textContent = !chosen.length ? l.say("classes.all")
      : names.length <= 1 ? names[0] || chosen[0] : l.say("classes.some", { name: names[0], n: chosen.length });
    by("class-text").title = names.join("\n");
    const focused = document.activeElement && document.activeElement.dataset.codes;
    const place = by("classes-menu");
    const top = place.scrollTop;
    place.replaceChildren(
      c.h("button", { type: "button", class: "ld-link", disabled: chosen.length ? null : "", onclick: () => l.choose({ class: "" }) }, l.say("classes.all")),
      ...groups.map((group) => c.h("fieldset", {},
        c.h("legend", { class: "ld-unseen" }, group.title),
        box(group.title, group.classes.reduce((sum, one) => sum + one.n, 0), group.classes.map((one) => one.code), chosen, "group"),
        ...group.classes.map((one) => box(one.name, one.n, [one.code], chosen, "one")))),
      groups.length ? "" : c.h("p", { class: "ld-note" }, l.say("classes.none")));
    place.scrollTop = top;
    // The list is drawn anew with the figures; whoever ticks box after box keeps the place.
    if (focused) {
      const again = place.querySelector(`[data-codes="${CSS.escape(focused)}"]`);
      if (again) again.focus();
    }
  }

  /* --- drawing -------------------------------------------------------------------------------------- */

  function levels(found, level) {
    const place = by("level");
    place.replaceChildren(...found.map((one) => c.h("option", { value: one.level }, one.text)));
    place.value = level;
  }
  l.markBar = function () {
    const kind = l.kind();
    const isSpan = kind === "span";
    for (const [name, chosen] of [["kind", kind], ["against", l.choice().against === "last_period" ? "last_period" : "last_year"]]) {
      for (const button of by(name).querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset[name] === chosen));
    }
    by("step").hidden = isSpan;
    by("span").hidden = !isSpan;
    if (isSpan) {
      by("first").firstChild.value = l.choice().day;
      by("last").firstChild.value = l.choice().last;
    }
  };
  function draw(view) {
    levels(view.choosers.levels, view.level);
    classes(view.choosers.classes, view.choosers.chosen);
    const day = by("day").firstChild;
    if (document.activeElement !== day) day.value = l.choice().day || view.first;
    l.markBar();
  }

  l.beginBar = function () {
    dateField("day", (day) => {
      by("pick-day").open = false;
      l.choose({ kind: l.choice().kind || "", day, last: "" });
    });
    dateField("first", span);
    dateField("last", span);
    by("kind").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) l.chooseKind(button.dataset.kind);
    });
    by("against").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) l.choose({ against: button.dataset.against === "last_year" ? "" : button.dataset.against });
    });
    by("level").addEventListener("change", (event) => l.choose({ level: event.target.value }));
    const picks = () => document.querySelectorAll(".ld-pick[open]");
    document.addEventListener("click", (event) => {
      // What was clicked may be drawn anew by then and stand nowhere.
      for (const pick of picks()) if (!pick.contains(event.target) && event.target.isConnected) pick.open = false;
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      for (const pick of picks()) {
        const had = pick.contains(document.activeElement);
        pick.open = false;
        if (had) pick.querySelector("summary").focus();
      }
    });
    l.onView(draw);
  };
})();
