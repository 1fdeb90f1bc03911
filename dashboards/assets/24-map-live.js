/* What moves on the map: open incidents and positions of workers. Loaded by address once a version, then
   changed by the events of /live straight on the map, without dash and without plotly: incidents in
   MapLibre's source, workers in columns of their own (26-people.js). */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const m = (w.map = w.map || {});
  const FLUSH_MS = 500;
  const found = new Map();
  const waiting = new Map();
  let timer = 0;
  m.cases = found;

  async function load(name) {
    let answer;
    try {
      answer = await fetch(w.dataUrl(name, name));
    } catch (error) {
      return false; // away: the page keeps what it has and says how old that is
    }
    if (!answer.ok) {
      w.notice(s.config.words["layer.failed"]);
      return false;
    }
    const features = (await answer.json()).features;
    if (name === "workers") {
      m.people.load(features);
      return true;
    }
    found.clear();
    waiting.clear();
    for (const f of features) {
      f.id = f.properties.id;
      found.set(f.id, f);
    }
    return true;
  }

  /* Events that come meanwhile are kept back: the answer may be older than they are. */
  m.loadMoving = async function (wanted) {
    const names = ["incidents", "workers"].filter((name) => !wanted || wanted[name]);
    if (w.live) w.live.hold();
    try {
      const loaded = await Promise.all(names.map(load));
      m.showMoving(names.filter((_, k) => loaded[k]));
      if (w.loadPulses) w.loadPulses();
    } finally {
      if (w.live) w.live.release();
    }
  };

  /* The whole of the source anew. */
  m.showMoving = function (names) {
    if (names && !names.includes("incidents")) return;
    const source = s.map && s.map.getSource("w-incidents");
    if (source) source.setData({ type: "FeatureCollection", features: [...found.values()] });
  };

  function flush() {
    timer = 0;
    const source = s.map && s.map.getSource("w-incidents");
    if (!waiting.size || !source) return;
    const diff = { add: [], update: [], remove: [] };
    for (const [id, kind] of waiting) {
      const feature = found.get(id);
      if (kind === "gone") diff.remove.push(id);
      else if (kind === "new") diff.add.push(feature);
      else {
        const addOrUpdateProperties = Object.entries(feature.properties).map(([key, value]) => ({ key, value }));
        diff.update.push({ id, newGeometry: feature.geometry, addOrUpdateProperties });
      }
    }
    waiting.clear();
    source.updateData(diff);
    m.flushes = (m.flushes || 0) + 1;
  }

  function note(id, kind) {
    const before = waiting.get(id);
    // Born and gone between two flushes needs no word; born and moved is still new.
    if (kind === "gone" && before === "new") waiting.delete(id);
    else if (kind === "moved" && before === "new") waiting.set(id, "new");
    else if (kind === "new" && before === "gone") waiting.set(id, "moved");
    else waiting.set(id, kind);
    if (!timer) timer = window.setTimeout(flush, document.hidden ? 4 * FLUSH_MS : FLUSH_MS);
  }

  m.changeCases = function (event) {
    for (const properties of event.changed || []) {
      const { lon, lat, ...rest } = properties;
      const old = found.get(rest.id);
      if (!Number.isFinite(lon) || !Number.isFinite(lat)) {
        if (old && found.delete(rest.id)) note(rest.id, "gone");
        continue;
      }
      const feature = { type: "Feature", id: rest.id, properties: rest, geometry: { type: "Point", coordinates: [lon, lat] } };
      found.set(rest.id, feature);
      note(rest.id, old ? "moved" : "new");
    }
    for (const id of event.gone || []) {
      if (found.delete(id)) note(id, "gone");
    }
    if (w.loadPulses) w.loadPulses();
  };

  w.onBegin(() => {
    if (m.listening || !w.live) return;
    m.listening = true;
    w.live.on("cases", m.changeCases);
  });
})();
