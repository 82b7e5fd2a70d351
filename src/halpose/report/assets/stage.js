// A stage draws one frame of a clip on a canvas, seen from any side.
// Packed clip (see animation.py) to coordinates; a missing joint is NaN. Done once per clip, when first shown.
function unpack(packed) {
  if (packed.positions) return packed;
  const bytes = Uint8Array.from(atob(packed.codes), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const [people, frames, joints, channels] = packed.shape;
  const positions = new Float32Array(people * frames * joints * 3);
  const missing = packed.bits === 8 ? -128 : -32768;
  const read = packed.bits === 8 ? (i) => view.getInt8(i) : (i) => view.getInt16(2 * i, true);
  for (let i = 0; i < people * frames * joints; i++) {
    for (let c = 0; c < channels; c++) {
      const code = read(i * channels + c);
      positions[3 * i + c] = code === missing ? NaN : packed.offset[c] + packed.step * code;
    }
  }
  const low = [0, 1, 2].map((c) => packed.low[c] ?? 0);
  const high = [0, 1, 2].map((c) => packed.high[c] ?? 0);
  return Object.assign(packed, packed.skeleton, {
    people, frames, joints, positions,
    flat: channels === 2,
    ground: low[1],
    centre: low.map((value, c) => (value + high[c]) / 2),
    tall: Math.max((high[1] - low[1]) / 2, 1e-6),
    wide: Math.max(Math.hypot(high[0] - low[0], high[2] - low[2]) / 2, 1e-6),
  });
}

class Stage {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.clip = null;
    this.frame = 0;
    this.together = [this]; // stages that turn with this one
    this.front();
    new ResizeObserver(() => this.draw()).observe(canvas);
    this.dragging();
  }

  front() {
    this.turn = this.clip?.flat ? 0 : 0.5;
    this.tilt = this.clip?.flat ? 0 : 0.16;
  }

  show(clip) {
    this.clip = unpack(clip);
    this.front();
  }

  rotate(turn, tilt) {
    for (const stage of this.together) {
      if (stage.clip?.flat) continue;
      stage.turn += turn;
      stage.tilt = Math.min(Math.max(stage.tilt + tilt, -0.1), 1.4);
      stage.draw();
    }
  }

  dragging() {
    let last = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      last = [event.clientX, event.clientY];
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      this.rotate((last[0] - event.clientX) * 0.01, (event.clientY - last[1]) * 0.008);
      last = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => (last = null));
  }

  // World to canvas: turn about the vertical, tilt, slight perspective. Returns [x, y, depth, scale].
  project(x, y, z) {
    const { centre, wide, tall, facing } = this.clip;
    const angle = facing + this.turn;
    const [dx, dy, dz] = [x - centre[0], y - centre[1], z - centre[2]];
    const across = dx * Math.cos(angle) - dz * Math.sin(angle);
    const toward = dx * Math.sin(angle) + dz * Math.cos(angle);
    const up = dy * Math.cos(this.tilt) - toward * Math.sin(this.tilt);
    const depth = toward * Math.cos(this.tilt) + dy * Math.sin(this.tilt);
    const distance = 5 * Math.max(wide, tall);
    const near = this.clip.flat ? 1 : distance / (distance - depth);
    return [this.width / 2 + across * near * this.zoom, this.height * 0.48 - up * near * this.zoom, depth, near];
  }

  draw(frame = this.frame) {
    this.frame = frame;
    const ratio = devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    if (!this.clip || !this.width) return;
    this.zoom = Math.min((this.width * 0.44) / this.clip.wide, (this.height * 0.385) / this.clip.tall);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.lineCap = "round";
    if (this.clip.flat) this.drawFloorLine();
    else this.drawGround();
    const people = Array.from({ length: this.clip.people }, (_, person) => this.joints(person));
    if (!this.clip.flat) for (const joints of people) this.drawShadow(joints);
    this.drawBones(people);
  }

  // Positions of one person in the current frame, between two frames when the clip plays slower than the screen.
  joints(person) {
    const { frames, joints, positions } = this.clip;
    const first = Math.min(Math.floor(this.frame), frames - 1);
    const share = this.frame - first;
    const a = (person * frames + first) * joints * 3;
    const b = (person * frames + Math.min(first + 1, frames - 1)) * joints * 3;
    return Array.from({ length: joints }, (_, v) => [0, 1, 2].map((c) => {
      const [here, next] = [positions[a + 3 * v + c], positions[b + 3 * v + c]];
      return Number.isNaN(next) ? here : here + share * (next - here);
    }));
  }

  line(from, to, width, style) {
    this.context.strokeStyle = style;
    this.context.lineWidth = width;
    this.context.beginPath();
    this.context.moveTo(from[0], from[1]);
    this.context.lineTo(to[0], to[1]);
    this.context.stroke();
  }

  drawGround() {
    const { centre, ground, wide, tall } = this.clip;
    const reach = Math.max(wide * 1.3, tall * 0.9);
    const [x, y] = this.project(centre[0], ground, centre[2]);
    const style = this.context.createRadialGradient(x, y, 0, x, y, reach * this.zoom);
    style.addColorStop(0.3, colour("--ground"));
    style.addColorStop(1, colour("--ground").replace("rgb(", "rgba(").replace(")", ", 0)"));
    const step = reach / 4;
    const [east, south] = this.way().map((way) => way - step * Math.round(way / step));
    for (let i = -4; i <= 4; i++) {
      const [atX, atZ] = [i * step - east, i * step - south];
      this.line(this.project(centre[0] + atX, ground, centre[2] - reach),
        this.project(centre[0] + atX, ground, centre[2] + reach), 1, style);
      this.line(this.project(centre[0] - reach, ground, centre[2] + atZ),
        this.project(centre[0] + reach, ground, centre[2] + atZ), 1, style);
    }
  }

  // How far the one who is followed has come; the floor goes the other way.
  way() {
    const { path, frames } = this.clip;
    if (!path) return [0, 0];
    const first = Math.min(Math.floor(this.frame), frames - 1);
    const next = path[Math.min(first + 1, frames - 1)];
    return path[first].map((here, c) => here + (this.frame - first) * (next[c] - here));
  }

  // A flat picture has no floor to stand on; a line says where the lowest joint was.
  drawFloorLine() {
    const y = this.project(this.clip.centre[0], this.clip.ground, 0)[1];
    this.line([this.width * 0.06, y], [this.width * 0.94, y], 1, colour("--ground"));
  }

  drawShadow(joints) {
    const thick = this.thickness();
    for (const [child, parent] of this.clip.bones) {
      const [from, to] = [joints[parent], joints[child]].map((p) => this.project(p[0], this.clip.ground, p[2]));
      if (Number.isFinite(from[0] + to[0])) this.line(from, to, thick, colour("--shadow"));
    }
  }

  thickness() {
    return Math.max(Math.min(this.width, this.height) * 0.007, this.zoom * this.clip.tall * 0.038, 1.8);
  }

  // Far bones first; a thin edge in the background's colour keeps crossing limbs apart.
  drawBones(people) {
    const thick = this.thickness();
    const strokes = [];
    people.forEach((joints, person) => {
      const points = joints.map((p) => this.project(...p));
      for (const [child, parent] of this.clip.bones) {
        const [from, to] = [points[parent], points[child]];
        if (!Number.isFinite(from[0] + to[0])) continue;
        const side = ["trunk", "left", "right"][this.clip.sides[child]];
        strokes.push({ from, to, style: colour(`--person${person % 2}-${side}`), depth: from[2] + to[2] });
      }
      const head = points[this.clip.head];
      if (head && Number.isFinite(head[0])) {
        strokes.push({ head, style: colour(`--person${person % 2}-trunk`), depth: 2 * head[2] });
      }
    });
    strokes.sort((a, b) => a.depth - b.depth);
    for (const { from, to, head, style } of strokes) {
      if (head) {
        this.context.fillStyle = style;
        this.context.beginPath();
        this.context.arc(head[0], head[1], thick * 1.75 * head[3], 0, 2 * Math.PI);
        this.context.fill();
        continue;
      }
      const width = thick * (from[3] + to[3]) / 2;
      this.context.lineCap = "butt";
      this.line(from, to, width + 2.5, colour("--stage"));
      this.context.lineCap = "round";
      this.line(from, to, width, style);
    }
  }
}
