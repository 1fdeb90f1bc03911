/* One case in full, and a button for every move that the person's role may make on it.
   A form that is open is never drawn anew: when others move the case meanwhile, what they did is
   shown above it and every character that was typed stays. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const p = (c.panel = { id: null, file: null, form: null, host: null, turn: 0 });

  const MAIN = ["register", "dispatch", "accept", "feed_back", "close"];
  const HARD = ["cancel", "force_close"];

  const rank = (name) => (MAIN.includes(name) ? 0 : HARD.includes(name) ? 2 : 1);

  /* --- drafts ------------------------------------------------------------------------------------------ */

  const draftKey = (id, move) => "draft." + id + "." + move;
  c.draft = (id, move) => c.kept(draftKey(id, move)) || {};
  c.keepDraft = (id, move, values) =>
    c.keep(draftKey(id, move), Object.values(values).some(Boolean) ? values : null);

  /* --- opening and closing ------------------------------------------------------------------------------ */

  p.open = async function (id, options) {
    const host = p.host || document.getElementById("incidents-case");
    if (!host) return;
    if (c.report && c.report.isOpen()) c.report.close();
    const again = p.id === id && p.file;
    p.id = id;
    p.host = host;
    host.hidden = false;
    document.querySelector(".inc, .wk").classList.add("has-case");
    if (!again) {
      p.form = null;
      p.file = null;
      host.replaceChildren(h("div", { class: "inc-empty", role: "status" }, c.say("loading")));
    }
    c.tell("opened", { id, ...options });
    await p.load(again);
    if (!again && options && options.focus) {
      const title = host.querySelector("h2");
      if (title) title.focus();
    }
  };

  p.load = async function (quiet) {
    const id = p.id;
    const mine = ++p.turn;
    const answer = await c.get("/cases/file/" + encodeURIComponent(id), c.viewer());
    if (mine !== p.turn || p.id !== id) return;
    if (answer.ok) return p.show(answer.body.file);
    if (quiet && p.file) return c.notice(c.trouble(answer));
    p.host.replaceChildren(
      h("div", { class: "inc-empty" }, h("p", {}, c.trouble(answer)),
        h("button", { type: "button", class: "inc-button", onclick: () => p.open(id) }, c.say("again")),
        h("button", { type: "button", class: "inc-button", onclick: p.close }, c.say("close")))
    );
  };

  p.close = function () {
    if (!p.host) return;
    const id = p.id;
    p.id = p.file = p.form = null;
    p.turn++;
    p.host.hidden = true;
    p.host.replaceChildren();
    document.querySelector(".inc, .wk").classList.remove("has-case");
    c.tell("closed", id);
  };

  /* --- drawing -------------------------------------------------------------------------------------------- */

  const part = (title, ...children) => h("section", { class: "inc-part" }, title ? h("h3", {}, title) : null, ...children);
  const facts = (pairs) =>
    h("dl", { class: "inc-facts" }, pairs.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

  /* Show a newer state of the case; an open form and its focus stay where they are. */
  p.show = function (file) {
    const before = p.file;
    p.file = file;
    const same = p.host.querySelector(":scope > .inc-case-body");
    if (!same || !before || before.id !== file.id) {
      p.host.replaceChildren(
        h("div", { class: "inc-case-head" }), h("div", { class: "inc-moves-place" }),
        h("div", { class: "inc-form-place" }), h("div", { class: "inc-case-body", tabindex: "0", "aria-label": c.say("case.file") })
      );
    }
    const body = p.host.querySelector(".inc-case-body");
    const scroll = body.scrollTop;
    const open = new Set([...body.querySelectorAll("details[open]")].map((d) => d.dataset.name));
    p.host.querySelector(".inc-case-head").replaceChildren(...head(file));
    p.host.querySelector(".inc-moves-place").replaceChildren(moves(file));
    body.replaceChildren(clock(file), ...rest(file));
    for (const d of body.querySelectorAll("details[data-name]")) if (open.has(d.dataset.name)) d.open = true;
    body.scrollTop = scroll;
    if (p.form) p.form.meet(file);
    c.tell("file", file);
  };

  function head(file) {
    return [
      h("div", { class: "inc-case-title" },
        h("div", {},
          h("h2", { tabindex: "-1" }, file.what),
          h("p", { class: "inc-quiet" }, h("span", { class: "inc-id" }, file.id), file.source ? " · " + file.source : "")),
        c.chip(file.stage, file.stage_word, "is-large"),
        h("button", { type: "button", class: "inc-close", "aria-label": c.say("close"), title: c.say("close"), onclick: p.close }, "×")),
      file.merged_into
        ? h("p", { class: "inc-warning" }, c.say("case.merged") + " ", link(file.merged_into))
        : null,
    ].filter(Boolean);
  }

  const link = (id) =>
    h("button", { type: "button", class: "inc-link", "data-open": id, onclick: () => p.open(id, { from: "case", focus: true }) }, id);

  function clock(file) {
    const k = c.clock(file);
    return h("section", { class: "inc-part inc-clock is-" + k.state },
      h("div", { class: "inc-clock-line" }, c.chip(k.state, k.text, "is-large"), file.due_text ? h("span", {}, c.say("case.due", { time: file.due_text })) : null),
      file.clock_lines.length
        ? h("details", { "data-name": "clock" }, h("summary", {}, c.say("case.how")), h("ol", { class: "inc-how" }, file.clock_lines.map((line) => h("li", {}, line))))
        : null);
  }
  p.tick = function () {
    if (!p.file || !p.host) return;
    const old = p.host.querySelector(".inc-clock .inc-chip");
    const k = c.clock(p.file);
    if (old && old.textContent !== k.text) old.replaceWith(c.chip(k.state, k.text, "is-large"));
  };

  function rest(file) {
    return [
      part(null,
        file.description ? h("p", { class: "inc-said" }, file.description) : null,
        facts([
          [c.say("case.address"), file.address],
          [c.say("case.grid"), file.grid ? h("span", {}, file.crumbs.map((step) => step.name).join(" / ")) : file.place_word],
          [c.say("case.coordinates"), file.lon === null ? null : file.lon.toFixed(6) + ", " + file.lat.toFixed(6)],
          [c.say("case.condition"), file.condition_word],
          [c.say("case.owner"), file.owner_word],
          [c.say("case.level"), file.level_word],
          [c.say("case.reported"), file.reported_text],
          [c.say("case.closed"), file.closed_text],
          [c.say("case.asked"), file.asked_text],
        ]),
        h("div", { class: "inc-row" },
          file.lon === null ? null : h("button", { type: "button", class: "inc-button is-small", onclick: () => c.tell("show", file) }, c.say("case.show")),
          h("a", { class: "inc-button is-small", href: file.card_url, hidden: !file.card_url }, c.say("case.card")))),
      part(c.say("case.chain"),
        file.chain.length
          ? h("ol", { class: "inc-chain" }, file.chain.map((step) =>
              h("li", {}, h("span", { class: "inc-quiet" }, step.level_word), h("span", {}, step.unit),
                h("b", {}, step.person || c.say("chain.nobody")), h("span", { class: "inc-quiet" }, [step.role_word, step.phone].filter(Boolean).join(" ")))))
          : h("p", { class: "inc-empty" }, c.say("chain.none")),
        h("p", { class: "inc-note" }, c.say(file.phones_shown ? "chain.phones" : "chain.masked"))),
      similar(file),
      history(file),
      part(c.say("case.log", { n: file.log.length }),
        h("ol", { class: "inc-log", reversed: true }, [...file.log].reverse().map(logRow))),
    ].filter(Boolean);
  }

  function logRow(row) {
    return h("li", { "data-seq": row.seq },
      h("i", { class: "inc-mark inc-mark-dot is-" + row.stage, "aria-hidden": "true" }),
      h("div", { class: "inc-log-line" }, h("b", {}, row.move_word), h("span", { class: "inc-quiet" }, row.stage_word),
        h("time", { datetime: row.at }, row.at_text)),
      h("div", { class: "inc-log-who" }, [row.who, row.role_word].filter(Boolean).join(" · ")),
      row.details.length ? h("dl", { class: "inc-log-details" }, row.details.map((d) => h("div", {}, h("dt", {}, d.label), h("dd", {}, d.text)))) : null,
      row.note ? h("p", { class: "inc-log-note" }, row.note) : null);
  }

  function similar(file) {
    if (!file.similar.length) return null;
    const merge = file.moves.find((move) => move.name === "merge");
    return part(c.say("case.similar", { n: file.similar.length }),
      h("ul", { class: "inc-similar" }, file.similar.map((s) =>
        h("li", {},
          h("div", {}, link(s.id), h("span", {}, " " + s.stage_word)),
          h("div", { class: "inc-quiet" }, s.apart_text + (s.description ? " · " + s.description : "")),
          merge ? h("button", { type: "button", class: "inc-button is-small", "data-merge": s.id, onclick: () => openForm(merge, { other_id: s.id }) }, c.say("case.merge")) : null))));
  }

  function history(file) {
    if (!file.history.length) return null;
    return part(c.say("case.history"),
      file.history_note ? h("p", { class: "inc-warning" }, file.history_note) : null,
      h("ul", { class: "inc-similar" }, file.history.map((s) =>
        h("li", {}, h("div", {}, link(s.id), h("span", {}, " " + s.stage_word)), h("div", { class: "inc-quiet" }, s.apart_text)))));
  }

  /* --- moves ---------------------------------------------------------------------------------------------- */

  function moves(file) {
    if (!c.me) {
      return h("div", { class: "inc-moves" },
        h("button", { type: "button", class: "inc-button is-main", onclick: () => c.chooseMe() }, c.say("me.first")));
    }
    if (!file.moves.length) {
      return h("p", { class: "inc-moves inc-quiet" }, c.say(file.is_open ? "moves.none" : "moves.over", { role: c.say("role." + c.me.role) }));
    }
    return h("div", { class: "inc-moves", role: "group", "aria-label": c.say("moves") },
      // What usually comes next stands first, what cannot be undone last.
      [...file.moves].sort((a, b) => rank(a.name) - rank(b.name)).map((move) =>
        h("button", {
          type: "button", "data-move": move.name, title: move.help, "aria-expanded": String(Boolean(p.form && p.form.move === move.name)),
          class: "inc-button" + (MAIN.includes(move.name) ? " is-main" : HARD.includes(move.name) ? " is-hard" : ""),
          onclick: () => openForm(move),
        }, move.word)));
  }

  function openForm(move, given) {
    if (p.form && p.form.move === move.name && !given) return p.form.close();
    const form = moveForm(p.file, move, given || {});
    p.form = form;
    p.host.querySelector(".inc-form-place").replaceChildren(form.element);
    for (const button of p.host.querySelectorAll("[data-move]")) button.setAttribute("aria-expanded", String(button.dataset.move === move.name));
    form.focus();
  }
  p.openForm = (name, given) => {
    const move = p.file && p.file.moves.find((m) => m.name === name);
    if (move) openForm(move, given);
  };

  const LABELS = { note: "field.note", owner: "field.owner", until: "field.until", condition: "field.condition", other_id: "field.other" };

  /* The form of one move: just the fields that it needs or may have. */
  function moveForm(file, move, given) {
    const values = { ...c.draft(file.id, move.name), ...given };
    const inputs = {};
    let seen = file.seq;
    let sending = false;
    const problem = h("p", { class: "inc-problem", role: "alert", hidden: true });
    const changes = h("div", { class: "inc-changes", role: "alert", hidden: true });
    const send = h("button", { type: "submit", class: "inc-button " + (HARD.includes(move.name) ? "is-hard" : "is-main") }, move.word);
    const names = move.fields.map((field) => field.name);

    function read() {
      return Object.fromEntries(names.map((name) => [name, inputs[name].read() || ""]));
    }
    const changed = () => c.keepDraft(file.id, move.name, read());

    const rows = move.fields.map((field) => {
      const id = "inc-field-" + field.name;
      const made = makers[field.name](field, id, values[field.name] || "", file, changed);
      inputs[field.name] = made;
      return h("div", { class: "inc-field" },
        h("label", { for: id }, c.say(LABELS[field.name]) + (field.required ? "" : " " + c.say("field.optional"))), made.element);
    });

    const form = {
      move: move.name,
      element: null,
      focus() {
        const first = names.length ? inputs[names[0]] : null;
        (first ? first.focus : send.focus.bind(send))();
      },
      close() {
        p.form = null;
        form.element.remove();
        for (const button of p.host.querySelectorAll("[data-move]")) button.setAttribute("aria-expanded", "false");
      },
      /* The case has moved on while the form was open. */
      meet(now) {
        if (now.seq === seen || sending) return;
        tellChanges(now.log.filter((row) => row.seq > seen), now);
      },
    };

    function tellChanges(rowsSince, now) {
      const allowed = now.moves.some((m) => m.name === move.name);
      changes.hidden = false;
      changes.replaceChildren(
        h("h4", {}, c.say("stale.title")),
        h("ol", {}, rowsSince.map((row) =>
          h("li", {}, h("b", {}, row.move_word), " ", c.say("stale.row", { who: row.who || "–", time: row.at_text, stage: row.stage_word }),
            row.note ? h("q", {}, row.note) : null))),
        h("p", {}, c.say(allowed ? "stale.again" : "stale.over", { move: move.word, stage: now.stage_word })),
        allowed
          ? h("button", { type: "button", class: "inc-button is-main", "data-again": "", onclick: () => {
              seen = now.seq;
              changes.hidden = true;
              changes.replaceChildren();
              send.disabled = false;
              send.focus();
            } }, c.say("stale.go"))
          : asRemark(now)
      );
      send.disabled = true;
    }
    function asRemark(now) {
      const words = inputs.note && inputs.note.read();
      const remark = now.moves.find((m) => m.name === "remark");
      if (!words || !remark) return null;
      return h("button", { type: "button", class: "inc-button", onclick: () => openForm(remark, { note: words }) }, c.say("stale.remark"));
    }

    async function submit(event) {
      event.preventDefault();
      if (sending || send.disabled) return;
      if (!c.me) return c.chooseMe(c.say("me.first"));
      const said = read();
      const missing = move.fields.find((field) => field.required && !said[field.name]);
      if (missing) {
        problem.hidden = false;
        problem.textContent = c.say("field.missing", { field: c.say(LABELS[missing.name]) });
        return inputs[missing.name].focus();
      }
      sending = true;
      send.disabled = true;
      send.setAttribute("aria-busy", "true");
      problem.hidden = true;
      const owner = inputs.owner && inputs.owner.option();
      const body = { ...c.viewer(), move: move.name, seen, ...said };
      if (owner && owner.level) body.level = owner.level;
      if (said.other_id && inputs.other_id.seen()) body.seen_other = inputs.other_id.seen();
      const answer = await c.post("/cases/file/" + encodeURIComponent(file.id) + "/move", body);
      sending = false;
      send.disabled = false;
      send.removeAttribute("aria-busy");
      if (answer.ok) {
        c.keepDraft(file.id, move.name, {});
        if (p.form === form) p.form = null;
        form.element.remove();
        if (p.id === file.id) p.show(answer.body.file);
        c.tell("moved", answer.body.file);
        p.host.querySelector("h2").focus();
        return;
      }
      changed();
      if (answer.body.reason === "stale") {
        if (p.id === file.id) p.show(answer.body.file);
        return tellChanges(answer.body.changes, answer.body.file);
      }
      if (answer.body.file && p.id === file.id) p.show(answer.body.file);
      problem.hidden = false;
      problem.textContent = c.trouble(answer) + (answer.offline ? " " + c.say("offline.kept") : "");
      const field = (answer.body.reason || "").replace("lacks_", "");
      if (inputs[field]) inputs[field].focus();
    }

    form.element = h("form", { class: "inc-form", onsubmit: submit, novalidate: true, "data-form": move.name, "aria-label": move.word },
      h("div", { class: "inc-form-head" }, h("h3", {}, move.word), h("span", { class: "inc-quiet" }, move.help)),
      changes, ...rows, problem,
      h("div", { class: "inc-form-foot" },
        h("span", { class: "inc-note" }, c.me ? c.say("me.as", { name: c.me.name, role: c.say("role." + c.me.role) }) : ""),
        h("button", { type: "button", class: "inc-button", onclick: () => form.close() }, c.say("cancel")), send));
    form.element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.element.requestSubmit();
      if (event.key === "Escape") {
        event.stopPropagation();
        form.close();
      }
    });
    return form;
  }

  const makers = {
    note(field, id, value, file, changed) {
      const element = h("textarea", { class: "inc-input", id, rows: "3", maxlength: "2000", value, oninput: changed, required: field.required });
      return { element, read: () => element.value.trim(), focus: () => element.focus() };
    },
    owner(field, id, value, file, changed) {
      const options = file.owners;
      const find = async (text) => {
        const word = text.trim().toLowerCase();
        const mine = options.filter((o) => (o.label + o.value).toLowerCase().includes(word));
        if (!word || mine.length > 20) return mine;
        const known = new Set(mine.map((o) => o.value));
        return [...mine, ...(await c.units(text)).filter((o) => !known.has(o.value))];
      };
      const box = c.combo({ id, options: find, label: c.say("field.owner"), placeholder: c.say("field.owner.help"), required: true, onchange: () => {
        hint();
        changed();
      } });
      const note = h("p", { class: "inc-note" });
      function hint() {
        const o = box.option;
        note.textContent = o ? [o.level_word ? c.say("field.owner.level", { level: o.level_word }) : "", o.why || ""].filter(Boolean).join(" · ") : "";
      }
      const first = options.find((o) => o.value === (value || field.suggest || ""));
      if (first) box.set(first);
      hint();
      return { element: h("div", {}, box.element, note), read: () => box.value, option: () => box.option, focus: () => box.input.focus() };
    },
    until(field, id, value, file, changed) {
      const element = h("input", { class: "inc-input", id, type: "datetime-local", value: value || field.suggest || "", oninput: changed, required: field.required });
      const later = (days) => {
        const wall = c.wall(c.now() + days * 86400000);
        element.value = wall.day + "T18:00";
        changed();
      };
      return {
        element: h("div", {}, element,
          h("div", { class: "inc-quick" }, [1, 3, 7].map((n) => h("button", { type: "button", class: "inc-button is-small", onclick: () => later(n) }, c.say("field.until.days", { n })))),
          h("p", { class: "inc-note" }, c.say("field.until.zone", { zone: c.config.timezone }))),
        read: () => element.value, focus: () => element.focus(),
      };
    },
    condition(field, id, value, file, changed) {
      const element = h("select", { class: "inc-input", id, onchange: changed },
        h("option", { value: "" }, c.say("field.condition.none")),
        file.conditions.map((o) => h("option", { value: o.value }, o.label)));
      element.value = value || file.condition || "";
      return { element, read: () => element.value, focus: () => element.focus() };
    },
    other_id(field, id, value, file, changed) {
      const options = file.similar.filter((s) => s.is_open).map((s) => ({ value: s.id, label: s.id, hint: s.apart_text, seq: s.seq }));
      const box = c.combo({ id, label: c.say("field.other"), placeholder: c.say("field.other.help"), required: true, onchange: changed,
        options: async (text) => {
          const near = options.filter((o) => o.value.includes(text.trim()));
          if (near.length || !text.trim()) return near;
          const answer = await c.get("/cases/page", { tab: "all", clock: "open", q: text.trim(), limit: 20, offset: 0 });
          return answer.ok ? answer.body.rows.filter((r) => r.id !== file.id).map((r) => ({ value: r.id, label: r.id, hint: r.what + " · " + r.where })) : [];
        } });
      if (value) box.set(options.find((o) => o.value === value) || { value, label: value });
      return { element: box.element, read: () => box.value, seen: () => (box.option ? box.option.seq : null), focus: () => box.input.focus() };
    },
  };
})();
