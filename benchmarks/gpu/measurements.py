"""G1 to G14: how fast the trainings, generation and scores are on the device, and what they take of it.

G12, how long compiling takes, is missing as long as nothing is compiled.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.models import inception_v3
from torchvision.models.video import r3d_18

from benchmarks import networks, textbook
from benchmarks.gpu.steps import Bench, step
from benchmarks.rows import at_least, at_most
from styleinv.data.prefetch import prefetch
from styleinv.evaluation.detectors import laid_out
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.methods.styleinv.method import StyleInVMethod
from styleinv.nn.host import pinned, to_device
from styleinv.nn.precision import Precision, allow_tf32, computing
from styleinv.stages.model import load_generator_of
from styleinv.training.method import Method, set_precision
from styleinv.training.update import accumulate, step_optimizer

# Of the paper's protocol: generated videos and their frames, images of FID.
VIDEOS, LENGTH, IMAGES = 2048, 128, 50_000


def wait(device: torch.device) -> None:
    """Wait until a device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(call: Callable[[], object], device: torch.device, repeats: int = 5) -> float:
    """Return the median time of a call, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        wait(device)
        start = time.perf_counter()
        call()
        wait(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def _kimg(bench: Bench, name: str) -> float:
    return bench.cost(bench.large, name).seconds_per_kimg


def _step(bench: Bench, name: str) -> float:
    """Return the milliseconds of a step of 64 samples, by the rate of the whole training."""
    return _kimg(bench, name) * 64 * bench.cost(bench.large, name).frames_per_video


@step(
    "G1",
    "StyleGAN2 with ADA, batch 64, all phases at their intervals",
    at_most("time", 4.0, 2.5, "s/kimg"),
    seconds=25,
)
def images(bench: Bench) -> list[float]:
    """Measure the first step's groups of 8, as a training computes them."""
    return [_kimg(bench, "stylegan2")]


@step("G2", "StyleInV, 64 videos of four frames", at_most("step", 1200, 700, "ms"), seconds=45)
def videos(bench: Bench) -> list[float]:
    """Measure likewise."""
    return [_step(bench, "styleinv")]


@step(
    "G3",
    "the inversion, 64 images, without the perceptual and the identity loss, whose weights must be fetched",
    at_most("step", 160, 90, "ms"),
    seconds=15,
)
def inversion(bench: Bench) -> list[float]:
    """Measure likewise."""
    return [_step(bench, "inversion")]


@step("G4", "the three trainings of StyleInV", at_most("all stages", 2.5, 1.6, "days"), seconds=1)
def all_stages(bench: Bench) -> list[float]:
    """Add up the whole schedules at the rates of G1 to G3."""
    return [sum(bench.cost(bench.large, name).days for name in ("stylegan2", "inversion", "styleinv"))]


@step("G5", "StyleGAN2 with ADA at 1024²", at_most("time", 25, 12, "s/kimg"), seconds=60)
def large_images(bench: Bench) -> list[float]:
    """Measure as G1."""
    return [bench.cost(bench.larger, "stylegan2").seconds_per_kimg] if bench.larger else []


def _generating(bench: Bench, name: str) -> tuple[float, Tensor]:
    """Return the seconds that the videos take, and the videos."""
    bench.large.method(name, bench.device)
    run = bench.large.run(name)
    generator = load_generator_of(run, bench.large.paths.model(run), bench.device)
    times = torch.arange(min(LENGTH, 16 * bench.videos), dtype=torch.float32)
    made = generator.videos(range(bench.videos), times)
    return seconds(lambda: generator.videos(range(bench.videos), times), bench.device, 2), made


@step("G6", "generation by StyleInV", at_least("rate", 1500, 3000, "frames/s"), seconds=15)
def generation(bench: Bench) -> list[float]:
    """Measure until the frames are on the host."""
    taken, made = _generating(bench, "styleinv")
    return [made.shape[0] * made.shape[1] / taken]


