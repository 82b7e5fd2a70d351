"""Every setting, its default and its meaning, in one place.

A run is described by one frozen `Config`. Values come from three layers: the defaults below, a recipe
(`halpose/recipes/*.toml` or a file of one's own), and `--set key=value`. An unknown key is an error that names the
nearest known one. The resolved configuration is stored with every checkpoint.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from halpose.errors import ConfigError
from halpose.ranges import outside
from halpose.toml import load_toml


@dataclass(frozen=True)
class DataConfig:
    """Which clips are trained on, and the normalisation switches (kept as transforms in the store)."""

    split: str = ""
    """Split whose training part is used; empty: the store's default split, or every clip when it has none."""
    part: Literal["official", "train", "all"] = "official"
    """official = train + validation; train leaves the validation clips out, as every choice of settings must."""
    centre: Literal["store", "first", "frame", "none"] = "store"
    """Subtract the centre joint of the main actor: its first frame's, frame by frame (published), or not at all."""
    align: Literal["store", "torso", "first", "none"] = "store"
    """Turn the clip: its mean across-body direction to x (about the vertical), the first frame's (published), no."""
    scale: Literal["store", "rms", "none"] = "store"
    """Divide by the root mean square of the clip's coordinates, or keep metres. In these three, `store` takes what
    the catalogue found to suit the data set, and first, torso, rms where it says nothing."""
    frames: int = 32
    """Frames T of every view (published: 64)."""
    resident_gigabytes: float = 4.0
    """Clips that take more than this are not copied to the device; each batch reads its frames from the store's map."""


@dataclass(frozen=True)
class ViewConfig:
    """Random views. Lengths are in units of the normalised data (with scale = rms a body measures about 3)."""

    crop: tuple[float, float] = (0.8, 1.0)
    """Temporal crop: fraction of the clip, uniform between these (published: 0.1 to 1)."""
    least_frames: int = 8
    """A crop never has fewer frames than this, or the whole clip if it is shorter (published: 64)."""
    published: bool = False
    """With probability 1/2 a shear, else the published joint jitter (FACTS: ISC, CMD, HaLP); all else below off."""
    shear: float = 0.5
    """Off-diagonal entries of the shear matrix, uniform in +- this."""
    jitter_joints: float = 0.6
    """Published views only: fraction of the joints that the jitter touches (15 of 25)."""
    yaw: float = 20.0
    """Rotation about the vertical, degrees, uniform in +- this."""
    mirror: float = 0.0
    """Probability of a left-right mirror image with the joints swapped."""
    pose: float = 1.0
    """Move the clip's mean pose toward another clip's of the batch by a fraction uniform in (0, this)."""
    offset: float = 0.15
    """Constant offset of each joint, standard deviation."""
    drift: float = 0.1
    """Slow drift of each joint: a sum of three cosines with this standard deviation."""
    noise: float = 0.0
    """Independent noise on every coordinate and frame, standard deviation."""
    mask_joints: float = 0.15
    """Fraction of the joints that are set to zero in a masked clip."""
    mask_probability: float = 0.5
    """Fraction of the clips whose joints are masked."""
    mask_part: float = 0.0
    """Probability that a whole body part (of the layout's) is set to zero."""


@dataclass(frozen=True)
class EncoderConfig:
    """The network that turns a view into a feature."""

    name: str = "transformer"
    """One of ENCODERS: gru (published, both halves forward in time), bigru, transformer."""
    width: int = 128
    """Hidden size of a GRU direction, or the transformer's width."""
    layers: int = 2
    """Number of layers (published GRU: 3)."""
    pooling: Literal["last", "final", "mean", "segments"] = "segments"
    """How frames become one feature: last output, final hidden states, mean, or means of `segments` in order."""
    segments: int = 8
    """Number of segment means that are concatenated when pooling = segments."""
    heads: int = 4
    """Attention heads of the transformer."""
    patch: int = 2
    """Frames per token of the transformer."""
    dropout: float = 0.0
    """Dropout inside the transformer."""
    input_norm: bool = False
    """BatchNorm over the input channels (published GRU: true)."""


@dataclass(frozen=True)
class ContrastConfig:
    """Momentum contrast: Eq. 1 of HaLP."""

    embedding: int = 128
    """Dimension D of the unit vectors that are contrasted."""
    projector_width: int = 0
    """Hidden size of the projector; 0: the encoder's feature dimension (published: 2048 -> 2048 -> 128)."""
    temperature: float = 0.1
    """Temperature of Eq. 1 (paper 0.07)."""
    momentum: float = 0.99
    """How much of the key encoder stays at each step (paper 0.999)."""
    queue: int = 256
    """Negatives: keys of the most recent batches (paper 16384)."""
    mask_own: bool = True
    """Leave a clip's own past keys out of its negatives (matters when the queue is as long as the data set)."""


