"""Parts of `TrainedModel` (training/model.py), and functions of a trained model for the commands.

    predictions  outputs: the last layer's, block by block; intervals: bounds that hold a fraction of the targets
    metrics      scores, measure: every metric of a task, for one target or several, in one pass over the rows
    calibration  temperature: of probabilities; calibration: that and the intervals, fitted to held-out rows
    weights      params: the arrays, initial and trained; weights: import and export of arrays
    text         summary: the layers as a table; report: the HTML report of a model
    exports      verify: an exported ONNX file compared with the model

They import the model for its type only; it calls them.
"""
