"""All benchmarks, in the order in which they run and are shown."""

from benchmarks import (
    ceilings,
    cluster,
    dictionary,
    explorer,
    features,
    gpu,
    linear_map,
    loop,
    many_classes,
    memory_growth,
    one_image,
    pairs,
    predict,
    scaling,
    softmax,
    start,
)
from benchmarks.benchmark import Benchmark

__all__ = ["BENCHMARKS"]

BENCHMARKS: tuple[Benchmark, ...] = (
    ceilings.BENCHMARK,
    features.BENCHMARK,
    dictionary.BENCHMARK,
    linear_map.BENCHMARK,
    softmax.BENCHMARK,
    loop.BENCHMARK,
    pairs.BENCHMARK,
    memory_growth.FIT,
    predict.BENCHMARK,
    cluster.CLUSTER,
    cluster.CLUSTER_SCALE,
    many_classes.MANY_CLASSES,
    many_classes.CLASS_INDEX,
    one_image.BENCHMARK,
    start.BENCHMARK,
    explorer.BENCHMARK,
    memory_growth.MEMORY_GROWTH,
    gpu.BENCHMARK,
    scaling.BENCHMARK,
)
