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

On mini-batches of small networks JAX's compiled epochs win; `--backend jax` is then as fast as JAX by hand. `portanet
bench` times the presets on your machine's backends, and with `--plain` also without tracing (on this machine 1.2 to 1.4
times as long on NumPy, 1.3 to 1.5 on PyTorch).
"""
