// The map: the point nearest to the pointer says its name and plays its clip; the legend shows and hides classes.
const REACH = 26;
const SVG = "http://www.w3.org/2000/svg";

class ClipMap {
  constructor(data, clips) {
    this.data = data;
    this.plays = data.plays ?? data.name;
    this.clips = new Map(clips.filter((clip) => clip.name).map((clip) => [clip.name, clip]));
    this.svg = document.getElementById(`${data.key}-plot`);
    this.root = this.svg.closest(".map");
    this.ring = this.svg.querySelector(".ring");
    this.links = this.svg.querySelector(".links");
    const preview = this.root.querySelector(".preview");
    this.readout = preview.querySelector(".readout");
    this.player = new Player(preview);
    this.chosen = new Set();
    this.current = -1;
    this.markPlayable();
    this.listen();
    this.startLegend();
    const first = this.plays.findIndex((name) => this.clips.has(name));
    if (first >= 0) this.show(first);
    preview.classList.toggle("empty", first < 0);
  }

  // A thin circle marks the points that can play, unless all can.
  markPlayable() {
    const playable = this.plays.flatMap((name, i) => (this.clips.has(name) ? [i] : []));
    if (playable.length === this.plays.length) return;
    for (const i of playable) {
      const mark = document.createElementNS(SVG, "circle");
      mark.setAttribute("class", "playable");
      mark.setAttribute("cx", this.data.x[i]);
      mark.setAttribute("cy", this.data.y[i]);
      mark.setAttribute("r", 8);
      this.svg.insertBefore(mark, this.ring);
    }
  }

  isShown(i) {
    return !this.chosen.size || this.chosen.has(String(this.data.label[i]));
  }

  show(i) {
    if (i < 0 || i === this.current) return;
    this.current = i;
    this.ring.setAttribute("cx", this.data.x[i]);
    this.ring.setAttribute("cy", this.data.y[i]);
    this.ring.setAttribute("visibility", "visible");
    const [x, y] = [this.data.x[i], this.data.y[i]];
    const joined = this.data.links?.[i] ?? [];
    this.links.setAttribute("d", joined.map((j) => `M${x} ${y}L${this.data.x[j]} ${this.data.y[j]}`).join(""));
    this.readout.textContent =
      this.data.said?.[i] ?? `${this.data.classes[this.data.label[i]]} \u00b7 ${this.data.name[i]}`;
    const clip = this.clips.get(this.plays[i]);
    if (clip && clip !== this.player.stage.clip) this.player.show(clip);
  }

  leave() {
    this.current = -1;
    this.ring.setAttribute("visibility", "hidden");
    this.links.setAttribute("d", "");
  }

  listen() {
    const point = (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
      const near = this.nearest((i) => {
        const distance = Math.hypot(this.data.x[i] - at.x, this.data.y[i] - at.y);
        return distance <= REACH ? distance : Infinity;
      });
      if (near >= 0) this.show(near);
    };
    for (const kind of ["pointermove", "pointerdown"]) this.svg.addEventListener(kind, point);
    this.svg.addEventListener("focus", () => {
      if (this.current < 0) this.show(this.nearest(() => 0));
    });
    this.svg.addEventListener("keydown", (event) => {
      const directions = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
      const direction = directions[event.key];
      if (event.key === "Escape") this.leave();
      if (event.key === " ") {
        event.preventDefault();
        this.player.toggle();
      }
      if (!direction) return;
      event.preventDefault();
      const next = this.neighbour(direction);
      if (next >= 0) this.show(next);
    });
  }

  // Index of the shown point with the lowest finite cost, or -1.
  nearest(cost) {
    let best = -1;
    let lowest = Infinity;
    for (let i = 0; i < this.data.x.length; i++) {
      const value = this.isShown(i) ? cost(i) : Infinity;
      if (value < lowest) [best, lowest] = [i, value];
    }
    return best;
  }

  neighbour([right, down]) {
    if (this.current < 0) return this.nearest(() => 0);
    const [x, y] = [this.data.x[this.current], this.data.y[this.current]];
    return this.nearest((i) => {
      const [dx, dy] = [this.data.x[i] - x, this.data.y[i] - y];
      const ahead = dx * right + dy * down;
      const aside = Math.abs(dx * down) + Math.abs(dy * right);
      return i === this.current || ahead <= 0 || aside > ahead ? Infinity : ahead + 2 * aside;
    });
  }

  startLegend() {
    const buttons = [...this.root.querySelectorAll(".class-key")];
    const all = this.root.querySelector(".show-all");
    const paint = (hovered) => {
      for (const group of this.svg.querySelectorAll(".points")) {
        const label = group.dataset.label;
        const shown = hovered ? label === hovered : !this.chosen.size || this.chosen.has(label);
        group.classList.toggle("dim", !shown);
      }
      for (const button of buttons) button.setAttribute("aria-pressed", this.chosen.has(button.dataset.label));
      all.disabled = !this.chosen.size;
      if (this.current >= 0 && !this.isShown(this.current)) this.leave();
    };
    for (const button of buttons) {
      const label = button.dataset.label;
      button.addEventListener("click", () => {
        if (!this.chosen.delete(label)) this.chosen.add(label);
        paint();
      });
      button.addEventListener("pointerenter", () => paint(label));
      button.addEventListener("pointerleave", () => paint());
    }
    all.addEventListener("click", () => {
      this.chosen.clear();
      paint();
    });
    paint();
  }
}
