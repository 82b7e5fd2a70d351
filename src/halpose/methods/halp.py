"""HaLP: positives hallucinated in latent space by walking from each key toward a prototype.

Everything happens in the space of dot products: no hallucinated vector is ever formed. With anchor z and positive
z^H = alpha z + beta P_sel, the loss needs q . z^H = alpha q . z + beta q . P_sel, and the rank filter compares t with a
limit that `parts.geodesic` knows in closed form.

Reference: Shah et al., HaLP: Hallucinating Latent Positives for Skeleton-based Self-Supervised Learning of Actions,
CVPR 2023, Eqs. 2 to 8 and Algorithm 1.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from halpose.config import Config, HalpConfig
from halpose.errors import ConfigError
from halpose.losses import weighted_contrast, weighted_pull
from halpose.methods.base import Moment, StreamOutput, Term
from halpose.methods.moco import InfoNCE
from halpose.parts.geodesic import Limits, limits, mean_walk, walk
from halpose.parts.prototypes import cluster_sphere, group_means
from halpose.parts.ranks import ALONE, Ranks
from halpose.parts.stream import Stream

# Inside an InfoNCE the mean over t has no closed form; this many Gauss-Legendre nodes leave an error below 1e-6.
_NODES = 6


class DelayedTerm(Term):
    """A term that begins late in training: the paper has mu = 0 for the first 200 of 450 epochs."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config.halp
        self.temperature = config.contrast.temperature
        self.least_samples = max(config.halp.newest, int(config.halp.wait * config.contrast.queue) + 1)

    def is_active(self, moment: Moment) -> bool:
        """Whether the term has begun: late enough, and enough keys seen to cluster."""
        return moment.progress >= self.config.start and moment.samples >= self.least_samples

    def weight(self, moment: Moment) -> float:
        """Mu, once the term has begun."""
        return self.config.weight if self.is_active(moment) else 0.0


