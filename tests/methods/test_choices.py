"""Settings that name one of a few things are refused with one line that lists them."""

from pathlib import Path

import pytest

from styleinv import methods
from styleinv.config import load_method
from styleinv.errors import UserError
from styleinv.runs import parse_run
from tests.project import make_project


@pytest.mark.parametrize(
    "method, setting, known",
    [
        ("stylegan2", "networks: {half_dtype: float8}", "'float16' or 'bfloat16'"),
        ("styleinv", "discriminator: {half_dtype: float8}", "'float16' or 'bfloat16'"),
        ("stylegan_v", "generator: {half_dtype: float8}", "'float16' or 'bfloat16'"),
        ("stylegan_v", "discriminator: {half_dtype: float8}", "'float16' or 'bfloat16'"),
        ("digan", "discriminator: {half_dtype: float8}", "'float16' or 'bfloat16'"),
        ("mocogan_hd", "sparse: {discriminator: {half_dtype: float8}}", "'float16' or 'bfloat16'"),
        ("long_video_gan", "generator: {half_dtype: float8}", "'float16' or 'bfloat16'"),
        ("long_video_gan", "discriminator: {half_dtype: float8}", "'float16' or 'bfloat16'"),
        ("styleinv", "ada: {pipe: nope}", "'bgc'"),
        ("styleinv", "first_frame: hidden", "'replace', 'append', 'remove' or 'generated'"),
        ("digan", "diffaugment: 'color,blur'", "color, translation, cutout"),
        ("long_video_gan_lr", "diffaugment: blur", "color, translation, cutout"),
    ],
)
def test_one_line_lists_what_is_known(tmp_path: Path, method: str, setting: str, known: str) -> None:
    folder = make_project(tmp_path, f"methods: {{{method}: {{{setting}}}}}\n")
    with pytest.raises(UserError) as error:
        load_method(parse_run(f"talking_faces/{method}"), folder / "config/tiny.yaml", methods.get(method).Config)
    line = str(error.value)
    assert "\n" not in line and known in line and setting.partition(":")[0] in line
