"""Checks of the library and of the machine: gradients, agreement between backends, and speed.

`portanet gradcheck` compares every gradient with finite differences, on any backend; `portanet.gradcheck(layer, x)`
checks a custom layer.

## The same numbers everywhere

`portanet compare` takes the same steps on every backend that works here, each from the state of NumPy in float64, and
prints the largest differences. Ten steps of the preset `mlp` in float32 (2 cores; CuPy on the emulated device):

```
largest differences from numpy in float64, absolute and relative
backend  device   dtype                    loss            gradient          parameters
numpy    cpu      float32     9.1e-08   8.8e-08   3.3e-07   6.3e-07   1.8e-06   8.4e-06
cupy     cuda:0   float32     1.2e-07   5.9e-08   4.4e-07   5.0e-07   2.7e-06   1.2e-05
torch    cpu      float32     2.3e-07   1.4e-07   3.2e-07   7.7e-07   3.3e-06   1.5e-05
jax      cpu:0    float32     1.5e-07   8.2e-08   3.2e-07   8.8e-07   4.0e-06   1.8e-05
strict   device1  float32     9.1e-08   8.8e-08   3.3e-07   6.3e-07   1.8e-06   8.4e-06
```

## How fast it trains

`nox -s bench` measures portanet beside the best hand-written NumPy, scikit-learn, PyTorch and JAX, with the same dtype,
batches and initial weights. Each peer runs in a separate process with the number of threads that is fastest for it; all
take turns, and the table shows medians over rounds. These rows are from `python scripts/bench.py --rounds 7`, the part
that measures the peers (AMD EPYC, 2 cores, OpenBLAS 0.3.31, NumPy 2.4.6, PyTorch 2.13.0, JAX 0.10.2, scikit-learn
1.9.1), before elementwise chains were compiled to C. A ratio above 1 means that portanet is faster; on this machine
ratios vary by a tenth from run to run.

| job | portanet | `--no-trace` | NumPy by hand | PyTorch | JAX | scikit-learn |
|---|---|---|---|---|---|---|
| all 42,000 images, 784-16-10, ms | 19.4 | 25.3 (1.26) | 20.7 (1.05) | 41.6 (2.14) | 31.4 (1.56) | 41.3 (2.14) |
| its peak memory, MiB | 99 | 81 | 74 | 494 (5.0) | 481 (4.9) | 379 (3.8) |
| batches of 128, 784-128-10, Adam, µs | 748 | 894 (1.21) | 784 (1.05) | 1,061 (1.42) | 481 (0.66) | 1,236 (1.65) |
| the same with `--backend jax` | 460 | | | | 481 (1.05) | |
| the same with `--backend torch`, PyTorch by hand | 706 | | | 948 (1.34) | | |
| batches of 32, 784-32-10, Adam, µs | 112 | 180 (1.61) | 116 (1.03) | 533 (4.70) | 91 (0.81) | 288 (2.56) |
| batches of 128, two convolutions of 5x5, Adam, ms | 13.3 | 16.4 (1.23) | | 16.6 (1.24) | 41.4 (3.18) | |
| 70,000 predictions, 784-256-128-10, rows a second | 366,831 | | | 352,256 (1.04) | | 312,851 (1.17) |

On another machine, with kernels in C, by `python scripts/bench.py --rounds 3` (Intel Xeon with AVX-512, 2 cores, the
same versions):

| job | portanet | `--no-trace` | NumPy by hand | PyTorch | JAX | scikit-learn |
|---|---|---|---|---|---|---|
| all 42,000 images, 784-16-10, ms | 34.7 | 48.5 (1.42) | 29.3 (0.84) | 46.3 (1.43) | 91.2 (2.65) | 67.5 (1.84) |
| batches of 128, 784-128-10, µs | 1,112 | 1,350 (1.23) | 1,025 (0.92) | 1,391 (1.18) | 582 (0.53) | 1,596 (1.51) |
| the same with `--backend jax` | 1,124 | | | | 582 (0.54) | |
| batches of 32, 784-32-10, µs | 304 | 402 (1.36) | 259 (0.86) | 732 (2.49) | 131 (0.43) | 490 (1.61) |
| batches of 128, two convolutions of 5x5, Adam, ms | 12.9 | 18.0 (1.41) | | 16.6 (1.27) | 40.9 (3.22) | |
| 70,000 predictions, 784-256-128-10, rows a second | 373,368 | | | 385,965 (0.97) | | 287,261 (1.36) |
| Adam alone, 100,000 weights, µs | 76.4 | without kernels: 169 (2.21) | | | | |

There the kernels pay where arrays are large and not in batches of 32 (traced without them: 278 µs). On mini-batches of
small networks JAX's compiled epochs win, on the first machine with `--backend jax` too. `portanet bench` times the
presets on your machine's backends, and with `--plain` also without tracing (on the first machine 1.2 to 1.4 times as
long on NumPy, 1.3 to 1.5 on PyTorch).
"""