@torch.inference_mode()
def _looking(bench: Bench, network: nn.Module, shape: tuple[int, ...]) -> float:
    """Return the items a second that a network of a detector's size sees, in full float32."""
    network = laid_out(network.eval().to(bench.device), bench.device)
    x = torch.randint(0, 256, shape, dtype=torch.uint8)

    def call() -> Tensor:
        return network(to_device(x, bench.device).float() / 127.5 - 1).cpu()

    return shape[0] / seconds(call, bench.device, 2)


def _inception(bench: Bench) -> float:
    network = inception_v3(weights=None, init_weights=False, aux_logits=False)
    return _looking(bench, network, (8 * bench.videos, 3, 299, 299))


@step(
    "G7",
    "FVD16, FVD128 and FID50k from one pass over 2048 generated videos, by rates of parts; real side cached",
    at_most("time", 300, 150, "s"),
    seconds=30,
)
def scores(bench: Bench) -> list[float]:
    """Add up generation and networks of the detectors' kind: Inception v3, and a 3D ResNet in I3D's place."""
    taken, made = _generating(bench, "styleinv")
    frames = made.shape[0] * made.shape[1] / taken
    clips = _looking(bench, r3d_18(weights=None), (bench.videos, 3, 16, 112, 112))
    # 16 and 128 frames of each video.
    looking = VIDEOS * (1 + LENGTH / 16) / clips + IMAGES / _inception(bench)
    return [VIDEOS * LENGTH / frames + looking]


@step("G8", "FID50k of StyleGAN2, by rates of parts; real side cached", at_most("time", 40, 15, "s"), seconds=10)
def fid(bench: Bench) -> list[float]:
    """Add up the generator's images and Inception v3."""
    G = bench.large.method("stylegan2", bench.device).parts.modules["G"]
    assert isinstance(G, Generator)
    z = torch.randn(16 * bench.videos, G.z_dim, device=bench.device)
    with torch.inference_mode():
        made = seconds(lambda: G(z).cpu(), bench.device, 2)
    return [IMAGES * made / len(z) + IMAGES / _inception(bench)]


@step(
    "G9",
    "memory that one more sample of a group takes",
    at_most("StyleInV, a video", 2.2, 1.5, "GB"),
    at_most("StyleGAN2, an image", 0.35, 0.25, "GB"),
    seconds=1,
)
def memory(bench: Bench) -> list[float]:
    """Take what G1 and G2 have measured."""
    return [bench.cost(bench.large, name).bytes_per_video / 1e9 for name in ("styleinv", "stylegan2")]


def _phases(method: Method, device: torch.device, groups: int) -> Callable[[], None]:
    """Make a call that takes one step of all phases with so many groups."""
    real = tuple(to_device(part, device) for part in method.real_batch(0, method.training.group))

    def call() -> None:
        for phase in method.phases:
            same = [((number,), real) for number in range(groups)]
            grads = accumulate(method.parts, phase, same, groups, 0, 0, lambda name, value: None)
            step_optimizer(method.parts, phase, grads)

    return call


@step(
    "G10",
    "one step of StyleGAN2, all phases, batch 64",
    at_most("launches", 2500, 5, ""),
    at_most("share of the time that the device waits", 10, 2, "%"),
    seconds=20,
)
def launches(bench: Bench) -> list[float]:
    """Count what torch's profiler sees launched; on a CPU every operation is its own launch."""
    method = bench.large.method("stylegan2", bench.device)
    call = _phases(method, bench.device, method.training.groups)
    call()
    activity = torch.profiler.ProfilerActivity
    cuda = bench.device.type == "cuda"
    with torch.profiler.profile(activities=[activity.CPU, *([activity.CUDA] if cuda else [])]) as profile:
        wait(bench.device)
        start = time.perf_counter()
        call()
        wait(bench.device)
        taken = time.perf_counter() - start
    events = list(profile.events())
    if not cuda:
        return [len([event for event in events if event.cpu_parent is None]), 0]
    kernels = [event for event in events if event.device_type == torch.autograd.DeviceType.CUDA]
    names = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx", "cudaGraphLaunch")
    busy = sum(event.self_device_time_total for event in kernels) / 1e6
    return [len([event for event in events if event.name in names]), max(0.0, 100 * (1 - busy / taken))]


