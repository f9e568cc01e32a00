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
that measures the peers (AMD EPYC of the fourth generation, 2 cores, OpenBLAS 0.3.31, NumPy 2.4.6, PyTorch 2.13.0, JAX
0.10.2, scikit-learn 1.9.1), with kernels in C. In brackets: the time divided by portanet's, so above 1 portanet is
faster. Ratios vary by a tenth from run to run, and more from machine to machine.

| job | portanet | `--no-trace` | NumPy by hand | PyTorch | JAX | scikit-learn |
|---|---|---|---|---|---|---|
| all 42,000 images, 784-16-10, ms | 20.5 | 28.2 (1.48) | 20.4 (1.04) | 47 (2.36) | 29.2 (1.49) | 43.7 (2.29) |
| its peak memory, MiB | 113 | 87 | 74 | 492 (4.3) | 498 (4.4) | 411 (3.6) |
| the same with `--backend jax`, ms | 33 | | | | 29.2 (0.85) | |
| batches of 128, 784-128-10, Adam, µs | 555 | 1,002 (1.86) | 868 (1.55) | 919 (1.60) | 479 (0.79) | 1,209 (2.12) |
| the same with `--backend jax` | 558 | | | | 479 (0.97) | |
| the same with `--backend torch`, PyTorch by hand | 995 | | | 721 (0.79) | | |
| batches of 32, 784-32-10, Adam, µs | 66.3 | 204 (3.13) | 115 (1.73) | 384 (5.77) | 91.5 (1.38) | 296 (4.50) |
| batches of 128, two convolutions of 5x5, Adam, ms | 10.8 | 15.9 (1.51) | | 14 (1.28) | 37.4 (3.57) | |
| 70,000 predictions, 784-256-128-10, rows a second | 394,177 | | | 344,904 (1.13) | | 218,660 (1.75) |

Kernels make Adam on 100,000 weights 3.0 times as fast as the traced calls (47 and 139 µs), on a million 5.7 times. The
matrix products alone, by the same BLAS on both cores, take 14.3 of the 20.5 ms of a step with all images, 295 of the
555 µs of a batch of 128, and 0.96 of the time of the predictions. For pixels that are always 0 Adam's running sums
become subnormal numbers in the peers, but not in portanet: this is part of what NumPy by hand takes longer in batches.

On an Intel Xeon with AVX-512 and 2 cores the same command gave for PyTorch 1.24 (all images), 1.77, 4.86, 1.67
(convolutions) and 1.02 (predictions), and for JAX 1.81, 1.10, 1.42 and 4.26: there PyTorch's own products are faster.

`portanet bench` times the presets on your machine's backends, and with `--plain` also without tracing.
"""
