/* Workers and their trails on the map: one layer of MapLibre's own kind "custom", drawn by WebGL from the
   columns of 26-people.js. A source would cut 5,000 features into tiles and place their symbols anew for
   each second; here a change writes one buffer and asks for one frame (docs/performance.md).

   Every state has a shape: disc, triangle on its tip, hollow diamond, bar, star. The graver is drawn later
   and larger, an SOS last of all and never hidden. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const s = w.s;
  const m = (w.map = w.map || {});
  const p = m.people;
  const { CODE, TRAIL } = p;
  const ORDER = [CODE.no_signal, CODE.on_duty, CODE.standing, CODE.off_post, CODE.sos];
  const COLOURS = { on_duty: "text", off_post: "soon", no_signal: "unknown", standing: "soon", sos: "late" };
  const RING = 6; // the shape around who is chosen
  const TRAILS_FROM = 14.2; // zoom of a screen with 1080 lines
  const TRAILS_MOST = 400;

  /* --- sizes: a radius in pixels by state and zoom ------------------------------------------------------ */

  const near = (zoom) => Math.min(1, Math.max(0, (zoom - 10) / 6));
  p.radius = function (state) {
    const k = w.scale();
    const q = near(s.map.getZoom() - w.shift());
    if (state === CODE.sos) return (9 + 3 * q) * k;
    if (state === CODE.off_post || state === CODE.standing) return (4.2 + 4 * q) * k;
    if (state === CODE.no_signal) return (3 + 4.4 * q) * k;
    return (1.7 + 3.6 * q) * k;
  };
  /* Nobody is drawn who is off duty: where they are then is theirs. */
  p.isDrawn = (state) => state !== CODE.off_duty;
  p.isShown = () => s.layers.includes("workers");
  /* The command screen shows a call for help with the layer off, too; other maps are about something else. */
  p.isLoud = () => p.isShown() || Boolean(document.getElementById("command-page"));

  /* --- programs ------------------------------------------------------------------------------------------- */

  const MARK_VERTEX = `#version 300 es
    in vec2 a_at; in float a_kind;
    uniform vec2 u_offset, u_view; uniform float u_size, u_radius[7];
    flat out int v_kind; out float v_radius;
    void main() {
      v_kind = int(a_kind + 0.5);
      v_radius = u_radius[v_kind];
      vec2 q = a_at * u_size + u_offset;
      gl_Position = vec4(q.x / u_view.x * 2.0 - 1.0, 1.0 - q.y / u_view.y * 2.0, 0.0, 1.0);
      gl_PointSize = 2.0 * (v_radius + 2.5 * u_radius[6] / 10.0) + 2.0;
    }`;
  /* Distances to the edge of each shape, in radii; inside is negative. */
  const MARK_FRAGMENT = `#version 300 es
    precision highp float;
    flat in int v_kind; in float v_radius;
    uniform vec4 u_colour[7]; uniform vec4 u_casing; uniform float u_alpha[7]; uniform float u_k;
    out vec4 colour;
    float box(vec2 q, vec2 b) { vec2 d = abs(q) - b; return length(max(d, 0.0)) + min(max(d.x, d.y), 0.0); }
    float tip(vec2 q) { return max(abs(q.x) * 0.866 + q.y * 0.5, -q.y) - 0.5; }
    float star(vec2 q) {
      float a = mod(atan(q.x, -q.y) + 3.14159265 / 8.0, 3.14159265 / 4.0) - 3.14159265 / 8.0;
      return length(q) * cos(a) - mix(1.0, 0.52, smoothstep(0.0, 0.3927, abs(a)));
    }
    void main() {
      float half_size = v_radius + 2.5 * u_k + 1.0;
      vec2 q = (gl_PointCoord * 2.0 - 1.0) * half_size / v_radius;
      float d;
      bool hollow = false;
      float line = 1.5 * u_k / v_radius;
      if (v_kind == 1) d = tip(q * 0.95);
      else if (v_kind == 2) { d = (abs(q.x) + abs(q.y) - 0.95) * 0.707; hollow = true; }
      else if (v_kind == 3) d = box(q, vec2(0.95, 0.34)) - 0.06;
      else if (v_kind == 4) d = star(q);
      else if (v_kind == 6) { d = length(q) - 0.9; hollow = true; }
      else d = length(q) - 0.86;
      float pixel = 1.0 / v_radius;
      if (hollow) d = abs(d) - line * (v_kind == 6 ? 0.75 : 0.62);
      float casing = 1.1 * u_k / v_radius;
      float body = 1.0 - smoothstep(-0.5 * pixel, 0.5 * pixel, d);
      float around = 1.0 - smoothstep(-0.5 * pixel, 0.5 * pixel, d - casing);
      if (around <= 0.0) discard;
      vec4 c = mix(vec4(u_casing.rgb, 0.8), u_colour[v_kind], body);
      float alpha = c.a * around * u_alpha[v_kind];
      colour = vec4(c.rgb * alpha, alpha);
    }`;
  const TRAIL_VERTEX = `#version 300 es
    in vec2 a_corner; in vec4 a_ends; in vec3 a_look;
    uniform vec2 u_offset, u_view; uniform float u_size, u_width;
    uniform vec4 u_colour[7];
    out vec4 v_colour;
    void main() {
      vec2 from = a_ends.xy * u_size + u_offset, to = a_ends.zw * u_size + u_offset;
      vec2 along = to - from; float far = max(length(along), 0.001);
      vec2 across = vec2(-along.y, along.x) / far * u_width * 0.5;
      vec2 q = mix(from, to, a_corner.x) + across * a_corner.y;
      gl_Position = vec4(q.x / u_view.x * 2.0 - 1.0, 1.0 - q.y / u_view.y * 2.0, 0.0, 1.0);
      float alpha = mix(a_look.x, a_look.y, a_corner.x);
      v_colour = vec4(u_colour[int(a_look.z + 0.5)].rgb * alpha, alpha);
    }`;
  const TRAIL_FRAGMENT = `#version 300 es
    precision mediump float; in vec4 v_colour; out vec4 colour; void main() { colour = v_colour; }`;

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

  function rgb(text) {
    const hex = text.trim();
    return [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16) / 255).concat(1);
  }

  /* --- what is in the buffers -------------------------------------------------------------------------------- */

  const mercatorX = (lon) => (lon + 180) / 360;

  /* Places are told from the middle of the city: so near to it, 32 bits are exact to a millimetre. */
  function marks(g) {
    const by = ORDER.map(() => []);
    for (let slot = 0; slot < p.count; slot++) {
      if (!p.here[slot]) continue;
      const row = ORDER.indexOf(p.seen(slot));
      if (row >= 0) by[row].push(slot);
    }
    const rows = p.shown + 1;
    if (g.marks.length < rows * 3) g.marks = new Float32Array(rows * 4);
    let at = 0;
    const add = (slot, kind) => {
      g.marks[at++] = mercatorX(p.lon[slot]) - g.x;
      g.marks[at++] = w.mercatorY(p.lat[slot]) - g.y;
      g.marks[at++] = kind;
    };
    by.forEach((slots, row) => {
      if (row === by.length - 1) {
        g.calm = at / 3;
        if (p.chosen >= 0 && p.here[p.chosen]) add(p.chosen, RING);
      }
      for (const slot of slots) add(slot, ORDER[row]);
    });
    g.count = at / 3;
    p.counts = Object.fromEntries(ORDER.map((code, row) => [p.STATES[code], by[row].length]));
  }

  function trails(g) {
    const now = w.now() / 1000;
    const all = s.map.getZoom() - w.shift() >= TRAILS_FROM;
    const box = s.map.getBounds();
    const [west, east, south, north] = [box.getWest(), box.getEast(), box.getSouth(), box.getNorth()];
    const mine = [];
    for (let slot = 0; slot < p.count && mine.length < TRAILS_MOST; slot++) {
      if (!p.here[slot] || p.trail.n[slot] < 1 || p.state[slot] === CODE.off_duty) continue;
      const always = slot === p.chosen || p.state[slot] === CODE.sos;
      if (!always && !all) continue;
      if (p.lon[slot] < west || p.lon[slot] > east || p.lat[slot] < south || p.lat[slot] > north) continue;
      mine.push(slot);
    }
    const most = mine.length * TRAIL.most;
    if (g.trails.length < most * 7) g.trails = new Float32Array(most * 7);
    const fade = (t) => 0.9 * Math.max(0, 1 - (now - t) / TRAIL.seconds);
    let at = 0;
    for (const slot of mine) {
      const base = slot * TRAIL.most;
      let lon = p.lon[slot];
      let lat = p.lat[slot];
      let t = p.t[slot];
      for (let k = 0; k < p.trail.n[slot]; k++) {
        const row = base + ((p.trail.at[slot] - k + TRAIL.most) % TRAIL.most);
        const [old, oldLat, oldT] = [p.trail.lon[row], p.trail.lat[row], p.trail.t[row]];
        if (now - t > TRAIL.seconds) break;
        if (old !== lon || oldLat !== lat) {
          g.trails[at++] = mercatorX(old) - g.x;
          g.trails[at++] = w.mercatorY(oldLat) - g.y;
          g.trails[at++] = mercatorX(lon) - g.x;
          g.trails[at++] = w.mercatorY(lat) - g.y;
          g.trails[at++] = fade(oldT);
          g.trails[at++] = fade(t);
          g.trails[at++] = slot === p.chosen ? RING : p.seen(slot);
        }
        [lon, lat, t] = [old, oldLat, oldT];
      }
    }
    g.segments = at / 7;
    p.segments = g.segments;
  }

  /* --- the layer ------------------------------------------------------------------------------------------------ */

  m.peopleLayer = function () {
    const g = { marks: new Float32Array(0), trails: new Float32Array(0), count: 0, calm: 0, segments: 0, version: -1, view: "" };
    const middle = s.config.bounds;
    g.x = mercatorX((middle[0] + middle[2]) / 2);
    g.y = w.mercatorY((middle[1] + middle[3]) / 2);
    m.peopleDrawn = g;
    return {
      id: "w-workers",
      type: "custom",
      renderingMode: "2d",
      onAdd(map, gl) {
        const shared = ["u_offset", "u_view", "u_size", "u_colour"];
        g.mark = program(gl, MARK_VERTEX, MARK_FRAGMENT, [...shared, "u_radius", "u_casing", "u_alpha", "u_k"]);
        g.trail = program(gl, TRAIL_VERTEX, TRAIL_FRAGMENT, [...shared, "u_width"]);
        g.markBuffer = gl.createBuffer();
        g.trailBuffer = gl.createBuffer();
        g.cornerBuffer = gl.createBuffer();
        g.markArray = gl.createVertexArray();
        gl.bindVertexArray(g.markArray);
        gl.bindBuffer(gl.ARRAY_BUFFER, g.markBuffer);
        attribute(gl, g.mark.made, "a_at", 2, 3, 0, 0);
        attribute(gl, g.mark.made, "a_kind", 1, 3, 2, 0);
        g.trailArray = gl.createVertexArray();
        gl.bindVertexArray(g.trailArray);
        gl.bindBuffer(gl.ARRAY_BUFFER, g.cornerBuffer);
        gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, -1, 0, 1, 1, -1, 1, 1]), gl.STATIC_DRAW);
        attribute(gl, g.trail.made, "a_corner", 2, 2, 0, 0);
        gl.bindBuffer(gl.ARRAY_BUFFER, g.trailBuffer);
        attribute(gl, g.trail.made, "a_ends", 4, 7, 0, 1);
        attribute(gl, g.trail.made, "a_look", 3, 7, 4, 1);
        gl.bindVertexArray(null);
        const colours = [0, 1, 2, 3, 4, 5, 6].map((code) => w.colour(code === RING ? "accent" : COLOURS[p.STATES[code]] || "quiet"));
        g.colours = new Float32Array(colours.flatMap(rgb));
        g.casing = new Float32Array(rgb(w.colour("border-casing")));
        g.version = -1;
      },
      onRemove(map, gl) {
        for (const buffer of [g.markBuffer, g.trailBuffer, g.cornerBuffer]) gl.deleteBuffer(buffer);
        for (const array of [g.markArray, g.trailArray]) gl.deleteVertexArray(array);
        for (const one of [g.mark, g.trail]) gl.deleteProgram(one.made);
      },
      render(gl) {
        draw(g, gl);
      },
    };
  };

  function draw(g, gl) {
    const place = p.projection();
    const view = [place.size, place.x0, place.y0].join();
    const canvas = s.map.getContainer();
    const size = [canvas.clientWidth, canvas.clientHeight];
    const ratio = gl.drawingBufferHeight / size[1];
    const stale = g.version !== p.version;
    if (stale) {
      marks(g);
      gl.bindBuffer(gl.ARRAY_BUFFER, g.markBuffer);
      gl.bufferData(gl.ARRAY_BUFFER, g.marks.subarray(0, g.count * 3), gl.DYNAMIC_DRAW);
    }
    if (stale || g.view !== view) {
      trails(g);
      gl.bindBuffer(gl.ARRAY_BUFFER, g.trailBuffer);
      gl.bufferData(gl.ARRAY_BUFFER, g.trails.subarray(0, g.segments * 7), gl.DYNAMIC_DRAW);
    }
    g.version = p.version;
    g.view = view;
    const offset = [g.x * place.size + place.x0, g.y * place.size + place.y0];
    const common = (one) => {
      gl.useProgram(one.made);
      gl.uniform2f(one.u.u_offset, offset[0], offset[1]);
      gl.uniform2f(one.u.u_view, size[0], size[1]);
      gl.uniform1f(one.u.u_size, place.size);
      gl.uniform4fv(one.u.u_colour, g.colours);
    };
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const k = w.scale();
    if (g.segments && p.isShown()) {
      common(g.trail);
      gl.uniform1f(g.trail.u.u_width, 2.2 * k);
      gl.bindVertexArray(g.trailArray);
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, g.segments);
    }
    common(g.mark);
    gl.uniform4fv(g.mark.u.u_casing, g.casing);
    gl.uniform1f(g.mark.u.u_k, k * ratio);
    const radii = [0, 1, 2, 3, 4, 5].map((code) => p.radius(code) * ratio);
    gl.uniform1fv(g.mark.u.u_radius, [...radii, 10 * k * ratio]);
    const zoom = near(s.map.getZoom() - w.shift());
    const quiet = 0.55 + 0.45 * zoom;
    gl.uniform1fv(g.mark.u.u_alpha, [quiet + 0.1 * (1 - zoom), 1, quiet, 1, 1, 0, 1]);
    gl.bindVertexArray(g.markArray);
    // With the layer switched off an SOS is still seen on the command screen.
    const first = p.isShown() ? 0 : g.calm;
    if (g.count > first && p.isLoud()) gl.drawArrays(gl.POINTS, first, g.count - first);
    gl.bindVertexArray(null);
    p.frames = (p.frames || 0) + 1;
  }

  p.on(() => s.map && s.map.getLayer("w-workers") && s.map.triggerRepaint());
})();
