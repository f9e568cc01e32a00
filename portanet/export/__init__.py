"""Models for other programs: an ONNX file, one Python file that needs only NumPy, or a page that runs in a browser.

```console
portanet export runs/table-1 --to onnx --verify rows.csv   # prints the largest difference on these rows
portanet export runs/table-1 --to python                   # python predict.py rows.csv > answers.csv
portanet export runs/table-1 --to html
```

An ONNX file (opset 17; extra `onnx`) takes raw rows: pixels as uint8, and a table of numbers without gaps as one matrix
`input` (N, D), in float64 if float32 would merge numbers or if the model is in float64. Any other table has an input
(N, 1) for each column that the model uses, under the column's name:

| column | type | missing |
|---|---|---|
| number | float32, or float64 where float32 would merge numbers | NaN |
| category, yes/no | text; unknown values count as missing | "" or any other text |
| date | int64: seconds since 1970 in the written local time, as in NumPy's `datetime64[s]` | NaT |

```py
TYPES = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(string)": "object", "tensor(int64)": "int64"}

def column(values, kind):  # of frame, a data frame of pandas whose dates are parsed, as by pandas.to_datetime
    moments = values.dtype.kind == "M"
    return (values.astype("datetime64[s]") if moments else values).astype(TYPES[kind]).to_numpy()[:, None]

session = onnxruntime.InferenceSession("model.onnx")
answers = session.run(None, {each.name: column(frame[each.name], each.type) for each in session.get_inputs()})
```

Its metadata describes, in JSON, the `inputs`, the `outputs` with their unit, and the names of `classes`. The text of a
category must match exactly (LabelEncoder of the domain ai.onnx.ml; ONNX's own operators do not compare text): without
surrounding spaces, and integers as 7 or 7.0, which also stand for a category 07. Dates are numbers because no operator
of opset 17 parses text. The outputs are `label` (N,), of the type of the classes, and `probabilities` (N, K); or
`prediction`, with `lower` and `upper` for a model with intervals.

`predict.py` reads files as `portanet predict` does, with the separator, decimal mark, missing values and date formats
of the training file. `predict(table)` takes a dict of columns, a data frame or a list of dicts, whose cells may be
text, numbers and dates; for other models `predict(rows)` takes an array.

`lowering.py` writes a model's layers as a graph of ONNX's standard operators, and `table_inputs.py` puts a table's
columns before them. Each format is a short file that writes such a graph: `onnx.py`, `python.py`, and `explorer.py`,
whose page interprets it with the JavaScript in `page/`.
"""
