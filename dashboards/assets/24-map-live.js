/* What moves on the map: open incidents and positions of workers. Loaded by address once a version, then
   changed by the events of /live straight in MapLibre's source, without dash and without plotly. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const m = (w.map = w.map || {});
  const FLUSH_MS = 500;
  const found = { incidents: new Map(), workers: new Map() };
  const waiting = { incidents: new Map(), workers: new Map() };
  let timer = 0;
  m.cases = found.incidents;
  m.workers = found.workers;

  const idOf = { incidents: (f) => f.properties.id, workers: (f) => f.id };

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
    found[name].clear();
    waiting[name].clear();
    for (const f of features) {
      f.id = idOf[name](f);
      found[name].set(f.id, f);
    }
    return true;
  }

  m.loadMoving = async function (wanted) {
    const names = ["incidents", "workers"].filter((name) => !wanted || wanted[name]);
    const loaded = await Promise.all(names.map(load));
    m.showMoving(names.filter((_, k) => loaded[k]));
    if (w.loadPulses) w.loadPulses();
  };

  /* The whole of a source anew. */
  m.showMoving = function (names) {
    for (const name of names || ["incidents", "workers"]) {
      const source = s.map && s.map.getSource("w-" + name);
      if (source) source.setData({ type: "FeatureCollection", features: [...found[name].values()] });
    }
  };

  function flush() {
    timer = 0;
    for (const name of ["incidents", "workers"]) {
      const changes = waiting[name];
      const source = s.map && s.map.getSource("w-" + name);
      if (!changes.size || !source) continue;
      const diff = { add: [], update: [], remove: [] };
      for (const [id, kind] of changes) {
        const feature = found[name].get(id);
        if (kind === "gone") diff.remove.push(id);
        else if (kind === "new") diff.add.push(feature);
        else {
          const addOrUpdateProperties = Object.entries(feature.properties).map(([key, value]) => ({ key, value }));
          diff.update.push({ id, newGeometry: feature.geometry, addOrUpdateProperties });
        }
      }
      changes.clear();
      source.updateData(diff);
    }
    m.flushes = (m.flushes || 0) + 1;
  }

  function note(name, id, kind) {
    const before = waiting[name].get(id);
    // Born and gone between two flushes needs no word; born and moved is still new.
    if (kind === "gone" && before === "new") waiting[name].delete(id);
    else if (kind === "moved" && before === "new") waiting[name].set(id, "new");
    else if (kind === "new" && before === "gone") waiting[name].set(id, "moved");
    else waiting[name].set(id, kind);
    if (!timer) timer = window.setTimeout(flush, document.hidden ? 4 * FLUSH_MS : FLUSH_MS);
  }

  m.movePositions = function (event) {
    for (const [id, lon, lat, t] of event.moved || []) {
      const old = found.workers.get(id);
      const feature = old || { type: "Feature", id, properties: { name: id }, geometry: null };
      feature.geometry = { type: "Point", coordinates: [lon, lat] };
      feature.properties.t = t;
      found.workers.set(id, feature);
      note("workers", id, old ? "moved" : "new");
    }
    for (const id of event.gone || []) {
      if (found.workers.delete(id)) note("workers", id, "gone");
    }
  };

  m.changeCases = function (event) {
    for (const properties of event.changed || []) {
      const { lon, lat, ...rest } = properties;
      const old = found.incidents.get(rest.id);
      if (!Number.isFinite(lon) || !Number.isFinite(lat)) {
        if (old && found.incidents.delete(rest.id)) note("incidents", rest.id, "gone");
        continue;
      }
      const feature = { type: "Feature", id: rest.id, properties: rest, geometry: { type: "Point", coordinates: [lon, lat] } };
      found.incidents.set(rest.id, feature);
      note("incidents", rest.id, old ? "moved" : "new");
    }
    for (const id of event.gone || []) {
      if (found.incidents.delete(id)) note("incidents", id, "gone");
    }
    if (w.loadPulses) w.loadPulses();
  };

  w.onBegin(() => {
    if (m.listening || !w.live) return;
    m.listening = true;
    w.live.on("positions", m.movePositions);
    w.live.on("cases", m.changeCases);
  });
  w.eachSecond(() => m.ageWorkers());
})();
