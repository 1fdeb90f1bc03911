/* Blocks and borders on the map: two layers of MapLibre's kind "custom", drawn by WebGL. Each block has one
   texel with its colour and one with its grid; a line asks on the graphics card whether the blocks on its
   two sides are in one grid. So painting a block writes a few bytes, and neither a tile nor a shape is
   made anew. Places are told from the middle of the plan: so near to it, 32 bits are exact to a millimetre. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const plan = w.plan;
  const WIDE = 256; // texels a row
  const LOCKED = 1;
  const g = (plan.gl = { look: null, told: null, dirty: null, buffers: false, accents: 0 });

  /* --- programs ------------------------------------------------------------------------------------ */

  const FILL_VERTEX = `#version 300 es
    precision highp float; precision highp int; precision highp usampler2D;
    in vec2 a_at; in float a_block;
    uniform vec2 u_offset, u_view; uniform float u_size; uniform sampler2D u_look; uniform usampler2D u_told;
    flat out vec4 v_colour; flat out uint v_flags;
    void main() {
      int b = int(a_block + 0.5); ivec2 t = ivec2(b & 255, b >> 8);
      v_colour = texelFetch(u_look, t, 0); v_flags = texelFetch(u_told, t, 0).b;
      vec2 q = a_at * u_size + u_offset;
      gl_Position = vec4(q.x / u_view.x * 2.0 - 1.0, 1.0 - q.y / u_view.y * 2.0, 0.0, 1.0);
    }`;
  /* Flags: 1 locked, 2 cut off, 4 in conflict, 8 not divided: a pattern each, so that none is told by colour alone. */
  const FILL_FRAGMENT = `#version 300 es
    precision highp float; precision highp int;
    flat in vec4 v_colour; flat in uint v_flags; uniform float u_k; uniform vec4 u_hatch[4];
    out vec4 colour;
    float stripe(float at, float every, float wide) { return step(mod(at, every), wide); }
    void main() {
      vec4 c = vec4(v_colour.rgb * v_colour.a, v_colour.a);
      vec2 p = gl_FragCoord.xy / u_k; float up = (p.x + p.y) * 0.7071, down = (p.x - p.y) * 0.7071;
      vec4 over = vec4(0.0);
      if ((v_flags & 8u) != 0u) over = u_hatch[3] * stripe(down, 6.0, 1.2);
      if ((v_flags & 1u) != 0u) over = u_hatch[0] * max(stripe(up, 9.0, 1.1), stripe(down, 9.0, 1.1));
      if ((v_flags & 2u) != 0u) over = u_hatch[1] * stripe(up, 7.0, 2.4);
      if ((v_flags & 4u) != 0u) over = u_hatch[2] * max(stripe(up, 8.0, 2.0), stripe(down, 8.0, 2.0));
      colour = vec4(over.rgb * over.a, over.a) + c * (1.0 - over.a);
    }`;
  const LINE_VERTEX = `#version 300 es
    precision highp float; precision highp int; precision highp usampler2D;
    in vec2 a_corner; in vec4 a_ends; in vec2 a_sides;
    uniform vec2 u_offset, u_view; uniform float u_size, u_width[4], u_only; uniform vec4 u_ink[4]; uniform usampler2D u_told;
    flat out vec4 v_ink; flat out float v_half; out float v_off;
    uvec4 told(float side) { int b = int(side + 0.5); return texelFetch(u_told, ivec2(b & 255, b >> 8), 0); }
    void main() {
      int kind = 3;
      if (u_only < 0.0) {
        kind = 2;
        if (a_sides.y >= 0.0) {
          uvec4 one = told(a_sides.x), two = told(a_sides.y);
          kind = one.g != two.g ? 2 : (one.r != two.r ? 1 : 0);
        }
      }
      float wide = u_width[kind];
      v_ink = u_ink[kind]; v_half = wide * 0.5;
      vec2 from = a_ends.xy * u_size + u_offset, to = a_ends.zw * u_size + u_offset;
      vec2 along = to - from; float far = max(length(along), 0.0001); along /= far;
      vec2 across = vec2(-along.y, along.x) * (v_half + 0.75);
      v_off = a_corner.y * (v_half + 0.75);
      vec2 q = mix(from, to, a_corner.x) + across * a_corner.y + along * (a_corner.x * 2.0 - 1.0) * v_half * 0.7;
      gl_Position = wide <= 0.0 ? vec4(9.0, 9.0, 0.0, 1.0) : vec4(q.x / u_view.x * 2.0 - 1.0, 1.0 - q.y / u_view.y * 2.0, 0.0, 1.0);
    }`;
  const LINE_FRAGMENT = `#version 300 es
    precision highp float; flat in vec4 v_ink; flat in float v_half; in float v_off; out vec4 colour;
    void main() {
      float a = v_ink.a * clamp(v_half + 0.5 - abs(v_off), 0.0, 1.0);
      if (a < 0.01) discard;
      colour = vec4(v_ink.rgb * a, a);
    }`;

  function program(gl, vertex, fragment, names) {
    const made = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(made, shader);
    }
    gl.linkProgram(made);
    if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
    const u = {};
    for (const name of names) u[name] = gl.getUniformLocation(made, name);
    return { made, u };
  }
  function attribute(gl, made, name, size, stride, offset, divisor) {
    const at = gl.getAttribLocation(made, name);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, size, gl.FLOAT, false, stride * 4, offset * 4);
    gl.vertexAttribDivisor(at, divisor);
  }
  const inks = new Map();
  /* A colour of the page and how opaque it is; asked for once, since the mood changes only with a new page. */
  function rgba(name, alpha) {
    if (!inks.has(name)) inks.set(name, [1, 3, 5].map((k) => parseInt(w.colour(name).slice(k, k + 2), 16) / 255));
    return [...inks.get(name), alpha];
  }

  /* --- where the map is -------------------------------------------------------------------------------- */

  const mercatorX = (lon) => (lon + 180) / 360;
  let view = null;
  plan.projection = function () {
    const map = s.map;
    const centre = map.getCenter();
    const zoom = map.getZoom();
    const box = map.getContainer();
    if (view && view.lng === centre.lng && view.lat === centre.lat && view.zoom === zoom && view.wide === box.clientWidth && view.high === box.clientHeight) return view;
    const size = 512 * 2 ** zoom;
    view = {
      lng: centre.lng, lat: centre.lat, zoom, size, wide: box.clientWidth, high: box.clientHeight,
      x0: box.clientWidth / 2 - mercatorX(centre.lng) * size, y0: box.clientHeight / 2 - w.mercatorY(centre.lat) * size,
    };
    return view;
  };
  plan.project = function (lon, lat) {
    const p = plan.projection();
    return { x: mercatorX(lon) * p.size + p.x0, y: w.mercatorY(lat) * p.size + p.y0 };
  };
  plan.unproject = function (x, y) {
    const p = plan.projection();
    const north = Math.PI * (1 - (2 * (y - p.y0)) / p.size);
    return [((x - p.x0) / p.size) * 360 - 180, (Math.atan(Math.sinh(north)) * 180) / Math.PI];
  };

  /* --- what is in the buffers ------------------------------------------------------------------------------ */

  const near = (v) => [mercatorX(plan.g.vertices[2 * v]) - g.x, w.mercatorY(plan.g.vertices[2 * v + 1]) - g.y];

  function shape() {
    const ground = plan.g;
    g.x = mercatorX(ground.lon0);
    g.y = w.mercatorY(ground.lat0);
    const corners = new Float32Array(ground.ring.length * 3);
    const at = new Float32Array(ground.vertices.length);
    for (let v = 0; v < at.length / 2; v++) [at[2 * v], at[2 * v + 1]] = near(v);
    // A corner of a block is one vertex of the buffer, because its colour is that of the block.
    const slot = new Map();
    let triangles = new Uint32Array(ground.ring.length * 3);
    let size = 0;
    g.firstTriangle = new Int32Array(ground.n + 1);
    for (let i = 0; i < ground.n; i++) {
      g.firstTriangle[i] = size;
      const from = ground.ringStart[ground.blockRing[i]];
      const to = ground.ringStart[ground.blockRing[i + 1]];
      slot.clear();
      for (let e = from; e < to; e++) {
        const v = ground.ring[e];
        corners[3 * e] = at[2 * v];
        corners[3 * e + 1] = at[2 * v + 1];
        corners[3 * e + 2] = i;
        slot.set(v, e);
      }
      const found = plan.triangles(i);
      if (size + found.length > triangles.length) {
        const larger = new Uint32Array(triangles.length * 2);
        larger.set(triangles);
        triangles = larger;
      }
      for (const v of found) triangles[size++] = slot.get(v);
    }
    g.firstTriangle[ground.n] = size;
    g.corners = corners;
    g.triangles = triangles.subarray(0, size);
    lines(at);
    g.buffers = true;
  }

  /* Each border once: its ends, and the block on either side, -1 outside. */
  function lines(at) {
    const ground = plan.g;
    const found = new Float32Array(ground.ring.length * 6);
    let size = 0;
    g.lineOf = new Int32Array(ground.ring.length);
    for (let e = 0; e < ground.ring.length; e++) {
      const twin = ground.twin[e];
      if (twin >= 0 && twin < e) continue;
      g.lineOf[e] = size;
      if (twin >= 0) g.lineOf[twin] = size;
      const [p, q] = [ground.ring[e], ground.head[e]];
      found[size++] = at[2 * p];
      found[size++] = at[2 * p + 1];
      found[size++] = at[2 * q];
      found[size++] = at[2 * q + 1];
      found[size++] = ground.of[e];
      found[size++] = twin < 0 ? -1 : ground.of[twin];
    }
    g.lines = found.subarray(0, size);
  }

  function textures() {
    const n = plan.g.n;
    const high = Math.max(1, Math.ceil(n / WIDE));
    g.look = new Uint8Array(WIDE * high * 4);
    g.told = new Uint32Array(WIDE * high * 4);
    g.rows = high;
    g.dirty = new Uint8Array(high).fill(1);
    g.fresh = true;
    for (let i = 0; i < n; i++) tell(i);
  }
  function tell(i) {
    g.told[4 * i] = plan.s.label[i];
    g.told[4 * i + 1] = plan.g.community[i];
    g.told[4 * i + 2] = plan.flagsOf(i);
    const colour = plan.colourOf(i);
    g.look[4 * i] = colour >>> 16;
    g.look[4 * i + 1] = (colour >>> 8) & 255;
    g.look[4 * i + 2] = colour & 255;
    g.look[4 * i + 3] = plan.opacityOf(i);
    g.dirty[i >> 8] = 1;
  }

  /* --- for the other parts --------------------------------------------------------------------------------------- */

  /* The whole plan is new. */
  plan.drawAll = function () {
    shape();
    textures();
    g.shaped = false;
    plan.drawAccents();
    plan.draw();
  };
  /* Some blocks look other than before: another grid, colour or mark. */
  plan.drawBlocks = function (blocks) {
    if (!g.told) return;
    for (const i of blocks) tell(i);
    plan.draw();
  };
  plan.drawEvery = function () {
    if (!g.told) return;
    for (let i = 0; i < plan.g.n; i++) tell(i);
    plan.drawAccents();
    plan.draw();
  };
  /* Vertices of some blocks lie elsewhere: their corners, triangles and borders, in place. */
  plan.drawMoved = function (blocks) {
    const ground = plan.g;
    for (const i of blocks) {
      const from = ground.ringStart[ground.blockRing[i]];
      const to = ground.ringStart[ground.blockRing[i + 1]];
      const slot = new Map();
      for (let e = from; e < to; e++) {
        slot.set(ground.ring[e], e);
        const twin = ground.twin[e];
        // A border is kept the way round in which it was met first.
        const [p, q] = twin >= 0 && twin < e ? [ground.head[e], ground.ring[e]] : [ground.ring[e], ground.head[e]];
        g.lines.set([...near(p), ...near(q)], g.lineOf[e]);
        g.corners.set(near(ground.ring[e]), 3 * e);
      }
      const found = plan.triangles(i);
      const room = g.firstTriangle[i + 1] - g.firstTriangle[i];
      for (let k = 0; k < room; k++) g.triangles[g.firstTriangle[i] + k] = k < found.length ? slot.get(found[k]) : from;
    }
    g.shaped = false;
    plan.drawAccents();
    plan.draw();
  };
  plan.draw = () => s.map && s.map.triggerRepaint();

  /* The outline of what is chosen, and of the grid under the hand. */
  plan.drawAccents = function () {
    if (!plan.s) return;
    const found = [];
    for (const row of plan.selected()) {
      plan.eachBorder(row, (tail, head) => found.push(...near(tail), ...near(head), 0, 0));
    }
    g.accent = new Float32Array(found);
    g.accentStale = true;
    plan.draw();
  };

  /* --- layers ------------------------------------------------------------------------------------------------------- */

  function upload(gl) {
    if (!g.shaped) {
      g.shaped = true;
      gl.bindVertexArray(null);
      gl.bindBuffer(gl.ARRAY_BUFFER, g.cornerBuffer);
      gl.bufferData(gl.ARRAY_BUFFER, g.corners, gl.STATIC_DRAW);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, g.triangleBuffer);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, g.triangles, gl.STATIC_DRAW);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, null);
      gl.bindBuffer(gl.ARRAY_BUFFER, g.lineBuffer);
      gl.bufferData(gl.ARRAY_BUFFER, g.lines, gl.STATIC_DRAW);
    }
    if (g.accentStale) {
      g.accentStale = false;
      gl.bindBuffer(gl.ARRAY_BUFFER, g.accentBuffer);
      gl.bufferData(gl.ARRAY_BUFFER, g.accent, gl.DYNAMIC_DRAW);
    }
    bindTextures(gl);
    const some = g.dirty.indexOf(1);
    if (some < 0) return;
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 4);
    const put = (unit, inside, format, kind, data, row, rows) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      if (g.fresh) gl.texImage2D(gl.TEXTURE_2D, 0, inside, WIDE, g.rows, 0, format, kind, data);
      else gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, row, WIDE, rows, format, kind, data.subarray(row * WIDE * 4, (row + rows) * WIDE * 4));
    };
    for (let row = some; row < g.rows; row++) {
      if (!g.dirty[row] && !g.fresh) continue;
      put(0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, g.look, row, 1);
      put(1, gl.RGBA32UI, gl.RGBA_INTEGER, gl.UNSIGNED_INT, g.told, row, 1);
      if (g.fresh) break;
    }
    g.fresh = false;
    g.dirty.fill(0);
  }
  function bindTextures(gl) {
    [g.lookTexture, g.toldTexture].forEach((texture, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, texture);
    });
  }
  function texture(gl) {
    const made = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, made);
    for (const [name, value] of [["MIN_FILTER", "NEAREST"], ["MAG_FILTER", "NEAREST"], ["WRAP_S", "CLAMP_TO_EDGE"], ["WRAP_T", "CLAMP_TO_EDGE"]]) {
      gl.texParameteri(gl.TEXTURE_2D, gl["TEXTURE_" + name], gl[value]);
    }
    return made;
  }

  function prepare(gl) {
    const place = ["u_offset", "u_view", "u_size"];
    g.fill = program(gl, FILL_VERTEX, FILL_FRAGMENT, [...place, "u_look", "u_told", "u_k", "u_hatch"]);
    g.line = program(gl, LINE_VERTEX, LINE_FRAGMENT, [...place, "u_told", "u_width", "u_ink", "u_only"]);
    for (const name of ["corner", "triangle", "line", "accent", "quad"]) g[name + "Buffer"] = gl.createBuffer();
    g.lookTexture = texture(gl);
    g.toldTexture = texture(gl);
    g.fillArray = gl.createVertexArray();
    gl.bindVertexArray(g.fillArray);
    gl.bindBuffer(gl.ARRAY_BUFFER, g.cornerBuffer);
    attribute(gl, g.fill.made, "a_at", 2, 3, 0, 0);
    attribute(gl, g.fill.made, "a_block", 1, 3, 2, 0);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, g.triangleBuffer);
    gl.bindVertexArray(null);
    gl.bindBuffer(gl.ARRAY_BUFFER, g.quadBuffer);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, -1, 0, 1, 1, -1, 1, 1]), gl.STATIC_DRAW);
    const array = (buffer) => {
      const made = gl.createVertexArray();
      gl.bindVertexArray(made);
      gl.bindBuffer(gl.ARRAY_BUFFER, g.quadBuffer);
      attribute(gl, g.line.made, "a_corner", 2, 2, 0, 0);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      attribute(gl, g.line.made, "a_ends", 4, 6, 0, 1);
      attribute(gl, g.line.made, "a_sides", 2, 6, 4, 1);
      gl.bindVertexArray(null);
      return made;
    };
    g.lineArray = array(g.lineBuffer);
    g.accentArray = array(g.accentBuffer);
    g.ready = true;
  }
  function drop(gl) {
    for (const name of ["corner", "triangle", "line", "accent", "quad"]) gl.deleteBuffer(g[name + "Buffer"]);
    for (const array of [g.fillArray, g.lineArray, g.accentArray]) gl.deleteVertexArray(array);
    for (const one of [g.fill, g.line]) gl.deleteProgram(one.made);
    for (const one of [g.lookTexture, g.toldTexture]) gl.deleteTexture(one);
    g.ready = false;
  }

  function begin(gl, one) {
    const place = plan.projection();
    gl.useProgram(one.made);
    gl.uniform2f(one.u.u_offset, g.x * place.size + place.x0, g.y * place.size + place.y0);
    gl.uniform2f(one.u.u_view, place.wide, place.high);
    gl.uniform1f(one.u.u_size, place.size);
    gl.uniform1i(one.u.u_told, 1);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  function drawFill(gl) {
    if (!plan.s || !g.buffers) return;
    upload(gl);
    begin(gl, g.fill);
    gl.uniform1i(g.fill.u.u_look, 0);
    gl.uniform1f(g.fill.u.u_k, (w.scale() * gl.drawingBufferHeight) / plan.projection().high);
    const hatch = [rgba("text", 0.34), rgba("soon", 0.8), rgba("late", 0.75), rgba("no-data-hatch", 0.55)];
    gl.uniform4fv(g.fill.u.u_hatch, new Float32Array(hatch.flat()));
    gl.bindVertexArray(g.fillArray);
    gl.drawElements(gl.TRIANGLES, g.triangles.length, gl.UNSIGNED_INT, 0);
    gl.bindVertexArray(null);
    g.frames = (g.frames || 0) + 1;
  }

  function drawLines(gl) {
    if (!plan.s || !g.buffers) return;
    bindTextures(gl);
    begin(gl, g.line);
    const k = w.scale();
    const place = plan.projection();
    // How many pixels a block is across: single blocks have borders only where they can be told apart.
    const across = Math.sqrt(plan.g.meanArea || 1) / ((40075016.7 * Math.cos((place.lat * Math.PI) / 180)) / place.size);
    const thin = across > 9 * k ? Math.min(1, 0.35 + across / (90 * k)) * k : 0;
    const grid = Math.min(1.9, Math.max(0.75, 0.45 + across / (26 * k))) * k;
    gl.uniform1fv(g.line.u.u_width, [thin, grid, Math.min(3, Math.max(1.4, grid * 1.7)), 0]);
    const ink = [rgba("border", 0.34), rgba("border", 0.92), rgba("text", 0.85), rgba("accent", 1)];
    gl.uniform4fv(g.line.u.u_ink, new Float32Array(ink.flat()));
    gl.uniform1f(g.line.u.u_only, -1);
    gl.bindVertexArray(g.lineArray);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, g.lines.length / 6);
    if (g.accent && g.accent.length) {
      gl.uniform1f(g.line.u.u_only, 1);
      gl.bindVertexArray(g.accentArray);
      for (const [wide, colour] of [[6.5 * k, rgba("border-casing", 0.92)], [3.2 * k, rgba("accent", 1)]]) {
        gl.uniform1fv(g.line.u.u_width, [0, 0, 0, wide]);
        gl.uniform4fv(g.line.u.u_ink, new Float32Array([...ink.flat().slice(0, 12), ...colour]));
        gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, g.accent.length / 6);
      }
    }
    gl.bindVertexArray(null);
  }

  /* Put our layers on the map; the fill below the basemap's names, the borders over it. */
  plan.dress = function (map) {
    // Grids in force and their names give way to those of the plan.
    for (const layer of map.getStyle().layers) {
      if (layer.source === "w-units-grid") map.removeLayer(layer.id);
    }
    if (map.getSource("w-units-grid")) map.removeSource("w-units-grid");
    if (map.getLayer("w-names-grid")) map.setLayerZoomRange("w-names-grid", 23.9, 24);
    // Names of communities give way where grids carry their own.
    const area = plan.g ? plan.g.meanArea * (plan.g.n / Math.max(1, plan.living().length)) : 40000;
    const metres = 40075016.7 * Math.cos(((plan.g ? plan.g.lat0 : 30) * Math.PI) / 180);
    const until = Math.log2((46 * w.scale() * metres) / (512 * Math.sqrt(area)));
    if (map.getLayer("w-names-community")) map.setLayerZoomRange("w-names-community", Math.min(12.6, until), Math.max(1, until));
    if (map.getLayer("w-names-street")) map.setLayerZoomRange("w-names-street", 9.5, Math.max(9.6, until + 0.6));
    const layer = (id, render, onAdd, onRemove) => ({ id, type: "custom", renderingMode: "2d", onAdd, onRemove, render });
    g.shaped = false;
    g.fresh = true;
    if (g.dirty) g.dirty.fill(1);
    const before = (id) => (map.getLayer(id) ? id : undefined);
    if (!map.getLayer("plan-fill")) map.addLayer(layer("plan-fill", drawFill, (_, gl) => prepare(gl), (_, gl) => drop(gl)), before("over-data"));
    if (!map.getLayer("plan-lines")) map.addLayer(layer("plan-lines", drawLines), before("over-marks"));
  };
  plan.LOCKED = LOCKED;
})();
