"""What the demo says of its table follows from the numbers."""

from pathlib import Path

import pytest

from styleinv.errors import UserError
from styleinv.paths import Paths
from styleinv.stages.closing import meaning
from styleinv.stages.setting import Setting
from tests.project import ROOT

HEAD = "dataset,method,fvd16,fvd16_low,fvd16_high,stand_in,unlike_paper"


def said(folder: Path, *rows: str) -> list[str]:
    setting = Setting(ROOT / "config/demo.yaml", Paths(folder))
    setting.paths.table("table1").parent.mkdir(exist_ok=True)
    setting.paths.table("table1").write_text("\n".join([HEAD, *rows]) + "\n")
    return meaning("table1", setting)


def test_the_first_of_a_table_and_how_sure_that_is(tmp_path: Path) -> None:
    rows = ["talking_faces,stylegan_v,5.55,5,6,true,", "talking_faces,styleinv,3.21,3,4,true,"]
    first, second = said(tmp_path, *rows)
    assert "StyleInV (3.2) are closest to real ones by FVD16, before StyleGAN-V (5.5)" in first
    assert first.endswith("intervals are apart.") and second.startswith("These are a stand-in's scores")
    first, _ = said(tmp_path, *rows, "talking_faces,digan,3.1,2.9,3.6,true,")
    assert "DIGAN (3.1)" in first and "before StyleInV (3.2)" in first and "may be chance" in first


def test_official_scores_say_whether_they_stand_beside_the_printed_ones(tmp_path: Path) -> None:
    _, worth = said(tmp_path, "sky,styleinv,77.04,,,false,")
    assert "by the paper's rules" in worth
    first, worth = said(tmp_path, "sky,styleinv,77.04,,,false,n fake 6 instead of 2048")
    assert "77.040" in first and "nothing to compare" in first and "by other rules" in worth


def test_a_missing_or_broken_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tables/table1.csv: does not exist. Run `snakemake table1`"):
        meaning("table1", Setting(ROOT / "config/demo.yaml", Paths(tmp_path)))
    with pytest.raises(UserError, match="is no table of scores"):
        said(tmp_path, "sky,styleinv,much,,,false,")
