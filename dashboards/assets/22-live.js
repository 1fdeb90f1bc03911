/* The connection to /live. It is opened when the page begins, comes back by itself, and goes on from the
   event that it saw last; what can no longer be told is loaded anew. The page keeps what it has meanwhile.

   For pages:  wangge.live.on(kind, fn)   fn(data) for hello, positions, states, patrol, cases, alarm,
                                          version, reset, ping;
                                          "state": fn("live"|"lost")
               wangge.live.state          "live" or "lost"
               wangge.live.missed         numbered events that never came; stays 0
               wangge.live.hold(), release()   keep events back while a source loads, then hand them on */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const KINDS = ["hello", "positions", "states", "patrol", "cases", "alarm", "version", "reset", "ping"];
  const FIRST_MS = 1000;
  const LONGEST_MS = 10000;
  /* Two pings and a half: longer silence means that the way is cut though nobody said so. */
  const SILENCE_MS = 25000;
  const heard = {};
  let source = null;
  let timer = 0;
  let wait = FIRST_MS;
  let last = null; // {boot, n} of the event that came last
  let when = 0;
  let held = 0;
  let queue = [];

  const live = (w.live = { state: "lost", missed: 0, events: 0, connections: 0, last: null });

  live.on = function (kind, run) {
    (heard[kind] = heard[kind] || []).push(run);
  };

  function tell(kind, data) {
    for (const run of heard[kind] || []) {
      try {
        run(data);
      } catch (error) {
        console.error(error); // one listener must not take the events from the others
      }
    }
  }

  function setState(state) {
    if (live.state === state) return;
    live.state = state;
    document.documentElement.dataset.live = state;
    tell("state", state);
  }

  /* --- order ------------------------------------------------------------------------------------ */

  function number(id) {
    const cut = (id || "").lastIndexOf("-");
    return cut < 0 ? null : { boot: id.slice(0, cut), n: Number(id.slice(cut + 1)) };
  }

  function note(kind, id) {
    const now = number(id);
    if (!now) return;
    const follows = kind !== "hello" && kind !== "reset";
    if (last && last.boot === now.boot && follows && now.n > last.n + 1) live.missed += now.n - last.n - 1;
    last = now;
    live.last = now.boot + "-" + now.n;
  }

  live.hold = function () {
    held += 1;
  };
  live.release = function () {
    held = Math.max(0, held - 1);
    while (!held && queue.length) tell(...queue.shift());
  };

  function take(kind, event) {
    when = performance.now();
    let data;
    try {
      data = JSON.parse(event.data);
    } catch (error) {
      console.error("an event of /live is broken", kind);
      return;
    }
    if (kind === "ping") {
      if (last && data.n > last.n) {
        live.missed += data.n - last.n;
        last.n = data.n;
      }
    } else {
      note(kind, event.lastEventId);
      live.events += 1;
    }
    if (kind === "hello") {
      wait = FIRST_MS;
      live.connections += 1;
      setState("live");
      catchUp(data.versions, false);
    }
    if (kind === "reset") catchUp(data.versions, true);
    if (w.heard && data.now !== undefined) w.heard({ now: data.now, newest: data.newest });
    if (held) queue.push([kind, data]);
    else tell(kind, data);
  }

  /* --- loading anew ------------------------------------------------------------------------------- */

  /* What moves is loaded by address if it is of another version than the page has. Events that come
     meanwhile are kept back: the answer may be older than they are. */
  let first = true;
  async function catchUp(versions, isReset) {
    const begins = first;
    first = false;
    const s = w.s;
    if (!versions || !s || !s.config || !w.map || !w.map.loadMoving) return;
    const changed = (part) => (s.versions || {})[part] !== versions[part];
    const wanted = { incidents: isReset || (begins && changed("incidents")), workers: isReset || (begins && changed("workers")) };
    if (!wanted.incidents && !wanted.workers) return;
    s.versions = { ...s.versions, incidents: versions.incidents, workers: versions.workers };
    await w.map.loadMoving(wanted);
  }

  /* --- the connection ------------------------------------------------------------------------------- */

  function close() {
    if (source) source.close();
    source = null;
  }

  function lost() {
    close();
    setState("lost");
    window.clearTimeout(timer);
    // A little apart, so that a hundred screens do not come back in the same moment.
    timer = window.setTimeout(open, wait * (0.8 + 0.4 * Math.random()));
    wait = Math.min(wait * 2, LONGEST_MS);
  }

  function open() {
    close();
    const query = new URLSearchParams({ lang: w.s.config.lang });
    if (live.last) query.set("last", live.last);
    const mine = (source = new EventSource("/live?" + query));
    when = performance.now();
    for (const kind of KINDS) mine.addEventListener(kind, (event) => mine === source && take(kind, event));
    mine.onerror = () => mine === source && lost();
  }

  live.close = function () {
    window.clearTimeout(timer);
    close();
    setState("lost");
  };

  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => event.persisted && w.s.config && open());
  window.addEventListener("online", () => live.state === "lost" && w.s.config && open());
  window.setInterval(() => source && performance.now() - when > SILENCE_MS && lost(), 1000);

  if (w.onBegin) {
    w.onBegin((config) => {
      document.documentElement.dataset.live = live.state;
      if (config.live === false) return;
      first = true;
      open();
    });
  }
})();
