/* The clocks of the live list: time left, or how late, by the second. Everything follows from the
   deadline that a line carries, so what dash writes meanwhile can never be contradicted for long. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const SHAPES = { fine: "disc", soon: "triangle", late: "square" };
  const two = (n) => String(n).padStart(2, "0");

  w.countdown = function (seconds) {
    const words = s.config.words;
    const days = Math.floor(seconds / 86400);
    const rest = seconds - days * 86400;
    const hours = Math.floor(rest / 3600);
    const clock = [two(hours), two(Math.floor((rest % 3600) / 60)), two(Math.floor(rest % 60))].join(":");
    return days ? words["clock.days"].replace("{n}", days).replace("{t}", clock) : clock;
  };

  function run() {
    const now = w.now() / 1000;
    for (const clock of document.querySelectorAll(".case-clock[data-due]")) {
      const left = Number(clock.dataset.due) - now;
      const state = left < 0 ? "late" : left <= s.config.soonS ? "soon" : "fine";
      const text = s.config.words[state === "late" ? "clock.late" : "clock.left"].replace("{t}", w.countdown(Math.abs(left)));
      const [mark, words] = clock.children;
      if (!mark || !words) continue;
      w.say(words, text);
      const look = "case-clock state-" + state;
      if (clock.className !== look) clock.className = look;
      const shape = "mark mark-" + SHAPES[state] + " state-" + state;
      if (mark.className !== shape) mark.className = shape;
    }
  }

  w.eachSecond(run);
  w.runClocks = run;
  // New lines show their clocks at once and not up to a second later.
  const watch = new MutationObserver(() => s.config && run());
  w.onBegin(() => {
    const list = document.getElementById("command-list");
    if (!list || list === w.watchedList) return;
    w.watchedList = list;
    watch.disconnect();
    watch.observe(list, { childList: true, subtree: false });
    run();
  });
})();
