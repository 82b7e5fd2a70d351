"""HaLP: positives hallucinated in latent space by walking from each key toward a prototype.

Everything happens in the space of dot products: no hallucinated vector is ever formed. With anchor z and positive
z^H = alpha z + beta P_sel, the loss needs q . z^H = alpha q . z + beta q . P_sel, and the rank filter compares t with a
limit that `parts.geodesic` knows in closed form.

Reference: Shah et al., HaLP: Hallucinating Latent Positives for Skeleton-based Self-Supervised Learning of Actions,
CVPR 2023, Eqs. 2 to 8 and Algorithm 1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from halpose.config import Config, HalpConfig
from halpose.errors import ConfigError
from halpose.losses import chance_level, info_nce, soft_negatives, weighted_contrast, weighted_pull
from halpose.methods.base import Moment, StreamOutput, Term
from halpose.methods.moco import InfoNCE
from halpose.parts.geodesic import Limits, angle, limits, walk
from halpose.parts.positives import Points, drawn_points, expected_points, target_count, targets
from halpose.parts.prototypes import cluster_sphere, group_means, membership
from halpose.parts.ranks import ALONE, Ranks
from halpose.parts.stream import Stream


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

    @torch.no_grad()
    def follow_contrast(self, outputs: dict[str, StreamOutput], ranks: Ranks) -> dict[str, Tensor]:
        """What mu is multiplied by in each stream, where it follows the contrast (not in the paper).

        max(0, 1 - L / ln(1 + K)), with L the InfoNCE loss of the joined batch and K its number of negatives: 0 where
        the contrast is at chance, near 1 where it is solved. So the pull eases as it harms the contrast.
        """
        factors = {}
        for name, output in outputs.items() if self.config.follow == "contrast" else ():
            loss = ranks.mean(info_nce(output.positive, output.negatives, self.temperature))
            factors[name] = (1 - loss / ranks.mean(chance_level(output.negatives))).clamp_min(0.0)
        return factors

    def mu(self, factors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The mu that is logged, averaged over the streams; nothing where it is constant."""
        return {"mu": self.config.weight * torch.stack(list(factors.values())).mean()} if factors else {}


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
        check_variant(config.halp)
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
        """Eq. 8 (or its contrastive form) summed over the streams; logs the kept fraction, and mu where it moves."""
        losses, kept = [], []
        factors = self.follow_contrast(outputs, moment.ranks)
        for name, output in outputs.items():
            sources = self.sources(name)
            for prototypes in sources:
                loss, share = self.of_output(output, prototypes, moment.generator, moment.ranks)
                loss = loss / len(sources)
                losses.append(loss * factors[name] if factors else loss)
                kept.append(share)
        return sum(losses[1:], losses[0]), {"kept": sum(kept[1:], kept[0]) / len(kept)} | self.mu(factors)

    def of_output(
        self,
        output: StreamOutput,
        prototypes: Float[Tensor, "n d"],
        generator: torch.Generator,
        ranks: Ranks = ALONE,
    ) -> tuple[Tensor, Tensor]:
        """The term of one stream and the fraction of its positives that the rank filter kept.

        With `halp.rejected = negatives` (not in the paper) what the filter rejected joins the queue's negatives in the
        InfoNCE of each of the clip's kept positives s, and only there, Eq. 1 stays as it is:

            -log(exp(s / tau) / (exp(s / tau) + sum_n exp(n / tau) + sum_r w_r exp(s_r / tau)))

        sampled: r are the clip's own draws with t beyond the rank limit, w_r = T / G. expected: r are the nodes of the
        arcs from the rank limit to where draws end, w_r the chance of a draw there, of each of T prototypes. Both give
        T times the mean of exp(s_r / tau) over all draws, rejected or 0: a prototype whose draws are all rejected is
        worth one negative. No gradient flows through the points, as none does through positives.
        """
        anchor = (output.key if self.config.anchor == "key" else output.query).detach()
        query_anchor, negatives = (output.query * anchor).sum(1, keepdim=True), output.negatives
        if self.config.toward != "prototypes":
            target = output.query.detach() if self.config.toward == "query" else own_prototype(anchor, prototypes)
            alpha, beta = self._between(anchor, target, generator, ranks, output.views)
            similarity = alpha * query_anchor + beta * (output.query * target).sum(1, keepdim=True)
            weight = torch.ones_like(similarity)
        else:
            limit = limits(anchor @ prototypes.T, prototypes @ prototypes.T)
            kept, rejected = self._positives(limit, generator, ranks, output.views)
            query_prototypes = output.query @ prototypes.T
            similarity, weight = kept.similarity(query_anchor, query_prototypes), kept.weight
            if rejected is not None:
                against = rejected.similarity(query_anchor, query_prototypes)
                negatives = torch.cat([negatives, soft_negatives(against, rejected.weight, self.temperature)], dim=1)
        if self.config.placement == "inside":
            loss = weighted_contrast(similarity, weight, negatives, self.temperature)
        else:
            loss = weighted_pull(similarity, weight, self.temperature)
        total = weight.sum()
        if not ranks.is_alone:
            # The mean is over all kept positives of the joined batch, and ranks keep more and fewer of them.
            loss = loss * (total / ranks.mean(total).clamp_min(1e-12))
        # Expected arcs stand for all positives toward a prototype: one for each that may be selected.
        each = self.config.positives
        if self.config.estimator == "expected" and self.config.toward == "prototypes":
            each = target_count(self.config, len(prototypes))
        return loss, total / (len(weight) * each)

    def _between(
        self, anchor: Tensor, target: Tensor, generator: torch.Generator, ranks: Ranks, views: int
    ) -> tuple[Tensor, Tensor]:
        """Coefficients of points on the geodesic from each anchor to a target of its own, t uniform in (0, lambda).

        The paper tries the query ("can query-key be used to hallucinate positives?") and says no more than that. On the
        way to its own prototype an anchor never leaves the cell, which is convex: nothing is rejected.
        """
        omega = angle((anchor * target).sum(1, keepdim=True))  # of a clip whose views embed alike it is 0
        shape = (len(anchor) * ranks.world, self.config.positives)
        uniform = torch.rand(shape, generator=generator, device=anchor.device, dtype=anchor.dtype)
        t = self.config.hardness * ranks.own_rows(uniform, views)
        return walk(t, omega.expand_as(t))

    def draw(
        self, limit: Limits, generator: torch.Generator, ranks: Ranks = ALONE, views: int = 1
    ) -> tuple[Int[Tensor, "b g"], Float[Tensor, "b g"]]:
        """Prototypes to walk toward, and uniform numbers in (0, 1) that say how far.

        Every rank draws for the joined batch and takes its rows: what one process would have drawn for them.
        """
        batch, prototypes = limit.pair.shape
        shape = (batch * ranks.world, self.config.positives)
        device = limit.pair.device
        choices = target_count(self.config, prototypes)
        selected = ranks.own_rows(torch.randint(choices, shape, generator=generator, device=device), views)
        if self.config.nearest:
            selected = targets(limit, self.config).gather(1, selected)
        elif self.config.select == "others":
            selected = selected + (selected >= limit.nearest[:, None]).long()
        return selected, ranks.own_rows(torch.rand(shape, generator=generator, device=device), views)

    def _positives(
        self, limit: Limits, generator: torch.Generator, ranks: Ranks, views: int
    ) -> tuple[Points, Points | None]:
        """The hallucinated positives, and what the rank filter rejected if that is asked for."""
        if self.config.estimator == "expected":
            return expected_points(limit, self.config)
        return drawn_points(limit, *self.draw(limit, generator, ranks, views), self.config)

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
                member = membership(group, self.config.prototypes).to(newest[name].dtype)
                self.of_stream(name, other).copy_(group_means(newest[name], member))


