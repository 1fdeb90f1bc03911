/* The scrub bar of the replay: fixes by time as bars, incidents as ticks, the span that is asked about, and a
   slider over them for hand and keys. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const h = w.cases.h;
  const k = w.workers;
  const r = k.replay;
  const id = (name) => document.getElementById("replay-" + name);
  const say = k.say;
  const two = (n) => String(n).padStart(2, "0");

  r.scrub = function () {
    const place = id("scrub-place");
    place.replaceChildren(h("input", {
      type: "range", id: "replay-scrub-range", class: "rp-range", min: 0, max: Math.round(r.day.length), step: 60, value: Math.round(r.t), "aria-label": say("scrub"),
      oninput: (event) => r.seek(Number(event.target.value)),
    }), h("i", { id: "replay-needle", class: "rp-needle" }));
    r.drawScrub();
  };
  r.drawScrub = function () {
    const canvas = id("scrub");
    if (!canvas || !r.day) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const g = canvas.getContext("2d");
    g.scale(ratio, ratio);
    const u = w.scale();
    const top = 3 * u;
    const floor = height - 16 * u;
    const bars = Math.max(1, Math.min(288, Math.floor(width / (4 * u))));
    const each = r.day.density.length / bars;
    const sums = Array.from({ length: bars }, (_, i) => {
      let sum = 0;
      for (let j = Math.floor(i * each); j < Math.floor((i + 1) * each); j++) sum += r.day.density[j];
      return sum;
    });
    const most = Math.max(1, ...sums);
    g.fillStyle = w.colour("accent");
    g.globalAlpha = 0.45;
    sums.forEach((sum, i) => {
      const high = (sum / most) * (floor - top);
      g.fillRect((i * width) / bars + 0.5 * u, floor - high, width / bars - 1 * u, high);
    });
    g.globalAlpha = 1;
    g.fillStyle = w.colour("soon");
    for (const one of r.cases.rows) if (one.from >= 0) g.fillRect((one.from / r.day.length) * width - 0.75 * u, floor - 4 * u, 1.5 * u, 4 * u);
    if (r.area && r.since) {
      const [a, b] = [r.seconds(r.since), r.seconds(r.until)].map((t) => (t / r.day.length) * width);
      g.fillStyle = w.colour("soon");
      g.globalAlpha = 0.16;
      g.fillRect(a, 0, b - a, floor);
      g.globalAlpha = 1;
    }
    g.fillStyle = w.colour("line");
    g.fillRect(0, floor, width, 1 * u);
    g.fillStyle = w.colour("quiet");
    g.font = 12 * u + "px " + getComputedStyle(document.body).fontFamily;
    g.textAlign = "center";
    g.textBaseline = "bottom";
    for (let hour = 0; hour <= 24; hour += 2) {
      const x = ((hour * 3600) / r.day.length) * width;
      g.textAlign = hour === 0 ? "left" : hour === 24 ? "right" : "center";
      g.fillText(two(hour) + ":00", x, height);
      g.fillRect(x - (hour === 24 ? u : 0), floor, 1 * u, 3 * u);
    }
  };
  r.needle = function () {
    const line = id("needle");
    if (line) line.style.left = ((r.t / r.day.length) * 100).toFixed(3) + "%";
  };

  r.listenScrub = function () {
    const scrubPlace = document.querySelector(".rp-scrub");
    scrubPlace.addEventListener("mousemove", (event) => {
      if (!r.day) return;
      const box = scrubPlace.getBoundingClientRect();
      const t = ((event.clientX - box.left) / box.width) * r.day.length;
      const place = id("scrub-tip");
      const fixes = r.day.density[Math.min(Math.floor(t / 60), r.day.density.length - 1)] || 0;
      place.hidden = false;
      place.textContent = say("scrub.tip", { time: r.clock(t, true), n: fixes.toLocaleString("en-US") });
      place.style.left = Math.min(Math.max(event.clientX - box.left, 60), box.width - 60) + "px";
    });
    scrubPlace.addEventListener("mouseleave", () => (id("scrub-tip").hidden = true));
  };
})();
