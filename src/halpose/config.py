"""Every setting, its default and its meaning, in one place.

A run is described by one frozen `Config`. Values come from three layers: the defaults below, a recipe
(`halpose/recipes/*.toml` or a file of one's own), and `--set key=value`. An unknown key is an error that names the
nearest known one. The resolved configuration is stored with every checkpoint.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class DataConfig:
    """Which clips are trained on, and the normalisation switches (kept as transforms in the store)."""

    split: str = ""
    """Split whose training part is used; empty: the store's default split, or every clip when it has none."""
    part: Literal["official", "train", "all"] = "official"
    """official = train + validation; train leaves the validation clips out, as every choice of settings must."""
    centre: Literal["store", "first", "frame", "none"] = "store"
    """Subtract the centre joint of the main actor: its first frame's, frame by frame (published), or not at all."""
    align: Literal["store", "torso", "pair", "first", "none"] = "store"
    """Turn the clip: its mean across-body direction to x (about the vertical), the mean direction from the main actor
    to the second person to z (who is alone is turned by the torso), the first frame's (published), no."""
    scale: Literal["store", "rms", "none"] = "store"
    """Divide by the root mean square of the clip's coordinates, or keep metres. In these three, `store` takes what
    the catalogue found to suit the data set, and first, torso, rms where it says nothing."""
    confidence: Literal["none", "mask", "channel"] = "none"
    """What encoders read beside a joint's coordinates: nothing; 1 where it was seen and 0 where it is missing, was
    filled in, or a view sets it to zero (`mask`); or how sure the source was of it, in 0..1 (`channel`)."""
    frames: int = 32
    """Frames T of every view (published: 64)."""
    resident_gigabytes: float = 4.0
    """Clips that take more than this are not copied to the device; each batch reads its frames from the store."""
    prefetch: int = 2
    """Batches that are read from the store ahead of time, by a thread; 0: each when it is needed."""

    @property
    def has_confidence(self) -> bool:
        """Whether views have one channel more than there are coordinates, the last."""
        return self.confidence != "none"


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
    tilt: float = 0.0
    """Rotation about a random axis, degrees, uniform in +- this (in 2-D, in the plane)."""
    mirror: float = 0.0
    """Probability of a left-right mirror image with the joints swapped."""
    reverse: float = 0.0
    """Probability that time runs backward."""
    pose: float = 1.0
    """Move the clip's mean pose toward another clip's of the batch by a fraction uniform in (0, this)."""
    offset: float = 0.15
    """Constant offset of each joint, standard deviation."""
    drift: float = 0.1
    """Slow drift of each joint: a sum of three cosines with this standard deviation."""
    noise: float = 0.0
    """Independent noise on every coordinate and frame, standard deviation."""
    blur: float = 0.0
    """Probability of a Gaussian blur over time, its standard deviation uniform between 0.1 and 2 frames."""
    mask_axis: float = 0.0
    """Probability that one coordinate axis of all joints is set to zero."""
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
    """One of ENCODERS: gru (published, both halves forward in time), bigru, lstm, stgcn, hcn, transformer (over time),
    st_transformer (joints and time)."""
    width: int = 128
    """Hidden size of a GRU direction or an LSTM, the transformers' width, or the channels of a convolutional network's
    last stage."""
    layers: int = 2
    """Number of layers (published GRU: 3); of stgcn blocks, of hcn the convolutions after its branches join."""
    pooling: Literal["last", "final", "mean", "segments"] = "segments"
    """How frames become one feature: last output, final hidden states, mean, or means of `segments` in order."""
    segments: int = 8
    """Number of segment means that are concatenated when pooling = segments."""
    heads: int = 4
    """Attention heads of the transformers."""
    patch: int = 2
    """Frames per token of the transformers."""
    dropout: float = 0.0
    """Dropout inside the network (not in the GRUs)."""
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
    follow: Literal["none", "contrast"] = "none"
    """contrast: mu times max(0, 1 - L / ln(1 + K)) with the batch's InfoNCE L: 0 at chance, 1 when it is solved."""
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
    toward: Literal["prototypes", "query", "own"] = "prototypes"
    """Where to walk: to a prototype (paper), to the query (its ablation) or to the anchor's own prototype (not in the
    paper); on the last two ways t is in (0, lambda) and there is nothing to filter."""
    prototypes_from: Literal["own", "carried", "direct"] = "own"
    """With several streams: a stream's own prototypes (paper); the groups that each other stream finds, their means
    taken in this stream's space; or the other streams' prototypes as they are."""
    select: Literal["others", "all"] = "others"
    """Prototypes to walk toward: all but the nearest (published), or all (with the nearest, t* is 0)."""
    nearest: int = 0
    """Of those, only the so many that are nearest to the anchor, beside its own; 0: any."""
    rejected: Literal["dropped", "negatives"] = "dropped"
    """What the rank filter rejects: left out, or soft negatives of the hallucinated InfoNCE (placement = inside)."""
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
class CrosclrConfig:
    """Cross-stream positives (CrosSCLR, CVPR 2021)."""

    mine_after: float = 0.5
    """Fraction of the training after which streams mine positives for each other (published: 150 of 300 epochs)."""
    mined: int = 1
    """Entries of the queue that a stream names as positives for another."""
    context: bool = True
    """Contrast the product of both streams' similarities too."""


