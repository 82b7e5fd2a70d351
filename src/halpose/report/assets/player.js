// A player moves a stage through time. One animation frame loop serves all of them.
const HOLD = 0.5; // seconds that the last frame stays before a clip starts again
const moving = new Set();
let lastTime = 0;

function tick(now) {
  // The frame's own time may lie a little before the moment at which playing began.
  const elapsed = Math.min(Math.max((now - lastTime) / 1000, 0), 0.1);
  lastTime = now;
  for (const player of moving) player.advance(elapsed);
  if (moving.size) requestAnimationFrame(tick);
}

// One clip, or several side by side that begin together; each moves at its own pace.
class Player {
  constructor(figure) {
    this.stages = [...figure.querySelectorAll("canvas")].map((canvas) => new Stage(canvas));
    for (const stage of this.stages) stage.together = this.stages;
    this.stage = this.stages[0];
    this.button = figure.querySelector(".play");
    this.slider = figure.querySelector("input[type=range]");
    this.clock = figure.querySelector(".clock");
    this.longest = null;
    this.time = 0;
    this.wanted = false; // playing, as far as the reader is concerned
    this.visible = false;
    this.button?.addEventListener("click", () => this.toggle());
    this.slider?.addEventListener("input", () => {
      this.want(false);
      this.seek(Number(this.slider.value));
    });
    for (const stage of this.stages) stage.canvas.addEventListener("keydown", (event) => this.key(event));
    new IntersectionObserver((entries) => {
      this.visible = entries.at(-1).isIntersecting;
      this.update();
    }).observe(figure);
  }

  // Readers who asked for less motion see the middle frame and start the clip themselves.
  show(...clips) {
    this.stages.forEach((stage, i) => stage.show(clips[i]));
    const duration = (clip) => (clip.frames - 1) / clip.fps;
    this.longest = clips.reduce((best, clip) => (duration(clip) > duration(best) ? clip : best));
    const last = this.longest.frames - 1;
    if (this.slider) this.slider.max = last;
    this.seek(calm.matches ? last / 2 : 0);
    this.want(last > 0 && !calm.matches);
  }

  toggle() {
    this.want(!this.wanted);
  }

  want(playing) {
    this.wanted = playing;
    if (this.button) {
      this.button.dataset.playing = playing;
      this.button.setAttribute("aria-label", playing ? "Pause" : "Play");
    }
    this.update();
  }

  update() {
    if (this.wanted && this.visible) {
      if (!moving.size) {
        lastTime = performance.now();
        requestAnimationFrame(tick);
      }
      moving.add(this);
    } else {
      moving.delete(this);
    }
  }

  advance(elapsed) {
    const { frames, fps } = this.longest;
    this.time += elapsed;
    if (this.time > (frames - 1) / fps + HOLD) this.time = 0;
    this.tell();
  }

  // To a frame of the longest clip.
  seek(frame) {
    this.time = frame / this.longest.fps;
    this.tell();
  }

  draw() {
    if (!this.longest) return;
    for (const stage of this.stages) stage.draw(Math.min(this.time * stage.clip.fps, stage.clip.frames - 1));
  }

  tell() {
    this.draw();
    const { frames, fps } = this.longest;
    const frame = Math.min(this.time * fps, frames - 1);
    const seconds = `${(frame / fps).toFixed(1)} / ${((frames - 1) / fps).toFixed(1)} s`;
    if (this.slider) {
      this.slider.value = Math.round(frame);
      this.slider.setAttribute("aria-valuetext", seconds);
    }
    if (this.clock) this.clock.textContent = seconds;
  }

  key(event) {
    const step = (by) => {
      this.want(false);
      const frame = Math.round(this.time * this.longest.fps) + by;
      this.seek(Math.min(Math.max(frame, 0), this.longest.frames - 1));
    };
    const actions = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.stage.rotate(0.12, 0),
      ArrowRight: () => this.stage.rotate(-0.12, 0),
      ArrowUp: () => this.stage.rotate(0, -0.08),
      ArrowDown: () => this.stage.rotate(0, 0.08),
      ",": () => step(-1),
      ".": () => step(1),
      Home: () => {
        for (const stage of this.stages) stage.front();
        this.draw();
      },
    };
    if (!this.longest || !actions[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[event.key]();
  }
}
