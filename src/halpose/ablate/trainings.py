"""An ablation that trains: its variants resolved, trained, scored and compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from halpose.ablate.catalogue import ABLATIONS, PAPER_BASELINE, PAPER_HALP, PAPER_SETTING, Variant
from halpose.ablate.cells import (
    Bench,
    check_scorable,
    fingerprint,
    score_cell,
    score_untrained,
    shared_steps,
    without_halp,
)
from halpose.ablate.comparison import Line, chosen, make_line, plain, with_differences
from halpose.config import Config
from halpose.engine.fitted_config import fit_config
from halpose.errors import ConfigError
from halpose.settings import load_recipe, override_text, recipe_names

# Settings are compared without the clips on which one of them is chosen; a fork needs the newest checkpoint only.
SHARED = ("data.part=train", "keep=1")
STEPS = 600


@dataclass(frozen=True)
class Comparison:
    """What an ablation found.

    Attributes:
        name: of the ablation.
        lines: untrained, the method without HaLP, the variants.
        baselines: names of the lines that differences are taken from.
        seeds: of the trainings.
        notes: what a reader must know.
        content: everything as plain values.
    """

    name: str
    lines: tuple[Line, ...]
    baselines: tuple[str, ...]
    seeds: tuple[int, ...]
    notes: tuple[str, ...]
    content: dict[str, Any]


def base_config(bench: Bench, recipe: str | None, steps: int | None, assignments: Sequence[str]) -> Config:
    """The settings that every variant begins with.

    Args:
        bench: where cells are made.
        recipe: None takes the data set's own, where there is one, else `halp`.
        steps: None takes `STEPS`.
        assignments: `key=value` texts.
    """
    own = f"{bench.store.name}-halp"
    config = load_recipe(recipe or (own if own in recipe_names() else "halp"))
    shared = (*SHARED, "epochs=0", f"steps={steps or STEPS}")
    return fit_config(bench.store, override_text(config, (*shared, *assignments)))[0]


def resolve(config: Config, variants: Sequence[Variant]) -> tuple[list[tuple[Variant, Config]], list[str]]:
    """The variants that these settings allow, and a sentence for each that they do not."""
    allowed, notes = [], []
    for variant in variants:
        settings = override_text(config, variant.settings)
        halp, queue = settings.halp, settings.contrast.queue
        if halp.newest > queue:
            notes.append(f"{variant.name} is left out: the queue has {queue} keys (contrast.queue)")
        elif halp.prototypes > halp.newest:
            notes.append(
                f"{variant.name} is left out: {halp.newest} keys (halp.newest) cannot make {halp.prototypes} prototypes"
            )
        else:
            allowed.append((variant, settings))
    return allowed, notes


def compare(
    bench: Bench, name: str, config: Config, seeds: Sequence[int], say: Callable[[str], None] = lambda line: None
) -> Comparison:
    """Train and score every variant with every seed; what is there already is not done again.

    Args:
        bench: where cells are made.
        name: in `ABLATIONS`.
        config: of `base_config`.
        seeds: of the trainings.
        say: is told, in sentences, what happens.

    Raises:
        ConfigError: the method has no HaLP term, or no variant is possible with these settings.
        DataError: the store cannot be scored.
        KeyboardInterrupt: a training was told to stop; the same call goes on from there.
    """
    check_scorable(bench.store, config)
    plain_method = without_halp(config).method
    if config.method == plain_method:
        raise ConfigError(f"method is {config.method!r}, which has no HaLP term to vary; choose a recipe with HaLP")
    variants, notes = resolve(config, ABLATIONS[name].variants)
    if not variants:
        raise ConfigError(f"nothing to compare: {'; '.join(notes)}")
    own = fingerprint(bench.store, config)
    reference = next((v.name for v, c in variants if fingerprint(bench.store, c) == own), None)
    rows: list[tuple[Variant, Config]] = [(Variant(plain_method, (), PAPER_BASELINE), without_halp(config))]
    if reference is None:
        reference = config.method
        rows.append((Variant(reference, (), PAPER_HALP), config))
    rows += variants
    found: dict[str, list[dict[str, Any]]] = {"untrained": []}
    # Seed by seed: an ablation that is stopped early has compared all variants at least once.
    cells = [(seed, variant, settings) for seed in seeds for variant, settings in rows]
    for number, (seed, variant, settings) in enumerate(cells, 1):
        seeded = override_text(settings, (f"seed={seed}",))
        scored = score_cell(bench, seeded)
        found.setdefault(variant.name, []).extend(scored)
        if variant.name == plain_method:
            found["untrained"] += score_untrained(bench, seeded)
        shown = ", ".join(f"{row['part']} {row['protocol']} {100 * row['top1']:.1f}" for row in scored)
        say(f"{number} of {len(cells)}: {variant.name}, seed {seed}: {shown}")
    lines = [make_line("untrained", (), None, found["untrained"])]
    lines += [make_line(v.name, v.settings, v.paper, found[v.name]) for v, _ in rows]
    baselines = (plain_method, reference)
    compared = with_differences(lines, baselines)
    best = chosen([line for line in compared if line.name in {v.name for v, _ in rows[1:]}])
    notes = [*_notes(config, seeds, best, reference), *notes, *filter(None, [ABLATIONS[name].note])]
    content = {
        "ablation": name, "question": ABLATIONS[name].question, "store": str(bench.store.path),
        "data_set": bench.store.name, "split": config.data.split, "steps": config.steps, "seeds": list(seeds),
        "baselines": list(baselines), "variants": [plain(line) for line in compared], "chosen": best.name,
        "paper_setting": PAPER_SETTING, "notes": notes, "settings": config.to_dict(),
    }  # fmt: skip
    return Comparison(name, tuple(compared), baselines, tuple(seeds), tuple(notes), content)


def _notes(config: Config, seeds: Sequence[int], best: Line, reference: str) -> list[str]:
    one = len(seeds) == 1
    said = ", ".join(map(str, seeds))
    spread = (
        f"One seed ({said}): ± is half of Wilson's 95 % interval over the clips; a difference has none. "
        "--seeds 0,1,2 tells chance from effect."
        if one
        else f"Seeds {said}: ± is half of a 95 % interval, over clips and seeds; Δ is paired by seed, its ± over the "
        "seeds alone. An interval that holds 0 is no difference."
    )
    return [
        f"{config.steps} steps of {config.batch_size} clips, HaLP after step {shared_steps(config) + 1}, all from one "
        f"warm-up per seed; placement {config.halp.placement}, estimator {config.halp.estimator}; pre-trained on "
        f"{config.data.part}.",
        spread,
        f"Best on validation (linear): {best.name}; on test {best.scores['test']['linear'].shown()}. "
        f"The recipe itself is {reference}.",
    ]
