"""invert, animate, edit: photos in the generator's latent space, and videos that begin with one (section 4.2)."""

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from styleinv.crop.align import Aligner
from styleinv.crop.brought import read_landmarks
from styleinv.crop.ffhq import ffhq_crop, square
from styleinv.crop.settings import Alignment
from styleinv.errors import UserError, cannot_read
from styleinv.files import atomic, write_json
from styleinv.runs import Run
from styleinv.stages.model import Inverted, Model
from styleinv.stages.pack import load_model
from styleinv.stages.setting import Setting
from styleinv.stages.showing import side_by_side, write_film
from styleinv.training.distribution import device_of

# More pixels are no photo but an attack on the memory.
MOST_PIXELS = 200_000_000


def read_photo(file: Path) -> np.ndarray:
    """Read a photo as a viewer sees it: uint8 RGB [H, W, 3].

    Raises:
        UserError: no such file, no picture, or one of too many pixels.
    """
    try:
        with Image.open(file) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                size = f"{picture.width} x {picture.height}"
                raise UserError(f"has {size} pixels, which is no photo", file=file, cure="Make it smaller.")
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError):
        raise UserError("is no picture that can be read", file=file, cure="Give a PNG or JPEG.") from None
    except OSError as error:
        raise cannot_read(file, error) from None


def aligned_photo(
    photo: Path,
    resolution: int,
    setting: Setting,
    aligned: bool = False,
    landmarks: Path | None = None,
    face: int | None = None,
    device: str = "auto",
) -> np.ndarray:
    """Cut the face out of a photo as FFHQ's crop does: uint8 RGB [resolution, resolution, 3].

    Args:
        photo: any picture that Pillow reads.
        resolution: side of the crop in pixels.
        setting: where the weights of the detectors are.
        aligned: it is the crop already, a square; it is only scaled.
        landmarks: .npz with `landmarks` [1, 68, 2], in the networks' place.
        face: which of several, from 1 on, counted from left to right.
        device: where the detectors run.

    Raises:
        UserError: no picture, no face or several, no square, or weights that are not there.
    """
    picture = read_photo(photo)
    size = picture.shape[0], picture.shape[1]
    if aligned:
        if landmarks or face is not None:
            raise UserError("is aligned already", field="--landmarks and --face", cure="Leave them out.")
        if size[0] != size[1]:
            cure = "Cut it, or leave --aligned out."
            raise UserError(f"is no square but {size[1]} x {size[0]}", file=photo, cure=cure)
        return np.asarray(Image.fromarray(picture).resize((resolution, resolution), Image.Resampling.LANCZOS))
    if landmarks:
        if face is not None:
            raise UserError("is chosen by the landmarks", field="--face", cure="Leave it out.")
        anchors = read_landmarks(landmarks, 1, size)
        return ffhq_crop(picture, square(anchors)[0], resolution)
    aligner = Aligner(Alignment(), resolution, setting.paths.weights, device_of(device))
    box = _chosen(aligner.faces(picture), face, photo)
    followed = aligner.follow(lambda: [picture], photo.stem, size, box[None])
    return ffhq_crop(picture, followed.squares[0], resolution)


def _chosen(boxes: np.ndarray, face: int | None, photo: Path) -> np.ndarray:
    """The box of the face that is meant: float64 [4]."""
    if not len(boxes):
        raise UserError("shows no face", file=photo, cure="Take another photo, or bring --landmarks.")
    boxes = boxes[np.argsort(boxes[:, 0])]
    if face is None and len(boxes) > 1:
        cure = f"Choose one by --face 1 to {len(boxes)}, counted from left to right."
        raise UserError(f"shows {len(boxes)} faces", file=photo, cure=cure)
    number = 1 if face is None else face
    if not 1 <= number <= len(boxes):
        cure = f"Choose 1 to {len(boxes)}, counted from left to right."
        raise UserError(f"there is no face {number}", file=photo, field="--face", cure=cure)
    return boxes[number - 1, :4]


def invert(
    photo: Path,
    run: Run | Path,
    setting: Setting,
    out: Path,
    aligned: bool = False,
    landmarks: Path | None = None,
    face: int | None = None,
    refine: int = 0,
) -> Iterator[str]:
    """Write `<photo>_aligned.png`, `<photo>_inverted.png` and `<photo>_inverted.json`; yields the error.

    Args:
        photo, aligned, landmarks, face: as for `aligned_photo`.
        run, setting: a trained styleinv run.
        out: the folder for the files.
        refine: steps of optimisation after the encoder.
    """
    model = load_model(run, setting)
    image, found = _inverted(model, setting, photo, aligned, landmarks, face, refine)
    yield _write_inversion(out / photo.stem, image, found, model, refine)


