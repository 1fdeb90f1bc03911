/* Comments pinned on the map of a plan: a tool that pins, marks on the map, replies, settling. What was typed
   and not yet sent stays until it is sent, also when the tab is left. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const plan = w.plan;
  const word = (key, values) => plan.words("versions." + key, values);
  const at = (id) => document.getElementById(id);
  const t = { list: [], text: "", place: null, grid: null, reply: null, replyText: "", said: null, busy: false };
  const place = h("div", { id: "plan-comments", class: "pv" });

  const path = (end) => "/plan/" + encodeURIComponent(plan.s.id) + "/comments" + (end || "");
  const openOnes = () => t.list.filter((one) => !one.reply_to && !one.done);

  async function read() {
    if (!plan.s) return show();
    const id = plan.s.id;
    const answer = await c.get(path());
    if (!plan.s || plan.s.id !== id) return;
    if (answer.ok) t.list = answer.body.comments;
    t.said = answer.ok ? null : word("trouble");
    pins();
    show();
  }
  async function post(end, body) {
    if (!c.me) return c.chooseMe(word("who"));
    t.busy = true;
    show();
    const answer = await c.post(path(end), { ...body, ...c.viewer() });
    t.busy = false;
    t.said = answer.ok ? null : c.trouble(answer);
    if (answer.ok) {
      t.list = answer.body.comments;
      pins();
    }
    show();
    plan.badges();
    return answer.ok;
  }
  async function sendNew() {
    if (!t.text.trim()) return;
    t.key = t.key || c.key();
    const sent = await post("", { text: t.text, key: t.key, lon: t.place ? t.place[0] : null, lat: t.place ? t.place[1] : null, grid: t.grid });
    if (!sent) return;
    Object.assign(t, { text: "", place: null, grid: null, key: null });
    if (plan.current() === "comment") plan.use("select");
    pins();
    show();
  }
  async function sendReply(id) {
    if (!t.replyText.trim()) return;
    t.replyKey = t.replyKey || c.key();
    if (!(await post("", { text: t.replyText, reply_to: id, key: t.replyKey }))) return;
    Object.assign(t, { reply: null, replyText: "", replyKey: null });
    show();
  }

  /* --- on the map ------------------------------------------------------------------------------------------ */

  function pins() {
    if (!plan.s) return;
    const features = openOnes().filter((one) => one.lon !== null).map((one) => ({ type: "Feature", properties: { id: one.id, colour: w.colour("accent") }, geometry: { type: "Point", coordinates: [one.lon, one.lat] } }));
    if (t.place) features.push({ type: "Feature", properties: { id: "new", colour: w.colour("soon") }, geometry: { type: "Point", coordinates: t.place } });
    plan.overlay("comments", { type: "FeatureCollection", features }, { line: "panel", circle: 7 });
  }
  function pin(p) {
    const near = openOnes().find((one) => {
      if (one.lon === null) return false;
      const spot = plan.project(one.lon, one.lat);
      return Math.hypot(spot.x - p.x, spot.y - p.y) < 12;
    });
    plan.openPanel("comments");
    if (near) return focusOn(near.id);
    t.place = [p.lon, p.lat];
    t.grid = p.grid >= 0 ? plan.s.grids[p.grid].id : null;
    pins();
    show();
    if (at("pv-comment")) at("pv-comment").focus();
  }
  function focusOn(id) {
    const row = document.querySelector('[data-comment="' + CSS.escape(id) + '"]');
    if (!row) return;
    row.scrollIntoView({ block: "nearest" });
    row.classList.add("is-found");
    window.setTimeout(() => row.classList.remove("is-found"), 2000);
  }
  function goTo(one) {
    plan.goTo([one.lon - 0.002, one.lat - 0.0015, one.lon + 0.002, one.lat + 0.0015]);
    plan.flash({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: [one.lon, one.lat] } });
  }

  /* --- the tab ------------------------------------------------------------------------------------------------ */

  function gridName(id) {
    const row = plan.s.rows ? plan.s.rows.get(id) : undefined;
    return row === undefined ? id : plan.s.grids[row].name;
  }
  function form() {
    const pinned = t.place ? word("comment.placed") + (t.grid ? " · " + gridName(t.grid) : "") : plan.current() === "comment" ? word("comment.placing") : word("comment.whole");
    return h("form", { class: "pv-part pv-form", onsubmit: (event) => { event.preventDefault(); sendNew(); } },
      h("label", { for: "pv-comment" }, word("comment.new")),
      h("textarea", { id: "pv-comment", class: "inc-input", maxlength: "4000", placeholder: word("comment.text"), oninput: (event) => { t.text = event.target.value; } }, t.text),
      h("div", { class: "pv-row" },
        h("button", { type: "button", class: "inc-button is-small", id: "pv-place", "aria-pressed": String(plan.current() === "comment"), onclick: () => plan.use("comment") }, word("comment.place")),
        h("span", { class: "pv-help" }, pinned)),
      h("div", { class: "pv-do" },
        h("button", { type: "submit", class: "inc-button is-main", id: "pv-comment-send", disabled: t.busy }, word("comment.send")),
        t.place ? h("button", { type: "button", class: "inc-button", onclick: () => { Object.assign(t, { place: null, grid: null }); pins(); show(); } }, word("comment.cancel")) : null),
      h("p", { class: "pv-said is-wrong", role: "status" }, t.said || ""));
  }
  function thread(one) {
    const replies = t.list.filter((other) => other.reply_to === one.id);
    return h("li", { class: "pv-comment" + (one.done ? " is-done" : ""), "data-comment": one.id },
      h("div", { class: "pv-version" }, h("b", {}, one.by), h("span", { class: "inc-quiet" }, one.at + (one.grid ? " · " + gridName(one.grid) : "")),
        one.lon !== null ? h("button", { type: "button", class: "pv-goto", "aria-label": word("verdict.goto"), title: word("verdict.goto"), onclick: () => goTo(one) }) : null),
      h("p", { class: "pv-text" }, one.text),
      replies.length ? h("ul", { class: "pv-replies" }, replies.map((reply) => h("li", {}, h("b", {}, reply.by), h("span", { class: "inc-quiet" }, reply.at), h("p", { class: "pv-text" }, reply.text)))) : null,
      one.done ? h("p", { class: "pv-help" }, word("comment.done", { by: one.done })) : null,
      t.reply === one.id
        ? h("form", { class: "pv-form", onsubmit: (event) => { event.preventDefault(); sendReply(one.id); } },
            h("textarea", { id: "pv-reply", class: "inc-input", maxlength: "4000", "aria-label": word("comment.reply"), oninput: (event) => { t.replyText = event.target.value; } }, t.replyText),
            h("div", { class: "pv-do" }, h("button", { type: "submit", class: "inc-button is-small is-main" }, word("comment.send")),
              h("button", { type: "button", class: "inc-button is-small", onclick: () => { t.reply = null; show(); } }, word("comment.cancel"))))
        : h("div", { class: "pv-do" },
            h("button", { type: "button", class: "inc-button is-small", "data-do": "reply", onclick: () => { t.reply = one.id; show(); at("pv-reply").focus(); } }, word("comment.reply")),
            h("button", { type: "button", class: "inc-button is-small", "data-do": "settle", disabled: t.busy, onclick: () => post("/" + encodeURIComponent(one.id) + "/settle", { done: !one.done }) }, word(one.done ? "comment.open" : "comment.settle"))));
  }
  function show() {
    if (!plan.s) return place.replaceChildren(h("p", { class: "pv-help" }, word("noplan")));
    const heads = t.list.filter((one) => !one.reply_to);
    const [fresh, settled] = [heads.filter((one) => !one.done), heads.filter((one) => one.done)];
    const held = document.activeElement && place.contains(document.activeElement) ? document.activeElement.id : "";
    place.replaceChildren(form(), h("section", { class: "pv-part" },
      fresh.length ? h("ul", { class: "pv-comments" }, fresh.map(thread)) : h("p", { class: "pv-help" }, word("comment.none")),
      settled.length ? h("details", { class: "pv-settled" }, h("summary", {}, word("comment.settled", { n: plan.text(settled.length) })), h("ul", { class: "pv-comments" }, settled.map(thread))) : null));
    if (held && at(held)) at(held).focus();
  }

  plan.onBegin(() => {
    plan.panel("comments", { title: word("comments"), element: place, shown: read, badge: () => openOnes().length || null });
    plan.tool("comment", {
      key: "c", group: 4, title: word("comment.new"), help: word("comment.placing"), pans: true, touch: true, cursor: "crosshair",
      icon: '<path d="M4 5h16v11h-9l-4 4v-4H4z"/><path d="M8 9h8M8 12h5"/>',
      start() { plan.openPanel("comments"); show(); }, stop() { show(); }, down: pin, hint: () => word("comment.placing"),
    });
  });
  plan.on("load", () => {
    if (t.id !== plan.s.id) Object.assign(t, { id: plan.s.id, list: [], place: null, grid: null, reply: null });
    read();
  });
})();
