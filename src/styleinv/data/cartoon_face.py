"""A cartoon face whose 68 landmarks and mask are known exactly, because the same curves draw it.

Face coordinates: x right, y down, the unit is half the face's height; chin at y = 1, top of the skull at y = -1. A face
is a shallow ellipsoid, so turning it (yaw, pitch) moves its features by their depth. Pixel coordinates name pixel
centres by integers, as OpenCV and dlib do.
"""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

Colour = tuple[int, int, int]

HAIR_STYLES = ("short", "long", "curls", "bun", "spikes", "fringe")
PATTERNS = ("plain", "stripes", "dots", "checks", "rays")

_HEAD_HEIGHT = 0.33  # half a face's height as a share of the image
_HEAD_CENTRE = (0.5, 0.53)  # a little low, as hair rises above the skull
_DEPTH = 0.55  # how far the face bulges towards the viewer
_SUBPIXEL = 4  # bits of OpenCV's fixed-point coordinates


@dataclass(frozen=True)
class Identity:
    """Everything that stays the same in one video: colours are RGB, lengths are in face units."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    shirt: Colour
    background: Colour
    pattern: str
    hair_style: str
    glasses: bool
    beard: bool
    width: float  # half the face's width
    chin: float  # how much the jaw narrows
    eye_gap: float  # face centre to eye centre
    eye_size: float  # half an eye's width
    brow: float  # thickness
    nose: float  # half the nose's width
    mouth: float  # half the mouth's width
    plain: bool = False  # large simple shapes that survive at 32 pixels


@dataclass(frozen=True)
class Pose:
    """Everything that moves. Shifts are shares of the image side, angles radians, the rest 0 to 1 unless said."""

    x: float = 0.0
    y: float = 0.0
    roll: float = 0.0
    scale: float = 1.0
    yaw: float = 0.0
    pitch: float = 0.0
    smile: float = 0.5  # -1 to 1
    mouth_open: float = 0.0
    blink: float = 0.0
    brow_raise: float = 0.0  # -1 to 1
    gaze: float = 0.0  # -1 to 1


@dataclass(frozen=True)
class _Shape:
    """A filled polygon, or with `line` > 0 a stroke of that thickness in face units; `head` shapes make up the mask."""

    points: np.ndarray
    colour: Colour
    line: float = 0.0
    head: bool = False
    closed: bool = False


def random_identity(rng: np.random.Generator, number: int) -> Identity:
    """Draw a person; `number` spreads background hues evenly, so that neighbours differ."""
    hue = (number * 0.618034 + 0.08) % 1.0
    skins = [(255, 224, 196), (250, 205, 165), (236, 180, 130), (205, 140, 92), (160, 102, 64), (120, 74, 48)]
    hairs = [(38, 26, 24), (92, 52, 24), (236, 190, 70), (206, 82, 30), (150, 150, 165)]
    hairs += [(70, 60, 190), (190, 40, 110), (30, 130, 120)]
    irises = [(60, 110, 210), (60, 150, 80), (110, 66, 30), (40, 40, 50)]
    lips = [(214, 70, 84), (190, 50, 100), (225, 100, 90)]

    def pick(options: Sequence[Any]) -> Any:
        return options[int(rng.integers(len(options)))]

    style = HAIR_STYLES[number % len(HAIR_STYLES)]
    return Identity(
        skin=pick(skins),
        hair=pick(hairs),
        iris=pick(irises),
        lips=pick(lips),
        shirt=_hsv(hue + 0.5 + rng.uniform(-0.12, 0.12), 0.75, 0.85),
        background=_hsv(hue, 0.72, 0.93),
        pattern=pick(PATTERNS),
        hair_style=style,
        glasses=bool(rng.random() < 0.25),
        beard=bool(style in ("short", "spikes") and rng.random() < 0.4),
        width=rng.uniform(0.76, 0.88),
        chin=rng.uniform(0.12, 0.34),
        eye_gap=rng.uniform(0.31, 0.37),
        eye_size=rng.uniform(0.17, 0.21),
        brow=rng.uniform(0.06, 0.11),
        nose=rng.uniform(0.09, 0.14),
        mouth=rng.uniform(0.25, 0.33),
    )


def plain(identity: Identity) -> Identity:
    """The same person as few large shapes, for pictures of some 32 pixels: dot eyes, no pattern, glasses or beard."""
    return replace(identity, plain=True, pattern="plain", glasses=False, beard=False, eye_size=identity.eye_size * 1.2)


class FacePainter:
    """Draws one identity at one image size.

    Args:
        identity: who.
        size: image side in pixels.
    """

    def __init__(self, identity: Identity, size: int):
        self.identity = identity
        self.size = size
        self._factor = max(2, -(-256 // size))  # drawn this many times larger, then averaged: smooth edges at any size
        self._background = _background(identity, size * self._factor)

    def draw(self, pose: Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One frame.

        Returns:
            image: uint8 RGB [size, size, 3].
            mask: uint8 [size, size], 0 on the head (face, ears and hair), 255 elsewhere.
            landmarks: float64 [68, 2], (x, y) in pixels, iBUG order.
        """
        face = _Face(self.identity, pose)
        image: np.ndarray = self._background.copy()
        mask: np.ndarray = np.full(image.shape[:2], 255, np.uint8)
        for shape in face.shapes():
            points = self._to_pixels(shape.points, pose, self._factor)
            line = shape.line * self._unit(pose) * self._factor
            _paint(image, points, shape.colour, line, shape.closed)
            if shape.head:
                _paint(mask, points, 0, line, shape.closed)
        smaller = (self.size, self.size)
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, smaller, interpolation=cv2.INTER_AREA)
        return image, mask, self._to_pixels(face.landmarks(), pose, 1)

    def _unit(self, pose: Pose) -> float:
        """Pixels per face unit."""
        return _HEAD_HEIGHT * self.size * pose.scale

    def _to_pixels(self, points: np.ndarray, pose: Pose, factor: int) -> np.ndarray:
        cos, sin = np.cos(pose.roll), np.sin(pose.roll)
        turned = points @ np.array([[cos, sin], [-sin, cos]])
        centre = np.array([_HEAD_CENTRE[0] + pose.x, _HEAD_CENTRE[1] + pose.y]) * self.size
        edges = turned * self._unit(pose) + centre  # measured from the image's corner
        return edges * factor - 0.5  # measured from the first pixel's centre