@dataclass(frozen=True)
class HalpConfig:
    """Hallucinated latent positives: Eqs. 2 to 8 of HaLP."""

    weight: float = 1.0
    """mu: weight of the term."""
    start: float = 200 / 450
    """Fraction of the training after which the term begins (paper: 200 of 450 epochs)."""
    wait: float = 0.0
    """Nor does it begin before this many queue lengths of clips were seen (published code: 2)."""
    hardness: float = 0.8
    """lambda: how far toward the limit t* the walk may go."""
    interval: Literal["paper", "published"] = "paper"
    """t uniform in (0, lambda t*), or in ((1 - lambda) t*, t*] as the published code has it."""
    estimator: Literal["sampled", "exact", "expected"] = "expected"
    """sampled: Eq. 7 and the rank filter; exact: Eq. 5 solved, nothing to filter; expected: the loss's mean over all
    positives in closed form."""
    placement: Literal["beside", "inside"] = "beside"
    """Eq. 8 beside InfoNCE, or every hallucinated positive inside an InfoNCE with the queue's negatives."""
    anchor: Literal["key", "query"] = "key"
    """The vector that walks (paper: the key)."""
    select: Literal["others", "all"] = "others"
    """Prototypes to walk toward: all but the nearest (published), or all (with the nearest, t* is 0)."""
    positives: int = 100
    """Hallucinated positives per clip, when they are sampled."""
    hardest: bool = False
    """Always walk to t* (the ablation beside Table 5)."""
    prototypes: int = 20
    """N, the number of cluster centres."""
    newest: int = 256
    """K, the number of newest keys that are clustered."""
    refresh: int = 5
    """Cluster again every so many steps (published scripts: 10)."""
    warm_start: bool = True
    """Begin a clustering from the previous centres instead of k-means++."""


@dataclass(frozen=True)
class DistillationConfig:
    """Cross-modal mutual distillation (CMD, ECCV 2022)."""

    weight: float = 1.0
    """Weight of the term."""
    neighbours: int = 8192
    """Entries of the queue that count, the teacher's nearest; at most all of them."""
    student_temperature: float = 0.1
    teacher_temperature: float = 0.05


@dataclass(frozen=True)
class OptimizerConfig:
    """Optimizer and its schedule, in fractions of the training."""

    name: Literal["sgd", "adamw"] = "adamw"
    learning_rate: float = 2e-3
    momentum: float = 0.9
    """SGD only."""
    weight_decay: float = 1e-4
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    milestones: tuple[float, ...] = (351 / 451,)
    """Step schedule: fractions of the training at which the rate is multiplied by `gamma`."""
    gamma: float = 0.1
    warmup: int = 20
    """Steps over which the rate rises linearly from zero."""
    clip_norm: float = 0.0
    """Clip the gradient's norm to this; 0: never."""


