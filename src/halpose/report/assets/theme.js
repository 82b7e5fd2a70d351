// Light and dark: the system's choice until the button is pressed. Canvases ask here for their colours.
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);
let palette = new Map();

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : systemDark.matches;
}

// A custom property as a colour that a canvas understands.
function colour(name) {
  if (!palette.has(name)) {
    probe.style.color = `var(${name})`;
    palette.set(name, getComputedStyle(probe).color);
  }
  return palette.get(name);
}

function startTheme(redraw) {
  const button = document.getElementById("theme");
  const update = () => {
    palette = new Map();
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`);
    redraw();
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    update();
  });
  systemDark.addEventListener("change", update);
  update();
}
