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

class Player {
  constructor(figure) {
    this.stage = new Stage(figure.querySelector("canvas"));
    this.button = figure.querySelector(".play");
    this.slider = figure.querySelector("input[type=range]");
    this.clock = figure.querySelector(".clock");
    this.time = 0;
    this.wanted = false; // playing, as far as the reader is concerned
    this.visible = false;
    this.button?.addEventListener("click", () => this.toggle());
    this.slider?.addEventListener("input", () => {
      this.want(false);
      this.seek(Number(this.slider.value));
    });
    this.stage.canvas.addEventListener("keydown", (event) => this.key(event));
    new IntersectionObserver(([entry]) => {
      this.visible = entry.isIntersecting;
      this.update();
    }).observe(figure);
  }

  // Readers who asked for less motion see the middle frame and start the clip themselves.
  show(clip) {
    this.stage.show(clip);
    this.time = 0;
    if (this.slider) this.slider.max = clip.frames - 1;
    this.seek(calm.matches ? (clip.frames - 1) / 2 : 0);
    this.want(clip.frames > 1 && !calm.matches);
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
    const { frames, fps } = this.stage.clip;
    this.time += elapsed;
    if (this.time > (frames - 1) / fps + HOLD) this.time = 0;
    this.seek(Math.min(this.time * fps, frames - 1), false);
  }

  seek(frame, moveTime = true) {
    const clip = this.stage.clip;
    this.stage.draw(frame);
    if (!clip) return;
    if (moveTime) this.time = frame / clip.fps;
    const seconds = `${(frame / clip.fps).toFixed(1)} / ${((clip.frames - 1) / clip.fps).toFixed(1)} s`;
    if (this.slider) {
      this.slider.value = Math.round(frame);
      this.slider.setAttribute("aria-valuetext", seconds);
    }
    if (this.clock) this.clock.textContent = seconds;
  }

  key(event) {
    const step = (by) => {
      this.want(false);
      this.seek(Math.min(Math.max(Math.round(this.stage.frame) + by, 0), this.stage.clip.frames - 1));
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
        this.stage.front();
        this.stage.draw();
      },
    };
    if (!this.stage.clip || !actions[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[event.key]();
  }
}
