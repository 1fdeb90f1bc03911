/* Marks of the map, drawn on a canvas once a page: states of incidents and classes of assets.
   Paths live in a box of 24 by 24. A class without a drawing gets the square. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});

  const PATHS = {
    "circle-dot": "M12 5a7 7 0 1 0 0 14a7 7 0 1 0 0-14M12 11a1 1 0 1 0 0 2a1 1 0 1 0 0-2",
    "square-lines": "M5 5h14v14h-14zM9 5v14M12 5v14M15 5v14",
    drop: "M12 4c4 5 5.5 7.6 5.5 10a5.5 5.5 0 0 1-11 0c0-2.4 1.5-5 5.5-10z",
    square: "M6 6h12v12h-12z",
    bolt: "M13 4l-6 9h4.5l-1 7l6.5-9.5h-4.5z",
    bar: "M12 4v16M8 20h8M8.5 7h7",
    lamp: "M9 20V7a4 4 0 0 1 8 0v1M14 8h6M7 20h4",
    "lamp-small": "M12 20v-8M8 12h8l-2-5h-4zM9 20h6",
    house: "M5 11l7-6l7 6M7 10v9h10v-9",
    dumbbell: "M5 9v6M8 7v10M16 7v10M19 9v6M8 12h8",
    wave: "M4 10q2.7-3 5.3 0t5.3 0t5.3 0M4 15q2.7-3 5.3 0t5.3 0t5.3 0",
    flame: "M12 4c3 4 5 6.5 5 10a5 5 0 0 1-10 0c0-2 1-3.5 2-4.5c.5 1.5 1 2 2 2c1-2 1-5 1-7.5z",
    sector: "M12 19L5.5 6.5a14 14 0 0 1 13 0z",
    shield: "M12 4l7 2.5v5c0 4.5-3 7-7 8.5c-4-1.5-7-4-7-8.5v-5z",
    "letter-p": "M9 20V5h4.5a4.2 4.2 0 0 1 0 8.4h-4.5",
    bus: "M6 6h12v10h-12zM6 11h12M8.5 16v2.5M15.5 16v2.5",
    arch: "M4 17h16M5 17a7 7 0 0 1 14 0M9 17v-5.5M15 17v-5.5",
    sign: "M12 20v-7M6 6h10l3 3.5l-3 3.5h-10z",
    "three-dots": "M9 4h6v16h-6zM12 7.5v1M12 11.5v1M12 15.5v1",
    fence: "M6 7v11M12 7v11M18 7v11M4 10h16M4 15h16",
    screen: "M4 6h16v9h-16zM12 15v4M9 19h6",
    toilet: "M8 6v.5M8 9.5v9M5.5 13h5M16 6v.5M16 9.5l-2.5 5h5zM16 14.5v4",
    tank: "M5 9h14v8h-14zM9 9v-3h6v3M5 13h14",
    bin: "M6 8h12M8 8l1 11h6l1-11M10 8v-2.5h4v2.5",
    board: "M5 6h14v8h-14zM8 14v5M16 14v5",
    dial: "M12 5a7 7 0 1 0 0 14a7 7 0 1 0 0-14M12 12l3-4",
    tree: "M12 20v-6M12 4a5 5 0 0 1 2 9.6h-4a5 5 0 0 1 2-9.6z",
    leaf: "M6 18c0-8 5-12 12-12c0 8-4 12-12 12zM6 18l6-6",
    bench: "M5 9h14M5 13h14M7 13v5M17 13v5",
    building: "M7 20V5h10v15M10 9h1M13.5 9h1M10 13h1M13.5 13h1",
    triangle: "M12 5l8 14h-16z",
    crane: "M8 20V5M5 8h14M8 5l8 3M16 8v5",
    road: "M8 5l-3 14M16 5l3 14M12 6v2.5M12 11v2.5M12 16v2.5",
  };
  w.SYMBOLS = Object.keys(PATHS);

  w.colour = function (name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  };

  function canvas(size, ratio) {
    const c = document.createElement("canvas");
    c.width = c.height = Math.ceil(size * ratio);
    const g = c.getContext("2d", { willReadFrequently: true });
    g.scale(c.width / size, c.height / size);
    return g;
  }

  function image(g) {
    return g.getImageData(0, 0, g.canvas.width, g.canvas.height);
  }

  function stateMark(state, ratio) {
    const g = canvas(20, ratio);
    const shape = new Path2D();
    if (state === "late") shape.rect(4.5, 4.5, 11, 11);
    else if (state === "soon") {
      shape.moveTo(10, 3);
      shape.lineTo(17, 15.5);
      shape.lineTo(3, 15.5);
      shape.closePath();
    } else if (state === "paused") {
      shape.rect(5.5, 4.5, 3.4, 11);
      shape.rect(11.1, 4.5, 3.4, 11);
    } else shape.arc(10, 10, state === "none" ? 4.5 : 5.5, 0, 2 * Math.PI);
    g.lineJoin = "round";
    g.strokeStyle = w.colour("border-casing");
    g.lineWidth = 3.5;
    g.stroke(shape);
    if (state === "none") {
      g.strokeStyle = w.colour("text");
      g.lineWidth = 2;
      g.stroke(shape);
    } else {
      g.fillStyle = w.colour(state === "paused" ? "quiet" : state);
      g.fill(shape);
    }
    return image(g);
  }

  function workerMark(kind, ratio) {
    const g = canvas(14, ratio);
    const shape = new Path2D();
    if (kind === "fresh") shape.arc(7, 7, 3, 0, 2 * Math.PI);
    else {
      shape.moveTo(7, 3.5);
      shape.lineTo(10.5, 7);
      shape.lineTo(7, 10.5);
      shape.lineTo(3.5, 7);
      shape.closePath();
    }
    g.strokeStyle = w.colour("border-casing");
    g.lineWidth = 3;
    g.stroke(shape);
    if (kind === "fresh") {
      g.fillStyle = "#ffffff";
      g.fill(shape);
    } else {
      g.strokeStyle = w.colour("unknown");
      g.lineWidth = 1.4;
      g.stroke(shape);
    }
    return image(g);
  }

  function assetMark(symbol, broken, ratio) {
    const g = canvas(26, ratio);
    g.beginPath();
    g.arc(13, 13, 11, 0, 2 * Math.PI);
    g.fillStyle = w.colour("panel");
    g.globalAlpha = 0.94;
    g.fill();
    g.globalAlpha = 1;
    g.strokeStyle = broken ? w.colour("soon") : w.colour("border");
    g.lineWidth = broken ? 1.8 : 1;
    g.stroke();
    g.translate(4, 4);
    g.scale(0.75, 0.75);
    const path = new Path2D(PATHS[symbol]);
    g.lineCap = g.lineJoin = "round";
    g.strokeStyle = broken ? w.colour("soon") : w.colour("text");
    g.lineWidth = 1.9;
    if (symbol === "sector") {
      g.fillStyle = "rgba(56,189,248,.28)";
      g.fill(path);
      g.strokeStyle = broken ? w.colour("soon") : w.colour("accent");
    }
    g.stroke(path);
    return image(g);
  }

  function hatchMark(ratio) {
    const g = canvas(8, ratio);
    g.strokeStyle = w.colour("no-data-hatch");
    g.lineWidth = 1;
    g.beginPath();
    for (const d of [-8, 0, 8]) {
      g.moveTo(d - 1, 9);
      g.lineTo(d + 9, -1);
    }
    g.stroke();
    return image(g);
  }

  /* Give the map its images; `scale` is 1 on a screen of 1080 lines. */
  w.addIcons = function (map, scale) {
    const ratio = scale * Math.max(1, window.devicePixelRatio || 1);
    const options = { pixelRatio: ratio / scale };
    const add = (name, data) => {
      if (!map.hasImage(name)) map.addImage(name, data, options);
    };
    for (const state of ["fine", "soon", "late", "paused", "none"]) add("state-" + state, stateMark(state, ratio));
    for (const kind of ["fresh", "old"]) add("worker-" + kind, workerMark(kind, ratio));
    for (const symbol of w.SYMBOLS) {
      add("asset-" + symbol, assetMark(symbol, false, ratio));
      add("asset-" + symbol + "-broken", assetMark(symbol, true, ratio));
    }
    add("hatch", hatchMark(ratio));
  };
})();