@dataclass(frozen=True)
class AimclrConfig:
    """Extreme views, and positives mined with them (AimCLR, AAAI 2022)."""

    mine_after: float = 0.5
    """Fraction of the training after which nearest neighbours count as positives (published: 150 of 300 epochs)."""
    mined: int = 1
    """Nearest entries of the queue that each of the three queries names as positives."""
    drop_threshold: float = 0.7
    """Outputs whose attention reaches this are dropped (attention lies between 0.62 and 1)."""
    extreme_mirror: float = 0.5
    """The extreme view has the normal view's settings but for these, which mean what their namesakes in `views` do."""
    extreme_tilt: float = 30.0
    extreme_reverse: float = 0.5
    extreme_noise: float = 0.02
    extreme_blur: float = 0.5
    extreme_mask_axis: float = 0.5


@dataclass(frozen=True)
class SktConfig:
    """Redundancy reduction (SKT, ICME 2022; Barlow Twins, ICML 2021)."""

    off_diagonal: float = 0.05
    """Weight of the correlations between different dimensions (Barlow Twins: 0.005, for 8192 of them)."""
    consistency: float = 1.0
    """Weight of the agreement of each clip's two embeddings."""


@dataclass(frozen=True)
class BarlowConfig:
    """Barlow Twins (ICML 2021)."""

    off_diagonal: float = 0.005
    """Weight of the correlations between different dimensions."""


@dataclass(frozen=True)
class MulticropConfig:
    """MoCo with further views of each clip (SwAV, NeurIPS 2020)."""

    views: int = 2
    """Further views whose queries are contrasted with the clip's one key."""
    crop: tuple[float, float] = (0.4, 0.8)
    """Their temporal crop; they have the settings of `views` but for this."""


@dataclass(frozen=True)
class OptimizerConfig:
    """Optimizer and its schedule, in fractions of the training."""

    name: Literal["sgd", "adamw", "lars"] = "adamw"
    """lars: SGD with a rate for each layer, for batches of thousands."""
    learning_rate: float = 1e-3
    scale_rate: Literal["none", "linear", "sqrt"] = "none"
    """Multiply the rate by batch_size / 64, or by its square root."""
    momentum: float = 0.9
    """SGD and LARS."""
    trust: float = 1e-3
    """LARS only: a layer's step, as a share of its weights' size, at a rate of 1."""
    weight_decay: float = 1e-4
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    milestones: tuple[float, ...] = (351 / 451,)
    """Step schedule: fractions of the training at which the rate is multiplied by `gamma`."""
    gamma: float = 0.1
    warmup: int = 20
    """Steps over which the rate rises linearly from zero."""
    clip_norm: float = 0.0
    """Clip the gradient's norm to this; 0: never."""
    accumulate: int = 1
    """Parts that a batch is computed in, one after another, before one step is taken: less memory, the same batch."""


@dataclass(frozen=True)
class Config:
    """One training run, whole."""

    method: str = "halp"
    """One of METHODS."""
    streams: tuple[str, ...] = ("joint",)
    """What is encoded, each with its own branches: `joint`, `motion`, `bone`; several side by side in one encoder
    (`joint+motion`); with an encoder of its own (`joint:stgcn`)."""
    steps: int = 2000
    """Optimizer steps; with `epochs` > 0 they follow from it."""
    epochs: float = 0.0
    """Passes over the training clips; 0: use `steps`."""
    batch_size: int = 64
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the products inside encoders and projectors; weights, embeddings, losses and optimizer stay float32."""
    cuda_graph: bool = False
    """On a CUDA device, capture a step once as a CUDA graph and replay it from then on. Not yet run on a GPU."""
    seed: int = 0
    checkpoint_every: int = 500
    """Steps between checkpoints (one is always written at the end and on interruption)."""
    keep: int = 2
    """Checkpoints that are kept."""
    log_every: int = 10
    """Steps between rows of metrics.jsonl."""
    diagnose: bool = False
    """Log alignment, uniformity and each further term's share of the gradient too; training stays the same."""
    data: DataConfig = field(default_factory=DataConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    contrast: ContrastConfig = field(default_factory=ContrastConfig)
    halp: HalpConfig = field(default_factory=HalpConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    crosclr: CrosclrConfig = field(default_factory=CrosclrConfig)
    aimclr: AimclrConfig = field(default_factory=AimclrConfig)
    skt: SktConfig = field(default_factory=SktConfig)
    barlow: BarlowConfig = field(default_factory=BarlowConfig)
    multicrop: MulticropConfig = field(default_factory=MulticropConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, as stored with a checkpoint."""
        return dataclasses.asdict(self)
