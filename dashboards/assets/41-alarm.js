/* Overdue alarms: seen in the head of the page until someone acknowledges them, and heard if switched on.
   They live here and not in what dash writes, so an update of the page never takes one away. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const SOUND = "wangge.sound";
  const DONE = "wangge.acknowledged";
  const OPEN = "wangge.alarms";
  const KEPT = 500;
  const QUIET_MS = 3000;
  const page = () => document.getElementById("command-page");
  let open = recall(window.sessionStorage, OPEN);
  const done = new Set(recall(window.localStorage, DONE));

  function recall(storage, key) {
    try {
      const found = JSON.parse(storage.getItem(key) || "[]");
      return Array.isArray(found) ? found : [];
    } catch (error) {
      return [];
    }
  }
  function keep() {
    window.sessionStorage.setItem(OPEN, JSON.stringify(open.slice(0, KEPT)));
    window.localStorage.setItem(DONE, JSON.stringify([...done].slice(-KEPT)));
  }

  /* alarm: {incident_id, kind, what, where, late_s, grid_id, lon, lat} */
  w.alarm = function (alarm) {
    const id = String(alarm.incident_id);
    if (!page() || done.has(id) || open.some((other) => String(other.incident_id) === id)) return;
    open.unshift({ ...alarm, at: w.now() });
    keep();
    show(true);
    sound();
  };

  w.acknowledge = function (ids) {
    const gone = new Set(ids.map(String));
    for (const id of gone) done.add(id);
    open = open.filter((alarm) => !gone.has(String(alarm.incident_id)));
    keep();
    show(false);
  };

  /* A case that is finished, or has more time again, needs no alarm. */
  w.alarmsOver = function (event) {
    const over = new Set((event.gone || []).map(String));
    for (const one of event.changed || []) if (one.state !== "late") over.add(String(one.id));
    const left = open.filter((alarm) => !over.has(String(alarm.incident_id)));
    if (left.length === open.length) return;
    open = left;
    keep();
    show(false);
  };

  function part(tag, className, text) {
    const element = document.createElement(tag);
    element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }
  function button(className, text, run) {
    const element = part("button", "alarm-button " + className, text);
    element.type = "button";
    element.addEventListener("click", run);
    return element;
  }

  function clock(ms) {
    return new Intl.DateTimeFormat("en-GB", { timeZone: s.config.timezone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(ms);
  }

  function show(fresh) {
    const place = document.getElementById("command-alarm");
    if (!place || !s.config) return;
    const words = s.config.words;
    const first = open[0];
    if (!first) {
      if (place.childNodes.length) place.replaceChildren();
      return;
    }
    const bar = part("div", "alarm-bar" + (fresh ? " is-new" : ""));
    bar.dataset.incident = first.incident_id;
    const since = first.at - (first.late_s || 0) * 1000;
    bar.append(
      part("i", "mark mark-square"),
      part("b", "alarm-kind", words["alarm." + first.kind] || words["alarm.overdue"]),
      part("span", "alarm-what", first.what || ""),
      part("span", "alarm-where", first.where || ""),
      part("span", "alarm-since", words["alarm.since"].replace("{time}", clock(since)))
    );
    if (open.length > 1) bar.append(part("span", "alarm-more", words["alarm.more"].replace("{n}", open.length - 1)));
    const buttons = part("span", "alarm-buttons");
    buttons.append(
      button("is-show", words["alarm.show"], () => {
        const known = w.map.cases.get(first.incident_id);
        const [lon, lat] = known ? known.geometry.coordinates : [first.lon, first.lat];
        w.command.showCase({ case: first.incident_id, grid: first.grid_id || "", lon, lat });
      }),
      button("is-ack", words["alarm.ack"], () => w.acknowledge([first.incident_id]))
    );
    if (open.length > 1) buttons.append(button("is-all", words["alarm.all"], () => w.acknowledge(open.map((a) => a.incident_id))));
    bar.append(buttons);
    const focused = place.contains(document.activeElement) ? document.activeElement.className : null;
    place.replaceChildren(bar);
    if (focused) {
      const again = [...place.querySelectorAll("button")].find((one) => one.className === focused);
      if (again) again.focus();
    }
  }

  /* --- sound ------------------------------------------------------------------------------------------- */

  let audio = null;
  let heard = 0;
  const wanted = () => window.localStorage.getItem(SOUND) === "on";

  function ready() {
    const Audio = window.AudioContext || window.webkitAudioContext;
    if (!audio && Audio) audio = new Audio();
    return audio;
  }

  function tone(at, pitch) {
    const voice = audio.createOscillator();
    const volume = audio.createGain();
    voice.type = "sine";
    voice.frequency.value = pitch;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.22, at + 0.03);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.42);
    voice.connect(volume).connect(audio.destination);
    voice.start(at);
    voice.stop(at + 0.45);
  }

  function sound() {
    if (!wanted() || !ready() || performance.now() - heard < QUIET_MS) return;
    if (audio.state !== "running") return showSound();
    heard = performance.now();
    w.tones = (w.tones || 0) + 1;
    for (const [k, pitch] of [784, 587, 784, 587].entries()) tone(audio.currentTime + 0.28 * k, pitch);
  }

  /* For 44-patrol.js: a call for help is heard as another, more urgent row of tones, whatever sounded last. */
  w.soundAlarm = function () {
    if (!wanted() || !ready()) return;
    if (audio.state !== "running") return showSound();
    heard = performance.now();
    w.tones = (w.tones || 0) + 1;
    for (let k = 0; k < 6; k++) tone(audio.currentTime + 0.16 * k, k % 2 ? 988 : 784);
  };

  /* Browsers let a page be heard only after a person has touched it: say so until then. */
  function showSound() {
    const toggle = document.getElementById("command-sound");
    if (!toggle || !s.config) return;
    const state = !wanted() ? "off" : audio && audio.state === "running" ? "on" : "blocked";
    toggle.setAttribute("aria-pressed", String(wanted()));
    toggle.dataset.state = state;
    toggle.title = s.config.words["sound." + state];
  }

  async function wake() {
    if (!wanted() || !ready()) return;
    if (audio.state === "suspended") await audio.resume();
    showSound();
  }

  document.addEventListener("click", async (event) => {
    if (!event.target.closest("#command-sound")) return;
    window.localStorage.setItem(SOUND, wanted() ? "off" : "on");
    await wake();
    showSound();
    if (wanted() && audio && audio.state === "running") tone(audio.currentTime, 659);
  });
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => wanted() && (!audio || audio.state === "suspended") && wake());

  w.onBegin(() => {
    if (!page()) return;
    show(false);
    showSound();
    if (w.listensForAlarms || !w.live) return;
    w.listensForAlarms = true;
    w.live.on("alarm", (alarm) => w.alarm(alarm));
    w.live.on("cases", (event) => w.alarmsOver(event));
  });
})();
