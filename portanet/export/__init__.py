"""Models for other programs: an ONNX file, one Python file that needs NumPy alone, or a page that runs in a browser.

```console
portanet export runs/table-1 --to onnx --verify rows.csv   # the largest difference of its answers on these rows
portanet export runs/table-1 --to python                   # python predict.py rows.csv > answers.csv
portanet export runs/table-1 --to html
```

An ONNX file (opset 17; extra `onnx`) takes raw rows: pixels as uint8, and a table of numbers without gaps as one matrix
`input` (N, D), in float64 where float32 would not do, as for a model in float64. Any other table comes in as it is, an
input (N, 1) for each column that is learnt, under its name:

| column | type | missing |
|---|---|---|
| number | float32, or float64 where float32 would make one of two of its numbers | NaN |
| category, yes/no | text; values that training did not have are answered as missing ones are | "" or any other text |
| date | int64: seconds since 1970 by the clock as written, which are `datetime64[s]` of NumPy | NaT |

```python
TYPES = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(string)": "object", "tensor(int64)": "int64"}

def column(values, kind):  # of a data frame of pandas
    moments = values.dtype.kind == "M"
    return (values.astype("datetime64[s]") if moments else values).astype(TYPES[kind]).to_numpy()[:, None]

session = onnxruntime.InferenceSession("model.onnx")
answers = session.run(None, {each.name: column(frame[each.name], each.type) for each in session.get_inputs()})
```

Its metadata says in JSON what each of `inputs` takes, what `outputs` are and in which unit, and the names of `classes`.
The text of a category is compared letter by letter (LabelEncoder of the domain ai.onnx.ml, as ONNX itself compares no
text), so it has no spaces around it, and whole numbers are 7 or 7.0 and not 07. Dates are no text, which no operator
of opset 17 takes apart. Answers are `label` (N,), of the classes' own type, and `probabilities` (N, K); or
`prediction`, with `lower` and `upper` for a model with intervals.

`predict.py` reads files as `portanet predict` does: separator, decimal mark, missing words and forms of dates are those
of the file that was learnt from. `predict(table)` takes a dict of columns, a data frame or a list of dicts, whose cells
may be text, numbers and dates; `predict(rows)` of other models an array.

`lowering.py` writes a model's layers as a graph of ONNX's standard operators, `table_inputs.py` a table's columns in
front of them; each format is a short file that writes such a graph: `onnx.py`, `python.py`, and `explorer.py`, whose
page interprets it by the JavaScript in `page/`.
"""
