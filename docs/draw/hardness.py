"""The picture of hardness: how alike the points of a walk are to both ends, and where they are drawn."""

from __future__ import annotations

import numpy as np
import torch

from halpose.config import HalpConfig
from halpose.parts.positives import step_size
from sheet import Sheet
from sphere import scene, walk_points


def hardness() -> Sheet:
    """How alike a point of the walk still is to P*, and from where λ lets it be drawn."""
    made = scene()
    sheet = Sheet(
        720, 330, "Similarity to P* falls along the walk and meets that to P_sel at t*; lambda bounds the draws."
    )
    limit = float(made.found.pair[0, made.target])
    left, right, top, bottom = 60.0, 340.0, 50.0, 270.0
    t = torch.linspace(0, 1.4 * limit, 61, dtype=torch.float64)
    way = walk_points(made, torch.tensor([[made.target]]), t[None])
    similar = (way @ made.prototypes.T).numpy()
    low, high = 0.7, 1.0
    x = left + (right - left) * t.numpy() / float(t[-1])

    def y(values: np.ndarray) -> np.ndarray:
        return np.asarray(bottom - (bottom - top) * (values - low) / (high - low))

    border = left + (right - left) / 1.4
    sheet.text(left, 28, "Similarity along the walk", "name")
    for value in (0.7, 0.8, 0.9, 1.0):
        level = float(y(np.array(value)))
        sheet.line(np.array([[left, level], [right, level]]), "faint")
        sheet.text(left - 8, level + 4, f"{value:.1f}", "small end")
    sheet.line(np.array([[border, top], [border, bottom]]), "warm", 1.2, stroke_dasharray="3 4")
    for at, colour, name in ((made.nearest, "accent", "to P*"), (made.target, "warm", "to P_sel")):
        sheet.line(np.stack([x, y(similar[:, at])], axis=1), colour, 2.4)
        sheet.text(x[4], float(y(similar[4, at])) + (20 if at == made.nearest else 22), name, "small", colour)
    sheet.text(left, bottom + 20, "z", "name middle")
    sheet.text(border, bottom + 20, "t*", "name middle", "warm")
    sheet.text(left, bottom + 42, "harder to the right, up to the border of the cell", "small")
    uniform = torch.rand(1, 60, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    start, end = 440.0, 690.0
    for column, interval in enumerate(("paper", "published")):
        base = 28.0 + 136 * column
        words = "paper: 0 to λt*" if interval == "paper" else "published code: (1 − λ)t* to t*"
        sheet.text(385, base, words, "name")
        for row, strength in enumerate((0.2, 0.5, 0.8, 1.0)):
            config = HalpConfig(hardness=strength, interval=interval)
            drawn = step_size(uniform, torch.ones_like(uniform), config)[0].numpy()
            height = base + 22 + 22 * row
            sheet.text(start - 12, height + 4, f"λ = {strength:.1f}", "small end")
            sheet.line(np.array([[start, height], [end, height]]), "line")
            sheet.dots(((start + (end - start) * share, height) for share in drawn), 2.2, "warm", 0.55)
    sheet.text(start, 304, "z", "name middle")
    sheet.text(end, 304, "t*", "name middle", "warm")
    return sheet
