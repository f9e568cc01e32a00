"""Models and states of a training as files: one safetensors file with the arrays, and one JSON header beside them.

Any safetensors reader can read the arrays, under names like "2.weight"; the header, in the metadata entry
"portanet", holds the layers, the names of the classes and how the model was trained, and a SHA-256 over all.
Nothing in a file is ever executed, and layers come from a fixed list of names.
"""

from portanet.checkpoint.model import load_model, save_model
from portanet.checkpoint.snapshot import has_snapshot, read_snapshot, write_snapshot

__all__ = ["has_snapshot", "load_model", "read_snapshot", "save_model", "write_snapshot"]
