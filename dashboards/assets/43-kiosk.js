/* A wall without hands (?kiosk=1): no controls, no pointer, the screen kept awake, and a tour through the
   city and its units, those with the most overdue first. A touch stops the tour for a minute. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const REST_MS = 60000;
  const POINTER_MS = 3000;
  const tour = (w.tour = { stop: 0, due: 0, paused: 0, stops: [""], restMs: REST_MS });
  const on = () => Boolean(s.config && s.config.kiosk && document.getElementById("command-page"));
  let awake = null;
  let pointer = 0;

  async function stayAwake() {
    if (!on() || document.hidden || !navigator.wakeLock || (awake && !awake.released)) return;
    try {
      awake = await navigator.wakeLock.request("screen");
    } catch (error) {
      awake = null; // not allowed here: the wall's own settings must keep it awake
    }
  }

  function show() {
    const bar = document.getElementById("command-tour");
    if (!bar) return;
    const paused = performance.now() < tour.paused;
    const words = s.config.words;
    const crumb = document.querySelector("#command-crumbs [aria-current]");
    const text = paused
      ? words["tour.paused"]
      : words["tour.at"].replace("{k}", tour.stop + 1).replace("{n}", tour.stops.length).replace("{name}", crumb ? crumb.textContent : "");
    w.say(bar.querySelector("span"), text);
    bar.classList.toggle("is-paused", paused);
    const left = Math.max(0, tour.due - performance.now()) / (s.config.tourS * 1000);
    bar.querySelector("i").style.transform = "scaleX(" + (paused ? 0 : 1 - Math.min(1, left)).toFixed(3) + ")";
  }

  function next() {
    tour.stop = (tour.stop + 1) % tour.stops.length;
    tour.due = performance.now() + s.config.tourS * 1000;
    w.command.choose(null);
    w.command.go(tour.stops[tour.stop], { silent: true });
  }

  w.setTour = function (stops) {
    const here = tour.stops[tour.stop];
    tour.stops = ["", ...stops.filter((code) => code)];
    tour.stop = Math.max(0, tour.stops.indexOf(here));
  };

  function pause(event) {
    if (!on()) return;
    document.documentElement.classList.add("has-pointer");
    window.clearTimeout(pointer);
    pointer = window.setTimeout(() => document.documentElement.classList.remove("has-pointer"), POINTER_MS);
    if (event.type === "pointermove") return;
    tour.paused = performance.now() + tour.restMs;
    tour.due = tour.paused + s.config.tourS * 1000;
    show();
  }
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
    document.addEventListener(kind, pause, { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", stayAwake);

  w.onBegin((config) => {
    document.documentElement.classList.toggle("is-kiosk", on());
    if (!on()) return;
    tour.due = performance.now() + config.tourS * 1000;
    tour.stop = Math.max(0, tour.stops.indexOf(w.command.unit));
    stayAwake();
  });

  w.eachSecond(() => {
    if (!on()) return;
    if (performance.now() >= tour.paused && performance.now() >= tour.due && tour.stops.length > 1) next();
    show();
  });
})();