class _Face:
    """The curves of one identity in one pose: face coordinates after yaw and pitch, before roll, scale and shift."""

    def __init__(self, identity: Identity, pose: Pose):
        self.who, self.pose = identity, pose

    def landmarks(self) -> np.ndarray:
        jaw = self._outline(np.linspace(np.pi + 0.12, -0.12, 17))
        bridge = self._turn(np.stack([np.zeros(4), np.linspace(-0.14, 0.2, 4)], 1), np.linspace(0.02, 0.16, 4))
        thirds = np.array([0, 1, 2, 3]) / 3
        eyes = [
            self._lid(side, part, upper)
            for side in (-1, 1)
            for part, upper in ((thirds, True), (thirds[2:0:-1], False))
        ]
        sixths, quarters = np.arange(7) / 6, np.arange(5) / 4
        outer = np.concatenate([self._lip(sixths, True, True), self._lip(sixths[5:0:-1], False, True)])
        inner = np.concatenate([self._lip(quarters, True, False), self._lip(quarters[3:0:-1], False, False)])
        return np.concatenate([jaw, self._brow(-1), self._brow(1), bridge, self._nostrils(), *eyes, outer, inner])

    def shapes(self) -> list[_Shape]:
        """Back to front."""
        who = self.who
        shade = _mix(who.skin, (120, 40, 30), 0.22)
        return [
            *self._hair_behind(),
            _Shape(_rounded(-0.34, 0.34, 0.5, 1.5), shade),
            _Shape(_shoulders(), who.shirt),
            *self._ears(),
            _Shape(self._outline(np.linspace(0, 2 * np.pi, 64)), who.skin, head=True),
            *([] if who.plain else self._cheeks()),
            *self._beard(),
            *self._eyes(),
            *([] if who.plain else [_Shape(self._nostrils(), shade, 0.07)]),
            *self._mouth(shade),
            *self._hair_front(),
            *(_Shape(self._brow(side), _mix(who.hair, (30, 15, 15), 0.45), who.brow) for side in (-1, 1)),
            *self._glasses(),
        ]

    def _turn(self, points: np.ndarray, lift: float | np.ndarray = 0.0) -> np.ndarray:
        """Apply yaw and pitch to points on the face; `lift` raises them above its surface."""
        x, y = points[:, 0], points[:, 1]
        depth = _DEPTH * np.sqrt(np.clip(1 - (x / self.who.width) ** 2 - y**2, 0, None)) + lift
        return np.stack(
            [
                x * np.cos(self.pose.yaw) + depth * np.sin(self.pose.yaw),
                y * np.cos(self.pose.pitch) + depth * np.sin(self.pose.pitch),
            ],
            axis=1,
        )

    def _outline(self, angles: np.ndarray, grow: float = 1.0) -> np.ndarray:
        """The face's edge: angle 0 is the right, pi/2 the chin."""
        below = np.clip(np.sin(angles), 0, None)
        x = self.who.width * np.cos(angles) * (1 - self.who.chin * below**3)
        y = np.sin(angles) * (1 + 0.06 * self.pose.mouth_open * below**2)
        return self._turn(np.stack([x, y], 1) * grow)

    def _lid(self, side: int, along: np.ndarray, upper: bool) -> np.ndarray:
        """A lid's edge from the left corner (0) to the right one (1)."""
        size = self.who.eye_size
        openness = 1 - 0.93 * self.pose.blink
        closed = 0.35 * size  # the upper lid closes onto the lower one
        top, bottom = -1.05 * size * openness + closed * (1 - openness), 0.75 * size * (0.45 + 0.55 * openness)
        height = top if upper else bottom
        x = side * self.who.eye_gap + (2 * along - 1) * size
        return self._turn(np.stack([x, -0.06 + height * np.sin(np.pi * along) ** 0.8], 1))

    def _brow(self, side: int) -> np.ndarray:
        """Five points from left to right."""
        along = np.linspace(-1, 1, 5)
        x = side * self.who.eye_gap + along * (self.who.eye_size + 0.05)
        tilt = 0.04 * side * along * (1 - self.pose.brow_raise)
        y = -0.40 - 0.08 * self.pose.brow_raise - 0.05 * (1 - along**2) + tilt
        return self._turn(np.stack([x, y], 1), 0.03)

    def _nostrils(self) -> np.ndarray:
        """Five points from left to right."""
        along = np.linspace(-1, 1, 5)
        return self._turn(np.stack([along * self.who.nose, 0.26 + 0.04 * (1 - along**2)], 1), 0.08)

    def _lip(self, along: np.ndarray, upper: bool, outer: bool) -> np.ndarray:
        """A lip's edge from the left corner (0) to the right one (1)."""
        smile, gap = self.pose.smile, 0.36 * self.pose.mouth_open
        half = self.who.mouth * (1 + 0.18 * smile - 0.14 * self.pose.mouth_open) * (1.0 if outer else 0.86)
        arch = np.sin(np.pi * along) ** 0.8
        middle = 0.54 + 0.11 * smile * (4 * along * (1 - along) - 0.6)
        spread = -(0.3 * gap + 0.055 * outer) if upper else 0.7 * gap + 0.075 * outer
        return self._turn(np.stack([(2 * along - 1) * half, middle + spread * arch], 1), 0.02)

    def _ears(self) -> list[_Shape]:
        tone = _mix(self.who.skin, (150, 50, 40), 0.12)
        sides = [self._turn(_ellipse(side * self.who.width, 0.02, 0.11, 0.19)) for side in (-1, 1)]
        return [_Shape(side, tone, head=True) for side in sides]

    def _cheeks(self) -> list[_Shape]:
        blush = _mix(self.who.skin, (255, 80, 90), 0.28)
        return [_Shape(self._turn(_ellipse(side * 0.44, 0.3, 0.13, 0.09)), blush) for side in (-1, 1)]

    def _beard(self) -> list[_Shape]:
        if not self.who.beard:
            return []
        low = self._outline(np.linspace(np.pi - 0.15, 0.15, 30), 1.03)
        across = np.linspace(0.98, -0.98, 20)
        high = self._turn(np.stack([across * self.who.width, 0.3 + 0.12 * np.cos(3.06 * across)], 1))
        return [_Shape(np.concatenate([low, high]), self.who.hair, head=True)]

    def _eyes(self) -> list[_Shape]:
        shapes = []
        along = np.linspace(0, 1, 14)
        for side in (-1, 1):
            upper, lower = self._lid(side, along, True), self._lid(side, along, False)
            opening = np.concatenate([upper, lower[::-1]])
            if self.who.plain:
                shapes.append(_Shape(opening, (30, 24, 40)))
                continue
            shapes.append(_Shape(opening, (255, 255, 255)))
            x = side * self.who.eye_gap + 0.35 * self.who.eye_size * self.pose.gaze
            iris, pupil = (0.68, 0.0, 0.0, self.who.iris), (0.36, 0.0, 0.0, (15, 15, 25))
            glint = (0.2, -0.22, -0.26, (255, 255, 255))
            for radius, dx, dy, colour in (iris, pupil, glint):
                size = self.who.eye_size
                ball = self._turn(_ellipse(x + dx * size, -0.06 + dy * size, radius * size, radius * size))
                visible = _between(ball, upper, lower)
                if len(visible) > 2:
                    shapes.append(_Shape(visible, colour))
            shapes.append(_Shape(upper, (40, 22, 26), 0.05))
        return shapes

    def _mouth(self, shade: Colour) -> list[_Shape]:
        along = np.linspace(0, 1, 20)
        edge = {key: self._lip(along, *key) for key in ((True, True), (False, True), (True, False), (False, False))}
        outer = np.concatenate([edge[True, True], edge[False, True][::-1]])
        inner = np.concatenate([edge[True, False], edge[False, False][::-1]])
        shapes = [_Shape(outer, self.who.lips), _Shape(inner, (96, 18, 34))]
        if self.who.plain:
            return shapes
        if self.pose.mouth_open > 0.12:
            tongue = edge[False, False] * 0.5 + edge[True, False] * 0.5
            shapes.append(_Shape(np.concatenate([tongue[5:15], edge[False, False][5:15][::-1]]), (232, 96, 110)))
            teeth = edge[True, False] * 0.72 + edge[False, False] * 0.28
            shapes.append(_Shape(np.concatenate([edge[True, False][3:17], teeth[3:17][::-1]]), (255, 255, 250)))
        else:
            shapes.append(_Shape(edge[True, False], _mix(shade, (90, 10, 30), 0.6), 0.035))
        return shapes

    def _hair_behind(self) -> list[_Shape]:
        style, width = self.who.hair_style, self.who.width
        sway = np.array([-0.15 * np.sin(self.pose.yaw), 0.0])  # what lies behind moves against the turn
        dark = _mix(self.who.hair, (0, 0, 0), 0.18)
        if style in ("long", "fringe"):
            bottom = 0.86 if style == "long" else 0.42
            return [_Shape(_rounded(-width - 0.17, width + 0.17, -1.08, bottom) + sway, dark, head=True)]
        if style == "curls":
            angles = np.linspace(np.pi * 0.93, np.pi * 2.07, 13)
            ring = np.stack([(width + 0.04) * np.cos(angles), 0.92 * np.sin(angles) - 0.06], 1) + sway
            return [_Shape(_ellipse(x, y, 0.21, 0.21), dark, head=True) for x, y in ring]
        if style == "bun":
            return [_Shape(_ellipse(0, -1.1, 0.26, 0.2) + sway, dark, head=True)]
        return []

    def _hair_front(self) -> list[_Shape]:
        style, width, hair = self.who.hair_style, self.who.width, self.who.hair
        angles = np.linspace(np.pi + 0.1, 2 * np.pi - 0.1, 29)
        grow = np.full(len(angles), 1.1)
        if style == "spikes":
            grow += 0.1 * (np.arange(len(angles)) % 4 == 2)
        if style == "curls":
            grow += 0.05 * np.abs(np.sin(np.linspace(0, 7 * np.pi, len(angles))))
        top = self._turn(np.stack([width * np.cos(angles), np.sin(angles)], 1) * grow[:, None])
        across = np.linspace(1, -1, 25)
        line = {
            "short": -0.56 - 0.1 * across + 0.42 * across**4,
            "long": -0.78 + 0.5 * np.abs(across) ** 1.3 + 0.12 * across**6,
            "curls": -0.58 + 0.05 * np.cos(across * 14) + 0.4 * across**6,
            "bun": -0.72 + 0.6 * across**4,
            "spikes": -0.58 + 0.09 * np.sign(np.sin(across * 13)) + 0.35 * across**6,
            "fringe": -0.5 + 0.42 * across**8,
        }[style]
        hairline = self._turn(np.stack([across * width * 0.99, line], 1), 0.03)
        shine = _mix(hair, (255, 255, 255), 0.3)
        arc = np.linspace(np.pi * 1.22, np.pi * 1.45, 8)
        glint = self._turn(np.stack([width * np.cos(arc), np.sin(arc)], 1) * 0.93)
        hair_shape = _Shape(np.concatenate([top, hairline]), hair, head=True)
        return [hair_shape] if self.who.plain else [hair_shape, _Shape(glint, shine, 0.07)]

    def _glasses(self) -> list[_Shape]:
        if not self.who.glasses:
            return []
        rim, gap, size = (25, 25, 40), self.who.eye_gap, self.who.eye_size
        rings = [self._turn(_ellipse(side * gap, -0.05, size + 0.09, size + 0.08), 0.08) for side in (-1, 1)]
        bar = self._turn(np.array([[-gap + size + 0.09, -0.07], [gap - size - 0.09, -0.07]]), 0.1)
        return [*(_Shape(ring, rim, 0.045, closed=True) for ring in rings), _Shape(bar, rim, 0.045)]


