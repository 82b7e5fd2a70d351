"""AS-CAL: momentum contrast with an LSTM, over a long list of augmentations.

Its loss is InfoNCE with a queue; what is its own are the momentum LSTM, whose outputs are averaged
over time into the "contrastive action encoding" (`encoder.name = lstm`, `pooling = mean`), and the augmentations:
rotation, shear, reversal, Gaussian noise and blur, joint and channel masks (`views` in the recipe). The paper finds
that few of them at a time do best and leaves open with what probability each is drawn when composed; the recipe draws
each with one half.

Reference: Rao et al., Augmented Skeleton Based Contrastive Action Learning with Momentum LSTM for Unsupervised Action
Recognition, Information Sciences 569, 2021.
"""

from __future__ import annotations

from halpose.config import Config
from halpose.methods.base import Term
from halpose.methods.moco import InfoNCE


def ascal(config: Config) -> list[Term]:
    """The one term of AS-CAL."""
    return [InfoNCE(config)]
