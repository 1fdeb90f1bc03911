/* The ground of a plan: blocks as rings of shared vertices, who touches whom, and what lies where.
   Read once from the packed form of dashboards/plan_pack.py; every question after that is answered
   here, in microseconds and without asking the map. An edge of a ring is known by its place in `ring`;
   its `twin` is the same border seen from the other side, -1 on the rim. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const plan = w.plan;
  const PLACES = 1e7;
  const KINDS = { i4: Int32Array, u1: Uint8Array };

  /* --- reading ------------------------------------------------------------------------------------- */

  function unpack(buffer) {
    const magic = new TextDecoder().decode(new Uint8Array(buffer, 0, 4));
    if (magic !== "WGP1") throw new Error("the plan came in a form that this page does not know");
    const size = new DataView(buffer).getUint32(4, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, size)));
    const columns = {};
    for (const [name, [at, length, kind]] of Object.entries(head.columns)) {
      columns[name] = new KINDS[kind](buffer, 8 + size + at, length);
    }
    return { n: head.n, ids: head.ids, columns };
  }

  plan.readGround = function (buffer) {
    const { n, ids, columns: k } = unpack(buffer);
    const count = k.lat.length;
    const vertices = new Float64Array(count * 2);
    for (let v = 0, lon = 0; v < count; v++) {
      lon += k.lon[v];
      vertices[2 * v] = lon / PLACES;
      vertices[2 * v + 1] = k.lat[v] / PLACES;
    }
    const rings = k.ring_size.length;
    const ringStart = new Int32Array(rings + 1);
    const blockRing = new Int32Array(n + 1);
    for (let r = 0; r < rings; r++) {
      ringStart[r + 1] = ringStart[r] + k.ring_size[r];
      blockRing[k.ring_block[r] + 1]++;
    }
    for (let i = 0; i < n; i++) blockRing[i + 1] += blockRing[i];
    const g = {
      n, ids, vertices, fixed: k.fixed, ring: k.ring, ringStart, blockRing,
      households: k.households, people: k.people, community: k.community,
      x: new Float64Array(count), y: new Float64Array(count),
    };
    setScale(g);
    for (let v = 0; v < count; v++) toMetres(g, v);
    findEdges(g);
    findPairs(g);
    g.area = new Float64Array(n);
    g.perimeter = new Float64Array(n);
    g.box = new Float64Array(4 * n);
    g.middle = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) measure(g, i);
    index(g);
    g.seen = new Int32Array(n);
    g.mark = 0;
    return g;
  };

  /* Metres around the middle of the plan, by the radii of WGS-84 there. */
  function setScale(g) {
    let [west, south, east, north] = [180, 90, -180, -90];
    for (let v = 0; v < g.vertices.length; v += 2) {
      west = Math.min(west, g.vertices[v]);
      east = Math.max(east, g.vertices[v]);
      south = Math.min(south, g.vertices[v + 1]);
      north = Math.max(north, g.vertices[v + 1]);
    }
    g.bounds = [west, south, east, north];
    g.lon0 = (west + east) / 2;
    g.lat0 = (south + north) / 2;
    const a = 6378137;
    const e2 = 0.00669437999014;
    const phi = (g.lat0 * Math.PI) / 180;
    const q = 1 - e2 * Math.sin(phi) ** 2;
    g.kx = ((a / Math.sqrt(q)) * Math.cos(phi) * Math.PI) / 180;
    g.ky = (((a * (1 - e2)) / q ** 1.5) * Math.PI) / 180;
  }
  function toMetres(g, v) {
    g.x[v] = (g.vertices[2 * v] - g.lon0) * g.kx;
    g.y[v] = (g.vertices[2 * v + 1] - g.lat0) * g.ky;
  }

  /* Edges in ring order, matched with those that run the other way through a table of open addresses. */
  function findEdges(g) {
    const count = g.ring.length;
    g.head = new Int32Array(count);
    g.of = new Int32Array(count);
    g.twin = new Int32Array(count).fill(-1);
    for (let i = 0; i < g.n; i++) {
      for (let r = g.blockRing[i]; r < g.blockRing[i + 1]; r++) {
        const [from, to] = [g.ringStart[r], g.ringStart[r + 1]];
        for (let e = from; e < to; e++) {
          g.head[e] = g.ring[e + 1 < to ? e + 1 : from];
          g.of[e] = i;
        }
      }
    }
    let size = 1024;
    while (size < count * 2) size *= 2;
    const table = new Int32Array(size).fill(-1);
    const mask = size - 1;
    for (let e = 0; e < count; e++) {
      const a = Math.min(g.ring[e], g.head[e]);
      const b = Math.max(g.ring[e], g.head[e]);
      let at = (Math.imul(a, 73856093) ^ Math.imul(b, 19349663)) & mask;
      for (;;) {
        const other = table[at];
        if (other < 0) {
          table[at] = e;
          break;
        }
        if (g.ring[other] === g.head[e] && g.head[other] === g.ring[e] && g.twin[other] < 0) {
          g.twin[other] = e;
          g.twin[e] = other;
          break;
        }
        at = (at + 1) & mask;
      }
    }
  }

  // Math.hypot is ten times as slow, and this runs for every edge of a city.
  function edgeLength(g, e) {
    const [p, q] = [g.ring[e], g.head[e]];
    const dx = g.x[q] - g.x[p];
    const dy = g.y[q] - g.y[p];
    return Math.sqrt(dx * dx + dy * dy);
  }
  const firstEdge = (g, i) => g.ringStart[g.blockRing[i]];
  const endEdge = (g, i) => g.ringStart[g.blockRing[i + 1]];

  /* Neighbours along a line, as lists one after the other, and how many metres are shared. */
  function findPairs(g) {
    const start = new Int32Array(g.n + 1);
    const other = new Int32Array(g.ring.length);
    const shared = new Float64Array(g.ring.length);
    const place = new Int32Array(g.n).fill(-1);
    let at = 0;
    for (let i = 0; i < g.n; i++) {
      start[i] = at;
      for (let e = firstEdge(g, i); e < endEdge(g, i); e++) {
        if (g.twin[e] < 0) continue;
        const j = g.of[g.twin[e]];
        if (j === i) continue;
        if (place[j] < start[i]) {
          place[j] = at;
          other[at++] = j;
        }
        shared[place[j]] += edgeLength(g, e);
      }
    }
    start[g.n] = at;
    g.start = start;
    g.other = other.slice(0, at);
    g.shared = shared.slice(0, at);
  }

  function measure(g, i) {
    let area = 0;
    let perimeter = 0;
    let mx = 0;
    let my = 0;
    const b = 4 * i;
    g.box[b] = g.box[b + 1] = 999;
    g.box[b + 2] = g.box[b + 3] = -999;
    const x0 = g.x[g.ring[firstEdge(g, i)]];
    const y0 = g.y[g.ring[firstEdge(g, i)]];
    for (let e = firstEdge(g, i); e < endEdge(g, i); e++) {
      const [p, q] = [g.ring[e], g.head[e]];
      const cross = (g.x[p] - x0) * (g.y[q] - y0) - (g.x[q] - x0) * (g.y[p] - y0);
      area += cross / 2;
      mx += (g.x[p] + g.x[q] - 2 * x0) * cross;
      my += (g.y[p] + g.y[q] - 2 * y0) * cross;
      if (g.twin[e] < 0 || g.of[g.twin[e]] !== i) perimeter += edgeLength(g, e);
      const [lon, lat] = [g.vertices[2 * p], g.vertices[2 * p + 1]];
      if (lon < g.box[b]) g.box[b] = lon;
      if (lat < g.box[b + 1]) g.box[b + 1] = lat;
      if (lon > g.box[b + 2]) g.box[b + 2] = lon;
      if (lat > g.box[b + 3]) g.box[b + 3] = lat;
    }
    g.area[i] = area;
    g.perimeter[i] = perimeter;
    g.middle[2 * i] = g.lon0 + (x0 + (area ? mx / (6 * area) : 0)) / g.kx;
    g.middle[2 * i + 1] = g.lat0 + (y0 + (area ? my / (6 * area) : 0)) / g.ky;
  }

  /* --- where is what ---------------------------------------------------------------------------------- */

  function index(g) {
    const [west, south, east, north] = g.bounds;
    g.cells = Math.max(1, Math.round(Math.sqrt(g.n)));
    g.cellX = g.cells / Math.max(east - west, 1e-9);
    g.cellY = g.cells / Math.max(north - south, 1e-9);
    const sizes = new Int32Array(g.cells * g.cells + 1);
    const each = (run) => {
      for (let i = 0; i < g.n; i++) {
        eachCell(g, g.box[4 * i], g.box[4 * i + 1], g.box[4 * i + 2], g.box[4 * i + 3], (cell) => run(cell, i));
      }
    };
    each((cell) => sizes[cell + 1]++);
    for (let k = 0; k < g.cells * g.cells; k++) sizes[k + 1] += sizes[k];
    g.cellStart = sizes;
    const fill = sizes.slice();
    g.cellBlock = new Int32Array(sizes[g.cells * g.cells]);
    each((cell, i) => (g.cellBlock[fill[cell]++] = i));
  }
  function eachCell(g, west, south, east, north, run) {
    const hold = (value) => Math.min(Math.max(Math.floor(value), 0), g.cells - 1);
    const [c0, c1] = [hold((west - g.bounds[0]) * g.cellX), hold((east - g.bounds[0]) * g.cellX)];
    const [r0, r1] = [hold((south - g.bounds[1]) * g.cellY), hold((north - g.bounds[1]) * g.cellY)];
    for (let r = r0; r <= r1; r++) for (let c = c0; c <= c1; c++) run(r * g.cells + c);
  }

  /* Even-odd over all rings, so holes are outside. */
  function holds(g, i, lon, lat) {
    const b = 4 * i;
    if (lon < g.box[b] || lon > g.box[b + 2] || lat < g.box[b + 1] || lat > g.box[b + 3]) return false;
    let inside = false;
    for (let e = firstEdge(g, i); e < endEdge(g, i); e++) {
      const [p, q] = [2 * g.ring[e], 2 * g.head[e]];
      const [y1, y2] = [g.vertices[p + 1], g.vertices[q + 1]];
      if (y1 > lat === y2 > lat) continue;
      if (lon < ((g.vertices[q] - g.vertices[p]) * (lat - y1)) / (y2 - y1) + g.vertices[p]) inside = !inside;
    }
    return inside;
  }

  /* Blocks near a box, each once. */
  plan.blocksNear = function (west, south, east, north, run) {
    const g = plan.g;
    const mark = ++g.mark;
    eachCell(g, west, south, east, north, (cell) => {
      for (let k = g.cellStart[cell]; k < g.cellStart[cell + 1]; k++) {
        const i = g.cellBlock[k];
        if (g.seen[i] === mark) continue;
        g.seen[i] = mark;
        const b = 4 * i;
        if (g.box[b] <= east && g.box[b + 2] >= west && g.box[b + 1] <= north && g.box[b + 3] >= south) run(i);
      }
    });
  };
  plan.blockAt = function (lon, lat) {
    const g = plan.g;
    if (!g || lon < g.bounds[0] || lon > g.bounds[2] || lat < g.bounds[1] || lat > g.bounds[3]) return -1;
    let found = -1;
    eachCell(g, lon, lat, lon, lat, (cell) => {
      for (let k = g.cellStart[cell]; k < g.cellStart[cell + 1] && found < 0; k++) {
        if (holds(g, g.cellBlock[k], lon, lat)) found = g.cellBlock[k];
      }
    });
    return found;
  };
  plan.holds = (i, lon, lat) => holds(plan.g, i, lon, lat);

  function around(x, y, px) {
    const [west, north] = plan.unproject(x - px, y - px);
    const [east, south] = plan.unproject(x + px, y + px);
    return [west, south, east, north];
  }
  plan.vertexAt = function (x, y, px = 12) {
    const g = plan.g;
    let best = -1;
    let least = px;
    plan.blocksNear(...around(x, y, px), (i) => {
      for (let e = firstEdge(g, i); e < endEdge(g, i); e++) {
        const at = plan.project(g.vertices[2 * g.ring[e]], g.vertices[2 * g.ring[e] + 1]);
        const away = Math.hypot(at.x - x, at.y - y);
        if (away <= least) [best, least] = [g.ring[e], away];
      }
    });
    return best;
  };
  plan.edgeAt = function (x, y, px = 10) {
    const g = plan.g;
    let best = null;
    let least = px;
    plan.blocksNear(...around(x, y, px), (i) => {
      for (let e = firstEdge(g, i); e < endEdge(g, i); e++) {
        const p = plan.project(g.vertices[2 * g.ring[e]], g.vertices[2 * g.ring[e] + 1]);
        const q = plan.project(g.vertices[2 * g.head[e]], g.vertices[2 * g.head[e] + 1]);
        const [dx, dy] = [q.x - p.x, q.y - p.y];
        const t = Math.min(1, Math.max(0, ((x - p.x) * dx + (y - p.y) * dy) / (dx * dx + dy * dy || 1)));
        const away = Math.hypot(p.x + t * dx - x, p.y + t * dy - y);
        if (away >= least) continue;
        least = away;
        best = { tail: g.ring[e], head: g.head[e], block: i, other: g.twin[e] < 0 ? -1 : g.of[g.twin[e]], t, away };
      }
    });
    return best;
  };
  plan.metres = (lon1, lat1, lon2, lat2) => Math.hypot((lon2 - lon1) * plan.g.kx, (lat2 - lat1) * plan.g.ky);

  /* --- shapes ------------------------------------------------------------------------------------------- */

  const place = (g, v) => [g.vertices[2 * v], g.vertices[2 * v + 1]];
  function signed(g, ring) {
    let sum = 0;
    for (let k = 0; k < ring.length; k++) {
      const [p, q] = [ring[k], ring[(k + 1) % ring.length]];
      sum += g.x[p] * g.y[q] - g.x[q] * g.y[p];
    }
    return sum / 2;
  }
  plan.rings = function (i) {
    const g = plan.g;
    const found = [];
    for (let r = g.blockRing[i]; r < g.blockRing[i + 1]; r++) found.push(g.ring.subarray(g.ringStart[r], g.ringStart[r + 1]));
    return found.length > 1 ? found.sort((a, b) => signed(g, b) - signed(g, a)) : found;
  };
  plan.signed = (ring) => signed(plan.g, ring);
  plan.block = function (i) {
    const g = plan.g;
    const closed = (ring) => [...Array.from(ring, (v) => place(g, v)), place(g, ring[0])];
    const rings = plan.rings(i);
    const outer = rings.filter((ring) => signed(g, ring) > 0);
    if (outer.length <= 1) return { type: "Polygon", coordinates: rings.map(closed) };
    return { type: "MultiPolygon", coordinates: outer.map((ring) => [closed(ring)]) };
  };
  plan.neighbours = (i) => plan.g.other.subarray(plan.g.start[i], plan.g.start[i + 1]);
  plan.members = function (row) {
    const found = [];
    const label = plan.s.label;
    for (let i = 0; i < label.length; i++) if (label[i] === row) found.push(i);
    return found;
  };
  plan.edges = function () {
    const g = plan.g;
    if (!g.otherOf) {
      g.otherOf = new Int32Array(g.ring.length);
      for (let e = 0; e < g.ring.length; e++) g.otherOf[e] = g.twin[e] < 0 ? -1 : g.of[g.twin[e]];
    }
    return { tail: g.ring, head: g.head, block: g.of, other: g.otherOf };
  };
  /* Run over the edges of a grid that another grid, or nothing, lies behind. */
  plan.eachBorder = function (row, run) {
    const g = plan.g;
    const label = plan.s.label;
    for (const i of plan.members(row)) {
      for (let e = firstEdge(g, i); e < endEdge(g, i); e++) {
        const j = g.twin[e] < 0 ? -1 : g.of[g.twin[e]];
        if (j < 0 || label[j] !== row) run(g.ring[e], g.head[e], i, j);
      }
    }
  };
  plan.border = function (one, two) {
    const found = [];
    plan.eachBorder(one, (tail, head, i, j) => j >= 0 && plan.s.label[j] === two && found.push([tail, head]));
    return found;
  };
  plan.outline = function (row) {
    const lines = [];
    plan.eachBorder(row, (tail, head) => lines.push([place(plan.g, tail), place(plan.g, head)]));
    return { type: "MultiLineString", coordinates: lines };
  };
  plan.boxOf = function (blocks) {
    const box = [180, 90, -180, -90];
    for (const i of blocks) {
      const b = plan.g.box.subarray(4 * i, 4 * i + 4);
      box[0] = Math.min(box[0], b[0]);
      box[1] = Math.min(box[1], b[1]);
      box[2] = Math.max(box[2], b[2]);
      box[3] = Math.max(box[3], b[3]);
    }
    return box;
  };

  /* --- what hangs together -------------------------------------------------------------------------------- */

  /* Pieces of a set of blocks; `has(i)` tells who belongs to it, by default the blocks themselves. */
  plan.piecesOf = function (blocks) {
    const g = plan.g;
    const inside = new Set(blocks);
    const pieces = [];
    for (const first of blocks) {
      if (!inside.has(first)) continue;
      inside.delete(first);
      const piece = [first];
      for (let k = 0; k < piece.length; k++) {
        for (let j = g.start[piece[k]]; j < g.start[piece[k] + 1]; j++) {
          if (inside.delete(g.other[j])) piece.push(g.other[j]);
        }
      }
      pieces.push(piece);
    }
    return pieces;
  };

  /* What 71-plan-swap.js needs to put other blocks in place. */
  plan.ground = {
    pairs: findPairs,
    measure,
    index,
    place(g, v, lon, lat) {
      g.vertices[2 * v] = lon;
      g.vertices[2 * v + 1] = lat;
      toMetres(g, v);
    },
  };

  /* --- vertices that moved ----------------------------------------------------------------------------------- */

  plan.moveVertices = function (vertices, places) {
    const g = plan.g;
    const near = new Set();
    const moved = new Set(vertices);
    vertices.forEach((v, k) => {
      g.vertices[2 * v] = places[2 * k];
      g.vertices[2 * v + 1] = places[2 * k + 1];
      toMetres(g, v);
    });
    for (let i = 0; i < g.n; i++) {
      for (let e = firstEdge(g, i); e < endEdge(g, i); e++) if (moved.has(g.ring[e])) near.add(i);
    }
    for (const i of near) {
      measure(g, i);
      for (const j of plan.neighbours(i)) {
        for (let k = g.start[i]; k < g.start[i + 1]; k++) if (g.other[k] === j) g.shared[k] = sharedLength(g, i, j);
        for (let k = g.start[j]; k < g.start[j + 1]; k++) if (g.other[k] === i) g.shared[k] = sharedLength(g, i, j);
      }
    }
    if (near.size) index(g);
    return [...near];
  };
  function sharedLength(g, i, j) {
    let sum = 0;
    for (let e = firstEdge(g, i); e < endEdge(g, i); e++) {
      if (g.twin[e] >= 0 && g.of[g.twin[e]] === j) sum += edgeLength(g, e);
    }
    return sum;
  }
})();