def _paint(canvas: np.ndarray, points: np.ndarray, colour: Colour | int, line: float, closed: bool) -> None:
    fixed = [np.round(points * (1 << _SUBPIXEL)).astype(np.int32)]
    ink = colour if isinstance(colour, tuple) else (colour,)
    if line:
        cv2.polylines(canvas, fixed, closed, ink, max(1, round(line)), cv2.LINE_AA, _SUBPIXEL)
    else:
        cv2.fillPoly(canvas, fixed, ink, cv2.LINE_AA, _SUBPIXEL)


def _background(who: Identity, size: int) -> np.ndarray:
    """Two shades of one hue, darker towards the bottom."""
    y, x = np.mgrid[0:size, 0:size] / size
    weight = {
        "plain": np.zeros((size, size)),
        "stripes": np.sin((x + y) * 22) > 0.2,
        "dots": (np.mod(x * 5, 1) - 0.5) ** 2 + (np.mod(y * 5 + 0.5 * np.floor(x * 5), 1) - 0.5) ** 2 < 0.07,
        "checks": (np.floor(x * 6) + np.floor(y * 6)) % 2 == 0,
        "rays": np.sin(np.arctan2(y - 0.5, x - 0.5) * 10) > 0,
    }[who.pattern][..., None] * 0.35
    base, light = np.array(who.background, float), np.array(_mix(who.background, (255, 255, 255), 0.75), float)
    return np.round((base * (1 - weight) + light * weight) * (1 - 0.22 * y[..., None])).astype(np.uint8)


