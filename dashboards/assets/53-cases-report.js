/* Report a case: place by a click on the map, class, words; similar open cases are offered before
   it is sent. One form makes one case, however often it is sent: it carries a key of its own. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const r = (c.report = { form: null });

  r.isOpen = () => Boolean(r.form);

  r.open = function (host, options) {
    if (!c.me) {
      const dialog = c.chooseMe(c.say("me.first"));
      dialog.addEventListener("close", () => c.me && r.open(host, options));
      return;
    }
    if (r.form) return r.form.focus();
    if (c.panel.id) c.panel.close();
    r.form = reportForm(host, options || {});
    host.hidden = false;
    document.querySelector(".inc, .wk").classList.add("has-case", "is-reporting");
    host.replaceChildren(r.form.element);
    r.form.focus();
    c.tell("reporting", true);
  };

  r.close = function () {
    if (!r.form) return;
    const host = r.form.host;
    r.form = null;
    host.replaceChildren();
    host.hidden = true;
    document.querySelector(".inc, .wk").classList.remove("has-case", "is-reporting");
    c.tell("reporting", false);
  };

  /* A click on the map while the form is open. */
  r.place = function (lon, lat) {
    if (r.form) r.form.place(lon, lat);
  };

  function reportForm(host, options) {
    const kept = c.kept("draft.report") || {};
    const values = { ...kept, ...(options.values || {}) };
    const key = kept.key || c.key();
    let place = values.lon !== undefined && values.lon !== null ? { lon: values.lon, lat: values.lat } : null;
    let unplaced = Boolean(values.unplaced);
    let sending = false;
    let turn = 0;

    const where = h("div", { class: "inc-place", "aria-live": "polite" });
    const near = h("div", { class: "inc-near", "aria-live": "polite" });
    const problem = h("p", { class: "inc-problem", role: "alert", hidden: true });
    const condition = h("select", { class: "inc-input", id: "inc-report-condition", onchange: changed });
    const classBox = c.combo({
      id: "inc-report-class", options: c.config.classes, label: c.say("report.class"), required: true,
      placeholder: c.say("report.class.help"), onchange: () => { conditions(); look(); changed(); },
    });
    const text = h("textarea", { class: "inc-input", id: "inc-report-text", rows: "3", maxlength: "2000", value: values.description || "", oninput: changed });
    const address = h("input", { class: "inc-input", id: "inc-report-address", maxlength: "200", value: values.address || "", oninput: changed });
    const source = h("select", { class: "inc-input", id: "inc-report-source", onchange: changed },
      c.config.sources.map((o) => h("option", { value: o.value }, o.label)));
    source.value = values.source || options.source || c.config.sources[0].value;
    const without = h("input", { type: "checkbox", id: "inc-report-unplaced", onchange: () => { unplaced = without.checked; showPlace(); look(); changed(); } });
    without.checked = unplaced;
    const send = h("button", { type: "submit", class: "inc-button is-main" }, c.say("report.send"));
    if (values.class_code) classBox.set(c.config.classes.find((o) => o.value === values.class_code) || null);

    function read() {
      return {
        key, class_code: classBox.value, condition: condition.value || null, description: text.value.trim(),
        address: address.value.trim(), source: source.value, unplaced,
        lon: place && !unplaced ? place.lon : null, lat: place && !unplaced ? place.lat : null,
      };
    }
    function changed() {
      const all = read();
      const typed = all.class_code || all.description || all.address;
      c.keep("draft.report", typed ? all : null);
    }
    function conditions() {
      const all = (classBox.option && classBox.option.conditions) || [];
      condition.replaceChildren(h("option", { value: "" }, c.say("field.condition.none")), ...all.map((o) => h("option", { value: o.value }, o.label)));
      condition.parentElement && (condition.parentElement.hidden = !all.length);
      if (values.condition && all.some((o) => o.value === values.condition)) condition.value = values.condition;
    }

    async function showPlace() {
      const mine = ++turn;
      if (unplaced) return where.replaceChildren(h("p", { class: "inc-warning" }, c.say("report.unplaced.note")));
      if (!place) return where.replaceChildren(h("p", { class: "inc-hint" }, c.say(options.phone ? "report.place.phone" : "report.place.click")));
      const spot = h("p", {}, h("b", {}, place.lon.toFixed(6) + ", " + place.lat.toFixed(6)), place.accuracy ? " ± " + Math.round(place.accuracy) + " m" : "");
      where.replaceChildren(spot, h("p", { class: "inc-quiet" }, c.say("loading")));
      const answer = await c.get("/cases/place", { lon: place.lon, lat: place.lat, ...c.viewer() });
      if (mine !== turn) return;
      if (!answer.ok) return where.replaceChildren(spot, h("p", { class: "inc-quiet" }, c.trouble(answer)));
      const body = answer.body;
      where.replaceChildren(
        spot,
        body.grid
          ? h("p", { class: "inc-crumbs" }, body.crumbs.map((step) => step.name).join(" / "))
          : h("p", { class: "inc-warning" }, c.say("report.outside")),
        h("ul", { class: "inc-chain-short" }, body.chain.filter((step) => step.person).map((step) =>
          h("li", {}, h("span", { class: "inc-quiet" }, step.level_word + " "), h("b", {}, step.person))))
      );
      if (body.grid_id && w.map) w.map.select(body.grid_id);
    }

    async function look() {
      if (!place || unplaced || !classBox.value) return near.replaceChildren();
      const answer = await c.get("/cases/similar", { lon: place.lon, lat: place.lat, class: classBox.value });
      if (!answer.ok || !r.form) return;
      const found = answer.body.similar;
      near.replaceChildren(
        ...(found.length
          ? [
              h("h4", {}, c.say("report.similar", { n: found.length })),
              h("ul", { class: "inc-similar" }, found.slice(0, 5).map((s) =>
                h("li", {}, h("button", { type: "button", class: "inc-link", "data-open": s.id, onclick: () => { changed(); c.panel.open(s.id, { from: "report" }); } }, s.id),
                  h("span", {}, " " + s.stage_word), h("div", { class: "inc-quiet" }, s.apart_text + (s.description ? " · " + s.description : ""))))),
              h("p", { class: "inc-note" }, c.say("report.similar.note")),
            ]
          : [])
      );
    }

    async function submit(event) {
      event.preventDefault();
      if (sending) return;
      const all = read();
      const wrong = !all.class_code ? "report.need.class" : !unplaced && !place ? "report.need.place" : "";
      if (wrong) {
        problem.hidden = false;
        problem.textContent = c.say(wrong);
        if (!all.class_code) classBox.input.focus();
        return;
      }
      sending = true;
      send.disabled = true;
      problem.hidden = true;
      const body = { ...c.viewer(), ...all };
      const answer = await c.post("/cases/report", body);
      sending = false;
      send.disabled = false;
      if (answer.ok) {
        c.keep("draft.report", null);
        r.close();
        c.tell("reported", answer.body.file);
        if (options.done) options.done(answer.body.file);
        else c.panel.open(answer.body.file.id, { from: "report", focus: true });
        return;
      }
      changed();
      if (answer.offline && options.offline) {
        c.keep("draft.report", null);
        r.close();
        return options.offline(body);
      }
      problem.hidden = false;
      problem.textContent = c.trouble(answer) + (answer.offline ? " " + c.say("offline.kept") : "");
    }

    const field = (label, id, element) => h("div", { class: "inc-field" }, h("label", { for: id }, label), element);
    const element = h("form", { class: "inc-form inc-report", id: "inc-report", onsubmit: submit, novalidate: true, "aria-labelledby": "inc-report-title" },
      h("div", { class: "inc-case-title" }, h("h2", { id: "inc-report-title", tabindex: "-1" }, c.say("report.title")),
        h("button", { type: "button", class: "inc-close", "aria-label": c.say("close"), onclick: r.close }, "×")),
      h("div", { class: "inc-field" }, h("span", { class: "inc-label" }, c.say("report.place")), where, options.tools || null,
        h("label", { class: "inc-check" }, without, c.say("report.unplaced"))),
      field(c.say("report.class"), "inc-report-class", classBox.element),
      field(c.say("field.condition") + " " + c.say("field.optional"), "inc-report-condition", condition),
      near,
      field(c.say("report.text"), "inc-report-text", text),
      field(c.say("report.address") + " " + c.say("field.optional"), "inc-report-address", address),
      field(c.say("report.source"), "inc-report-source", source),
      problem,
      h("div", { class: "inc-form-foot" }, h("span", { class: "inc-note" }, c.say("me.as", { name: c.me.name, role: c.say("role." + c.me.role) })),
        h("button", { type: "button", class: "inc-button", onclick: () => { c.keep("draft.report", null); r.close(); } }, c.say("cancel")), send));
    element.addEventListener("keydown", (event) => event.key === "Escape" && r.close());
    conditions();
    showPlace();
    look();

    return {
      host, element,
      focus: () => (place || unplaced ? classBox.input : element.querySelector("h2")).focus(),
      place(lon, lat, accuracy) {
        place = { lon, lat, accuracy };
        unplaced = without.checked = false;
        showPlace();
        look();
        changed();
        c.tell("placed", place);
      },
      get spot() {
        return place;
      },
    };
  }
})();