def own_prototype(anchor: Float[Tensor, "b d"], prototypes: Float[Tensor, "n d"]) -> Float[Tensor, "b d"]:
    """P* of each anchor: the prototype nearest to it."""
    return prototypes[(anchor @ prototypes.T).argmax(1)]


def check_variant(config: HalpConfig) -> None:
    """Settings of which some rule others out.

    Raises:
        ConfigError: what is asked for would change nothing, or make no sense.
    """
    others = config.prototypes - 1
    if config.nearest > others:
        raise ConfigError(
            f"halp.nearest is {config.nearest}, but of halp.prototypes {config.prototypes} only {others} are others "
            f"than the anchor's own; give at most {others}, or 0 for any"
        )
    if config.nearest and config.toward != "prototypes":
        goal = "no prototype" if config.toward == "query" else "one prototype only"
        raise ConfigError(
            f"halp.nearest is {config.nearest}, but halp.toward = {config.toward} walks toward {goal}; set nearest=0"
        )
    if config.rejected == "dropped":
        return
    if config.placement == "beside":
        raise ConfigError(
            "halp.rejected = negatives needs halp.placement = inside: Eq. 8 has no denominator, and pushing a point "
            "away without one has no bound"
        )
    if config.toward != "prototypes" or config.estimator == "exact":
        cause = f"halp.toward = {config.toward}" if config.toward != "prototypes" else "halp.estimator = exact"
        raise ConfigError(f"halp.rejected = negatives, but with {cause} the rank filter rejects nothing")


def halp(config: Config) -> list[Term]:
    """MoCo and the hallucinated term."""
    return [InfoNCE(config), HaLP(config)]
