"""Files that are whole or refused: models, checkpoints and run folders.

A model or a checkpoint is one safetensors file with the arrays and one JSON header beside them. Any safetensors reader
can read the arrays, under names like "2.weight"; the header, in the metadata entry "portanet", holds the layers, the
class names and the training settings, and a SHA-256 over all. Nothing in a file is ever executed, and layers come from
a fixed list of names.
"""
