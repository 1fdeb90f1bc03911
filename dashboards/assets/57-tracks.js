/* Who looked at my track, on the worker's phone: how often in one line, who and what when it is opened.
   The server finishes every sentence; nobody but the worker himself is told. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const AGAIN_MS = 60000;
  const panel = () => document.getElementById("worker-looks");
  let whose = null, asked = 0, turn = 0;

  function row(look) {
    return h("li", { class: look.self ? "is-self" : null },
      h("div", { class: "wk-look-head" }, h("b", {}, look.who), h("time", { datetime: look.at }, look.when)),
      h("div", { class: "inc-quiet" }, look.what));
  }
  function facts(told) {
    const title = panel().closest("section").dataset.facts;
    return h("details", { class: "wk-facts" }, h("summary", {}, title), h("ul", {}, told.map((text) => h("li", {}, text))));
  }
  function show(told) {
    const list = document.getElementById("worker-looks-list");
    const open = list.querySelector(".wk-facts[open]") !== null;
    document.getElementById("worker-looks-count").textContent = told.count || told.empty;
    list.replaceChildren(
      told.looks.length ? h("ul", { class: "wk-look-list" }, told.looks.map(row)) : h("p", { class: "inc-empty" }, told.empty),
      ...(told.more ? [h("p", { class: "inc-quiet" }, told.more)] : []),
      h("p", { class: "inc-warning" }, told.note),
      facts(told.facts)
    );
    list.querySelector(".wk-facts").open = open;
  }

  async function load() {
    const me = c.me;
    const mine = ++turn;
    whose = me.id || me.name;
    asked = performance.now();
    const answer = await c.get("/tracks/looks", { worker: whose, ...c.viewer() });
    if (mine !== turn || !panel()) return;
    if (answer.ok) return show(answer.body);
    document.getElementById("worker-looks-count").textContent = "";
    document.getElementById("worker-looks-list").replaceChildren(h("p", { class: "inc-empty" }, c.trouble(answer)));
  }

  w.eachSecond(() => {
    if (!panel() || !c.config || !c.me || document.hidden) return;
    if (whose !== (c.me.id || c.me.name) || performance.now() - asked > AGAIN_MS) load();
  });
})();
