"""Hallucinated positives of a trained run as points: its newest keys, its prototypes, and where HaLP walks between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from halpose.config import HalpConfig
from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.methods.halp import HaLP
from halpose.parts.geodesic import angle, hallucinate, limits
from halpose.report.embedding import Embedding, embed_2d, embedding_method

KEYS, ANCHORS, EACH = 600, 48, 6
"""Keys on the map, how many of them are anchors, and how many positives are drawn for each anchor."""

_BINS = 5
_KEY, _PROTOTYPE, _HARD = 0, 1, 2


@dataclass(frozen=True)
class Hallucinations:
    """What HaLP makes of a run's newest keys.

    Attributes:
        stream: whose keys these are.
        keys: (K, D) unit keys, the newest first, one for each clip.
        clips: (K,) which clip of the training part each is of.
        prototypes: (P, D) unit vectors.
        nearest: (K,) prototype nearest to each key.
        points: (H, D) hallucinated positives.
        anchor: (H,) the key from which each walked.
        toward: (H,) the prototype toward which.
        t: (H,) how far, as a share of the way.
        degrees: (H,) angle between anchor and positive: its hardness.
    """

    stream: str
    keys: Float[np.ndarray, "k d"]
    clips: Int[np.ndarray, " k"]
    prototypes: Float[np.ndarray, "p d"]
    nearest: Int[np.ndarray, " k"]
    points: Float[np.ndarray, "h d"]
    anchor: Int[np.ndarray, " h"]
    toward: Int[np.ndarray, " h"]
    t: Float[np.ndarray, " h"]
    degrees: Float[np.ndarray, " h"]


def hallucinations(run: Run, seed: int = 0) -> Hallucinations | str:
    """Draw positives as the run's HaLP term does, from its newest keys toward its prototypes.

    The `expected` estimator has no draws of its own; what it is the mean of is drawn.

    Args:
        run: a trained run.
        seed: of the draws.

    Returns:
        The positives of the first stream; or a sentence that says why there are none.
    """
    name, stream = next(iter(run.method.stream_table().items()))
    term = next((term for term in run.method.term_list() if isinstance(term, HaLP)), None)
    if term is None:
        return f"The method {run.config.method} has no HaLP term: there are no hallucinated positives to draw."
    if term.config.toward == "query":
        return "This run walks toward queries, which are not kept: its hallucinated positives cannot be drawn."
    prototypes = term.sources(name)[0].detach().cpu().double()
    if not bool(prototypes.norm(dim=1).min() > 0):
        return "HaLP began at no step of this run: it has no prototypes, and there is nothing to draw."
    keys, clips = _newest(stream.queue.keys, stream.queue.clips, int(stream.queue.cursor))
    prototypes = torch.nn.functional.normalize(prototypes, dim=1)
    limit = limits(keys @ prototypes.T, prototypes @ prototypes.T)
    chosen = torch.linspace(0, len(keys) - 1, min(ANCHORS, len(keys))).round().long()
    own = type(limit)(*(part[chosen] for part in limit))
    selected, uniform = term.draw(own, torch.Generator().manual_seed(seed))
    selected, uniform = selected[:, :EACH], uniform[:, :EACH].double()
    rank = own.rank.gather(1, selected)
    furthest = rank if term.config.estimator == "exact" else own.pair.gather(1, selected)
    t = furthest * _share(uniform, term.config)
    kept = t <= rank + 1e-9  # the rank filter
    points = hallucinate(keys[chosen], prototypes, selected, t)
    degrees = torch.rad2deg(angle((points * keys[chosen][:, None]).sum(-1)))
    return Hallucinations(
        stream=name,
        keys=keys.numpy(),
        clips=clips.numpy(),
        prototypes=prototypes.numpy(),
        nearest=limit.nearest.numpy(),
        points=points[kept].numpy(),
        anchor=chosen[:, None].expand_as(t)[kept].numpy(),
        toward=selected[kept].numpy(),
        t=t[kept].numpy(),
        degrees=degrees[kept].numpy(),
    )


def _share(uniform: torch.Tensor, config: HalpConfig) -> torch.Tensor:
    """How far a walk goes, of how far it may: t / t* of the paper, or of its published code."""
    if config.hardest:
        return torch.ones_like(uniform)
    step = config.hardness * uniform
    return step if config.interval == "paper" else 1 - step


def _newest(keys: torch.Tensor, clips: torch.Tensor, cursor: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The newest key of each clip in a queue, the newest first; unit vectors."""
    order = (cursor - 1 - torch.arange(len(keys))) % len(keys)
    keys, clips = keys.detach().cpu().double()[order], clips.cpu()[order]
    _, first = np.unique(clips.numpy(), return_index=True)
    first = np.sort(first[clips.numpy()[first] >= 0])[:KEYS]
    return torch.nn.functional.normalize(keys[first], dim=1), clips[first]


