#!/usr/bin/env python3
"""Times what PyTorch has for a linear layer on one CUDA device, to be read beside this project's own GPU figures:

  cublas-fp16  torch.nn.functional.linear, weights and activations in fp16: the layer before anybody quantised it
  torch-int4   torch._weight_int4pack_mm, 4-bit weights, activations in bf16: PyTorch's own kernel for 4 bits

Needs PyTorch and nothing else. Calls rotate over copies of the weights that no L2 holds, each between two CUDA events.
Since events around one short call also see the gaps between launches, a CUDA graph of one pass over all copies gives
a second figure, in which launches follow each other without the host. Every result is checked against a product in
float64 before it is timed.

Exit status: 0; 1 where a result was wrong; 2 where PyTorch or a CUDA device is missing, or for a wrong option.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from typing import Callable, NamedTuple

try:
    import torch
except (ImportError, OSError) as error:  # OSError: it is there, but a library of CUDA's is not.
    torch, import_error = None, error

# A pass over all copies must have thrown the first one out of the L2 (50 MB on an H100, 126 MB on a B200).
MIN_COPIES = 6
COLD_BYTES = 256 << 20

WARM_UPS = 10
CALLS = 50

COPY_BYTES = 1 << 30
COPIES_TIMED = 20

# A pass takes from a tenth of a millisecond to half a second; this bounds what all of its replays take.
GRAPH_SECONDS = 0.5

# Clock cycles that the device sleeps while the host enqueues: some 5 ms.
HEAD_START = 10_000_000

# bf16 results and weights that the kernel rounds to bf16 differ from the truth by some 0.2 %; a wrong layout by 100 %.
MAX_ERROR = 0.02
MAX_CHECKED_ROWS = 8

GROUPS = (32, 64, 128, 256)
INNER_K_TILES = 8


class Shape(NamedTuple):
    ins: int
    outs: int
    group: int

    def __str__(self) -> str:
        return f"{self.ins}x{self.outs} g{self.group}"


SHAPES = [Shape(*numbers) for numbers in (
    (4096, 11008, 128), (11008, 4096, 128), (4096, 4096, 64), (2048, 5632, 32), (4096, 14336, 128), (8192, 28672, 128))]
ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 2048]
QUICK_SHAPES = [SHAPES[0], SHAPES[3]]
QUICK_ROWS = [1, 16, 512]


class Layer:
    """One layer's random 4-bit weights and activations, the same for all engines, and the true result."""

    def __init__(self, shape: Shape, rows: list[int], device: torch.device):
        ins, outs, group = self.shape = shape
        random = torch.Generator(device).manual_seed(1)
        self.q = torch.randint(0, 16, (outs, ins), generator=random, dtype=torch.uint8, device=device)

        # As the kernel takes them: [group, out], and w = (q - 8) * scale + zero. Zeros that are not 0 show in the check
        # that the two are in their places.
        def uniform(low: float, high: float) -> torch.Tensor:
            return (torch.rand(ins // group, outs, generator=random, device=device) * (high - low) + low).bfloat16()

        self.scales = uniform(0.005, 0.015)
        self.zeros = uniform(-0.01, 0.01)

        # Multiples of 1/64 below 4: fp16 and bf16 both hold them exactly, so one product is the truth for both engines.
        x = torch.randn(max(rows), ins, generator=random, device=device)
        self.x = ((x * 64).round() / 64).clamp(-255 / 64, 255 / 64)

        self.checked = sorted({row for m in rows for row in checked_rows(m)})
        self.truth = torch.empty(len(self.checked), outs, dtype=torch.float64, device=device)
        checked_x = self.x[self.checked].double()
        for part in self.parts():
            self.truth[:, part] = checked_x @ self.weights(part, torch.float64).t()

    def parts(self) -> list[slice]:
        """The rows of W in turn, so many at a time that few of them in float64 need room at once."""
        return [slice(start, min(start + 1024, self.shape.outs)) for start in range(0, self.shape.outs, 1024)]

    def weights(self, part: slice, dtype: torch.dtype) -> torch.Tensor:
        """Rows of W, dequantised."""
        q = self.q[part].to(dtype).view(-1, self.shape.ins // self.shape.group, self.shape.group)
        scales, zeros = (values[:, part].t().unsqueeze(2).to(dtype) for values in (self.scales, self.zeros))
        return ((q - 8) * scales + zeros).view(-1, self.shape.ins)

    def relative_error(self, y: torch.Tensor) -> float:
        """The largest relative error of a checked row of y, in the L2 norm; infinite where y is not finite."""
        rows = checked_rows(len(y))
        truth = self.truth[[self.checked.index(row) for row in rows]]
        error = ((y[rows].double() - truth).norm(dim=1) / truth.norm(dim=1)).max().item()
        return error if math.isfinite(error) else math.inf


def checked_rows(m: int) -> list[int]:
    """The first row, the last one, and some between."""
    count = min(m, MAX_CHECKED_ROWS)
    return [0 if count == 1 else i * (m - 1) // (count - 1) for i in range(count)]


class Engine:
    """A way to multiply with a layer, and copies of the weights that it reads."""

    def __init__(self, name: str, dtype: torch.dtype, weights: tuple[torch.Tensor, ...],
                 multiply: Callable[..., torch.Tensor]):
        self.name, self.dtype, self.multiply = name, dtype, multiply
        self.weight_bytes = sum(tensor.numel() * tensor.element_size() for tensor in weights)
        count = max(MIN_COPIES, math.ceil(COLD_BYTES / self.weight_bytes))
        self.copies = [weights] + [tuple(tensor.clone() for tensor in weights) for _ in range(count - 1)]

    def call(self, x: torch.Tensor, i: int) -> torch.Tensor:
        """The i-th call: it reads another copy than the ones before it."""
        return self.multiply(x, *self.copies[i % len(self.copies)])


def cublas_fp16(layer: Layer) -> Engine:
    weights = torch.empty(layer.shape.outs, layer.shape.ins, dtype=torch.float16, device=layer.q.device)
    for part in layer.parts():
        weights[part] = layer.weights(part, torch.float32).half()
    return Engine("cublas-fp16", torch.float16, (weights,), torch.nn.functional.linear)


def torch_int4(layer: Layer) -> Engine:
    scales_and_zeros = torch.stack([layer.scales, layer.zeros], dim=2)
    group = layer.shape.group
    return Engine("torch-int4", torch.bfloat16, (pack_int4(layer.q), scales_and_zeros),
                  lambda x, w, s: torch._weight_int4pack_mm(x, w, group, s))


def pack_int4(q: torch.Tensor) -> torch.Tensor:
    """Weights in the kernel's own order of tiles."""
    nibbles = q[:, ::2] * 16 + q[:, 1::2]
    try:
        return torch._convert_weight_to_int4pack(nibbles, INNER_K_TILES)
    except RuntimeError as refused:
        # Before 2.5 it took a whole int32 for each weight, and said so of anything else.
        if "kInt" not in str(refused):
            raise
    return torch._convert_weight_to_int4pack(q.int(), INNER_K_TILES)


def times_us(enqueue: Callable[[int], object], count: int) -> list[float]:
    """What the device takes for each of so many calls; enqueue(i) enqueues the i-th."""
    cycles = HEAD_START
    for _ in range(3):
        starts, ends = ([torch.cuda.Event(enable_timing=True) for _ in range(count)] for _ in range(2))
        awake = torch.cuda.Event()
        torch.cuda.synchronize()

        # Had the device nothing to wait for, it would wait for Python between the two events of a short call, and
        # that would be counted. So the whole queue is there before it begins.
        torch.cuda._sleep(cycles)
        awake.record()
        for i in range(count):
            starts[i].record()
            enqueue(i)
            ends[i].record()
        ahead = not awake.query()
        torch.cuda.synchronize()
        if ahead:
            break
        cycles *= 4
    else:
        warn("the host did not keep ahead of the device; the next figure has the gaps in it.")
    return [start.elapsed_time(end) * 1000 for start, end in zip(starts, ends)]


def graph_us(engine: Engine, x: torch.Tensor) -> float | None:
    """Time of a call in a captured pass over all copies; None where it cannot be captured."""
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            for i in range(len(engine.copies)):
                engine.call(x, i)
    except RuntimeError as refused:
        # The events' figures are worth having without it.
        warn(f"{engine.name} gives no graph at M = {len(x)}: {first_line(refused)}")
        return None

    def replay(_: int) -> None:
        graph.replay()

    replay(0)
    replay(1)
    replays = min(CALLS, max(5, round(GRAPH_SECONDS * 1e6 / times_us(replay, 1)[0])))
    return statistics.median(times_us(replay, replays)) / len(engine.copies)


def copy_gbps(device: torch.device) -> float:
    """Bytes read and written per second when the device copies its own memory."""
    source = torch.randint(0, 256, (COPY_BYTES,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    # Long enough for the clocks to come up from idle.
    for _ in range(10 * COPIES_TIMED):
        target.copy_(source)
    times = times_us(lambda _: target.copy_(source), COPIES_TIMED)
    return 2 * COPY_BYTES / statistics.median(times) / 1000


def measure(layer: Layer, engine: Engine, m: int, copy: float) -> dict:
    """One row of the table and of the JSON file."""
    ins, outs, group = layer.shape
    x = layer.x[:m].to(engine.dtype)
    error = layer.relative_error(engine.call(x, 0))
    if error > MAX_ERROR:
        raise SystemExit(f"gpu_peers.py: {engine.name} is wrong on {layer.shape} at M = {m}: its relative error is "
                         f"{error:.3g}, and {MAX_ERROR} is the most that rounding explains.")

    for i in range(WARM_UPS):
        engine.call(x, i)
    times = times_us(lambda i: engine.call(x, WARM_UPS + i), CALLS)
    us = statistics.median(times)
    gbps = engine.weight_bytes / us / 1e3
    return {
        "engine": engine.name, "in": ins, "out": outs, "group": group, "m": m,
        "us_median": us, "us_min": min(times), "us_graph": graph_us(engine, x),
        "gbps": gbps, "pct_of_copy": 100 * gbps / copy, "tflops": 2 * m * ins * outs / us / 1e6,
        "rel_error": error,
    }


def engine_makers() -> list[Callable[[Layer], Engine]]:
    if hasattr(torch, "_weight_int4pack_mm") and hasattr(torch, "_convert_weight_to_int4pack"):
        return [cublas_fp16, torch_int4]
    say(f"torch-int4 is not timed: PyTorch {torch.__version__} has no _weight_int4pack_mm, which came with 2.2.")
    return [cublas_fp16]


def measure_shape(shape: Shape, rows: list[int], makers: list, device: torch.device, copy: float) -> list[dict]:
    layer = Layer(shape, rows, device)
    engines = []
    for maker in list(makers):
        try:
            engines.append(maker(layer))
        except RuntimeError as refused:
            if maker is cublas_fp16 or is_out_of_memory(refused):
                raise
            # Old devices, or a build without it: no other shape would fare better.
            say(f"torch-int4 is not timed: {first_line(refused)}")
            makers.remove(maker)

    measured = []
    for m in rows:
        for engine in engines:
            row = measure(layer, engine, m, copy)
            say(table_line(row))
            measured.append(row)
    return measured


# Names and widths; texts are aligned to the left, figures to the right.
TEXTS = (("shape", 15), ("engine", 11))
FIGURES = (("M", 4), ("us", 9), ("us graph", 9), ("GB/s", 7), ("% of copy", 9), ("TFLOP/s", 7), ("rel. error", 10))


def table_head() -> str:
    names = [name.ljust(width) for name, width in TEXTS] + [name.rjust(width) for name, width in FIGURES]
    rules = ["-" * width for _, width in TEXTS] + ["-" * (width - 1) + ":" for _, width in FIGURES]
    return f"| {' | '.join(names)} |\n| {' | '.join(rules)} |"


def table_line(row: dict) -> str:
    texts = (str(Shape(row["in"], row["out"], row["group"])), row["engine"])
    graph = "-" if row["us_graph"] is None else f"{row['us_graph']:.2f}"
    figures = (str(row["m"]), f"{row['us_median']:.2f}", graph, f"{row['gbps']:.1f}", f"{row['pct_of_copy']:.1f}",
               f"{row['tflops']:.2f}", f"{row['rel_error']:.1e}")
    cells = [text.ljust(width) for text, (_, width) in zip(texts, TEXTS)]
    cells += [figure.rjust(width) for figure, (_, width) in zip(figures, FIGURES)]
    return f"| {' | '.join(cells)} |"


def machine(device: torch.device) -> dict:
    return {
        "device": torch.cuda.get_device_name(device),
        "capability": ".".join(map(str, torch.cuda.get_device_capability(device))),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "driver": driver(),
    }


def driver() -> str | None:
    """The driver's version, which PyTorch does not know."""
    try:
        listed = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
                                capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return first_line(listed.stdout)


def first_line(text: object) -> str:
    return next(iter(str(text).strip().splitlines()), "")


def is_out_of_memory(error: RuntimeError) -> bool:
    return "out of memory" in str(error)


def warn(text: str) -> None:
    print(f"gpu_peers.py: {text}", file=sys.stderr, flush=True)


def say(text: str) -> None:
    # At once, for a run may be cut short.
    print(text, flush=True)


def shapes_option(text: str) -> list[Shape]:
    shapes = []
    for item in text.split(","):
        numbers = item.strip().split("x")
        if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
            raise argparse.ArgumentTypeError(f"'{item}' is no shape such as 4096x11008x128: in, out and group")
        ins, outs, group = map(int, numbers)
        if group not in GROUPS:
            raise argparse.ArgumentTypeError(f"the group of '{item}' is none of {', '.join(map(str, GROUPS))}")
        # Tiles of PyTorch's kernel: eight of 16 columns are packed together, and results are stored 16 wide.
        if ins == 0 or outs == 0 or ins % math.lcm(16 * INNER_K_TILES, group) or outs % 16:
            raise argparse.ArgumentTypeError(
                f"in '{item}', 'in' must be a multiple of {math.lcm(16 * INNER_K_TILES, group)} and 'out' of 16")
        shapes.append(Shape(ins, outs, group))
    return shapes


def rows_option(text: str) -> list[int]:
    if not all(item.strip().isdecimal() and int(item) > 0 for item in text.split(",")):
        raise argparse.ArgumentTypeError(f"'{text}' is no list of positive numbers such as 1,8,64")
    return sorted({int(item) for item in text.split(",")})


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="gpu_peers.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=shapes_option, help="in x out x group, by commas: 4096x11008x128,2048x5632x32")
    parser.add_argument("--m", type=rows_option, help="rows of x, by commas: 1,8,64")
    parser.add_argument("--quick", action="store_true", help="two shapes and three M, where no others are given")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well, after each shape")
    options = parser.parse_args(arguments)
    options.shapes = options.shapes or (QUICK_SHAPES if options.quick else SHAPES)
    options.m = options.m or (QUICK_ROWS if options.quick else ROWS)
    return options


def main() -> None:
    options = parse()
    missing = None
    if torch is None:
        missing = f"it needs PyTorch, which could not be loaded: {first_line(import_error)}"
    elif not torch.cuda.is_available() or torch.version.cuda is None:
        missing = f"it needs a CUDA device, and PyTorch {torch.__version__} finds none here."
    if missing:
        warn(missing)
        raise SystemExit(2)

    with torch.inference_mode():
        run(options)


def run(options: argparse.Namespace) -> None:
    device = torch.device("cuda", torch.cuda.current_device())
    report = {"machine": machine(device), "copy_gbps": copy_gbps(device), "rows": []}

    def write() -> None:
        if options.json:
            try:
                with open(options.json, "w", encoding="utf-8") as file:
                    json.dump(report, file, indent=1)
            except OSError as refused:
                warn(f"{options.json} cannot be written: {refused.strerror}.")
                raise SystemExit(2)

    # Already here, so that a path that cannot be written is known before the work is done.
    write()
    copy = report["copy_gbps"]
    reduction = getattr(torch.backends.cuda.matmul, "allow_fp16_reduced_precision_reduction", "unknown")
    say("{device}, capability {capability}, PyTorch {torch}, CUDA {cuda}, driver {driver}".format(**report["machine"]))
    say(f"copy on the device: {copy:.0f} GB/s read and written, so {copy / 2:.0f} GB/s read beside as much written "
        f"({COPY_BYTES >> 30} GiB, median of {COPIES_TIMED})")
    say(f"allow_fp16_reduced_precision_reduction: {reduction} (as PyTorch has it)")
    say(f"us: median of {CALLS} calls, events around each; us graph: a captured pass over all copies, by their number")
    say("GB/s: bytes of weights, scales included, by us; so % of copy and TFLOP/s")
    makers = engine_makers()
    say("\n" + table_head())
    for shape in options.shapes:
        try:
            report["rows"] += measure_shape(shape, options.m, makers, device, copy)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            say(f"{shape} is left out: the device has too little memory for it.")
        torch.cuda.empty_cache()
        write()


if __name__ == "__main__":
    main()
