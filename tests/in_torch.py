"""Every layer in PyTorch's own words: the oracle for values and gradients."""

from __future__ import annotations

from typing import Any

from portanet.nn import (
    ELU,
    GELU,
    SELU,
    AveragePool2D,
    BatchNorm,
    Columns,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Frozen,
    GlobalAveragePool2D,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    Mish,
    NTKDense,
    PeriodicEmbedding,
    RandomAffine,
    ReLU,
    Rescale,
    Reshape,
    Residual,
    Scale,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    Standardize,
    Tanh,
    noise,
)


def in_torch(torch: Any, layer: Layer, params: Any, x: Any, key: noise.Key, train: bool = True) -> Any:
    """The layer as PyTorch has it."""
    functional = torch.nn.functional
    match layer:
        case NTKDense(bias_rate=rate):
            return functional.linear(x, params["weight"].T / x.shape[1] ** 0.5, rate * params["bias"])
        case PeriodicEmbedding():
            return _periodic(torch, layer, params, x)
        case Scale(rate):
            return rate * (params["scale"] * x)
        case Mish():
            return functional.mish(x)
        case Dense():
            return functional.linear(x, params["weight"].T, params["bias"])
        case Conv2D(_, size, stride=stride, padding="same"):  # torch pads an even kernel's odd row after, as we do
            before, after = (size - 1) // 2, size // 2
            padded = functional.pad(x, (before, after, before, after))
            return functional.conv2d(padded, params["weight"], params["bias"], stride=stride)
        case Conv2D(stride=stride, padding=padding):
            padding = 0 if padding == "valid" else padding
            return functional.conv2d(x, params["weight"], params["bias"], stride=stride, padding=padding)
        case MaxPool2D(size):
            return functional.max_pool2d(x, size)
        case AveragePool2D(size):
            return functional.avg_pool2d(x, size)
        case GlobalAveragePool2D():
            return torch.flatten(functional.adaptive_avg_pool2d(x, 1), start_dim=1)
        case ReLU():
            return functional.relu(x)
        case LeakyReLU(slope):
            return functional.leaky_relu(x, slope)
        case ELU(alpha):
            return functional.elu(x, alpha)
        case SELU():
            return functional.selu(x)
        case GELU():
            return functional.gelu(x, approximate="tanh")
        case SiLU():
            return functional.silu(x)
        case Sigmoid():
            return functional.sigmoid(x)
        case Tanh():
            return functional.tanh(x)
        case Softplus():
            return functional.softplus(x)
        case Identity():
            return torch.nn.Identity()(x)
        case Flatten():
            return torch.flatten(x, start_dim=1)
        case Reshape(shape):
            return torch.nn.Unflatten(1, shape)(torch.flatten(x, start_dim=1))
        case Embedding():  # torch gives whole numbers no gradient at all, not even zero
            return functional.embedding(x.long(), params["weight"]) + 0.0 * x[..., None]
        case Dropout() if not train:
            return x
        case Dropout(rate):  # torch scales what is kept; what is kept is ours to say, and tested in test_noise.py
            kept = torch.tensor(noise.keep(key, x.detach().numpy(), rate))
            return x * kept * (functional.dropout(torch.ones(1000, dtype=torch.float64), rate).max() if rate else 1.0)
        case RandomAffine():
            return _affine(torch, layer, x, key) if train else x
        case Rescale(factor, offset):
            return torch.add(torch.mul(x, factor), offset)
        case Standardize(axis):  # normalisation with fixed statistics, of one channel or of one for each feature
            columns = torch.flatten(x, start_dim=1) if axis == "feature" else torch.reshape(x, (-1, 1))
            mean, deviation = (torch.reshape(params[name].detach(), (-1,)) for name in ("mean", "deviation"))
            y = functional.batch_norm(columns, mean, deviation**2, training=False, eps=0.0)
            return torch.reshape(y, x.shape)
        case Columns():
            return _columns(torch, layer, params, x)
        case BatchNorm(momentum=momentum, eps=eps):
            mean, variance = (params[name].detach().clone() for name in ("mean", "variance"))  # torch moves them
            return functional.batch_norm(x, mean, variance, params["scale"], params["shift"], train, momentum, eps)
        case LayerNorm(eps=eps):
            return functional.layer_norm(x, x.shape[1:], params["scale"], params["shift"], eps)
        case Frozen(inner):
            return in_torch(torch, inner, params, x, key, train=False)
        case Residual(layers):
            return torch.add(x, in_torch(torch, Sequential(*layers), params, x, key, train))
        case Sequential(layers):
            for i, child in enumerate(layers):
                x = in_torch(torch, child, params.get(str(i), {}), x, key.child(i), train)
            return x
    raise AssertionError(f"write {type(layer).__name__} in PyTorch's words here")