class HaLP(DelayedTerm):
    """The hallucinated term of every stream, with that stream's prototypes."""

    name = "halp"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        available = min(config.halp.newest, config.contrast.queue)
        if config.halp.prototypes > available:
            raise ConfigError(
                f"halp.prototypes is {config.halp.prototypes}, but only {available} keys are clustered "
                "(the smaller of halp.newest and contrast.queue); raise those or lower the prototypes"
            )
        if config.halp.prototypes_from != "own" and len(config.streams) < 2:
            raise ConfigError(
                f"halp.prototypes_from is {config.halp.prototypes_from!r}, but streams has only "
                f"{', '.join(config.streams)}; try --set streams=joint,motion,bone"
            )
        size = (config.halp.prototypes, config.contrast.embedding)
        for name in config.streams:
            self.register_buffer(f"prototypes_{name}", torch.zeros(size))
        self.carried = [(name, other) for name in config.streams for other in config.streams if name != other]
        if config.halp.prototypes_from == "carried":
            for name, other in self.carried:
                self.register_buffer(f"prototypes_{name}_from_{other}", torch.zeros(size))

    def of_stream(self, name: str, found_by: str = "") -> Tensor:
        """The (P, D) prototypes of a stream; with `found_by` those of another stream's groups in this one's space."""
        found: Tensor = getattr(self, f"prototypes_{name}_from_{found_by}" if found_by else f"prototypes_{name}")
        return found

    def sources(self, name: str) -> list[Tensor]:
        """The sets of prototypes that a stream's anchors walk toward."""
        others = [other for one, other in self.carried if one == name]
        if self.config.prototypes_from == "carried":
            return [self.of_stream(name, other) for other in others]
        return (
            [self.of_stream(other) for other in others]
            if self.config.prototypes_from == "direct"
            else [self.of_stream(name)]
        )

    def forward(self, outputs: dict[str, StreamOutput], moment: Moment) -> tuple[Tensor, dict[str, Tensor]]:
        """Eq. 8 (or its contrastive form) summed over the streams; logs the kept fraction."""
        losses, kept = [], []
        for name, output in outputs.items():
            sources = self.sources(name)
            for prototypes in sources:
                loss, share = self.of_output(output, prototypes, moment.generator, moment.ranks)
                losses.append(loss / len(sources))
                kept.append(share)
        return sum(losses[1:], losses[0]), {"kept": sum(kept[1:], kept[0]) / len(kept)}

    def of_output(
        self,
        output: StreamOutput,
        prototypes: Float[Tensor, "n d"],
        generator: torch.Generator,
        ranks: Ranks = ALONE,
    ) -> tuple[Tensor, Tensor]:
        """The term of one stream and the fraction of its positives that the rank filter kept."""
        anchor = (output.key if self.config.anchor == "key" else output.query).detach()
        query_anchor = (output.query * anchor).sum(1, keepdim=True)
        if self.config.toward == "query":
            target = output.query.detach()
            alpha, beta = self._between(anchor, target, generator, ranks, output.views)
            similarity = alpha * query_anchor + beta * (output.query * target).sum(1, keepdim=True)
            weight = torch.ones_like(similarity)
        else:
            limit = limits(anchor @ prototypes.T, prototypes @ prototypes.T)
            alpha, beta, weight, selected = self._positives(limit, generator, ranks, output.views)
            query_target = (output.query @ prototypes.T).gather(1, selected)
            similarity = alpha * query_anchor + beta * query_target
        if self.config.placement == "inside":
            loss = weighted_contrast(similarity, weight, output.negatives, self.temperature)
        else:
            loss = weighted_pull(similarity, weight, self.temperature)
        total = weight.sum()
        if not ranks.is_alone:
            # The mean is over all kept positives of the joined batch, and ranks keep more and fewer of them.
            loss = loss * (total / ranks.mean(total).clamp_min(1e-12))
        # Expected arcs stand for all positives toward a prototype: one for each that may be selected.
        each = self.config.positives
        if self.config.estimator == "expected" and self.config.toward == "prototypes":
            each = len(prototypes) - (self.config.select == "others")
        return loss, total / (len(weight) * each)

    def _between(
        self, anchor: Tensor, target: Tensor, generator: torch.Generator, ranks: Ranks, views: int
    ) -> tuple[Tensor, Tensor]:
        """Coefficients of points on the geodesic from each anchor to a target of its own, t uniform in (0, lambda).

        The paper tries this ("can query-key be used to hallucinate positives?") and says no more than that.
        """
        cosine = (anchor * target).sum(1, keepdim=True).clamp(-1.0, 1.0)
        shape = (len(anchor) * ranks.world, self.config.positives)
        uniform = torch.rand(shape, generator=generator, device=anchor.device, dtype=anchor.dtype)
        t = self.config.hardness * ranks.own_rows(uniform, views)
        return walk(t, torch.acos(cosine).expand_as(t))

    def draw(
        self, limit: Limits, generator: torch.Generator, ranks: Ranks = ALONE, views: int = 1
    ) -> tuple[Int[Tensor, "b g"], Float[Tensor, "b g"]]:
        """Prototypes to walk toward, and uniform numbers in (0, 1) that say how far.

        Every rank draws for the joined batch and takes its rows: what one process would have drawn for them.
        """
        batch, prototypes = limit.pair.shape
        shape = (batch * ranks.world, self.config.positives)
        device = limit.pair.device
        choices = prototypes - (self.config.select == "others")
        selected = ranks.own_rows(torch.randint(choices, shape, generator=generator, device=device), views)
        if self.config.select == "others":
            selected = selected + (selected >= limit.nearest[:, None]).long()
        return selected, ranks.own_rows(torch.rand(shape, generator=generator, device=device), views)

    def _positives(
        self, limit: Limits, generator: torch.Generator, ranks: Ranks, views: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Coefficients alpha and beta, weight and prototype of every hallucinated positive, each (B, G)."""
        if self.config.estimator == "expected":
            return self._expected(limit)
        selected, uniform = self.draw(limit, generator, ranks, views)
        rank = limit.rank.gather(1, selected)
        omega = limit.omega.gather(1, selected)
        exact = self.config.estimator == "exact"
        furthest = rank if exact else limit.pair.gather(1, selected)
        t = step_size(uniform, furthest, self.config)
        kept = torch.ones_like(t) if exact else (t <= rank).to(t.dtype)
        alpha, beta = walk(t, omega)
        return alpha, beta, kept, selected

    def _expected(self, limit: Limits) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The mean over P_sel and t in closed form: each prototype stands for its whole arc of positives.

        An arc from `low` to `high` has weight (high - low) / (lambda t*), the chance that a draw survives the rank
        filter, and its mean point is known (`mean_walk`).
        """
        span = (self.config.hardness * limit.pair).clamp_min(1e-6)
        if self.config.interval == "paper":
            low, high = torch.zeros_like(span), torch.minimum(span, limit.rank)
        else:
            low = (1 - self.config.hardness) * limit.pair
            high = torch.minimum(limit.pair, limit.rank)
        if self.config.hardest:
            low = high = limit.pair
            weight = (limit.pair <= limit.rank).to(span.dtype)
        else:
            weight = (high - low).clamp_min(0.0) / span
        is_nearest = nn.functional.one_hot(limit.nearest, limit.pair.shape[1]).bool()
        # Toward P* itself the walk has no length: all of its positives are the anchor (select = all).
        weight = torch.where(is_nearest, float(self.config.select == "all"), weight)
        selected = torch.arange(limit.pair.shape[1], device=weight.device).expand_as(weight)
        high = torch.maximum(low, high)
        if self.config.placement == "beside":
            alpha, beta = mean_walk(low, high, limit.omega)
            return alpha, beta, weight, selected
        node, node_weight = (
            torch.as_tensor(values, dtype=weight.dtype, device=weight.device)
            for values in np.polynomial.legendre.leggauss(_NODES)
        )
        t = low[..., None] + (high - low)[..., None] * (node + 1) / 2
        alpha, beta = walk(t, limit.omega[..., None].expand_as(t))
        weight = weight[..., None] * node_weight / 2
        return alpha.flatten(1), beta.flatten(1), weight.flatten(1), selected.repeat_interleave(_NODES, dim=1)

    def begin(self, streams: dict[str, Stream], moment: Moment) -> None:
        """Cluster at once where training goes on, with streams of another run, past the point where the term began."""
        if self.is_active(moment):
            self._cluster(streams, moment, warm=False)

    def after_step(self, streams: dict[str, Stream], moment: Moment, batch: int) -> None:
        """Cluster the newest keys, every `refresh` steps and just before the term begins."""
        following = moment.following(batch)
        if self.is_active(following):
            begins = not self.is_active(moment)
            if begins or following.step % self.config.refresh == 0:
                self._cluster(streams, moment, warm=self.config.warm_start and not begins)

    def _cluster(self, streams: dict[str, Stream], moment: Moment, warm: bool) -> None:
        """Make prototypes of the newest keys, from the ones there are (`warm`) or anew; rank 0 does, for all."""
        if moment.ranks.is_first:
            self._cluster_here(streams, moment, warm)
        for prototypes in self.buffers():
            moment.ranks.copy_first(prototypes)

    def _cluster_here(self, streams: dict[str, Stream], moment: Moment, warm: bool) -> None:
        newest = {name: stream.queue.newest(self.config.newest) for name, stream in streams.items()}
        for name, keys in newest.items():
            prototypes = self.of_stream(name)
            start, iterations = (prototypes.clone(), 3) if warm else (None, 15)
            prototypes.copy_(
                cluster_sphere(keys, len(prototypes), moment.generator, start=start, iterations=iterations)
            )
        if self.config.prototypes_from == "carried":
            for name, other in self.carried:
                # The queues are filled together: the keys of one clip have the same place in each.
                group = (newest[other] @ self.of_stream(other).T).argmax(1)
                member = nn.functional.one_hot(group, self.config.prototypes).to(newest[name].dtype)
                self.of_stream(name, other).copy_(group_means(newest[name], member))


def step_size(
    uniform: Float[Tensor, "b g"], furthest: Float[Tensor, "b g"], config: HalpConfig
) -> Float[Tensor, "b g"]:
    """How far each walk goes, as a fraction of its geodesic.

    paper: t uniform in (0, lambda t*). published: t uniform in ((1 - lambda) t*, t*], what the published code draws and
    Table 5 fits. `hardest`: t = t*.
    """
    if config.hardest:
        return furthest
    step = config.hardness * uniform
    return (step if config.interval == "paper" else 1 - step) * furthest


def halp(config: Config) -> list[Term]:
    """MoCo and the hallucinated term."""
    return [InfoNCE(config), HaLP(config)]
