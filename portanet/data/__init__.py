"""Files in, arrays out: MNIST itself, CSV, IDX and .npz."""

from portanet.data.dataset import Dataset
from portanet.data.source import read

__all__ = ["Dataset", "read"]
