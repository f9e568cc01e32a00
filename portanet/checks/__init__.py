"""Checks of the library and of the machine: gradients, agreement between backends, and speed.

`portanet gradcheck` compares every gradient with finite differences, on any backend; `portanet.gradcheck(layer, x)`
checks a custom layer.

## The same numbers everywhere

`portanet compare` takes the same steps on every backend that works here, each from the state of NumPy in float64, and
prints the largest differences. Ten steps of the preset `mlp` in float32 (2 cores; CuPy on the emulated device):

```
largest differences from numpy in float64, absolute and relative
backend  device   dtype                    loss            gradient          parameters
numpy    cpu      float32     8.6e-08   6.5e-08   3.3e-07   6.3e-07   1.8e-06   8.4e-06
cupy     cuda:0   float32     8.6e-08   6.5e-08   3.3e-07   3.9e-07   2.7e-06   1.2e-05
torch    cpu      float32     2.3e-07   9.3e-08   2.8e-07   4.7e-07   3.3e-06   1.5e-05
jax      cpu:0    float32     1.6e-07   1.2e-07   2.8e-07   5.2e-07   4.0e-06   1.8e-05
strict   device1  float32     8.6e-08   6.5e-08   3.3e-07   6.3e-07   1.8e-06   8.4e-06
```

## How fast it trains

`nox -s bench` measures portanet beside the best hand-written NumPy, scikit-learn, PyTorch and JAX, with the same dtype,
batches and initial weights. Each peer runs in a separate process with the number of threads that is fastest for it; all
take turns, and the table shows medians over rounds. These rows are from `python scripts/bench.py --rounds 5`, the part
that measures the peers (Intel Xeon with AVX-512, 2 cores, OpenBLAS 0.3.31, NumPy 2.4.6, PyTorch 2.13.0, JAX 0.10.2,
scikit-learn 1.9.1), with kernels in C. A ratio above 1 means that portanet is faster; ratios vary by a tenth from run
to run, and more from machine to machine.

| job | portanet | `--no-trace` | NumPy by hand | PyTorch | JAX | scikit-learn |
|---|---|---|---|---|---|---|
| all 42,000 images, 784-16-10, ms | 19.6 | 32.6 (1.66) | 21.3 (1.10) | 24.1 (1.24) | 35.8 (1.81) | 39.3 (2.03) |
| its peak memory, MiB | 112 | 88 | 74 | 494 (4.4) | 500 (4.5) | 410 (3.7) |
| batches of 128, 784-128-10, Adam, µs | 383 | 899 (2.31) | 775 (2.02) | 679 (1.77) | 421 (1.10) | 1,173 (3.07) |
| the same with `--backend jax` | 505 | | | | 421 (0.83) | |
| the same with `--backend torch`, PyTorch by hand | 581 | | | 591 (1.02) | | |
| batches of 32, 784-32-10, Adam, µs | 65 | 187 (2.87) | 184 (2.88) | 309 (4.86) | 93 (1.42) | 316 (4.93) |
| batches of 128, two convolutions of 5x5, Adam, ms | 7.35 | 13.9 (1.88) | | 12.6 (1.67) | 31.8 (4.26) | |
| 70,000 predictions, 784-256-128-10, rows a second | 599,110 | | | 595,149 (1.02) | | 431,309 (1.41) |

Kernels make Adam on 100,000 weights 3.2 times as fast as the traced calls (44 and 142 µs), on a million 3.8 times.
The matrix products alone, by the same BLAS on both cores, take 13.1 of the 20.4 ms of a step with all images, and 0.84
of the time of the predictions (`python scripts/bench.py --jobs full,predict --rounds 3`), so the speed of predictions
depends on the BLAS. For pixels that are always 0 Adam's running sums become subnormal numbers in the peers, but not in
portanet; this is why NumPy by hand takes twice as long in batches.

`portanet bench` times the presets on your machine's backends, and with `--plain` also without tracing.
"""