def animate(
    photo: Path,
    run: Run | Path,
    setting: Setting,
    out: Path,
    aligned: bool = False,
    landmarks: Path | None = None,
    face: int | None = None,
    refine: int = 0,
    seeds: list[int] | None = None,
    seconds: float | None = None,
    mark: bool = True,
) -> Iterator[str]:
    """Write what `invert` writes, and `<photo>_<seed>.mp4`: the aligned photo, its inversion, the video that begins so.

    Args:
        seeds: of the motion (0 where none are given).
        seconds: of each video; as for `Model.times`.
        mark: add a visible line that says that it is synthetic.
        photo, run, setting, out, aligned, landmarks, face, refine: as for `invert`.
    """
    model = load_model(run, setting)
    times = model.times(seconds=seconds)
    image, found = _inverted(model, setting, photo, aligned, landmarks, face, refine)
    yield _write_inversion(out / photo.stem, image, found, model, refine)
    moving = model.animate(found)
    for seed in seeds or [0]:
        still = (repeat(picture, len(times)) for picture in (image, found.image))
        film = side_by_side([*still, moving.stream(seed, times)])
        path = out / f"{photo.stem}_{seed:06d}.mp4"
        yield str(write_film(path, film, model.fps, model.note, mark))


def edit(
    run: Run | Path,
    setting: Setting,
    out: Path,
    seeds: list[int],
    component: int | None = None,
    away: Path | None = None,
    towards: Path | None = None,
    strength: float = 2.0,
    seconds: float | None = None,
    mark: bool = False,
) -> Iterator[str]:
    """Write `<seed>.mp4` per seed: the video moved against a direction of W, as it is, and moved along it.

    Args:
        run, setting: a trained styleinv run.
        out: the folder for the videos.
        seeds: of the videos.
        component: the direction is this principal component of W, in standard deviations; or
        away, towards: folders of aligned pictures, between whose mean inversions it leads.
        strength: how far.
        seconds: of each video; as for `Model.times`.
        mark: add a visible line that says that they are synthetic.

    Raises:
        UserError: no direction or two, or a folder without pictures.
    """
    if (component is None) == (away is None and towards is None) or (away is None) != (towards is None):
        cure = "Give --component, or both of --away and --towards."
        raise UserError("need one direction", field="--component, --away and --towards", cure=cure)
    model = load_model(run, setting)
    times = model.times(seconds=seconds)
    if component is not None:
        direction = model.component(component)
    else:
        folders = [_pictures(folder, model, setting) for folder in (away, towards) if folder]
        direction = model.direction(*folders)
    for seed in seeds:
        columns = [model.edit(direction, sign * strength).stream(seed, times) for sign in (-1, 0, 1)]
        film = side_by_side(columns)
        path = out / f"{seed:06d}.mp4"
        yield str(write_film(path, film, model.fps, model.note, mark))


def _pictures(folder: Path, model: Model, setting: Setting) -> list[np.ndarray]:
    """Read all pictures of a folder, aligned already."""
    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if not files:
        raise UserError("holds no pictures", file=folder, cure="Give a folder of aligned PNGs or JPEGs.")
    return [aligned_photo(file, model.resolution, setting, aligned=True) for file in files]


def _inverted(
    model: Model, setting: Setting, photo: Path, aligned: bool, landmarks: Path | None, face: int | None, refine: int
) -> tuple[np.ndarray, Inverted]:
    """The aligned photo, and what its inversion found."""
    if refine < 0:
        raise UserError("must not be negative", field="--refine", cure="Give a number of steps, such as 200.")
    image = aligned_photo(photo, model.resolution, setting, aligned, landmarks, face, setting.scale.device)
    return image, model.invert(image, refine)


def _write_inversion(stem: Path, image: np.ndarray, found: Inverted, model: Model, refine: int) -> str:
    for kind, picture in (("aligned", image), ("inverted", found.image)):
        with atomic(stem.with_name(f"{stem.name}_{kind}.png")) as temporary:
            Image.fromarray(picture).save(temporary)
    record = {"run": str(model.run), "refine": refine, "error": round(found.error, 3), "w": found.latent[0].tolist()}
    write_json(file := stem.with_name(f"{stem.name}_inverted.json"), record)
    return f"{file}: the inversion is off by {found.error:.1f} of 255 a pixel"
