"""Pictures of HaLP on the sphere of three dimensions, by the functions that a training calls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from halpose.config import HalpConfig
from halpose.parts.geodesic import Limits, hallucinate, keeps_rank, limits
from halpose.parts.positives import step_size
from halpose.parts.prototypes import cluster_sphere
from sheet import HUES, Sheet

_GROUPS = 10
_FRONT = torch.tensor([0.15, 0.1, 1.0], dtype=torch.float64)  # where the reader stands


@dataclass(frozen=True)
class Scene:
    """What the first four pictures show: keys, their prototypes, one key that walks, and toward what.

    Attributes:
        keys: (K, 3) unit vectors.
        prototypes: (N, 3).
        anchor: (1, 3) z.
        found: how far z may walk toward each prototype.
        target: index of a prototype beside P*, so that no third one lies on the way.
    """

    keys: Tensor
    prototypes: Tensor
    anchor: Tensor
    found: Limits
    target: int

    @property
    def nearest(self) -> int:
        """Index of P*."""
        return int(self.found.nearest[0])


def scene() -> Scene:
    """Ten groups of keys on the side of the sphere that the reader sees."""
    generator = torch.Generator().manual_seed(3)
    at = torch.tensor(
        [[-0.05, 0.04], [0.5, 0.22], [-0.2, 0.52], [-0.56, -0.08], [0.16, -0.48],
         [0.86, -0.2], [0.42, 0.76], [-0.72, 0.56], [-0.62, -0.66], [0.62, -0.7]],
        dtype=torch.float64,
    )  # fmt: skip
    centres = torch.cat([at, (1 - at.square().sum(1, keepdim=True)).sqrt()], dim=1) @ _camera()
    noise = torch.randn(_GROUPS, 24, 3, generator=generator, dtype=torch.float64)
    keys = normalize((centres[:, None] + 0.08 * noise).reshape(-1, 3), dim=1)
    prototypes = cluster_sphere(keys, _GROUPS, generator)
    middle = int((prototypes @ centres[0]).argmax())
    target = int((prototypes @ centres[1]).argmax())
    anchor = normalize(prototypes[middle] + 0.1 * normalize(centres[8] - centres[0], dim=0), dim=0)[None]
    return Scene(keys, prototypes, anchor, limits(anchor @ prototypes.T, prototypes @ prototypes.T), target)


def _camera() -> Tensor:
    """Rows: right, up, toward the reader."""
    toward = normalize(_FRONT, dim=0)
    right = normalize(torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64), toward), dim=0)
    return torch.stack([right, torch.linalg.cross(toward, right), toward])


@dataclass(frozen=True)
class Globe:
    """Where the sphere stands on the sheet."""

    x: float
    y: float
    radius: float

    def __call__(self, points: Tensor) -> np.ndarray:
        """(n, 2) places of (n, 3) points; what is behind the rim is moved to it."""
        seen = points @ _camera().T
        flat = seen[:, :2]
        flat = torch.where(seen[:, 2:] < 0, normalize(flat, dim=1), flat).numpy()
        return np.asarray(flat * [self.radius, -self.radius] + [self.x, self.y])


def keys() -> Sheet:
    """Keys on the sphere, and the prototypes that they are clustered into."""
    made = scene()
    sheet = Sheet(760, 400, "Keys as dots on a sphere, coloured by the nearest of ten prototypes; one key is marked z.")
    globe = _ball(sheet, Globe(210, 200, 180), made)
    nearest = (made.keys @ made.prototypes.T).argmax(1)
    for group in range(_GROUPS):
        sheet.dots(globe(made.keys[nearest == group]), 2.2, f"hue{group % HUES}", 0.9)
    _prototypes(sheet, globe, made)
    _anchor(sheet, globe, made)
    _legend(sheet, 430, 80, (("dot", "a key: one clip"), ("diamond", "a prototype: the mean of a group")))
    _legend(sheet, 430, 132, (("area", "the cell of P*: P* is the nearest"), ("anchor", "z, the key of one clip")))
    for row, words in enumerate((
        "Every clip is a point on a sphere; clips that",
        "move alike lie together. The newest keys are",
        "clustered by angle. A key's own prototype,",
        "the nearest one, is P*. This sphere has three",
        "dimensions; that of a training has 128.",
    )):  # fmt: skip
        sheet.text(430, 208 + 20 * row, words, "small")
    return sheet


def walk() -> Sheet:
    """The walk from z toward P_sel, to the border of the cell of P*."""
    made = scene()
    sheet = Sheet(760, 400, "The great circle from the key z toward another prototype leaves the cell of P* at t*.")
    globe = _ball(sheet, Globe(210, 200, 180), made)
    chosen = torch.tensor([[made.target]])
    limit = float(made.found.pair[0, made.target])
    way = walk_points(made, chosen, torch.linspace(0, 1, 41, dtype=torch.float64)[None])
    inside = way[: int(limit * 40) + 1]
    sheet.line(globe(way), "muted", 1.6, stroke_dasharray="2 5")
    sheet.line(
        globe(torch.cat([inside, walk_points(made, chosen, torch.tensor([[limit]], dtype=torch.float64))])), "warm", 4
    )
    _prototypes(sheet, globe, made)
    for share, name in ((0.5, "½ t*"), (1.0, "t*")):
        (place,) = globe(walk_points(made, chosen, torch.tensor([[share * limit]], dtype=torch.float64)))
        sheet.dots([place], 4.5, "warm")
        sheet.text(place[0] + 9, place[1] + 15, name, "name", "warm")
    _anchor(sheet, globe, made)
    (end,) = globe(made.prototypes[made.target][None])
    sheet.text(end[0] + 12, end[1] + 5, "P_sel", "name")
    omega = float(made.found.omega[0, made.target])
    lines = (
        f"The angle from z to P_sel is {np.degrees(omega):.0f}°.",
        f"t* = {limit:.2f}: after {100 * limit:.0f} % of the way",
        "P_sel becomes as near as P* (Eq. 7).",
        "",
        "Every point of the thick line still belongs",
        "to P*: a positive for the clip of z. The",
        "further along, the harder it is.",
    )
    _legend(
        sheet, 430, 80, (("anchor", "z, the key of one clip"), ("diamond", "prototypes"), ("area", "the cell of P*"))
    )
    for row, words in enumerate(lines):
        sheet.text(430, 182 + 20 * row, words, "small")
    return sheet


def rank() -> Sheet:
    """Draws toward every prototype: those that the rank filter keeps, and those that it rejects."""
    made = scene()
    config = HalpConfig(hardness=1.0, interval="paper")
    sheet = Sheet(
        760, 400, "Points drawn on walks toward nine prototypes; those in the cell of another one are rejected."
    )
    globe = _ball(sheet, Globe(210, 200, 180), made)
    others = [at for at in range(_GROUPS) if at != made.nearest]
    chosen = torch.tensor(others).repeat(30)[None]
    uniform = torch.rand(chosen.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    t = step_size(uniform, made.found.pair.gather(1, chosen), config)
    points = hallucinate(made.anchor, made.prototypes, chosen, t)
    kept = keeps_rank(points, made.prototypes, made.found.nearest)[0]
    for at in others:
        stop = made.found.pair[:, [at]]
        ends = torch.linspace(0, 1, 21, dtype=torch.float64)[None] * stop
        sheet.line(globe(walk_points(made, torch.tensor([[at]]), ends)), "line", 1.5)
    sheet.dots(globe(points[0][kept]), 2.6, "accent")
    sheet.dots(globe(points[0][~kept]), 2.6, "warm")
    _prototypes(sheet, globe, made)
    _anchor(sheet, globe, made)
    assert bool((kept == (t <= made.found.rank.gather(1, chosen))[0]).all()), "the closed form of Eq. 5"
    lost = int((~kept).sum())
    sheet.dots([(440, 96)], 4, "accent")
    sheet.text(455, 101, f"kept: {int(kept.sum())} of {len(kept)}, nearest to P*")
    sheet.dots([(440, 122)], 4, "warm")
    sheet.text(455, 127, f"rejected: {lost}, nearer to another")
    for row, words in enumerate((
        "Each walk ends at its t*, where the prototype",
        "that it goes toward becomes as near as P*. A",
        "third one may come nearer before that: then",
        "the point has changed sides, and the rank",
        "filter throws it away.",
        "",
        "Where a walk first leaves the cell has a closed",
        "form. With it nothing is thrown away.",
    )):  # fmt: skip
        sheet.text(430, 166 + 20 * row, words, "small")
    return sheet


def walk_points(made: Scene, chosen: Tensor, t: Tensor) -> Tensor:
    """Points of one walk, (n, 3)."""
    return hallucinate(made.anchor, made.prototypes, chosen.expand(1, t.shape[1]), t)[0]


def _cell(made: Scene, group: int) -> Tensor:
    """The border of a prototype's cell, (n, 3): from it in every direction until another is as near.

    The same solution as that of the limits: cos a_j + sin b_j = 0 at the angle atan2(a_j, -b_j).
    """
    centre = made.prototypes[group]
    first = normalize(torch.linalg.cross(centre, torch.tensor([0.3, 1.0, 0.2], dtype=torch.float64)), dim=0)
    turn = torch.arange(120, dtype=torch.float64)[:, None] * (2 * torch.pi / 120)
    way = turn.cos() * first + turn.sin() * torch.linalg.cross(centre, first)
    apart = (centre - made.prototypes)[torch.arange(_GROUPS) != group]
    angle = torch.atan2(apart @ centre, -(way @ apart.T)).amin(1, keepdim=True)
    return angle.cos() * centre + angle.sin() * way


def _ball(sheet: Sheet, globe: Globe, made: Scene) -> Globe:
    """The sphere with the borders of its prototypes' cells; that of P* stands out."""
    sheet.mark("circle", cx=globe.x, cy=globe.y, r=globe.radius, fill="faint", colour="line", stroke_width=1.5)
    sheet.area(globe(_cell(made, made.nearest)), f"hue{made.nearest % HUES}", 0.24)
    for group in range(_GROUPS):
        border = _cell(made, group)
        border = torch.cat([border, border[:1]])
        is_seen = (border @ _camera()[2] > 0).numpy()
        runs = np.split(np.arange(len(border)), np.flatnonzero(np.diff(is_seen)) + 1)
        for run in runs:
            if is_seen[run[0]] and len(run) > 1:
                sheet.line(globe(border[run]), "line", 1.0)
    return globe


