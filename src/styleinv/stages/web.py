"""web: a local page to try a trained run on, made with Gradio (an optional extra)."""

import logging
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from styleinv.errors import UserError
from styleinv.runs import Run
from styleinv.stages.setting import Setting
from styleinv.stages.studio import LONGEST, MOST_STEPS, Studio, Wish

if TYPE_CHECKING:
    import gradio as gr

# Of an uploaded photo.
LARGEST = "10mb"
NONE = "none"
RATES = [12.5, 25.0, 30.0, 50.0, 60.0]
# Pictures of few pixels stay sharp, and the page has the fonts of the system: it asks nobody outside for any.
STYLE = "video, img {image-rendering: pixelated} footer {display: none}"
FONTS = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
TELLS = """\
# {run}

One seed is one video, whatever else is chosen; `styleinv generate {run} --seeds N` makes the same. Everything here is
synthetic and says so in the file. Do not animate people who have not agreed to it.
"""


def web(
    run: Run | Path, setting: Setting, host: str = "127.0.0.1", port: int = 7860, open_browser: bool = True
) -> Iterator[str]:
    """Serve the page until it is interrupted; yields the line that says where it is.

    Args:
        run: a trained run, or the folder of a packed one.
        setting: where other runs lie that can stand beside it.
        host: address to listen on; others than this machine's own let others in.
        port: to listen on.
        open_browser: show it where there is a screen.

    Raises:
        UserError: Gradio is not installed, or the port is in use.
    """
    gradio = _gradio()
    _require_free(host, port)
    studio = Studio(run, setting)
    with tempfile.TemporaryDirectory(prefix="styleinv-web-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        page = build_page(gradio, studio, Path(folder))
        screen = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        page.launch(
            server_name=host,
            server_port=port,
            inbrowser=open_browser and screen,
            max_file_size=LARGEST,
            theme=gradio.themes.Default(**FONTS),
            css=STYLE,
            share=False,
            ssr_mode=False,
            show_error=True,
            quiet=True,
            footer_links=[],
            prevent_thread_lock=True,
        )
        yield f"http://{host}:{port} shows {studio.model.run}; Ctrl-C ends it"
        if host not in ("127.0.0.1", "localhost", "::1"):
            yield f"{host}: whoever can reach this machine can use the page, and upload photos to it"
        page.block_thread()


def build_page(gradio: Any, studio: Studio, folder: Path) -> "gr.Blocks":
    """Lay out the page; every choice is one field of a `Wish`.

    Args:
        gradio: the module.
        studio: makes the videos.
        folder: for their files.
    """
    run, fps = studio.model.run, studio.model.fps
    with gradio.Blocks(title=f"{run} · styleinv", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gradio.Markdown(TELLS.format(run=run))
        with gradio.Row():
            with gradio.Column(scale=1):
                with gradio.Row():
                    seed = gradio.Number(0, label="seed", precision=0, minimum=0, elem_id="seed")
                    another = gradio.Button("another seed", elem_id="another")
                seconds = gradio.Slider(0.5, LONGEST, 4, step=0.5, label="seconds")
                speed = gradio.Slider(0.25, 4, 1, step=0.25, label="speed")
                rate = gradio.Dropdown(sorted({fps, *RATES}), value=fps, label="frames per second")
                psi = gradio.Slider(0, 1, 1, step=0.05, label="psi (truncation)")
                style = gradio.Dropdown([NONE, *studio.styles], value=NONE, label="also in the style of")
                beside = gradio.Dropdown([NONE, *studio.others], value=NONE, label="beside it", elem_id="beside")
                mark = gradio.Checkbox(True, label="a line in the picture says that it is synthetic")
                with gradio.Accordion("begin with a photo", open=False, visible=studio.takes_photos):
                    photo = gradio.Image(type="filepath", sources=["upload"], label="photo", elem_id="photo")
                    aligned = gradio.Checkbox(False, label="it is a square crop of the face already")
                    face = gradio.Number(None, label="which of several faces, from left to right", precision=0)
                    refine = gradio.Slider(0, MOST_STEPS, 100, step=50, label="steps of refinement")
            with gradio.Column(scale=2):
                go = gradio.Button("make the video", variant="primary", elem_id="make")
                said = gradio.Markdown(elem_id="said")
                video = gradio.Video(
                    autoplay=True, loop=True, label="video", interactive=False, buttons=["download"], elem_id="video"
                )

        def make(*chosen: Any) -> Iterator[tuple[str | None, str]]:
            try:
                for shown in studio.make(read(*chosen), folder):
                    yield str(shown.video), f"{shown.done} of {shown.total} frames: {shown.said}"
            except UserError as error:
                raise gradio.Error(str(error), duration=None, print_exception=False) from None

        inputs = [seed, seconds, rate, speed, psi, style, photo, aligned, face, refine, beside, mark]
        # One video at a time: all are made by the same networks.
        wiring = {"inputs": inputs, "outputs": [video, said], "concurrency_limit": 1, "concurrency_id": "networks"}
        go.click(make, **wiring, api_name="make")
        another.click(lambda: random.randrange(10**6), None, seed, api_name=False).then(make, **wiring, api_name=False)
    return page


def read(
    seed: float | None,
    seconds: float,
    rate: float,
    speed: float,
    psi: float,
    style: str,
    photo: str | None,
    aligned: bool,
    face: float | None,
    refine: float,
    beside: str,
    mark: bool,
) -> Wish:
    """Read what the fields of the page hold."""
    return Wish(
        seed=int(seed or 0),
        seconds=seconds,
        fps=float(rate),
        speed=speed,
        psi=psi,
        style=None if style == NONE else style,
        photo=Path(photo) if photo else None,
        aligned=aligned,
        face=int(face) if face else None,
        refine=int(refine) if photo else 0,
        beside=None if beside == NONE else beside,
        mark=mark,
    )


def _gradio() -> Any:
    """Import Gradio, which tells nobody that it runs.

    Raises:
        UserError: it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would tell of every request to the page itself
    try:
        import gradio
    except ImportError:
        raise UserError("needs Gradio", field="web", cure="Install it: `pip install gradio`.") from None
    return gradio


def _require_free(host: str, port: int) -> None:
    """Refuse a port that something listens on, and an address that is not this machine's."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{host}:{port} cannot be listened on ({why})", field="--port", cure="Give another.") from None
