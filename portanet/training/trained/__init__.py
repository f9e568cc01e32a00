"""What a model offers once it is trained: the parts of `TrainedModel` (training/model.py), and more for commands.

    answers    outputs: the last layer's, block by block; intervals: bounds that hold a fraction of the targets
    scores     scores, measure: every metric of a task, of one target or several, in one pass over the rows
    certainty  temperature, calibration: probabilities and intervals put right on rows that were held out
    weights    params: the arrays, to start from and trained; weights: those from other programs and for them
    words      summary: its layers as a table; report: its record, its answers, and the page of both
    exports    verify: how far the answers of an ONNX file are from its own

They know the model as a type alone, and it calls them.
"""
