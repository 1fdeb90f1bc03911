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
    in vec4 a_ends; in vec2 a_sides;
    uniform vec2 u_offset, u_view; uniform float u_size, u_width[4], u_only; uniform vec4 u_ink[4]; uniform usampler2D u_told;
    flat out vec4 v_ink; flat out float v_half; out float v_off;
    uvec4 told(float side) { int b = int(side + 0.5); return texelFetch(u_told, ivec2(b & 255, b >> 8), 0); }
    void main() {
      // Four vertices a line: along it, and to which side.
      vec2 corner = vec2(float((gl_VertexID >> 1) & 1), float(gl_VertexID & 1) * 2.0 - 1.0);
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
      v_off = corner.y * (v_half + 0.75);
      vec2 q = mix(from, to, corner.x) + across * corner.y + along * (corner.x * 2.0 - 1.0) * v_half * 0.7;
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
  function attribute(gl, made, name, size, stride, offset) {
    const at = gl.getAttribLocation(made, name);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, size, gl.FLOAT, false, stride * 4, offset * 4);
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
    g.x = mercatorX(plan.g.lon0);
    g.y = w.mercatorY(plan.g.lat0);
    const count = plan.g.vertices.length / 2;
    g.at = new Float32Array(2 * count);
    for (let v = 0; v < count; v++) [g.at[2 * v], g.at[2 * v + 1]] = near(v);
    g.levels = plan.levels();
    g.buffers = true;
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
  /* Vertices of some blocks lie elsewhere: their corners and borders, in place. */
  plan.drawMoved = function (blocks) {
    const ground = plan.g;
    for (const i of blocks) {
      for (let e = ground.ringStart[ground.blockRing[i]]; e < ground.ringStart[ground.blockRing[i + 1]]; e++) {
        const v = ground.ring[e];
        [g.at[2 * v], g.at[2 * v + 1]] = near(v);
      }
    }
    for (const level of g.levels) if (level.built) plan.moveLevel(level, blocks, g.at);
    plan.drawAccents();
    plan.draw();
  };
  /* Blocks came or went: what lies where it lay keeps its place and its triangles. */
  plan.drawSwapped = function (blocks) {
    if (!g.at) return;
    const known = g.at.length / 2;
    const ground = plan.g;
    const at = new Float32Array(2 * ground.x.length);
    at.set(g.at.subarray(0, Math.min(g.at.length, at.length)));
    g.at = at;
    for (let v = known; v < ground.x.length; v++) [at[2 * v], at[2 * v + 1]] = near(v);
    for (const i of blocks) {
      for (let e = ground.ringStart[ground.blockRing[i]]; e < ground.ringStart[ground.blockRing[i + 1]]; e++) {
        const v = ground.ring[e];
        [at[2 * v], at[2 * v + 1]] = near(v);
      }
    }
    for (const level of g.levels) plan.swapLevel(level, blocks);
    textures();
    plan.drawAccents();
    plan.draw();
  };
  plan.draw = () => s.map && s.map.triggerRepaint();

  /* The outline of what is chosen. */
  plan.drawAccents = function () {
    if (!plan.s || !g.at) return;
    const found = [];
    for (const row of plan.selected()) {
      plan.eachBorder(row, (tail, head) => {
        const ends = [g.at[2 * tail], g.at[2 * tail + 1], g.at[2 * head], g.at[2 * head + 1], 0, 0];
        found.push(...ends, ...ends, ...ends, ...ends);
      });
    }
    g.accent = new Float32Array(found);
    g.accentStale = true;
    plan.draw();
  };

  /* --- layers ------------------------------------------------------------------------------------------------------- */

  /* Which level of detail is drawn: the coarse one as long as what it leaves out is finer than a pixel. */
  function levelNow(gl) {
    const place = plan.projection();
    const metres = (40075016.7 * Math.cos((place.lat * Math.PI) / 180)) / place.size;
    const level = g.levels[g.levels[0].offM / metres < 0.8 * w.scale() ? 0 : 1];
    if (!level.built) plan.buildLevel(level, g.at);
    if (g.level !== level || level.stale) {
      g.level = level;
      level.stale = false;
      gl.bindVertexArray(null);
      const put = (target, buffer, data) => {
        gl.bindBuffer(target, buffer);
        gl.bufferData(target, data, gl.STATIC_DRAW);
      };
      put(gl.ARRAY_BUFFER, g.cornerBuffer, level.corners);
      put(gl.ELEMENT_ARRAY_BUFFER, g.triangleBuffer, level.triangles);
      put(gl.ARRAY_BUFFER, g.lineBuffer, level.lines);
      quads(gl, level.lines.length / 24);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, null);
    }
    return level;
  }
  /* Two triangles for each four vertices; as many as were ever needed. */
  function quads(gl, count) {
    if (g.quadCount >= count) return;
    const found = new Uint32Array(count * 6);
    for (let k = 0; k < count; k++) found.set([4 * k, 4 * k + 1, 4 * k + 2, 4 * k + 2, 4 * k + 1, 4 * k + 3], 6 * k);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, g.quadBuffer);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, found, gl.STATIC_DRAW);
    g.quadCount = count;
  }
  /* Run over the stretches of a level that can be seen, neighbours as one. */
  function seen(starts, boxes, run) {
    const place = plan.projection();
    const to = (x, y) => [(x - place.x0) / place.size - g.x, (y - place.y0) / place.size - g.y];
    const [west, north] = to(-8, -8);
    const [east, south] = to(place.wide + 8, place.high + 8);
    let from = -1;
    for (let k = 0; k < starts.length; k++) {
      const b = 4 * k;
      const shown = k < starts.length - 1 && starts[k + 1] > starts[k] && boxes[b] <= east && boxes[b + 2] >= west && boxes[b + 1] <= south && boxes[b + 3] >= north;
      if (shown && from < 0) from = starts[k];
      if (!shown && from >= 0 && (k === starts.length - 1 || starts[k + 1] > starts[k])) {
        run(from, starts[k] - from);
        from = -1;
      }
    }
  }

  function upload(gl) {
    const level = levelNow(gl);
    if (g.accentStale) {
      g.accentStale = false;
      gl.bindVertexArray(null);
      gl.bindBuffer(gl.ARRAY_BUFFER, g.accentBuffer);
      gl.bufferData(gl.ARRAY_BUFFER, g.accent, gl.DYNAMIC_DRAW);
      quads(gl, g.accent.length / 24);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, null);
    }
    uploadLooks(gl);
    return level;
  }
  function uploadLooks(gl) {
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
    attribute(gl, g.fill.made, "a_at", 2, 3, 0);
    attribute(gl, g.fill.made, "a_block", 1, 3, 2);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, g.triangleBuffer);
    gl.bindVertexArray(null);
    const array = (buffer) => {
      const made = gl.createVertexArray();
      gl.bindVertexArray(made);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      attribute(gl, g.line.made, "a_ends", 4, 6, 0);
      attribute(gl, g.line.made, "a_sides", 2, 6, 4);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, g.quadBuffer);
      gl.bindVertexArray(null);
      return made;
    };
    g.level = null;
    g.quadCount = 0;
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
    const level = upload(gl);
    begin(gl, g.fill);
    gl.uniform1i(g.fill.u.u_look, 0);
    gl.uniform1f(g.fill.u.u_k, (w.scale() * gl.drawingBufferHeight) / plan.projection().high);
    const hatch = [rgba("text", 0.34), rgba("soon", 0.8), rgba("late", 0.75), rgba("no-data-hatch", 0.55)];
    gl.uniform4fv(g.fill.u.u_hatch, new Float32Array(hatch.flat()));
    gl.bindVertexArray(g.fillArray);
    seen(level.triangleStarts, level.boxes, (from, count) => gl.drawElements(gl.TRIANGLES, count, gl.UNSIGNED_INT, from * 4));
    gl.bindVertexArray(null);
    g.frames = (g.frames || 0) + 1;
  }

  function drawLines(gl) {
    if (!plan.s || !g.buffers || !g.level) return;
    bindTextures(gl);
    begin(gl, g.line);
    const k = w.scale();
    const place = plan.projection();
    // How many pixels a block is across: single blocks have borders only where they can be told apart.
    const across = Math.sqrt(plan.g.meanArea || 1) / ((40075016.7 * Math.cos((place.lat * Math.PI) / 180)) / place.size);
    const thin = across > 13 * k ? Math.min(1, 0.35 + across / (90 * k)) * k : 0;
    const grid = Math.min(1.9, Math.max(0.75, 0.45 + across / (26 * k))) * k;
    gl.uniform1fv(g.line.u.u_width, [thin, grid, Math.min(3, Math.max(1.4, grid * 1.7)), 0]);
    const ink = [rgba("border", 0.34), rgba("border", 0.92), rgba("text", 0.85), rgba("accent", 1)];
    gl.uniform4fv(g.line.u.u_ink, new Float32Array(ink.flat()));
    gl.uniform1f(g.line.u.u_only, -1);
    gl.bindVertexArray(g.lineArray);
    seen(g.level.lineStarts, g.level.boxes, (from, count) => gl.drawElements(gl.TRIANGLES, count * 6, gl.UNSIGNED_INT, from * 24));
    if (g.accent && g.accent.length) {
      gl.uniform1f(g.line.u.u_only, 1);
      gl.bindVertexArray(g.accentArray);
      for (const [wide, colour] of [[6.5 * k, rgba("border-casing", 0.92)], [3.2 * k, rgba("accent", 1)]]) {
        gl.uniform1fv(g.line.u.u_width, [0, 0, 0, wide]);
        gl.uniform4fv(g.line.u.u_ink, new Float32Array([...ink.flat().slice(0, 12), ...colour]));
        gl.drawElements(gl.TRIANGLES, g.accent.length / 4, gl.UNSIGNED_INT, 0);
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
    g.fresh = true;
    if (g.dirty) g.dirty.fill(1);
    const before = (id) => (map.getLayer(id) ? id : undefined);
    if (!map.getLayer("plan-fill")) map.addLayer(layer("plan-fill", drawFill, (_, gl) => prepare(gl), (_, gl) => drop(gl)), before("over-data"));
    if (!map.getLayer("plan-lines")) map.addLayer(layer("plan-lines", drawLines), before("over-marks"));
  };
  plan.LOCKED = LOCKED;
})();
