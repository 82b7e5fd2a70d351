// Brings the parts of this page to life; a part that is not there is left alone.
const data = JSON.parse(document.getElementById("data").textContent);
for (const clip of [...(data.clips ?? []), ...(data.previews ?? [])]) clip.skeleton = data.skeletons[clip.skeleton];
const players = [...document.querySelectorAll(".gallery .player")].map((figure) => {
  const player = new Player(figure);
  player.show(data.clips[Number(figure.dataset.clip)]);
  return player;
});
if (data.curves) startCurves(data.curves);
if (data.confusion?.length) startConfusion(data.confusion);
if (document.getElementById("map-plot")) {
  players.push(new ClipMap(data.map, [...data.previews, ...data.clips]).player);
}
startTheme(() => players.forEach((player) => player.stage.draw()));

for (const button of document.querySelectorAll(".copy")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}
document.documentElement.dataset.ready = "true";
