/* Black spots on the map of a briefing: a numbered mark for each row of the list, over every map.
   A click on a number in the list goes to the place, a click on a mark to its row. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const l = w.leader;
  const c = w.cases;
  const SOURCE = "leader-spots";
  const EMPTY = { type: "FeatureCollection", features: [] };
  const FONTS = ["Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "sans-serif"];
  const by = (id) => document.getElementById("leader-" + id);
  const on = () => l.choice().spots !== "off";
  const spots = () => (l.view && l.view.spots) || [];

  const shapes = () => ({
    type: "FeatureCollection",
    features: on() ? spots().map((spot) => ({ type: "Feature", geometry: { type: "Point", coordinates: [spot.lon, spot.lat] }, properties: { n: spot.n, text: spot.text } })) : [],
  });
  function dress(map) {
    if (!by("page")) return;
    const k = w.scale();
    if (!map.getSource(SOURCE)) map.addSource(SOURCE, { type: "geojson", data: EMPTY });
    if (!map.getLayer("leader-spot")) map.addLayer({ id: "leader-spot", type: "circle", source: SOURCE, paint: {
      "circle-radius": 9.5 * k, "circle-color": w.colour("text"), "circle-stroke-color": w.colour("panel"), "circle-stroke-width": 2 * k } });
    if (!map.getLayer("leader-spot-n")) map.addLayer({ id: "leader-spot-n", type: "symbol", source: SOURCE, layout: {
      "text-field": ["to-string", ["get", "n"]], "text-font": FONTS, "text-size": 12 * k, "text-allow-overlap": true, "text-ignore-placement": true,
      "symbol-sort-key": ["-", 0, ["get", "n"]] }, paint: { "text-color": w.colour("panel") } });
    draw();
  }
  function draw() {
    const map = w.s && w.s.map;
    if (map && map.getSource(SOURCE)) map.getSource(SOURCE).setData(shapes());
    const button = document.getElementById("leader-spots-on");
    if (!button) return;
    button.hidden = !spots().length;
    button.setAttribute("aria-pressed", String(on()));
  }
  function row(n, loud) {
    for (const tr of document.querySelectorAll(".ld-spots .is-chosen")) tr.classList.remove("is-chosen");
    const button = document.querySelector(".ld-spots [data-spot='" + n + "']");
    if (!button) return;
    button.closest("tr").classList.add("is-chosen");
    if (loud) button.closest("tr").scrollIntoView({ block: "nearest", behavior: w.still() ? "auto" : "smooth" });
  }
  l.showSpot = function (n) {
    const spot = spots().find((one) => one.n === n);
    if (!spot || !w.s.map) return;
    if (!on()) l.choose({ spots: "" }, true);
    draw();
    row(n);
    w.map.mark([spot.lon, spot.lat]);
    w.map.fly({ center: { lon: spot.lon, lat: spot.lat }, zoom: 15.5 + w.shift() });
  };
  function button() {
    const found = c.h("button", { type: "button", id: "leader-spots-on", class: "inc-button is-small ld-toggle", onclick: () => { l.choose({ spots: on() ? "off" : "" }, true); draw(); } }, l.say("spots"));
    by("map-by").after(found);
  }

  let begun = false;
  function begin() {
    if (begun) return;
    begun = true;
    button();
    w.map.onReady((map) => {
      dress(map);
      map.on("styledata", () => map.isStyleLoaded() && !map.getLayer("leader-spot") && dress(map));
      map.on("mousemove", "leader-spot", (event) => { map.getCanvas().title = event.features[0].properties.text; });
      map.on("mouseleave", "leader-spot", () => { map.getCanvas().title = ""; });
      map.on("click", "leader-spot", (event) => row(event.features[0].properties.n, true));
    });
  }
  l.onView(() => {
    begin();
    draw();
  });
})();
