// Three maps of a plan with one view: the present, the plan, the change. No network.
(function () {
  'use strict';
  const read = (name) => JSON.parse(document.getElementById('data-' + name).textContent);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const shapes = new Map(read('shapes').features.map((f) => [f.id, f]));
  const roads = read('roads'), moved = read('moved');
  const maps = [];
  const layers = new Map();
  let following = false;
  for (const one of read('view').maps) {
    const map = L.map('map-' + one.name, {preferCanvas: true, zoomSnap: 0.25, attributionControl: false});
    L.control.scale({imperial: false}).addTo(map);
    const mine = new Map(one.shapes.map((s) => [s[0], s]));
    const features = one.shapes.filter((s) => shapes.has(s[0])).map((s) => shapes.get(s[0]));
    map.createPane('roads').style.zIndex = 420;
    map.getPane('roads').style.pointerEvents = 'none';
    const layer = L.geoJSON({type: 'FeatureCollection', features}, {
      style: (f) => ({fillColor: mine.get(f.id)[1], fillOpacity: 0.85, color: mine.get(f.id)[2] ? css('--accent')
        : css('--border'), weight: mine.get(f.id)[2] ? 2 : 0.5, opacity: mine.get(f.id)[2] ? 1 : 0.4}),
      onEachFeature(f, shape) {
        const box = document.createElement('div');
        box.textContent = mine.get(f.id)[3];
        shape.bindTooltip(() => box, {sticky: true, className: 'hover'});
        if (!layers.has(f.id)) layers.set(f.id, []);
        layers.get(f.id).push(shape);
      },
    }).addTo(map);
    layer.eachLayer((shape) => mine.get(shape.feature.id)[2] && shape.bringToFront());
    L.geoJSON(roads, {pane: 'roads', interactive: false, renderer: L.canvas({pane: 'roads'}),
      style: {color: css('--road-casing'), weight: 1, opacity: 0.8}}).addTo(map);
    if (one.name !== 'before') {
      L.geoJSON(moved, {pane: 'roads', interactive: false, renderer: L.canvas({pane: 'roads'}),
        style: {color: css('--text'), weight: 1.2, dashArray: '3 3', fill: false}}).addTo(map);
    }
    // Close by a change has a strong outline; from afar it would hide what is inside.
    map.on('zoomend', () => layer.eachLayer((shape) => mine.get(shape.feature.id)[2]
      && shape.setStyle({weight: map.getZoom() < 14.5 ? 0.8 : 2})));
    map.on('move', () => {
      if (following) return;
      following = true;
      for (const other of maps) if (other !== map) other.setView(map.getCenter(), map.getZoom(), {animate: false});
      following = false;
    });
    maps.push(map);
  }
  const all = L.geoJSON({type: 'FeatureCollection', features: [...shapes.values()]}).getBounds();
  const changed = L.geoJSON(moved).getBounds();
  const show = (box) => maps.length && box.isValid() && maps[0].fitBounds(box, {padding: [16, 16], animate: false, maxZoom: 17});
  show(changed.isValid() ? changed.pad(0.25) : all);
  document.getElementById('whole').addEventListener('click', () => show(all));
  const go = (row) => {
    const found = layers.get(row.dataset.key);
    if (!found) return;
    show(found[0].getBounds().pad(0.4));
    found[found.length - 1].openTooltip();
    document.querySelector('.maps').scrollIntoView({block: 'nearest'});
  };
  document.addEventListener('click', (event) => {
    const row = event.target.closest && event.target.closest('tr[data-key]');
    if (row) go(row);
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && event.target.dataset && event.target.dataset.key) go(event.target);
  });
  window.planMaps = maps;
})();