def _prototypes(sheet: Sheet, globe: Globe, made: Scene) -> None:
    for group, (x, y) in enumerate(globe(made.prototypes)):
        _diamond(sheet, x, y, f"hue{group % HUES}")
    x, y = globe(made.prototypes)[made.nearest]
    sheet.text(x - 12, y - 9, "P*", "name end")


def _diamond(sheet: Sheet, x: float, y: float, fill: str) -> None:
    shape = np.array([[x, y - 8], [x + 8, y], [x, y + 8], [x - 8, y]])
    sheet.area(shape, fill, 1.0)
    sheet.line(np.concatenate([shape, shape[:1]]), "ground", 1.5)


def _anchor(sheet: Sheet, globe: Globe, made: Scene) -> None:
    ((x, y),) = globe(made.anchor)
    sheet.mark("circle", cx=x, cy=y, r=6, fill="ink", colour="ground", stroke_width=2)
    sheet.text(x - 10, y + 18, "z", "name end")


def _legend(sheet: Sheet, x: float, y: float, rows: tuple[tuple[str, str], ...]) -> None:
    for row, (mark, words) in enumerate(rows):
        level = y + 26 * row
        if mark == "dot":
            sheet.dots([(x + 8, level - 5)], 3, "hue5")
        elif mark == "diamond":
            _diamond(sheet, x + 8, level - 5, "hue5")
        elif mark == "area":
            sheet.area(
                np.array([[x, level - 12], [x + 16, level - 12], [x + 16, level + 2], [x, level + 2]]), "hue2", 0.3
            )
        else:
            sheet.mark("circle", cx=x + 8, cy=level - 5, r=6, fill="ink")
        sheet.text(x + 26, level, words)