def _backward(result: Tensor, inputs: list[Tensor]) -> None:
    torch.autograd.grad(result.float().square().mean(), inputs)


@step(
    "G11",
    "networks in float32 against their textbook forms, the same weights, forward and backward",
    at_least("D", 2, 3),
    at_least("encoder, four frames a video, in bfloat16", 3, 5),
    at_least("frozen G to w", 2, 3),
    seconds=40,
)
def against_textbook(bench: Bench) -> list[float]:
    """Alternate both forms on the same device with TF32 off, as the published code computes."""
    device, size, count = bench.device, bench.textbook, min(8, bench.videos)
    torch.manual_seed(0)
    D = networks.discriminator(size).train().to(device)
    G, E = networks.generator(size).eval().to(device).synthesis, networks.motion_generator().encoder.train().to(device)
    x = torch.randn(count, 3, size, size, device=device)
    s = torch.randn(4 * count, networks.LATENT, device=device)
    ws = torch.randn(count, G.num_ws, networks.LATENT, device=device, requires_grad=True)

    def in_bfloat16() -> Tensor:
        with computing("bfloat16", device):
            return E(x, s)

    pairs: list[tuple[nn.Module, list[Tensor] | None, Callable[[], Tensor], Callable[[], Tensor]]] = [
        (D, None, lambda: D(x), lambda: textbook.discriminate(D, x)),
        (E, None, in_bfloat16, lambda: textbook.encode(E, x, s)),
        (G, [ws], lambda: G(ws, noise_mode="const"), lambda: textbook.synthesis(G, ws, True)),
    ]
    allow_tf32(False)
    ratios = []
    for network, inputs, ours, peer in pairs:
        network.requires_grad_(inputs is None)
        inputs = inputs or list(network.parameters())
        times = [
            seconds(lambda form=form, inputs=inputs: _backward(form(), inputs), device, 3) for form in (peer, ours)
        ]
        network.requires_grad_(False)
        ratios.append(times[0] / times[1])
    return ratios


@step(
    "G13",
    "gradients of StyleInV's generator phase, encoder in bfloat16 against float32",
    at_most("distance", 3e-2, 1e-2, ""),
    seconds=20,
)
def parity(bench: Bench) -> list[float]:
    """Compare the difference of the gradients' norms, from equal weights and draws."""
    norms = []
    both: tuple[Precision, ...] = ("float32", "bfloat16")
    for precision in both:
        method = bench.large.method("styleinv", bench.device)
        method.training = method.training.model_copy(update={"precision": precision})
        set_precision(method, bench.device)
        assert isinstance(method, StyleInVMethod)
        method.loss.precision = precision
        real = tuple(to_device(part, bench.device) for part in method.real_batch(0, method.training.group))
        grads = accumulate(method.parts, method.phases[0], [((0,), real)], 1, 0, 0, lambda name, value: None)
        norms.append(torch.cat([g.flatten().double() for g in grads]).norm())
    allow_tf32(False)
    return [abs(float(norms[1] / norms[0]) - 1)]


@step(
    "G14",
    "share of a step for which the device waits for data, one thread reading ahead",
    at_most("StyleGAN2", 5, 1, "%"),
    at_most("StyleInV", 5, 1, "%"),
    seconds=20,
)
def waiting(bench: Bench) -> list[float]:
    """Compare the time of real batches, pinned, with that of the steps of G1 and G2."""
    shares = []
    for name in ("stylegan2", "styleinv"):
        method = bench.large.method(name, bench.device)
        groups = method.training.groups

        def batch(number: int, method: Method = method, groups: int = groups) -> None:
            for group in range(groups):
                for part in method.real_batch(number * groups + group, method.training.group):
                    pinned(part, bench.device)

        ahead = prefetch(batch, range(8))
        next(ahead)
        start = time.perf_counter()
        for _ in ahead:
            pass
        reading = (time.perf_counter() - start) / 7
        training = _kimg(bench, name) * method.training.batch * method.images_per_sample / 1000
        shares.append(100 * max(0.0, reading - training) / max(reading, training))
    return shares
