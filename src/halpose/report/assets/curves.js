// One cross-hair through all learning curves, moved by the pointer or the arrow keys.
function readable(value) {
  if (value === null || value === undefined) return "\u2013";
  const size = Math.abs(value);
  const [scaled, unit] = size >= 1e6 ? [value / 1e6, "M"] : size >= 1e4 ? [value / 1e3, "k"] : [value, ""];
  if (size >= 100 && size < 1e4) return value.toFixed(0).replace("-", "\u2212");
  if (size && size < 1e-3) return value.toExponential(1).replaceAll("-", "\u2212");
  return (String(Number(scaled.toPrecision(unit ? 4 : 3))) + unit).replace("-", "\u2212");
}

function startCurves(data) {
  const grid = document.getElementById("curves");
  const [firstStep, lastStep, left, right] = data.x;
  const place = (value, [low, high, start, end]) => start + ((value - low) / (high - low)) * (end - start);
  const panels = [...grid.querySelectorAll(".panel")].map((panel) => ({
    key: panel.dataset.key,
    svg: panel.querySelector("svg"),
    value: panel.querySelector(".value"),
    line: panel.querySelector(".cursor"),
    dot: panel.querySelector(".cursor-dot"),
  }));
  let current = data.steps.length - 1;

  const show = (index) => {
    current = Math.min(Math.max(index, 0), data.steps.length - 1);
    const x = place(data.steps[current], data.x);
    for (const { key, value, line, dot } of panels) {
      const here = data.values[key][current];
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      line.setAttribute("visibility", "visible");
      dot.setAttribute("visibility", here === null ? "hidden" : "visible");
      if (here !== null) {
        dot.setAttribute("cx", x);
        dot.setAttribute("cy", place(here, data.y[key]));
      }
      value.textContent = `${readable(here)} at step ${Math.round(data.steps[current])}`;
    }
  };
  const clear = () => {
    for (const { value, line, dot } of panels) {
      line.setAttribute("visibility", "hidden");
      dot.setAttribute("visibility", "hidden");
      value.textContent = value.dataset.last;
    }
  };
  const nearest = (step) => {
    let best = 0;
    data.steps.forEach((other, i) => {
      if (Math.abs(other - step) < Math.abs(data.steps[best] - step)) best = i;
    });
    return best;
  };
  for (const { svg } of panels) {
    const point = (event) => {
      const x = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
      show(nearest(firstStep + ((x - left) / (right - left)) * (lastStep - firstStep)));
    };
    for (const kind of ["pointermove", "pointerdown"]) svg.addEventListener(kind, point);
    svg.addEventListener("pointerleave", clear);
  }
  grid.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: data.steps.length - 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    show(moves[event.key]);
  });
  grid.addEventListener("blur", clear);
}
