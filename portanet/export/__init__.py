"""Models for other programs: an ONNX file, or one Python file that needs NumPy alone.

`lowering.py` writes a model's layers as a graph of ONNX's standard operators; each format is a short file that writes
such a graph: `onnx.py`, `python.py`.
"""
