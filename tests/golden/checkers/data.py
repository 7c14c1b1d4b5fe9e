"""Order of data, grouping into videos, and the mask crop."""

import itertools
from typing import Any

import numpy as np

from styleinv.crop import mask as mask_crop
from tests.golden.case import Case
from tests.golden.oracles import order_of_data
from tests.golden.oracles.order_of_data import StyleInVOrder, TimeRules


def index(case: Case) -> dict[str, np.ndarray]:
    got = {}
    for number, run in enumerate(case.manifest["config"]["runs"]):
        chosen, flipped = order_of_data.image_index(run["n"], run["max_size"], run["xflip"], run["random_seed"])
        got[f"{number:02d}/raw_idx"], got[f"{number:02d}/xflip"] = chosen, flipped
    return got


def sampler(case: Case) -> dict[str, np.ndarray]:
    got = {}
    for number, run in enumerate(case.manifest["config"]["runs"]):
        stream = order_of_data.endless_order(
            run["n"], run["rank"], run["num_replicas"], run["shuffle"], run["seed"], run["window_size"]
        )
        got[f"{number:02d}/idx"] = np.array(list(itertools.islice(stream, run["count"])), np.int64)
    return got


def video_grouping(case: Case) -> dict[str, np.ndarray]:
    groups = order_of_data.group_by_folder(sorted(case.manifest["files"]))
    assert groups == case.manifest["groups"], f"grouped into {groups}"
    if "group_sizes" in case.arrays:
        assert [len(group) for group in groups] == case.arrays["group_sizes"].tolist()
    return {}


def crop(case: Case) -> dict[str, np.ndarray]:
    got = {}
    for number, run in enumerate(case.manifest["config"]):
        boxes, regions, frames, kept, error = [], [], [], [], ""
        video, masks = case.inputs[f"{number}/video"], case.inputs[f"{number}/mask"]
        try:
            wide = union([mask_crop.tight_box(frame) for frame in masks]) if run["wide_crop"] else None
            for place, (frame, marked) in enumerate(zip(video, masks, strict=False)):
                box = wide or mask_crop.tight_box(marked)
                boxes.append(box)
                regions.append(mask_crop.faithful_region(frame, mask_crop.square(box)).shape[:2])
                image = mask_crop.faithful_crop(frame, box, run["img_size"])
                if image is not None:
                    frames.append(image.transpose(2, 0, 1))
                    kept.append(place)
        except mask_crop.NoFace:
            error, frames, kept = "IndexError", [], []  # a video with one such frame is left out as a whole
        assert error == run["error"], f"video {number}: {error or 'no error'}, expected {run['error'] or 'none'}"
        assert kept == run["kept_frames"], f"video {number}: kept {kept}, expected {run['kept_frames']}"
        got[f"{number}/tight_box_l_r_t_b"] = np.array(boxes, np.int64).reshape(-1, 4)
        got[f"{number}/crop_h_w"] = np.array(regions, np.int64).reshape(-1, 2)
        if frames:
            got[f"{number}/frames"] = np.stack(frames)
    return got


def union(boxes: list[mask_crop.Box]) -> mask_crop.Box:
    """The smallest box around all (the official "wide crop")."""
    left, right, top, bottom = zip(*boxes, strict=True)
    return min(left), max(right), min(top), max(bottom)


def dataset_rules(case: Case) -> dict[str, np.ndarray]:
    got = {}
    for number, config in enumerate(case.manifest["configs"]):
        order = _order(case.manifest["video_lengths"], config)
        facts = {
            "kept_videos": order.kept,
            "n_videos": len(order.kept),
            "length": len(order),
            "total_images": order.images,
            "shuffle_indices": order.shuffled,
        }
        for fact, value in facts.items():
            assert value == config[fact], f"configuration {number}: {fact} is {value}, expected {config[fact]}"
        want = case.outputs[f"c{number}_items"]
        items = np.array(list(itertools.islice(order.items(), len(want))), np.int32)
        assert np.array_equal(items, want), f"configuration {number}: items differ:\n{items}\n{want}"
        got[f"c{number}_items"] = items
        if f"c{number}_Ts" in case.outputs:
            times = np.array(list(itertools.islice(order.times_of_items(), len(want))), np.float32)
            times = times / np.float32(config["sampling_cfg"]["max_num_frames"] - 1)
            assert np.allclose(times, case.outputs[f"c{number}_Ts"], rtol=1e-6, atol=0), (
                f"configuration {number}: times"
            )
            got[f"c{number}_Ts"] = times
        for video, (low, high) in config.get("observed_frame_range_per_video(60 epochs)", {}).items():
            first, last = order.frame_range(int(video))
            assert first <= low and high <= last, (
                f"configuration {number}, video {video}: {low}..{high} outside {first}..{last}"
            )
    return got


def _order(lengths: list[int], config: dict[str, Any]) -> StyleInVOrder:
    data, sampling = config["dataset_kwargs"], config["sampling_cfg"]
    rules = None
    if sampling is not None:
        # The official code only honours a list of distances that is a plain list; its own configuration is not.
        honoured = sampling["total_dists"] and not config["sampling_cfg_is_omegaconf"]
        distances = tuple(sampling["total_dists"]) if honoured else None
        rules = TimeRules(sampling["num_sample"], sampling["add_0"], sampling["max_dist"], distances)
    use = "images" if data.get("return_one") else "videos" if data.get("return_vid") else "train"
    return StyleInVOrder(
        lengths=tuple(lengths),
        use=use,
        seed=config["seed"],
        frames=data.get("nframes", 1),
        stride=data.get("stride", 1),
        mirror=data.get("xflip", False),
        short=data.get("flex_sampling") == "allow_short",
        random_start=data.get("random_offset", True),
        random_image=data.get("random_select", True),
        only_first=data.get("only_first"),
        times=rules,
    )


CHECKERS = {
    "data/index": index,
    "data/sampler": sampler,
    "data/video_grouping": video_grouping,
    "data/mask_crop": crop,
    "styleinv/dataset_rules": dataset_rules,
}