@dataclass(frozen=True)
class Config:
    """One training run, whole."""

    method: str = "halp"
    """One of METHODS."""
    streams: tuple[str, ...] = ("joint",)
    """Modalities that are encoded, each with its own pair of encoders."""
    steps: int = 2000
    """Optimizer steps; with `epochs` > 0 they follow from it."""
    epochs: float = 0.0
    """Passes over the training clips; 0: use `steps`."""
    batch_size: int = 64
    seed: int = 0
    checkpoint_every: int = 500
    """Steps between checkpoints (one is always written at the end and on interruption)."""
    keep: int = 2
    """Checkpoints that are kept."""
    log_every: int = 10
    """Steps between rows of metrics.jsonl."""
    data: DataConfig = field(default_factory=DataConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    contrast: ContrastConfig = field(default_factory=ContrastConfig)
    halp: HalpConfig = field(default_factory=HalpConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, as stored with a checkpoint."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], where: str = "configuration") -> Config:
        """Build from nested plain values; see `override` for the errors."""
        return override(cls(), table, where)


def override(config: Config, table: Mapping[str, Any], where: str = "configuration") -> Config:
    """A copy of `config` with the values of a nested table put in.

    Raises:
        ConfigError: a key is unknown (the nearest known one is named), or a value has the wrong type.
    """
    for key, value in flatten(table):
        config = _set(config, _full_key(key, where, exact=True), value, where)
    _check(config)
    return config


def override_text(config: Config, assignments: tuple[str, ...]) -> Config:
    """A copy of `config` with `key=value` texts put in: `steps=100`, `halp.weight=2`, `hardness=0.4`.

    A key may be written without its section when only one section has it.
    """
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: expected key=value, for example --set steps=1000")
        key = _full_key(key.strip(), f"--set {assignment}")
        config = _set(config, key, _parse(text.strip()), f"--set {assignment}")
    _check(config)
    return config


def load_recipe(name: str | Path, above: tuple[str, ...] = ()) -> Config:
    """The configuration of a recipe, by name (`recipe_names()`) or from a TOML file.

    A recipe may begin with `base = "other"`: the other recipe is read first. `above` are the recipes that led here.
    """
    path = Path(name)
    if path.suffix == ".toml":
        table = load_toml(path)
    elif str(name) in recipe_names():
        table = load_toml(Path(str(resources.files("halpose") / "recipes" / f"{name}.toml")))
    else:
        close = difflib.get_close_matches(str(name), recipe_names(), n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigError(
            f"no recipe named {name!r}{hint} (there are: {', '.join(recipe_names())}; or give a .toml file)"
        )
    table = {key: value for key, value in table.items() if key != "about"}
    base = table.pop("base", None)
    if base is None:
        return override(Config(), table, where=f"recipe {name}")
    if not isinstance(base, str):
        raise ConfigError(f"recipe {name}: base is {base!r}; give the name of a recipe, or a .toml file")
    if base in (*above, str(name)):
        raise ConfigError(f"recipe {name}: its base leads back to itself ({' -> '.join((*above, str(name), base))})")
    return override(load_recipe(base, (*above, str(name))), table, where=f"recipe {name}")


def recipe_about(name: str) -> str:
    """The sentence with which a built-in recipe describes itself."""
    table = load_toml(Path(str(resources.files("halpose") / "recipes" / f"{name}.toml")))
    return str(table.get("about", ""))


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that come with halpose."""
    folder = resources.files("halpose") / "recipes"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and leaf values of a nested table."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def known_keys() -> tuple[str, ...]:
    """Every dotted key that a configuration has."""
    return tuple(key for key, _ in flatten(Config().to_dict()))


def _full_key(key: str, where: str, exact: bool = False) -> str:
    """The dotted key that is meant; without its section only if not `exact`."""
    keys = known_keys()
    if key in keys:
        return key
    if any(known.startswith(f"{key}.") for known in keys):
        raise ConfigError(f"{where}: {key!r} is a section; set one of its keys, such as {key}.…")
    owners = [known for known in keys if known.rsplit(".", 1)[-1] == key and not exact]
    if len(owners) == 1:
        return owners[0]
    if owners:
        raise ConfigError(f"{where}: {key!r} is in several sections; write one of {', '.join(owners)}")
    leaves = [known.rsplit(".", 1)[-1] for known in keys]
    close = difflib.get_close_matches(key, [*keys, *leaves], n=1, cutoff=0.0)
    raise ConfigError(f"{where}: there is no setting {key!r}; the nearest is {close[0]!r}")


def _parse(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if "," in text or (text.startswith("[") and text.endswith("]")):
        return [_parse(part.strip().strip("'\"")) for part in text.strip("[]").split(",") if part.strip()]
    return text.strip("'\"")


def _set(config: Any, key: str, value: Any, where: str) -> Any:
    head, _, rest = key.partition(".")
    if rest:
        return dataclasses.replace(config, **{head: _set(getattr(config, head), rest, value, where)})
    kind = get_type_hints(type(config))[head]
    return dataclasses.replace(config, **{head: _coerce(value, kind, f"{where}: {head}")})


def _coerce(value: Any, kind: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin is Literal:
        if value not in get_args(kind):
            raise ConfigError(f"{where} is {value!r}; it may be {', '.join(map(repr, get_args(kind)))}")
        return value
    if origin is tuple:
        items = value if isinstance(value, (list, tuple)) else [value]
        inner = get_args(kind)
        fixed = Ellipsis not in inner
        if fixed and len(items) != len(inner):
            raise ConfigError(f"{where} takes {len(inner)} values, but {len(items)} were given")
        return tuple(_coerce(item, inner[i if fixed else 0], where) for i, item in enumerate(items))
    if origin in (Union, types.UnionType):
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind is str and not isinstance(value, str):
        return str(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise ConfigError(f"{where} is {value!r}; expected {kind.__name__}")
    return value


def _check(config: Config) -> None:
    """Values that no run can have, caught before anything is read."""
    for fault in outside(dict(flatten(config.to_dict()))):
        raise ConfigError(fault)
    if not 0 < config.halp.hardness <= 1:
        raise ConfigError(f"halp.hardness is {config.halp.hardness}; lambda lies in (0, 1]")
    if not config.streams or len(set(config.streams)) < len(config.streams):
        raise ConfigError(f"streams are {', '.join(config.streams) or 'none'}; name one or more, each once")
    low, high = config.views.crop
    if not 0 < low <= high <= 1:
        raise ConfigError(f"views.crop is {config.views.crop}; expected 0 < low <= high <= 1")
