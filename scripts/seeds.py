"""The article's network over ten seeds beside its published curve, and with He initialisation and standardised pixels.

`python scripts/seeds.py` takes some minutes on two cores and prints the table of portanet/training/presets.py.
"""

from statistics import median

from portanet import fit, read
from portanet.nn import Dense, Flatten, Layer, ReLU, Rescale, Sequential, Standardize, uniform
from portanet.optim import SGD

SEEDS = range(10)
PUBLISHED = {0: 0.1082, 50: 0.7628, 100: 0.8295, 150: 0.8585, 200: 0.8747, 250: 0.8844, 300: 0.8923, 340: 0.8966}


def curve(model: Layer, seed: int) -> dict[int, float]:
    """Training accuracy by iteration, from 0: 350 full-batch steps over the 42,000 images at learning rate 0.2."""
    digits = read("mnist:article")
    run = fit(
        model, digits.x, digits.labels, optimizer=SGD(0.2),
        epochs=350, batch_size="full", log_every=10, seed=seed,
    )  # fmt: skip
    return {row["step"] - 1: row["accuracy"] for row in run.history}


start = uniform(-0.5, 0.5)
article = Sequential(Rescale(1 / 255), Flatten(), Dense(16, initializer=start), ReLU(), Dense(10, initializer=start))
standardised = Sequential(Standardize("all"), Flatten(), Dense(16), ReLU(), Dense(10))

as_written = [curve(article, seed) for seed in SEEDS]
he_initialised = [curve(standardised, seed) for seed in SEEDS]

print("| iteration | published | lowest | median | highest | with He initialisation: lowest | median | highest |")
print("|---|---|---|---|---|---|---|---|")
for iteration, published in PUBLISHED.items():
    figures = [f"{published:.3f}"]
    for curves in (as_written, he_initialised):
        values = [values[iteration] for values in curves]
        figures += [f"{value:.3f}" for value in (min(values), median(values), max(values))]
    print(f"| {iteration} | {' | '.join(figures)} |")
