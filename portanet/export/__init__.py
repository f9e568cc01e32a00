"""Models for other programs: an ONNX file, one Python file that needs NumPy alone, or a page that runs in a browser.

`lowering.py` writes a model's layers as a graph of ONNX's standard operators; each format is a short file that writes
such a graph: `onnx.py`, `python.py`, and `explorer.py`, whose page interprets it by the JavaScript in `page/`.
"""
