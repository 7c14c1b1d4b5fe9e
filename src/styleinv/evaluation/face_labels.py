"""Who is seen and in which pose, read from small pictures by a linear reader that was fitted on exact labels.

It is no network of anybody's: it knows one data set, and says how well it reads videos of it that it was not fitted on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from styleinv.evaluation.stores import VideoStore, read_clip

# What is read besides the person, and its sign in a mirrored picture: trainings mirror half of their videos.
POSE = {"yaw": -1, "pitch": 1, "roll": -1, "mouth_open": 1}
# A label is used where the reader explains at least this share of its variance in videos it was not fitted on.
LEAST_R2 = 0.5
# Side of the pictures that it sees, every how many frames it is fitted on, and parts of the cross-validation.
SIDE, EVERY, FOLDS = 16, 4, 4
# Frames in which the spread of a label is taken, so that videos of any length compare.
WINDOW = 128
# A person counts as seen in a video from this share of its frames on: single frames are misread.
SEEN = 0.05


@dataclass(frozen=True)
class FaceReader:
    """Reads persons and poses in frames of one data set.

    Attributes:
        accuracy: share of frames of held-out videos whose person is right; None where each person has one video.
        r2: label -> share of its variance in held-out videos that is explained, 1 at best.
        videos, frames, persons: that it was fitted on, without the mirrored copies.
    """

    accuracy: float | None
    r2: dict[str, float]
    videos: int
    frames: int
    persons: int
    who: BaseEstimator
    poses: dict[str, BaseEstimator]

    @property
    def usable(self) -> list[str]:
        """Labels that are read well enough."""
        return [name for name, share in self.r2.items() if share >= LEAST_R2]

    def person(self, video: torch.Tensor) -> np.ndarray:
        """Read the person in each frame: str [T], of uint8 [T, 3, H, W]."""
        return self.who.predict(_pictures(video))

    def pose(self, video: torch.Tensor, name: str) -> np.ndarray:
        """Read a label in each frame: float64 [T], of uint8 [T, 3, H, W]."""
        return self.poses[name].predict(_pictures(video))

    def measure(self, video: torch.Tensor) -> dict[str, float]:
        """Say what a video does with its face, uint8 [T, 3, H, W]; NaN where something is not defined.

        Returns:
            same_person: share of frames that show the person of the first one.
            persons: how many are seen.
            <label>_spread: its standard deviation over time, the mean over windows of 128 frames.
            <label>_first, <label>_last: that of the first and the last 128 frames; NaN for videos shorter than both.
        """
        seen, counts = np.unique(person := self.person(video), return_counts=True)
        row = {"same_person": float((person == person[0]).mean())}
        row["persons"] = float((counts >= SEEN * len(person)).sum())
        for name in self.usable:
            values = self.pose(video, name)
            row[f"{name}_spread"] = float(np.mean([part.std() for part in _windows(values)]))
            long = len(values) >= 2 * WINDOW
            row[f"{name}_first"] = float(values[:WINDOW].std()) if long else math.nan
            row[f"{name}_last"] = float(values[-WINDOW:].std()) if long else math.nan
        return row


def fit_reader(store: VideoStore, labels: Mapping[str, Mapping[str, np.ndarray]]) -> FaceReader:
    """Fit a reader on every fourth frame of a store and their mirror images.

    Args:
        store: real videos.
        labels: name of a video -> `person` and the labels of `POSE`, one value for each of its frames.
    """
    clips = [_two_sides(store, video) for video in range(len(store.lengths))]
    pictures = np.concatenate([*(seen for seen, _ in clips), *(mirrored for _, mirrored in clips)])
    folds = [np.full(len(seen), fold) for (seen, _), fold in zip(clips, _folds(store, labels), strict=True)]
    split = PredefinedSplit(np.tile(np.concatenate(folds), 2))

    def told(name: str) -> np.ndarray:
        return np.concatenate([labels[video][name][::EVERY] for video in store.names])

    def foretold(model: BaseEstimator, values: np.ndarray) -> np.ndarray | None:
        """What is read in videos that were held out; None where there is but one part."""
        return cross_val_predict(model, pictures, values, cv=split) if split.get_n_splits() > 1 else None

    persons = np.tile(told("person"), 2)
    who = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    read = foretold(who, persons)
    r2, poses = {}, {}
    for name, sign in POSE.items():
        values = np.concatenate([told(name), sign * told(name)])
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 4, 5)))
        guess = foretold(model, values)
        r2[name] = 0.0 if guess is None else float(r2_score(values, guess))
        poses[name] = model.fit(pictures, values)
    return FaceReader(
        None if read is None else float((read == persons).mean()),
        r2,
        len(clips),
        len(pictures) // 2,
        len(set(persons)),
        who.fit(pictures, persons),
        poses,
    )


def _two_sides(store: VideoStore, video: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of a video's frames, and of their mirror images."""
    clip = read_clip(store, video, list(range(0, int(store.lengths[video]), EVERY)))
    return _pictures(clip), _pictures(clip.flip(3))


def _folds(store: VideoStore, labels: Mapping[str, Mapping[str, np.ndarray]]) -> list[int]:
    """Share whole videos out, those of each first person in turn, so that every part has videos of all persons."""
    before: dict[str, int] = {}
    folds = []
    for video in store.names:
        person = str(labels[video]["person"][0])
        folds.append(before.get(person, 0) % FOLDS)
        before[person] = before.get(person, 0) + 1
    return folds


def _pictures(video: torch.Tensor) -> np.ndarray:
    """Small pictures in a row of numbers 0..1: float64 [T, 3 * SIDE^2]."""
    small = torch.nn.functional.adaptive_avg_pool2d(video.double() / 255, SIDE)
    return small.flatten(1).numpy()


def _windows(values: np.ndarray) -> Sequence[np.ndarray]:
    """Cut into windows; a rest stays away unless there is nothing else."""
    whole = len(values) // WINDOW
    return np.split(values[: whole * WINDOW], whole) if whole else [values]
