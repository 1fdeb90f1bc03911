/* Points, trails and a way on a canvas of their own over the map, by WebGL. A point knows both ends of its
   step; where it is between them is worked out on the graphics card, so a frame sets a few numbers and
   uploads nothing. With 5,000 workers a canvas of drawn pictures took 70 ms a frame here, this takes 0.1. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const d = (w.workers.replay.draw = { shown: { incidents: true, streets: true, trails: false }, frames: 0, seen: 0, silent: 0, open: 0 });

  /* a, b: ends in a frame from 0 to 1; look: kind, opacity, size. */
  const POINT = [
    "attribute vec2 a, b; attribute vec3 look;",
    "uniform vec4 place; uniform float share; uniform float sizes[10];",
    "varying float kind, alpha, size;",
    "void main() {",
    "  kind = look.x; alpha = look.y;",
    "  vec2 p = mix(a, b, share) * place.xy + place.zw;",
    "  size = sizes[int(kind + 0.5)] * look.z;",
    "  gl_Position = kind < 0.5 ? vec4(9.0, 9.0, 0.0, 1.0) : vec4(p, 0.0, 1.0);",
    "  gl_PointSize = size;",
    "}",
  ].join("\n");
  /* Signed distance to each shape in pixels, so that edges are smooth at any size. */
  const SHAPE = [
    "precision mediump float;",
    "uniform vec3 colours[10]; uniform vec3 panel; uniform float line; uniform float fade;",
    "varying float kind, alpha, size;",
    "void main() {",
    "  vec2 p = (gl_PointCoord - 0.5) * size; p.y = -p.y;",
    "  float r = size * 0.5 - line * 1.5;",
    "  int k = int(kind + 0.5);",
    "  float far = length(p) - r;",
    "  if (k == 2) far = (abs(p.x) + abs(p.y) - r) * 0.7071;",
    "  if (k == 5) far = max(abs(p.x), abs(p.y)) - r * 0.8;",
    "  if (k == 6) far = max(abs(p.x) * 0.8660 + p.y * 0.5 - r * 0.42, -p.y - r * 0.42 - r * 0.25);",
    "  vec3 ink = panel; vec3 edge = panel; float wide = line;",
    "  for (int i = 1; i < 10; i++) if (i == k) ink = colours[i];",
    "  if (k == 2 || k == 8) { edge = ink; ink = panel; wide = line * 1.4; }",
    "  float here = clamp(0.5 - far, 0.0, 1.0);",
    "  float over = clamp(0.5 - (far - wide), 0.0, 1.0);",
    "  vec3 tone = mix(edge, ink, here); float cover = over;",
    "  if (k == 4) {",
    "    float ring = clamp(0.5 - (abs(length(p) - (r - line)) - line), 0.0, 1.0);",
    "    float core = clamp(0.5 - (length(p) - r * 0.58), 0.0, 1.0);",
    "    float white = clamp(0.5 - (length(p) - r), 0.0, 1.0);",
    "    tone = mix(panel, colours[4], max(ring, core)); cover = white;",
    "  }",
    "  if (k == 9) { tone = colours[9]; cover = clamp(0.5 - (abs(length(p) - (r - line)) - line), 0.0, 1.0); }",
    "  float opacity = cover * alpha * ((k == 1 || k == 2) ? fade : 1.0);",
    "  if (opacity < 0.004) discard;",
    "  gl_FragColor = vec4(tone * opacity, opacity);",
    "}",
  ].join("\n");
  const THREAD = [
    "attribute vec2 a, b; uniform vec4 place; uniform float share;",
    "void main() { gl_Position = vec4(mix(a, b, share) * place.xy + place.zw, 0.0, 1.0); }",
  ].join("\n");
  /* A step as two triangles: corner is where along it (0 or 1) and on which side. */
  const WAY = [
    "attribute vec2 a, b; attribute vec2 corner; uniform vec4 place; uniform vec2 pixel; uniform float wide;",
    "void main() {",
    "  vec2 p = a * place.xy + place.zw; vec2 q = b * place.xy + place.zw;",
    "  vec2 way = (q - p) / pixel; float size = length(way);",
    "  vec2 side = size > 0.0 ? vec2(-way.y, way.x) / size : vec2(0.0);",
    "  vec2 along = size > 0.0 ? way / size : vec2(0.0);",
    "  vec2 end = mix(p, q, corner.x) + (side * corner.y + along * (corner.x * 2.0 - 1.0) * 0.5) * wide * pixel;",
    "  gl_Position = vec4(end, 0.0, 1.0);",
    "}",
  ].join("\n");
  const PLAIN = "precision mediump float; uniform vec4 colour; void main() { gl_FragColor = vec4(colour.rgb * colour.a, colour.a); }";

  function build(gl, vertex, fragment) {
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    const spots = {};
    return {
      program,
      at: (name) => (name in spots ? spots[name] : (spots[name] = gl.getUniformLocation(program, name))),
      attribute: (name) => gl.getAttribLocation(program, name),
    };
  }

  /* "#0369a1" or "rgb(3, 105, 161)" as three numbers from 0 to 1. */
  d.rgb = function (name) {
    const text = w.colour(name);
    if (text.startsWith("#")) return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16) / 255);
    return (text.match(/[\d.]+/g) || [0, 0, 0]).slice(0, 3).map((n) => Number(n) / 255);
  };

  d.painter = function (canvas) {
    const gl = canvas.getContext("webgl", { alpha: true, antialias: false, premultipliedAlpha: true, depth: false, stencil: false });
    if (!gl) return null;
    const made = {};
    const buffers = {};
    function ready() {
      made.points = build(gl, POINT, SHAPE);
      made.threads = build(gl, THREAD, PLAIN);
      made.way = build(gl, WAY, PLAIN);
      for (const name of Object.keys(buffers)) delete buffers[name];
    }
    ready();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      ready();
      if (d.anew) d.anew();
    });

    function bind(tool, name, parts, stride) {
      gl.useProgram(tool.program);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name].buffer);
      let offset = 0;
      for (const [part, size] of parts) {
        const at = tool.attribute(part);
        gl.enableVertexAttribArray(at);
        gl.vertexAttribPointer(at, size, gl.FLOAT, false, stride * 4, offset * 4);
        offset += size;
      }
    }
    return {
      gl,
      begin(width, height) {
        gl.viewport(0, 0, width, height);
        gl.clearColor(0, 0, 0, 0);
        gl.clear(gl.COLOR_BUFFER_BIT);
        gl.enable(gl.BLEND);
        gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      },
      load(name, data, count) {
        const one = (buffers[name] = buffers[name] || { buffer: gl.createBuffer(), count: 0 });
        gl.bindBuffer(gl.ARRAY_BUFFER, one.buffer);
        gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
        one.count = count;
      },
      points(name, place, share, look) {
        if (!buffers[name] || !buffers[name].count) return;
        const tool = made.points;
        bind(tool, name, [["a", 2], ["b", 2], ["look", 3]], 7);
        gl.uniform4fv(tool.at("place"), place);
        gl.uniform1f(tool.at("share"), share);
        gl.uniform1fv(tool.at("sizes"), look.sizes);
        gl.uniform3fv(tool.at("colours"), look.colours);
        gl.uniform3fv(tool.at("panel"), look.panel);
        gl.uniform1f(tool.at("line"), look.line);
        gl.uniform1f(tool.at("fade"), look.fade);
        gl.drawArrays(gl.POINTS, 0, buffers[name].count);
      },
      threads(name, place, share, colour) {
        if (!buffers[name] || !buffers[name].count) return;
        const tool = made.threads;
        bind(tool, name, [["a", 2], ["b", 2]], 4);
        gl.uniform4fv(tool.at("place"), place);
        gl.uniform1f(tool.at("share"), share);
        gl.uniform4fv(tool.at("colour"), colour);
        gl.drawArrays(gl.LINES, 0, buffers[name].count);
      },
      way(name, place, pixel, wide, colour, count) {
        if (!buffers[name] || !count) return;
        const tool = made.way;
        bind(tool, name, [["a", 2], ["b", 2], ["corner", 2]], 6);
        gl.uniform4fv(tool.at("place"), place);
        gl.uniform2fv(tool.at("pixel"), pixel);
        gl.uniform1f(tool.at("wide"), wide);
        gl.uniform4fv(tool.at("colour"), colour);
        gl.drawArrays(gl.TRIANGLES, 0, Math.min(count, buffers[name].count));
      },
    };
  };
})();
