// Confusion matrices: says what is in the cell under the pointer or the keyboard's cursor.
function startMatrix(view, data) {
  const svg = view.querySelector("svg");
  const readout = view.querySelector(".readout");
  const cursor = svg.querySelector(".cursor");
  const cell = Number(svg.dataset.cell);
  const count = Number(svg.dataset.count);
  const counts = new Map(data.cells.map(([row, column, clips]) => [row * count + column, clips]));
  const totals = new Array(count).fill(0);
  for (const [row, , clips] of data.cells) totals[row] += clips;
  let current = [0, 0];

  const show = (row, column) => {
    current = [row, column];
    cursor.setAttribute("x", column * cell);
    cursor.setAttribute("y", row * cell);
    cursor.setAttribute("visibility", "visible");
    const clips = counts.get(row * count + column) ?? 0;
    const share = totals[row] ? ` (${Math.round((100 * clips) / totals[row])}\u00a0%)` : "";
    const what = row === column ? "recognised" : `taken for ${data.classes[column]}`;
    readout.textContent = `${data.classes[row]}: ${clips} of ${totals[row]} ${what}${share}`;
  };
  const point = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const [row, column] = [Math.floor(at.y / cell), Math.floor(at.x / cell)];
    if (row >= 0 && column >= 0 && row < count && column < count) show(row, column);
  };
  for (const kind of ["pointermove", "pointerdown"]) svg.addEventListener(kind, point);
  svg.addEventListener("focus", () => show(...current));
  svg.addEventListener("keydown", (event) => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const clamp = (value) => Math.min(Math.max(value, 0), count - 1);
    show(clamp(current[0] + move[0]), clamp(current[1] + move[1]));
  });
  for (const leave of ["pointerleave", "blur"]) {
    svg.addEventListener(leave, () => cursor.setAttribute("visibility", "hidden"));
  }
}

function startConfusion(data) {
  const views = [...document.querySelectorAll(".confusion-view")];
  views.forEach((view, index) => startMatrix(view, data[index]));
  const choice = document.getElementById("confusion-choice");
  if (!choice) return;
  const choose = () => views.forEach((view) => (view.hidden = view.dataset.index !== choice.value));
  for (const view of views) view.querySelector(".view-title").hidden = true;
  choice.addEventListener("change", choose);
  choose();
}
