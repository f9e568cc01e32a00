"""The picture of the README: the article's network learning, and the path of the data through one training step.

`python scripts/picture.py` trains both networks (half a minute on two cores) and writes .github/picture.svg.
"""

from pathlib import Path

from portanet import fit, read
from portanet.nn import Dense, Flatten, Layer, ReLU, Rescale, Sequential, Standardize, uniform
from portanet.optim import SGD

TARGET = Path(__file__).parent.parent / ".github" / "picture.svg"
LEFT, RIGHT, TOP, BOTTOM = 60, 600, 50, 250  # the plot's edges, in the picture's units
STEPS = 350

STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #57606a }
.title { font-weight: 600; font-size: 15px; fill: #1f2328 }
.name { font-weight: 600; fill: #1f2328 }
.grid { stroke: #d0d7de } .box { fill: #f6f8fa; stroke: #d0d7de } .arrow { stroke: #57606a; fill: none }
.head { fill: #57606a }
.article { stroke: #0969da; fill: none; stroke-width: 2.5 } .he { stroke: #bc4c00; fill: none; stroke-width: 2.5 }
text.article { stroke: none; fill: #0969da } text.he { stroke: none; fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1 } .title, .name { fill: #f0f6fc } .grid { stroke: #3d444d }
  .box { fill: #151b23; stroke: #3d444d } .arrow { stroke: #9198a1 } .head { fill: #9198a1 }
  .article { stroke: #4493f8 } .he { stroke: #f0883e } text.article { fill: #4493f8 } text.he { fill: #f0883e }
}
"""


def curve(model: Layer) -> list[tuple[int, float]]:
    """Training accuracy at every tenth iteration: full batches of the 42,000 images at learning rate 0.2."""
    digits = read("mnist:article")
    run = fit(model, digits, optimizer=SGD(0.2), epochs=STEPS, batch_size="full", log_every=10)
    return [(row["step"] - 1, row["accuracy"]) for row in run.history]


def place(step: float, accuracy: float) -> tuple[float, float]:
    return LEFT + (RIGHT - LEFT) * step / STEPS, BOTTOM - (BOTTOM - TOP) * accuracy


def line(points: list[tuple[int, float]], name: str) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    return f'<polyline class="{name}" points="{places}"/>'


def chart(article: list[tuple[int, float]], he: list[tuple[int, float]]) -> list[str]:
    parts = [f'<text class="title" x="{LEFT}" y="28">Training accuracy, 784-16-10, 42,000 digits, full batch</text>']
    for accuracy in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = place(0, accuracy)
        parts.append(f'<path class="grid" d="M{x} {y}H{RIGHT}"/>')
        parts.append(f'<text x="{x - 8}" y="{y + 4}" text-anchor="end">{accuracy:.0%}</text>')
    for step in range(0, STEPS, 50):
        x, y = place(step, 0.0)
        parts.append(f'<text x="{x}" y="{y + 20}" text-anchor="middle">{step}</text>')
    parts.append(f'<text x="{RIGHT + 10}" y="{BOTTOM + 20}">iteration</text>')
    parts += [line(article, "article"), line(he, "he")]
    for name, points, label in (("he", he, "He initialisation"), ("article", article, "as in the article")):
        _, y = place(*points[-1])
        y += 0 if name == "he" else 12
        parts.append(f'<text class="{name}" x="{RIGHT + 10}" y="{y:.1f}">{label}: {points[-1][1]:.1%}</text>')
    return parts


def box(x: int, y: int, width: int, title: str, text: str) -> str:
    middle = x + width / 2
    return (
        f'<rect class="box" x="{x}" y="{y}" width="{width}" height="58" rx="8"/>'
        f'<text class="name" x="{middle}" y="{y + 25}" text-anchor="middle">{title}</text>'
        f'<text x="{middle}" y="{y + 44}" text-anchor="middle">{text}</text>'
    )


def path() -> list[str]:
    boxes = [
        ("data", "images, tables, arrays"), ("model", "layers, each file a page"),
        ("step", "forward, backward, update"), ("backends", "NumPy CuPy PyTorch JAX"),
    ]  # fmt: skip
    parts = []
    for number, (title, text) in enumerate(boxes):
        x = 20 + number * 205
        parts.append(box(x, 310, 175, title, text))
        if number:
            parts.append(f'<path class="arrow" d="M{x - 28} 339h18"/><path class="head" d="M{x - 12} 333l9 6l-9 6z"/>')
    return parts


start = uniform(-0.5, 0.5)
article = Sequential(Rescale(1 / 255), Flatten(), Dense(16, initializer=start), ReLU(), Dense(10, initializer=start))
he = Sequential(Standardize("all"), Flatten(), Dense(16), ReLU(), Dense(10))
body = [*chart(curve(article), curve(he)), *path()]
head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 385" role="img">'
TARGET.write_text("\n".join([head, f"<style>{STYLE}</style>", *body, "</svg>", ""]), encoding="utf-8")
print(TARGET)
