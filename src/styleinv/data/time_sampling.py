"""Which frames of a clip the sparse training sees (section 3.4 and supplement F)."""

import random
from dataclasses import dataclass
from typing import Literal

import numpy as np

from styleinv.rng import to_python


@dataclass(frozen=True)
class TimeSampling:
    """Draw k times whose span is uniform over the allowed spans, optionally preceded by frame 0.

    Attributes:
        num_sample: k, times drawn inside the clip.
        add_0: prepend frame 0, the initial frame.
        max_num_frames: T.
        max_dist: longest span + 1 (`uniform`) or longest span (`powers_of_two`).
        fractional: a real-valued offset; used for generated clips only.
        spans: `uniform` over {k-1 .. m-1} as the released training effectively drew, or `powers_of_two`.
    """

    num_sample: int = 3
    add_0: bool = True
    max_num_frames: int = 128
    max_dist: int = 32
    fractional: bool = False
    spans: Literal["uniform", "powers_of_two"] = "uniform"

    @property
    def num_frames(self) -> int:
        """Times per clip, frame 0 included."""
        return self.num_sample + self.add_0

    def allowed_spans(self, length: int) -> list[int]:
        """Spans (last time - first drawn time) for a clip of `length` frames.

        Raises:
            ValueError: if the clip is too short for any.
        """
        longest = min(length - 1, self.max_dist)
        if self.spans == "uniform":
            allowed = list(range(self.num_sample - 1, longest))
        else:
            allowed = [2**i for i in range(12) if self.num_sample - 1 <= 2**i <= longest]
        if not allowed:
            raise ValueError(f"a clip of {length} frames is too short for {self.num_sample} sampled times")
        return allowed

    def __call__(self, rng: np.random.Generator, length: int) -> np.ndarray:
        """One draw for a window of `length` frames, as `data.sampling.Clips` asks for it."""
        return self.draw(to_python(rng), length)

    def draw(self, rng: random.Random, length: int | None = None) -> np.ndarray:
        """One draw: ascending float32 [num_frames] in frames, within [0, length - 1]."""
        length = min(self.max_num_frames, length or self.max_num_frames)
        span = rng.choice(self.allowed_spans(length))
        offset = rng.random() * (length - span - 1) if self.fractional else rng.randint(0, length - span - 1)
        middle = rng.sample(range(1, span), k=self.num_sample - 2) if self.num_sample > 2 else []
        times = sorted(offset + step for step in (0, *middle, span))
        return np.array([0, *times] if self.add_0 else times, dtype=np.float32)
