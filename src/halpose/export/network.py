"""What is exported: positions in, embedding out, and all that lies between as operations on tensors of any size.

`halpose.inference.embed` does the same through a store and its window. Here neither the number of clips nor their
length decides which operations are done, so that a graph can hold them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from halpose.config import DataConfig
from halpose.data.confidence import CERTAIN
from halpose.engine.run import Run
from halpose.export.cleaning import cleaned
from halpose.export.normalisation import Normalisation, frames_of
from halpose.methods.base import Method
from halpose.skeleton import Layout

_SHARE = 0.95  # of the frames, from the middle: as `halpose.data.views` sees a clip


class Network(nn.Module):
    """A run's normalisation, its view of evaluation, and its encoders.

    Args:
        method: whose query encoders are used, in eval mode.
        layout: joints of the input.
        data: resolved normalisation and number of frames.
        streams: names of the streams whose features stand side by side.
    """

    def __init__(self, method: Method, layout: Layout, data: DataConfig, streams: Sequence[str]) -> None:
        super().__init__()
        table = method.stream_table()
        self.names = tuple(streams)
        self.encoders = nn.ModuleList(table[name].query.encoder for name in self.names)
        self.modalities = tuple(table[name].modalities for name in self.names)
        self.form = method.form  # a bound method: the queues and key branches behind it are not exported
        self.normalisation = Normalisation(layout, data)
        self.confidence, self.frames = data.confidence, data.frames
        self.eval()

    @classmethod
    def of(cls, run: Run, streams: Sequence[str] = ()) -> Network:
        """The network of a run, of some of its streams or all."""
        return cls(run.method, run.shape.layout, run.config.data, streams or tuple(run.method.stream_table()))

    def forward(
        self, positions: Float[Tensor, "b m t v c"], confidence: Float[Tensor, "b m t v"] | None = None
    ) -> Float[Tensor, "b d"]:
        """Embeddings of clips.

        Args:
            positions: main actor first, NaN where a joint or person is missing. Frames before the first and after the
                last that shows somebody do not count: clips of unequal length are padded with NaN.
            confidence: how sure the source was of each joint, in 0..1; read by runs with `data.confidence=channel`.

        Returns:
            What `halpose.inference` gives for the same clips; NaN for one that never shows anybody.
        """
        x, shown = self.view(positions, confidence)
        features = [
            encoder(self.form(x, *modalities))
            for encoder, modalities in zip(self.encoders, self.modalities, strict=True)
        ]
        found = torch.cat(features, dim=1) if len(features) > 1 else features[0]
        return torch.where(shown[:, None], found, torch.nan)

    def view(
        self, positions: Float[Tensor, "b m t v c"], confidence: Float[Tensor, "b m t v"] | None = None
    ) -> tuple[Float[Tensor, "b m f v k"], Bool[Tensor, " b"]]:
        """What the encoders see of clips: cleaned, normalised, resized, zero where something is missing.

        Returns:
            The views, with the confidence behind the coordinates where the run reads it; and which clips show anybody.
        """
        clips, seen, start, length = cleaned(positions)
        before, after, share = _taps(start, length, self.frames)
        x = self.normalisation(clips, start, before, after, share)
        missing = x.isnan()
        x = torch.where(missing, 0.0, x)
        if self.confidence == "none":
            return x, length > 0
        if self.confidence == "channel":
            assert confidence is not None, "this run reads the confidence of joints"
            sure = torch.where(seen, _as_stored(confidence), 0.0)
        else:
            sure = seen.to(x.dtype)
        low, high = (frames_of(sure, chosen).transpose(1, 2) for chosen in (before, after))
        share = share[:, None, :, None]
        sure = (1 - share) * low + share * high
        if self.confidence == "mask":
            sure = (sure >= 0.5).to(x.dtype)
        sure = torch.where(missing[..., 0], 0.0, sure)
        return torch.cat([x, sure[..., None]], dim=-1), length > 0


def _as_stored(confidence: Float[Tensor, "b m t v"]) -> Float[Tensor, "b m t v"]:
    """As `halpose.data.confidence` keeps it, in bytes: only what is exactly 0 is 0, and NaN."""
    steps = (confidence.clamp(0, 1) * CERTAIN).round().clamp_min(1) / CERTAIN
    return torch.where(confidence > 0, steps, 0.0)


def _taps(
    start: Int[Tensor, " b"], length: Int[Tensor, " b"], frames: int
) -> tuple[Int[Tensor, "b f"], Int[Tensor, "b f"], Float[Tensor, "b f"]]:
    """The two frames that each frame of the view of evaluation lies between, and how far from the first.

    Operation by operation as `evaluation_view` and `Window.sample`: rounding decides which frame is cut.
    """
    cut = (length * (1 - _SHARE) / 2).floor().long()
    kept = (length - 2 * cut).clamp_min(1)[:, None]
    position = (torch.arange(frames, device=start.device) + 0.5) * (kept / frames) - 0.5
    position = position.clamp_min(0.0).minimum((kept - 1).to(position.dtype))
    below = position.long()
    offset = (start + cut)[:, None]
    return below + offset, torch.minimum(below + 1, kept - 1) + offset, position - below
