/* The maps beside a briefing: change by unit, hot spots, and heat (82-leader-heat.js registers it).
   A map is a mode with `show(view)` and `hide()`; the shade of units is the common one (21-map-shade). */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const l = w.leader;
  const by = (id) => document.getElementById("leader-" + id);
  const modes = (l.modes = l.modes || {});
  const names = ["change", "hot", "heat"];

  /* Each colour of the day has one of the night, which stands out from a dark map. */
  const colour = (day) => (w.cases.kept("night") === true && l.view && l.view.night[day]) || day;
  function dress(element) {
    // Colours of the legend come as data: the page's policy allows no style in markup.
    for (const swatch of element.querySelectorAll("[data-colour]")) swatch.style.background = colour(swatch.dataset.colour);
  }
  l.tell = function (title, note, legend) {
    by("map-title").textContent = title;
    by("map-note").textContent = note;
    if (legend !== undefined) {
      by("legend").innerHTML = legend;
      dress(by("legend"));
    }
  };

  for (const name of ["change", "hot"]) {
    modes[name] = {
      show(view) {
        const map = view.maps[name];
        w.map.shade({ ...map.spec, palette: map.spec.palette.map(colour) });
        l.tell(map.title, map.note, map.legend);
      },
      hide() {},
    };
  }

  let current = null;
  let area = "";
  /* The map shows the area that is told; it is moved only when another one is chosen. */
  function look(view) {
    const step = view.path[view.path.length - 1];
    const code = step ? step.code : "";
    if (code === area) return;
    area = code;
    if (step) w.map.flyToUnit(step.level, step.code);
    else w.map.home();
  }
  l.mode = () => (modes[l.choice().map] ? l.choice().map : "change");
  function show() {
    const view = l.view;
    const name = l.mode();
    if (!view) return;
    if (current && current !== name) modes[current].hide();
    current = name;
    modes[name].show(view);
    look(view);
    for (const button of by("map-by").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.map === name));
  }
  function buttons() {
    by("map-by").replaceChildren(...names.filter((name) => modes[name]).map((name) =>
      w.cases.h("button", { type: "button", "data-map": name, onclick: () => { l.choose({ map: name === "change" ? "" : name }, true); show(); } }, l.say("map." + name))));
  }
  l.onView(() => {
    if (!by("map-by").children.length) buttons();
    show();
  });
  l.showMap = show;
  /* A unit named in the text is shown on the map. */
  l.focus = function (code) {
    const view = l.view;
    if (view && l.mode() === "change") w.map.flyToUnit(view.level, code);
  };
})();
