"""Follow faces from frame to frame, so that a video with several of them shows one person from beginning to end."""

from array import array

import numpy as np

_NEAR = 0.5  # centres that are farther apart, in sides of the box, are other faces
_ALIKE = 2.5  # sides that differ by a larger factor are other faces


class Track:
    """One face over time.

    Attributes:
        weight: area of its boxes summed over its frames: a large face that stays has most.
    """

    def __init__(self) -> None:
        self.weight = 0.0
        self._frames, self._boxes = array("q"), array("d")

    def add(self, frame: int, box: np.ndarray) -> None:
        """Add the face's box [4] in a later frame."""
        self._frames.append(frame)
        self._boxes.extend(float(edge) for edge in box)
        self.weight += float((box[2] - box[0]) * (box[3] - box[1]))

    @property
    def frames(self) -> np.ndarray:
        """Numbers of the frames with this face, int64 [n], ascending."""
        return np.array(self._frames, np.int64)

    @property
    def boxes(self) -> np.ndarray:
        """The boxes, float64 [n, 4]."""
        return np.array(self._boxes, np.float64).reshape(-1, 4)

    @property
    def last_frame(self) -> int:
        """Number of the last frame with this face."""
        return self._frames[-1]

    @property
    def last_box(self) -> np.ndarray:
        """The box in the last frame, float64 [4]."""
        return np.array(self._boxes[-4:], np.float64)


class Tracker:
    """Sorts the boxes of a video, frame by frame, into tracks.

    A box continues the track whose last box it overlaps most and is nearest to, however long ago that was: a face that
    comes back where it was lost is taken for the same one. Nothing here knows persons, so two who swap places within
    one frame are not told apart.
    """

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._last = np.zeros((0, 4))  # last box of each track

    def add(self, frame: int, boxes: np.ndarray) -> None:
        """Add the boxes [faces, 4 or more columns] of the next frame."""
        likeness = _likeness(self._last, boxes[:, :4])
        order = np.argsort(-likeness, axis=None, kind="stable")
        taken: set[int] = set()
        continued: set[int] = set()
        for t, b in zip(*np.unravel_index(order, likeness.shape), strict=True):
            if np.isneginf(likeness[t, b]):
                break
            if t not in continued and b not in taken:
                continued.add(int(t))
                taken.add(int(b))
                self.tracks[t].add(frame, boxes[b, :4])
                self._last[t] = boxes[b, :4]
        for b in range(len(boxes)):
            if b not in taken:
                self.tracks.append(Track())
                self.tracks[-1].add(frame, boxes[b, :4])
                self._last = np.concatenate([self._last, boxes[b : b + 1, :4]])

    @property
    def leader(self) -> Track | None:
        """The track of largest weight so far, the earliest of equal ones."""
        return max(self.tracks, key=lambda track: track.weight, default=None)


def _likeness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Overlap (intersection over union) less distance in sides of all pairs of [n, 4] and [m, 4]: [n, m].

    Minus infinity where they cannot be the same face.
    """
    a, b = a[:, None], b[None]
    size_a, size_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    side_a, side_b = size_a.mean(-1), size_b.mean(-1)
    larger, smaller = np.maximum(side_a, side_b), np.minimum(side_a, side_b)
    distance = np.linalg.norm(a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:], axis=-1) / 2 / larger
    shared = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = np.clip(shared, 0, None).prod(-1)
    overlap = common / (size_a.prod(-1) + size_b.prod(-1) - common)
    return np.where((distance > _NEAR) | (larger > _ALIKE * smaller), -np.inf, overlap - distance)
