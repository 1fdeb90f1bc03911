// Draws the marks, lines and hover texts of an exported page on leaflet.
const SHAPES = {
  triangle: [[0, -1.05], [1, 0.77], [-1, 0.77]],
  square: [[-0.82, -0.82], [0.82, -0.82], [0.82, 0.82], [-0.82, 0.82]],
  diamond: [[0, -1.1], [1.1, 0], [0, 1.1], [-1.1, 0]],
  star: [[0, -1.1], [.3, -.37], [1.06, -.34], [.47, .14], [.67, .9], [0, .47], [-.67, .9],
         [-.47, .14], [-1.06, -.34], [-.3, -.37]],
};
const Mark = L.CircleMarker.extend({
  _rings() {
    const p = this._point;
    const ring = (r) => `M${p.x - r} ${p.y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
    return ring(this._radius) + ring(Math.max(this._radius / 6, 0.5));
  },
  _updatePath() {
    if (this.options.shape === 'target') return this._renderer._setPath(this, this._rings());
    const corners = SHAPES[(this.options.shape || '').replace('hollow-', '')];
    if (!corners) return L.CircleMarker.prototype._updatePath.call(this);
    const p = this._point, r = this._radius;
    const path = corners.map(([x, y]) => (p.x + r * x) + ' ' + (p.y + r * y)).join('L');
    this._renderer._setPath(this, 'M' + path + 'z');
  },
});
function hoverText(text) {
  const box = document.createElement('div');
  for (const line of text.split('\n')) {
    box.appendChild(document.createElement('div')).textContent = line;
  }
  return box;
}
function addHover(feature, layer) {
  const text = feature.properties.hover;
  if (text) layer.bindTooltip(() => hoverText(text), {sticky: true, className: 'hover'});
}
function paintFill(feature, layer) {
  layer.setStyle({fillColor: feature.properties.fill});
  addHover(feature, layer);
}
function paintLine(feature, layer) {
  const p = feature.properties;
  layer.setStyle({color: p.fill, weight: p.width || 1.5, opacity: p.opacity || 1});
}
// The whole stays in view, beside the legend, when the page is printed or its frame is resized;
// whoever moved the map keeps what was looked at.
L.Map.addInitHook(function () {
  const fit = this.fitBounds;
  let box = null, moved = false;
  const again = () => {
    const legend = document.querySelector('.card.legend'), size = this.getSize();
    const room = legend && legend.offsetWidth < size.x / 2 ? legend.offsetWidth + 24 : 24;
    // A frame that is not laid out yet has no room: it is fitted when it has its size.
    if (size.x <= room + 24 || size.y <= 48) return;
    fit.call(this, box, {paddingTopLeft: [24, 24], paddingBottomRight: [room, 24], animate: false});
  };
  this.fitBounds = (bounds) => {
    box = bounds;
    again();
    return this;
  };
  for (const kind of ['pointerdown', 'wheel', 'keydown']) {
    this.getContainer().addEventListener(kind, () => { moved = true; }, {passive: true});
  }
  this.on('resize', () => box && !moved && again());
});
function drawMark(feature, place, options) {
  const number = /^number-(\d+)$/.exec(feature.properties.shape || '');
  if (number) {
    const icon = L.divIcon({className: 'numbered', html: number[1], iconSize: [20, 20]});
    return L.marker(place, {icon, pane: options.pane, keyboard: false});
  }
  const p = feature.properties, hollow = /hollow|ring|target/.test(p.shape || '');
  return new Mark(place, {
    ...options, shape: p.shape, radius: (p.size || 9) / 2, color: hollow ? p.fill : options.casing,
    weight: hollow ? 2 : 1.2, fillColor: hollow ? options.casing : p.fill,
    fillOpacity: hollow ? 0.35 : 1, opacity: 1,
  });
}
