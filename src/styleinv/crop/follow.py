"""The first pass over a video: one face, as four points in every frame where it is seen. Only numbers are kept."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from styleinv.crop import ffhq
from styleinv.crop.faces import FaceDetector, HeatmapNetwork
from styleinv.crop.landmarks import find_landmarks
from styleinv.crop.raw import BadVideo, by
from styleinv.crop.settings import Alignment
from styleinv.crop.track import Track, Tracker

CHUNK = 8  # frames that are in memory together


@dataclass(frozen=True)
class Followed:
    """What the first pass knows of a video.

    Attributes:
        frames: how many it has.
        size: their height and width in pixels.
        anchors: float64 [T, 4, 2] from `ffhq.anchors`, nan where the face is not seen.
        faces: how many faces were followed; the one of most area over time is meant above.
        crowded: frames with more than one face.
    """

    frames: int
    size: tuple[int, int]
    anchors: np.ndarray
    faces: int
    crowded: int

    @property
    def squares(self) -> np.ndarray:
        """float64 [T, 4], nan where the face is not seen."""
        return ffhq.square(self.anchors)

    @property
    def detected(self) -> int:
        """Number of frames where the face is seen."""
        return int(np.isfinite(self.anchors).all((1, 2)).sum())


def follow_landmarks(frames: Callable[[], Iterable[np.ndarray]], anchors: np.ndarray) -> Followed:
    """Take the face where it was brought for: the video is read once for its size and number of frames.

    Args:
        frames: starts reading the video.
        anchors: float64 [T, 4, 2] from `brought.read_landmarks`.

    Raises:
        BadVideo: frames of several sizes, or another number of them.
    """
    count, size = 0, (0, 0)
    for numbers, chunk in numbered_chunks(frames()):
        count, size = numbers.stop, (chunk[0].shape[0], chunk[0].shape[1])
    return _followed(count, size, anchors)


def follow_boxes(
    frames: Callable[[], Iterable[np.ndarray]],
    boxes: np.ndarray,
    network: HeatmapNetwork,
    settings: Alignment,
    video: str,
) -> Followed:
    """Measure the face in boxes that were brought.

    Args:
        frames, network, settings, video: as for `follow`.
        boxes: float64 [T, 4] from `brought.read_boxes`; whose face is in them is not asked.

    Raises:
        BadVideo: frames of several sizes, or another number of them.
    """
    anchors = np.full((len(boxes), 4, 2), np.nan)
    count, size = 0, (0, 0)
    for numbers, chunk in numbered_chunks(frames()):
        count, size = numbers.stop, (chunk[0].shape[0], chunk[0].shape[1])
        seen = [n for n in numbers if n < len(boxes) and not np.isnan(boxes[n]).any()]
        if seen:
            images = [chunk[n - numbers.start] for n in seen]
            anchors[seen] = ffhq.anchors(find_landmarks(network, images, seen, boxes[seen], settings, video))
    return _followed(count, size, anchors)


def _followed(count: int, size: tuple[int, int], anchors: np.ndarray) -> Followed:
    if count != len(anchors):
        raise BadVideo(f"has {count} frames, but landmarks or boxes were brought for {len(anchors)}")
    return Followed(count, size, anchors, faces=1, crowded=0)


def follow(
    frames: Callable[[], Iterable[np.ndarray]],
    detector: FaceDetector,
    network: HeatmapNetwork,
    settings: Alignment,
    video: str,
) -> Followed:
    """Detect, track and measure the main face of a video.

    The landmarks of a frame are measured while it is in memory, for the face that leads by then. Should another one
    win in the end, the video is read once more for it.

    Args:
        frames: starts reading the video; uint8 RGB [H, W, 3].
        detector: finds faces.
        network: heat-maps of windows.
        settings: how landmarks are measured.
        video: its name.

    Raises:
        BadVideo: frames of several sizes. What reading the video raises passes through.
    """
    tracker = Tracker()
    measured: dict[int, tuple[array, array]] = {}  # by track: frame numbers, anchors
    count, crowded, size = 0, 0, (0, 0)

    def measure(wanted: list[tuple[int, int, np.ndarray, np.ndarray]]) -> None:
        """Measure the anchors of some (track, frame number, frame, box) of one chunk."""
        if not wanted:
            return
        tracks, numbers, images, boxes = zip(*wanted, strict=True)
        landmarks = find_landmarks(network, images, numbers, np.stack(boxes), settings, video)
        for track, number, points in zip(tracks, numbers, ffhq.anchors(landmarks), strict=True):
            known = measured.setdefault(track, (array("q"), array("d")))
            known[0].append(number)
            known[1].extend(points.flatten())

    # Detect and track, and measure the leader of the moment while its frames are in memory.
    for numbers, chunk in numbered_chunks(frames()):
        wanted = []
        for number, image, found in zip(numbers, chunk, detector.detect(chunk, numbers), strict=True):
            tracker.add(number, found)
            crowded += len(found) > 1
            leader = tracker.leader
            if leader is not None and leader.last_frame == number:
                wanted.append((tracker.tracks.index(leader), number, image, leader.last_box))
        measure(wanted)
        count, size = numbers.stop, (chunk[0].shape[0], chunk[0].shape[1])

    # Keep the final leader alone, and measure what is missing of it.
    anchors = np.full((count, 4, 2), np.nan)
    if tracker.leader is not None:
        chosen = tracker.tracks.index(tracker.leader)
        _measure_missing(frames, tracker.leader, chosen, measured, measure)
        where, points = measured[chosen]
        anchors[np.array(where)] = np.array(points).reshape(-1, 4, 2)
    return Followed(count, size, anchors, len(tracker.tracks), crowded)


def _measure_missing(
    frames: Callable[[], Iterable[np.ndarray]],
    track: Track,
    index: int,
    measured: dict[int, tuple[array, array]],
    measure: Callable[[list[tuple[int, int, np.ndarray, np.ndarray]]], None],
) -> None:
    """Read the video again for the frames where the final leader did not lead yet."""
    known = set(measured[index][0]) if index in measured else set()
    missing = {int(f): box for f, box in zip(track.frames, track.boxes, strict=True) if int(f) not in known}
    for numbers, chunk in numbered_chunks(frames()) if missing else ():
        measure([(index, n, image, missing[n]) for n, image in zip(numbers, chunk, strict=True) if n in missing])
        if numbers.stop > max(missing):
            return


def numbered_chunks(frames: Iterable[np.ndarray]) -> Iterator[tuple[range, list[np.ndarray]]]:
    """Group the frames of one video into lists, each with the numbers of its frames.

    Raises:
        BadVideo: frames of several sizes.
    """
    count, size = 0, None
    for chunk in chunks(frames):
        if size not in (None, chunk[0].shape):
            raise BadVideo(f"changes its size from {by(size)} to {by(chunk[0].shape)}", cure="Convert it first.")
        size = chunk[0].shape
        yield range(count, count + len(chunk)), chunk
        count += len(chunk)


def chunks(frames: Iterable[np.ndarray], length: int = CHUNK) -> Iterator[list[np.ndarray]]:
    """Group frames into lists of up to `length`, all frames of a list of one size."""
    chunk: list[np.ndarray] = []
    for frame in frames:
        if chunk and (len(chunk) == length or frame.shape != chunk[0].shape):
            yield chunk
            chunk = []
        chunk.append(frame)
    if chunk:
        yield chunk
