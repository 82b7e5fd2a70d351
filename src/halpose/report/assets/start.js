// Brings the parts of this page to life; a part that is not there is left alone.
const data = JSON.parse(document.getElementById("data").textContent);
for (const clip of [...(data.clips ?? []), ...(data.previews ?? [])]) clip.skeleton = data.skeletons[clip.skeleton];
const players = [...document.querySelectorAll(".player[data-clips]")].map((figure) => {
  const player = new Player(figure);
  player.show(...figure.dataset.clips.split(" ").map((index) => data.clips[Number(index)]));
  return player;
});
if (data.curves) startCurves(data.curves);
if (data.overlay) startOverlay(data.overlay);
if (data.confusion?.length) startConfusion(data.confusion);
for (const map of data.maps ?? []) players.push(new ClipMap(map, [...data.previews, ...data.clips]).player);
startTheme(() => players.forEach((player) => player.draw()));

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
