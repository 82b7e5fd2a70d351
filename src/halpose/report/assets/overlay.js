// One cross-hair through the learning curves of several runs, moved by the pointer or the arrow keys.
function startOverlay(data) {
  const grid = document.getElementById("overlay");
  const [firstStep, lastStep, left, right] = data.x;
  const everyStep = [...new Set(data.steps.flat())].sort((a, b) => a - b);
  const panels = [...grid.querySelectorAll(".panel")].map((panel) => ({
    values: data.panels[panel.dataset.key].values,
    svg: panel.querySelector(":scope > svg"),
    line: panel.querySelector(".cursor"),
    step: panel.querySelector(".step"),
    rows: [...panel.querySelectorAll("[data-run]")].map((row) => [Number(row.dataset.run), row.querySelector(".value")]),
  }));
  let current = everyStep.length - 1;

  const nearest = (steps, step) =>
    steps.reduce((best, other, i) => (Math.abs(other - step) < Math.abs(steps[best] - step) ? i : best), 0);
  const show = (index) => {
    current = Math.min(Math.max(index, 0), everyStep.length - 1);
    const step = everyStep[current];
    const x = left + ((step - firstStep) / (lastStep - firstStep)) * (right - left);
    for (const { values, line, step: where, rows } of panels) {
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      line.setAttribute("visibility", "visible");
      where.textContent = `at step ${Math.round(step)}`;
      for (const [run, value] of rows) value.textContent = readable(values[run][nearest(data.steps[run], step)]);
    }
  };
  const clear = () => {
    for (const { line, step, rows } of panels) {
      line.setAttribute("visibility", "hidden");
      step.textContent = "";
      for (const [, value] of rows) value.textContent = value.dataset.last;
    }
  };
  for (const { svg } of panels) {
    const point = (event) => {
      const x = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
      show(nearest(everyStep, firstStep + ((x - left) / (right - left)) * (lastStep - firstStep)));
    };
    for (const kind of ["pointermove", "pointerdown"]) svg.addEventListener(kind, point);
    svg.addEventListener("pointerleave", clear);
  }
  grid.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: everyStep.length - 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    show(moves[event.key]);
  });
  grid.addEventListener("blur", clear);
}
