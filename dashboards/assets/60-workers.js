/* What the pages about patrols share in the browser: the head with "who am I" and night, and the word
   who looks that goes with every request about tracks. See components/workers_frame.py. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const k = (w.workers = { config: null });
  const begun = [];
  const chosen = [];
  const same = () => window.dash_clientside.no_update;

  k.page = () => document.getElementById("workers-page");

  k.onBegin = function (run) {
    begun.push(run);
    if (k.config && k.page()) run(k.config, c.me);
  };
  k.onMe = (run) => void chosen.push(run);

  /* Who looks, as the server takes it with every request about tracks. */
  k.viewer = function () {
    const { by, role } = c.viewer();
    return by ? { by, role } : {};
  };
  /* Whether this person may see single tracks; the server asks again each time. */
  k.may = () => Boolean(c.me && k.config.workers.roles.includes(c.me.role));

  k.get = (path, query, options) => c.get(path, { ...k.viewer(), ...query }, options);

  k.say = function (key, values) {
    let text = k.config.workers.words[key];
    if (text === undefined) throw new Error("no words for " + key);
    for (const [name, value] of Object.entries(values || {})) text = text.replaceAll("{" + name + "}", value);
    return text;
  };

  function listen() {
    document.getElementById("incidents-me").addEventListener("click", () => c.chooseMe());
    document.getElementById("incidents-night").addEventListener("click", () => {
      c.keep("night", c.kept("night") === true ? null : true);
      window.location.reload();
    });
    // A tab takes along what the address says now, not what it said when the page came.
    document.querySelector(".ws-tabs").addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link) return;
      const now = w.address();
      const along = new URLSearchParams();
      for (const name of ["lang", "day"]) if (now.get(name)) along.set(name, now.get(name));
      const text = along.toString();
      link.setAttribute("href", link.getAttribute("href").split("?")[0] + (text ? "?" + text : ""));
    });
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.workers = {
    begin(config) {
      if (!config || !config.workers || !k.page()) return same();
      if (k.key === config.key) return same();
      if (!c.begin(config)) return same();
      k.key = config.key;
      k.config = config;
      c.readMe();
      c.on("me", (me) => chosen.forEach((run) => run(me)));
      listen();
      begun.forEach((run) => run(config, c.me));
      document.documentElement.dataset.workers = "ready";
      return config.key;
    },
  };
})();