def _shoulders() -> np.ndarray:
    angles = np.linspace(np.pi, 2 * np.pi, 30)
    arch = np.stack([1.25 * np.cos(angles), 1.75 + 0.72 * np.sin(angles)], 1)
    return np.concatenate([arch, [[1.25, 3.0], [-1.25, 3.0]]])


def _ellipse(x: float, y: float, width: float, height: float) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack([x + width * np.cos(angles), y + height * np.sin(angles)], 1)


def _rounded(left: float, right: float, top: float, bottom: float) -> np.ndarray:
    """A rectangle with very round corners."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    rounded = np.sign(circle) * np.abs(circle) ** 0.55
    return np.array([left + right, top + bottom]) / 2 + rounded * np.array([right - left, bottom - top]) / 2


def _between(points: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Clip a small convex outline to the space between two curves that run from left to right."""
    x = np.clip(points[:, 0], upper[0, 0], upper[-1, 0])
    top, bottom = np.interp(x, upper[:, 0], upper[:, 1]), np.interp(x, lower[:, 0], lower[:, 1])
    return np.stack([x, np.clip(points[:, 1], np.minimum(top, bottom), np.maximum(top, bottom))], 1)


def _mix(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = (round(255 * channel) for channel in colorsys.hsv_to_rgb(hue % 1.0, saturation, value))
    return red, green, blue
