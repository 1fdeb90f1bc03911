/* Alarms about patrols on the command page: an SOS at once in the head, on the map and in the sound; all
   others calmly in a list of their own, grouped by kind. They come by /live; what is loaded by address is
   the same. An acknowledgement goes to the server, so every screen sees who took note. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const m = w.map;
  const KINDS = ["sos", "off_post", "round_at_risk", "no_signal", "out_of_grid", "standing"];
  const OPEN_UP_TO = 6; // a group of so many rows stands open by itself
  const ROWS = 60; // of a group; more are counted
  const AT_ONCE = 4; // acknowledgements under way
  const AGAIN_MS = 8000; // an SOS that nobody has acknowledged is heard again
  const found = new Map();
  const opened = new Map(); // what a person opened or closed by hand, by kind
  const page = () => document.getElementById("command-patrol");
  const word = (key, values) => Object.entries(values || {}).reduce((text, [name, value]) => text.replace("{" + name + "}", value), s.config.words[key] || key);
  const patrol = (w.patrol = { alarms: found, acknowledged: 0 });

  /* --- what is open ----------------------------------------------------------------------------------- */

  const isMine = (a) => a.kind === "sos" || !w.command.unit || a.units.includes(w.command.unit) || a.grid_id === w.command.unit;
  const unseen = (a) => a.seen === null;
  patrol.calls = () => [...found.values()].filter((a) => a.kind === "sos" && unseen(a)).sort((a, b) => b.fired - a.fired);
  /* Where they are now, or where they called from. */
  patrol.placeOf = function (a) {
    const now = a.worker_id && m.workers.get(a.worker_id);
    return now ? [now.lon, now.lat] : a.place;
  };

  function set(alarms, whole) {
    const before = new Set(patrol.calls().map((a) => a.id));
    if (whole) found.clear();
    for (const a of alarms) found.set(a.id, a);
    after(before);
  }
  function after(before) {
    const fresh = patrol.calls().some((a) => !before.has(a.id));
    show(fresh);
    if (fresh) sound();
  }

  let loading = false;
  async function load() {
    if (loading || !page()) return;
    loading = true;
    if (w.live) w.live.hold();
    try {
      const answer = await fetch("/data/alarms.json?lang=" + s.config.lang);
      patrol.failed = !answer.ok;
      if (answer.ok) set((await answer.json()).alarms, true);
      else show(false);
    } catch (error) {
      patrol.failed = true; // away: what was told stays, and the list says so
      show(false);
    } finally {
      loading = false;
      if (w.live) w.live.release();
    }
  }

  function change(event) {
    const before = new Set(patrol.calls().map((a) => a.id));
    for (const id of event.gone) found.delete(id);
    for (const a of event.changed) found.set(a.id, a);
    after(before);
  }

  /* --- acknowledging ------------------------------------------------------------------------------------- */

  function person() {
    try {
      return JSON.parse(window.localStorage.getItem("wangge-person") || "null") || {};
    } catch (error) {
      return {};
    }
  }

  async function acknowledgeOne(id, who) {
    const body = JSON.stringify({ by: who.by || word("patrol.desk"), role: who.role || "", note: "" });
    const answer = await fetch("/patrol-alarms/" + encodeURIComponent(id) + "/seen", {
      method: "POST", headers: { "Content-Type": "application/json" }, body,
    });
    if (answer.ok) return;
    let text = String(answer.status);
    try {
      text = (await answer.json()).error || text;
    } catch (error) {
      text = String(answer.status); // no body to quote
    }
    throw new Error(text);
  }

  patrol.acknowledge = async function (ids) {
    const who = person();
    const waiting = [...ids];
    const failed = [];
    async function work() {
      while (waiting.length) {
        const id = waiting.shift();
        try {
          await acknowledgeOne(id, who);
          patrol.acknowledged += 1;
          const alarm = found.get(id);
          if (!alarm) continue;
          // The server says the same by /live in a moment; an SOS that is acknowledged is over.
          if (alarm.kind === "sos") found.delete(id);
          else found.set(id, { ...alarm, seen: w.now() / 1000, by: who.name || who.by || word("patrol.desk") });
        } catch (error) {
          failed.push(error.message);
        }
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (failed.length) w.notice(word("patrol.ack.failed", { text: failed[0] }));
    show(false);
  };

  /* --- going there ------------------------------------------------------------------------------------------ */

  patrol.show = function (id) {
    const a = found.get(id);
    if (!a) return;
    const place = patrol.placeOf(a);
    if (a.worker_id) m.selectWorker(a.worker_id);
    if (place) {
      w.command.choose({ grid_id: null, incident_id: null, lon: place[0], lat: place[1] });
      m.fly({ center: { lon: place[0], lat: place[1] }, zoom: Math.max(15.8 + w.shift(), s.map ? s.map.getZoom() : 0) });
    } else if (a.grid_id) {
      w.command.choose({ grid_id: a.grid_id, incident_id: null, lon: null, lat: null });
      m.flyToUnit("grid", a.grid_id);
    }
  };

  /* --- drawing ------------------------------------------------------------------------------------------------ */

  function part(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }
  function button(className, text, data) {
    const element = part("button", className, text);
    element.type = "button";
    Object.assign(element.dataset, data);
    return element;
  }
  const mark = (kind) => part("i", "mark-w is-" + kind);
  let format = null;
  function clock(seconds) {
    if (!format) format = new Intl.DateTimeFormat("en-GB", { timeZone: s.config.timezone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    return format.format(seconds * 1000);
  }
  function lasts(a) {
    const span = part("span", "patrol-lasts", word("patrol.lasts", { span: w.span(w.now() - a.began * 1000) }));
    span.dataset.began = a.began;
    return span;
  }
  function whose(a) {
    if (a.who) return a.who;
    if (a.detail && a.detail.workers) return word("patrol.nobody");
    return a.kind === "round_at_risk" ? a.where : word("patrol.grid");
  }
  function where(a) {
    if (!a.who && a.detail && a.detail.workers) return word("patrol.workers", { n: a.detail.workers });
    if (a.kind === "round_at_risk") return s.config.words["patrol.shift." + a.shift] || a.shift || "";
    return a.where;
  }

  function row(a) {
    const item = part("li", unseen(a) ? "" : "is-seen");
    item.dataset.key = a.id;
    const line = button("patrol-row", undefined, { patrol: a.id });
    line.append(part("time", "patrol-since", clock(a.began)), part("span", "patrol-who", whose(a)), lasts(a), part("span", "patrol-where", where(a)));
    item.append(line);
    if (unseen(a)) item.append(button("patrol-ack", word("patrol.ack"), { ack: a.id }));
    else item.append(part("span", "patrol-seen", word("patrol.seen", { by: a.by || "" })));
    return item;
  }

  function group(kind, alarms) {
    const news = alarms.filter(unseen);
    const box = part("details", "patrol-group is-" + kind);
    box.dataset.kind = kind;
    box.dataset.key = kind;
    box.open = opened.has(kind) ? opened.get(kind) : kind === "sos" || alarms.length <= OPEN_UP_TO;
    const head = part("summary");
    const many = kind === "round_at_risk" ? "patrol.grids" : "patrol.many";
    head.append(mark(kind), part("b", "", word("patrol.kind." + kind)), part("span", "patrol-count", word(many, { n: alarms.length.toLocaleString("en-US") })));
    if (news.length) head.append(part("span", "patrol-news", word("patrol.unseen", { n: news.length.toLocaleString("en-US") })));
    if (news.length > 1 && kind !== "sos") head.append(button("patrol-ack is-all", word("patrol.ack.all"), { ackAll: kind }));
    box.append(head);
    const list = part("ol", "patrol-list");
    for (const a of alarms.slice(0, ROWS)) list.append(row(a));
    if (alarms.length > ROWS) list.append(part("li", "patrol-rest", word("patrol.more", { n: (alarms.length - ROWS).toLocaleString("en-US") })));
    box.append(list);
    return box;
  }

  function groups() {
    const mine = [...found.values()].filter(isMine);
    const order = (a, b) => (a.seen === null ? 0 : 1) - (b.seen === null ? 0 : 1) || b.fired - a.fired || (a.id < b.id ? -1 : 1);
    return KINDS.map((kind) => [kind, mine.filter((a) => a.kind === kind).sort(order)]).filter(([, alarms]) => alarms.length);
  }

  let shownText = "";
  function show(fresh) {
    const to = page();
    if (!to || !s.config) return;
    showCalls(fresh);
    const all = groups();
    const news = all.reduce((sum, [, alarms]) => sum + alarms.filter(unseen).length, 0);
    const toggle = document.getElementById("command-patrol-open");
    if (toggle) {
      w.say(toggle, word("patrol.open", { n: news.toLocaleString("en-US") }));
      toggle.classList.toggle("has-news", news > 0);
      toggle.classList.toggle("has-sos", patrol.calls().length > 0);
    }
    if (w.pulse) w.pulse();
    const text = JSON.stringify([all, patrol.failed, s.config.lang]);
    if (text === shownText && to.childNodes.length) return;
    shownText = text;
    const key = focusKey(to);
    const top = to.scrollTop;
    const note = patrol.failed ? [part("p", "patrol-failed", word("patrol.failed"))] : [];
    if (all.length) to.replaceChildren(...note, ...all.map(([kind, alarms]) => group(kind, alarms)));
    else to.replaceChildren(...note, part("div", "empty", word("patrol.empty")));
    to.scrollTop = top;
    if (key) {
      const again = [...to.querySelectorAll("button,summary")].find((one) => keyOf(one) === key);
      if (again) again.focus();
    }
  }
  const keyOf = (element) => JSON.stringify({ ...element.dataset, kind: element.parentElement.dataset.kind });
  const focusKey = (to) => (to.contains(document.activeElement) && document.activeElement !== to ? keyOf(document.activeElement) : null);

  /* The bar in the head: the newest call, how many more, and what to do. */
  function showCalls(fresh) {
    const place = document.getElementById("command-sos");
    if (!place) return;
    const calls = patrol.calls();
    document.documentElement.dataset.sos = calls.length ? "open" : "";
    if (!calls.length) {
      if (place.childNodes.length) place.replaceChildren();
      return;
    }
    const first = calls[0];
    const key = first.id + ":" + calls.length;
    if (place.dataset.key === key && place.childNodes.length) return;
    place.dataset.key = key;
    const focused = place.contains(document.activeElement) ? document.activeElement.className : null;
    const bar = part("div", "sos-bar" + (fresh ? " is-new" : ""));
    bar.append(
      mark("sos"), part("b", "sos-kind", word("patrol.kind.sos")), part("span", "sos-who", whose(first)),
      part("span", "sos-where", first.where), part("span", "sos-since", word("patrol.since", { time: clock(first.began) }))
    );
    if (calls.length > 1) bar.append(part("span", "sos-more", word("patrol.sos.more", { n: calls.length - 1 })));
    const buttons = part("span", "sos-buttons");
    buttons.append(button("sos-button is-show", word("patrol.show"), { patrol: first.id }), button("sos-button is-ack", word("patrol.ack"), { ack: first.id }));
    bar.append(buttons);
    place.replaceChildren(bar);
    const again = focused && [...place.querySelectorAll("button")].find((one) => one.className === focused);
    if (again) again.focus();
  }

  /* --- sound ------------------------------------------------------------------------------------------------------ */

  let heardAt = 0;
  function sound() {
    heardAt = performance.now();
    if (w.soundAlarm) w.soundAlarm();
  }

  /* --- hands ------------------------------------------------------------------------------------------------------ */

  patrol.open = function (isOpen) {
    const panel = page() && page().closest(".list-panel");
    if (!panel) return;
    panel.classList.toggle("shows-patrol", isOpen);
    page().hidden = !isOpen;
    const toggle = document.getElementById("command-patrol-open");
    toggle.setAttribute("aria-pressed", String(isOpen));
    toggle.title = isOpen ? word("patrol.back") : word("patrol.title");
    show(false);
  };

  document.addEventListener("click", (event) => {
    if (!page() || !s.config) return;
    if (event.target.closest("#command-list-order")) return void patrol.open(false);
    const target = event.target.closest("[data-patrol],[data-ack],[data-ack-all],#command-patrol-open,.patrol-group > summary");
    if (!target) return;
    const data = target.dataset;
    if (data.ack) {
      target.disabled = true;
      patrol.acknowledge([data.ack]);
    } else if (data.ackAll) {
      event.preventDefault(); // the button stands in the group's head, which would close the group
      target.disabled = true;
      const group = groups().find(([kind]) => kind === data.ackAll);
      patrol.acknowledge(group ? group[1].filter(unseen).map((a) => a.id) : []);
    } else if (data.patrol) patrol.show(data.patrol);
    else if (target.id === "command-patrol-open") patrol.open(page().hidden);
    else opened.set(target.parentElement.dataset.kind, !target.parentElement.open);
  });

  let asked = 0;
  w.eachSecond(() => {
    const to = page();
    if (!to) return;
    if (!to.hidden) {
      const now = w.now();
      for (const span of to.querySelectorAll(".patrol-lasts")) w.say(span, word("patrol.lasts", { span: w.span(now - span.dataset.began * 1000) }));
    }
    const calls = patrol.calls();
    if (calls.length && performance.now() - heardAt > AGAIN_MS) sound();
    const isLive = w.live && w.live.state === "live";
    if (!isLive && performance.now() - asked > 2 * s.config.refreshS * 1000) {
      asked = performance.now();
      load();
    }
  });

  w.onBegin(() => {
    if (!page()) return;
    format = null;
    shownText = "";
    show(false);
    if (patrol.listening || !w.live) return;
    patrol.listening = true;
    w.live.on("patrol", change);
    w.live.on("hello", load);
    w.live.on("reset", load);
  });
})();