def _columns(torch: Any, layer: Columns, params: Any, x: Any) -> Any:
    """Column by column, each code by itself."""
    scaled, flags, vectors, start = [], [], [], 0
    for column, kind in zip(x.T, layer.kinds or ["number"] * x.shape[1], strict=True):
        codes = torch.nan_to_num(column.detach(), nan=0.0).long()
        if isinstance(kind, str):
            middle = params["center"][len(scaled)].detach()
            scaled.append(torch.where(torch.isnan(column), middle, column))
            flags += [torch.isnan(column).to(x.dtype)] if kind == "number?" else []
        elif kind > layer.one_hot:
            shared = params["common"].detach()[start + codes] == 0
            picked = torch.where(shared, 0, codes)
            own = params["embedding"][start : start + kind + 1]
            vectors.append(torch.nn.functional.embedding(picked, own))
            start += kind + 1
        else:
            each = torch.nn.functional.one_hot(codes, kind + 1)[:, 1:].to(x.dtype)
            scaled += [each[:, 0] - each[:, 1]] if kind == 2 else list(each.T)
    parts = []
    if scaled:
        s = (torch.stack(scaled, dim=1) - params["center"].detach()) * params["factor"].detach()
        parts.append(s / torch.sqrt(1 + torch.square(s / 3)))
    parts += [flag[:, None] for flag in flags]
    return torch.cat([*parts, *vectors], dim=1) + 0.0 * torch.nan_to_num(x).sum()


def _periodic(torch: Any, layer: PeriodicEmbedding, params: Any, x: Any) -> Any:
    """Column by column, with a linear layer for each."""
    parts, names = [], ("frequency", "phase", "weight", "bias")
    for i, column in enumerate(x.T):
        frequency, phase, weight, bias = (layer.rate * params[name][i] for name in names)
        waves = torch.cos(2 * torch.pi * torch.outer(column, frequency) + phase)
        parts += [column[:, None], torch.nn.functional.linear(waves, weight.T, bias)]
    return torch.cat(parts, dim=1)


def _affine(torch: Any, layer: RandomAffine, x: Any, key: noise.Key) -> Any:
    """The maps of points are multiplied and inverted as matrices; torch counts in halves of the image."""
    n, _, height, width = x.shape
    draws = torch.tensor(noise.uniform(key, torch.zeros((n, 4), dtype=x.dtype).numpy()))
    down, right, turn, growth = (2.0 * draws - 1.0).T
    angle, size = torch.deg2rad(turn * layer.rotation), 1.0 + growth * layer.scale
    shifted, turned = (torch.eye(3, dtype=x.dtype).repeat(n, 1, 1) for _ in range(2))
    shifted[:, 0, 2], shifted[:, 1, 2] = right * layer.shift, down * layer.shift
    turned[:, 0, 0] = turned[:, 1, 1] = size * torch.cos(angle)
    turned[:, 0, 1], turned[:, 1, 0] = size * torch.sin(angle), -size * torch.sin(angle)
    halves = torch.diag(torch.tensor([width / 2, height / 2, 1.0], dtype=x.dtype))
    theta = torch.linalg.inv(halves) @ torch.linalg.inv(shifted @ turned) @ halves
    grid = torch.nn.functional.affine_grid(theta[:, :2], x.shape, align_corners=False)
    return torch.nn.functional.grid_sample(x, grid, padding_mode="zeros", align_corners=False)