def positives_map(found: Hallucinations, run: Run, store: Store, seed: int = 0) -> Embedding:
    """Keys, prototypes and positives on one map; clips are named where the store is what the run was trained on."""
    everything = np.concatenate([found.keys, found.prototypes, found.points])
    names, titles = _titles(found, run, store)
    keys, prototypes = len(found.keys), len(found.prototypes)
    edges = np.linspace(0, max(float(found.degrees.max(initial=0.0)), 1.0), _BINS + 1)
    level = np.clip(np.digitize(found.degrees, edges[1:-1]), 0, _BINS - 1)
    labels = np.concatenate([np.full(keys, _KEY), np.full(prototypes, _PROTOTYPE), _HARD + level])
    medoid = (found.keys @ found.prototypes.T).argmax(0)
    members = np.bincount(found.nearest, minlength=prototypes)
    said = [f"key of {title}; nearest: prototype {n + 1}" for title, n in zip(titles, found.nearest, strict=True)]
    said += [
        f"prototype {n + 1}: nearest of {members[n]} keys; most like it: {titles[medoid[n]]}" for n in range(prototypes)
    ]
    said += [
        f"{degrees:.0f}\u00b0 from {titles[a]}: {100 * t:.0f}\u00a0% of the way toward prototype {p + 1}"
        for degrees, a, t, p in zip(found.degrees, found.anchor, found.t, found.toward, strict=True)
    ]
    links = [[]] * (keys + prototypes) + [[a, keys + p] for a, p in zip(found.anchor, found.toward, strict=True)]
    return Embedding(
        points=embed_2d(everything, seed),
        labels=labels,
        classes=["keys", "prototypes", *(_span(edges, n) for n in range(_BINS))],
        names=[f"point {n}" for n in range(len(everything))],
        part=f" ({found.stream})" if len(run.config.streams) > 1 else "",
        method=embedding_method(len(everything)),
        key="positives",
        marks=[("key-point", "dot"), ("prototype", "diamond"), *((f"hard{n}", "disc") for n in range(_BINS))],
        said=said,
        plays=[*names, *(names[m] for m in medoid), *(names[a] for a in found.anchor)],
        links=links,
    )


def trained_clips(found: Hallucinations, run: Run, store: Store) -> Int[np.ndarray, " k"] | None:
    """Which clips of a store the keys are of; None where it is not what the run was trained on."""
    theirs, data = run.about.get("store", {}), run.config.data
    if (theirs.get("name"), theirs.get("clips")) != (store.name, len(store)):
        return None
    part = store.part(data.split, data.part) if data.split in ("", *store.splits) else np.empty(0, np.int64)
    return part[found.clips] if len(part) > int(found.clips.max(initial=-1)) else None


def _titles(found: Hallucinations, run: Run, store: Store) -> tuple[list[str], list[str]]:
    """Name of each key's clip, and what a reader is told of it."""
    clips = trained_clips(found, run, store)
    if clips is None:
        names = [f"key {n + 1}" for n in range(len(found.keys))]
        return names, names
    names = [str(name) for name in store.clips.name[clips]]
    labels = store.clips.label[clips]
    return names, [f"{store.classes[k]} \u00b7 {n}" if k >= 0 else n for n, k in zip(names, labels, strict=True)]


def _span(edges: Float[np.ndarray, " e"], number: int) -> str:
    return f"positives, {edges[number]:.0f}\u2013{edges[number + 1]:.0f}\u00b0"
