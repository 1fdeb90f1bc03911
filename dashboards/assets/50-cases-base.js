/* What the pages of cases share in the browser: making elements, asking the server, who I am,
   spans of time, and what was typed and not yet sent. Words come with the page, none stand here. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = (w.cases = { config: null, me: null, listeners: {} });

  /* --- elements ---------------------------------------------------------------------------------- */

  /* An element with attributes (on… are listeners, true is an empty attribute) and children. */
  c.h = function (tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name === "class") element.className = value;
      else if (name === "value") element.value = value;
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  };
  const h = c.h;

  const SHAPES = {
    fine: "disc", soon: "triangle", late: "square", none: "ring", paused: "bars", done: "ring",
    done_late: "square", unknown: "diamond",
    collected: "ring", opened: "half", dispatched: "arrow", handling: "disc", fed_back: "triangle",
    closed: "tick", cancelled: "cross",
  };
  /* A state is a shape, a colour and a word; so is a stage. */
  c.chip = function (kind, text, extra) {
    return h(
      "span",
      { class: "inc-chip is-" + kind + (extra ? " " + extra : "") },
      h("i", { class: "inc-mark inc-mark-" + (SHAPES[kind] || "ring"), "aria-hidden": "true" }),
      h("span", {}, text)
    );
  };

  /* --- words and times ----------------------------------------------------------------------------- */

  c.say = function (key, values) {
    let text = c.config.words[key];
    if (text === undefined) throw new Error("no words for " + key);
    for (const [name, value] of Object.entries(values || {})) text = text.replaceAll("{" + name + "}", value);
    return text;
  };
  c.now = () => w.now();

  /* In its two largest units, as dashboards.words says it. */
  c.span = function (seconds) {
    const s = Math.max(0, Math.floor(seconds));
    const one = (unit, n) => c.say("span." + unit, { n });
    if (s < 60) return one("seconds", s);
    if (s < 3600) return one("minutes", Math.floor(s / 60));
    const [big, small, large, rest] =
      s < 86400
        ? ["hours", "minutes", Math.floor(s / 3600), Math.floor((s % 3600) / 60)]
        : ["days", "hours", Math.floor(s / 86400), Math.floor((s % 86400) / 3600)];
    return one(big, large) + (rest && large < 10 ? " " + one(small, rest) : "");
  };

  /* State and words of a running clock: a case turns amber and red while the page is looked at. */
  c.clock = function (row) {
    if (row.state === "done" || row.state === "done_late" || row.state === "none" || row.state === "paused") {
      return { state: row.state, text: row.clock };
    }
    if (row.due === null || row.due === undefined) return { state: "none", text: row.clock };
    const left = row.due - c.now() / 1000;
    if (left < 0) return { state: "late", text: c.say("clock.late", { span: c.span(-left) }) };
    return { state: left <= c.config.soonS ? "soon" : "fine", text: c.say("clock.left", { span: c.span(left) }) };
  };

  /* The wall clock of the city, `2026-11-21T14:09`, of a moment in milliseconds. */
  c.wall = function (ms) {
    const parts = {};
    const format = new Intl.DateTimeFormat("en-GB", {
      timeZone: c.config.timezone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit",
    });
    for (const part of format.formatToParts(new Date(ms))) parts[part.type] = part.value;
    return { day: parts.year + "-" + parts.month + "-" + parts.day, time: parts.hour + ":" + parts.minute, seconds: parts.second };
  };

  /* --- the server ------------------------------------------------------------------------------------ */

  /* `{ok, status, body}`; `offline` where no answer came at all. */
  c.ask = async function (address, options) {
    let answer;
    try {
      answer = await fetch(address, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      return { ok: false, status: 0, offline: true, body: {} };
    }
    let body = {};
    try {
      body = await answer.json();
    } catch (error) {
      body = { error: answer.statusText };
    }
    if (body.now) w.heard({ now: body.now, newest: body.newest });
    return { ok: answer.ok, status: answer.status, offline: false, body };
  };
  c.get = function (path, query, options) {
    const search = new URLSearchParams(query || {});
    search.set("lang", c.config.lang);
    return c.ask(path + "?" + search, options);
  };
  c.post = function (path, body) {
    return c.ask(path + "?lang=" + c.config.lang, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  };
  c.trouble = (answer) => (answer.offline ? c.say("offline") : answer.body.error || c.say("failed"));
  c.notice = (text) => w.notice(text || "");
  c.key = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");

  /* --- what the browser keeps ------------------------------------------------------------------------ */

  c.keep = function (name, value) {
    try {
      if (value === null) localStorage.removeItem("wangge." + name);
      else localStorage.setItem("wangge." + name, JSON.stringify(value));
      return true;
    } catch (error) {
      return false; // a browser that keeps nothing: the page works, and says so where it matters
    }
  };
  c.kept = function (name) {
    try {
      return JSON.parse(localStorage.getItem("wangge." + name));
    } catch (error) {
      return null;
    }
  };

  /* --- events between the parts of a page ------------------------------------------------------------- */

  c.on = (name, listener) => (c.listeners[name] = c.listeners[name] || []).push(listener);
  c.tell = (name, value) => (c.listeners[name] || []).forEach((listener) => listener(value));

  /* --- who I am ------------------------------------------------------------------------------------------ */

  /* Kept as the one-click card keeps it, so that both pages know the same person. */
  const PERSON = "wangge-person";
  c.readMe = function () {
    let kept = null;
    try {
      kept = JSON.parse(localStorage.getItem(PERSON));
    } catch (error) {
      kept = null; // a browser that keeps nothing asks each time
    }
    const known = kept && (kept.worker_id || kept.by) && c.config.roles.includes(kept.role);
    c.me = known
      ? { id: kept.worker_id || "", name: kept.name || kept.by, role: kept.role, unit: kept.unit_code || "", unit_name: kept.unit_name || "" }
      : null;
    c.showMe();
  };
  c.setMe = function (me) {
    c.me = me;
    const person = { by: me.id || me.name, role: me.role, worker_id: me.id || null, unit_code: me.unit || null, name: me.name, unit_name: me.unit_name };
    try {
      localStorage.setItem(PERSON, JSON.stringify(person));
    } catch (error) {
      c.notice(c.say("me.forgotten"));
    }
    if (w.card && w.card.setPerson) w.card.setPerson(person);
    c.showMe();
    c.tell("me", me);
  };
  c.showMe = function () {
    const button = document.getElementById("incidents-me");
    if (!button) return;
    button.replaceChildren(
      ...(c.me
        ? [h("b", {}, c.me.name), h("span", { class: "inc-quiet" }, c.say("role." + c.me.role) + (c.me.unit_name ? " · " + c.me.unit_name : ""))]
        : [h("b", {}, c.say("me.choose"))])
    );
    button.classList.toggle("is-missing", !c.me);
  };
  /* As the server takes it with every request. */
  c.viewer = () => (c.me ? { by: c.me.id || c.me.name, role: c.me.role, unit: c.me.unit || "" } : {});

  c.chooseMe = function (why) {
    const dialog = h("dialog", { class: "inc-dialog", "aria-labelledby": "inc-me-title" });
    const list = h("ul", { class: "inc-people", "aria-live": "polite" });
    const note = h("p", { class: "inc-warning" }, c.say("me.nosignin"));
    const search = h("input", { type: "search", class: "inc-input", placeholder: c.say("me.search"), "aria-label": c.say("me.search") });
    const name = h("input", { class: "inc-input", id: "inc-me-name", autocomplete: "name", value: c.me && !c.me.id ? c.me.name : "" });
    const role = h("select", { class: "inc-input", id: "inc-me-role" }, c.config.roles.map((r) => h("option", { value: r }, c.say("role." + r))));
    if (c.me) role.value = c.me.role;
    let turn = 0;
    async function load() {
      const mine = ++turn;
      const answer = await c.get("/cases/people", { q: search.value });
      if (mine !== turn) return;
      if (!answer.ok) return list.replaceChildren(h("li", { class: "inc-empty" }, c.trouble(answer)));
      const people = answer.body.people;
      list.replaceChildren(
        ...(people.length
          ? people.map((p) =>
              h("li", {}, h("button", { type: "button", class: "inc-person", "data-worker": p.id, onclick: () => take(p) },
                h("b", {}, p.name), h("span", {}, c.say("role." + p.role)), h("span", { class: "inc-quiet" }, p.unit_name || "")))
            )
          : [h("li", { class: "inc-empty" }, c.say("me.nobody"))])
      );
      if (answer.body.more) list.append(h("li", { class: "inc-empty" }, c.say("me.more", { n: answer.body.more })));
    }
    function take(person) {
      c.setMe(person);
      dialog.close();
    }
    const own = h("form", { class: "inc-own", onsubmit: (event) => {
      event.preventDefault();
      if (name.value.trim()) take({ id: "", name: name.value.trim(), role: role.value, unit: "", unit_name: "" });
    } },
      h("label", { for: "inc-me-name" }, c.say("me.name")), name,
      h("label", { for: "inc-me-role" }, c.say("me.role")), role,
      h("button", { class: "inc-button is-main", type: "submit" }, c.say("me.take")));
    dialog.append(
      h("div", { class: "inc-dialog-head" }, h("h2", { id: "inc-me-title" }, c.say("me.title")),
        h("button", { type: "button", class: "inc-close", "aria-label": c.say("close"), onclick: () => dialog.close() }, "×")),
      ...(why ? [h("p", {}, why)] : []), note, search, list,
      h("details", { class: "inc-more" }, h("summary", {}, c.say("me.other")), own)
    );
    dialog.addEventListener("close", () => dialog.remove());
    search.addEventListener("input", load);
    (document.querySelector(".inc, .wk") || document.body).append(dialog);
    dialog.showModal();
    load();
    return dialog;
  };

  /* --- a box to choose one of many, with groups, by mouse, finger or keys ------------------------------- */

  let boxes = 0;
  /* `options`: list of {value, label, group, hint}, or a function of the text that promises one. */
  c.combo = function (settings) {
    const id = settings.id || "inc-combo-" + ++boxes;
    const input = h("input", {
      class: "inc-input", id, type: "text", role: "combobox", autocomplete: "off", "aria-expanded": "false",
      "aria-autocomplete": "list", "aria-controls": id + "-list", placeholder: settings.placeholder || "",
      "aria-label": settings.label || null, "aria-required": settings.required ? "true" : null,
    });
    const list = h("ul", { class: "inc-options", role: "listbox", id: id + "-list", hidden: true });
    const element = h("div", { class: "inc-combo" }, input, list);
    let chosen = null, shown = [], active = -1, turn = 0;

    function matches(text) {
      const parts = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
      return settings.options.filter((o) => {
        const hay = (o.label + " " + (o.hint || "") + " " + o.value + " " + (o.search || "")).toLowerCase();
        return parts.every((part) => hay.includes(part));
      });
    }
    async function open(text) {
      const mine = ++turn;
      const found = typeof settings.options === "function" ? await settings.options(text) : matches(text);
      if (mine !== turn) return;
      shown = found.slice(0, 200);
      active = -1;
      let group = null;
      const items = [];
      shown.forEach((o, k) => {
        if (o.group && o.group !== group) items.push(h("li", { class: "inc-group", role: "presentation" }, (group = o.group)));
        items.push(
          h("li", { role: "option", id: id + "-" + k, "aria-selected": String(Boolean(chosen && chosen.value === o.value)), "data-k": k, "data-value": o.value },
            h("span", {}, o.label), o.hint ? h("span", { class: "inc-quiet" }, o.hint) : null)
        );
      });
      if (!items.length) items.push(h("li", { class: "inc-empty", role: "presentation" }, c.say("nothing.found")));
      list.replaceChildren(...items);
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
    }
    function close() {
      turn++;
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    }
    function show() {
      input.value = chosen ? chosen.label : "";
    }
    function choose(option, quietly) {
      chosen = option;
      show();
      close();
      if (!quietly && settings.onchange) settings.onchange(option);
    }
    function move(step) {
      if (list.hidden) return open(chosen ? "" : input.value);
      active = Math.min(Math.max(active + step, 0), shown.length - 1);
      list.querySelectorAll("[role=option]").forEach((item, k) => item.classList.toggle("is-active", k === active));
      const item = document.getElementById(id + "-" + active);
      if (item) {
        item.scrollIntoView({ block: "nearest" });
        input.setAttribute("aria-activedescendant", item.id);
      }
    }
    input.addEventListener("focus", () => input.select());
    input.addEventListener("click", () => list.hidden && open(""));
    input.addEventListener("input", () => open(input.value));
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        move(event.key === "ArrowDown" ? 1 : -1);
      } else if (event.key === "Enter" && !list.hidden) {
        event.preventDefault();
        const pick = shown[active >= 0 ? active : shown.length === 1 ? 0 : -1];
        if (pick) choose(pick);
      } else if (event.key === "Escape" && !list.hidden) {
        event.stopPropagation();
        show();
        close();
      }
    });
    // The field keeps the focus, so that a press on an option still finds it.
    list.addEventListener("mousedown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const item = event.target.closest("[role=option]");
      if (item) choose(shown[Number(item.dataset.k)]);
    });
    input.addEventListener("blur", () => {
      if (input.value.trim() === "" && chosen && !settings.required) choose(null);
      else show();
      close();
    });
    return {
      element, input,
      get value() {
        return chosen ? chosen.value : null;
      },
      get option() {
        return chosen;
      },
      set(option, quietly) {
        choose(option, quietly !== false);
      },
    };
  };
})();
