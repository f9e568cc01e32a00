"""Files in, arrays out: MNIST itself, tables, pictures, IDX and npz files.

DATA is `mnist` (60,000 digits), `mnist:article` (the 42,000 of them whose number modulo 10 is 0 to 6), `mnist:test`
(10,000), a table, pictures, a folder of IDX files (`FOLDER:test` for its test part) or an `.npz`. In a table columns
named `pixel0`, `pixel1`, ... are an image and must hold integers from 0 to 255. Dates such as 20230101, seconds
since 1970 and other columns whose values float32 would merge are centred in float64 first, and the model file keeps by
how much. A cell that cannot be read is an error with its row and column.

## Tables

`.csv .tsv .txt .data`, compressed or not, stdin (`-`), `.parquet` (extra `parquet`) and data frames. Separator, decimal
comma, header and encoding are found, or given by name. Each column is a number, a category, a date, an identifier, a
constant or free text; the last three are left out with a note. `portanet data describe houses.csv --label price` shows
that, `kinds={"area": "category"}` (`--column area=category`) overrules it. The layer `Columns` turns the rest into
numbers: robust scale, a flag where a cell is missing, one-hot codes or an embedding of categories.

```python
import pandas as pd

from portanet import fit, read
from portanet.nn import Columns, Dense, ReLU, Sequential

area = [50 + i * i % 97 for i in range(200)]
town = ["north" if i % 3 else "south" for i in range(200)]
price = [1000 + 20 * size + 300 * (name == "north") for size, name in zip(area, town)]
pd.DataFrame({"area": area, "town": town, "price": price}).to_csv("houses.csv", index=False)

houses = read("houses.csv", label="price", task="regress")
network = Sequential(Columns(), Dense(64), ReLU(), Dense(1))
run = fit(network, houses, task="regress", optimizer="adam", epochs=60, valid=0.2)
print(round(run.history[-1]["valid_r2"], 2))
run.save("houses.safetensors")  # with the columns, their kinds and the unit of the price
```

On the command line the label decides: text, truth values and integers of up to 20 distinct values are classes, all else
numbers, unless `--task classify` or `--task regress` says so; more than 100 integer classes need `--classes N`. In
Python the loss or `task=` decides. Rows without a label are left out, with a note and a count, but for words such as
`None` that may be a class: `missing=["None"]` leaves them out, `classes=` makes them one. At prediction a value or a
gap that training did not have gets an answer and a note with counts; a missing column, or text among numbers, is an
error that names it.

Several label columns, `read("houses.csv", label=["price", "area"])` or `--label price --label area`, are targets (N, 2)
of numbers that one model learns, each in its own unit, or ones and zeros where all hold yes and no (several classes at
once). Scores, predictions, reports and exported files name each; a row without one of them is an error.

## Pictures

Pictures (extra `images`) are a folder with a folder for each class, or a CSV with a column of paths and a label: PNG,
JPEG, WebP, BMP and the first frame of a GIF, turned as Exif says, transparent pixels on white, 16 bits as 8. They
become uint8 of the commonest size, or of `--image CxHxW`, grey where none has colours; files that cannot be read are
named all at once. Those of a folder named `test` beside `train` are `FOLDER:test`. `portanet predict MODEL photo.jpg
FOLDER` prints `File,Label`; `--show seen.png` writes what the network sees. A model of MNIST gets photographs of digits
as MNIST was made, step by step in `portanet.data.pictures.digit`: paper subtracted, dark ink turned light, fitted into
20 x 20, centred by mass. Of 24 drawn digits, 20 of which lie in `tests/data/pictures/photographs`, all are right with
`mlp` after three epochs, and with `cnn` after two; of 400 more at random, all or all but the two whose ink covers half
of the picture.

## Memory maps

A CSV or IDX file of more than 256 MB, or an eighth of the free memory, is read once into a memory map: whole pixels as
uint8, other numbers as float32, in the same bits as in memory. `read(..., mapped=True)` does so with any. An IDX file
of uint8 that is not compressed is its own map; the others are made in the user's cache folder (`portanet doctor` says
where and how large; `PORTANET_CACHE` names another one; it may be deleted at any time) and opened the next time, unless
the file has changed. In memory are a few rows, and some tens of bytes for each row's label and place in the order. The
model has the same bytes as one that was trained in memory. A device takes all rows if they fit half of its free memory;
else each step's are sent in one asynchronous copy, and batch_size="full" is not possible.

Twelve times the 42,000 digits are a CSV of 920 MB and a map of 395 MB, in a shell that gives each process 300 MB:

```console
portanet data kaggle .
cp train.csv big.csv
for i in $(seq 11); do tail -n +2 train.csv; done >> big.csv
ulimit -d 300000                    # kilobytes of memory, without the pages of files
portanet train big.csv --epochs 1   # 104 s on two busy cores, most of them for the map
portanet train big.csv --epochs 1   # 20 s
```

Both write the model that is written without the limit and without a map, byte by byte. Without a map the reader stops
there, in one line.
"""

from portanet.data.dataset import Dataset
from portanet.data.source import read

__all__ = ["Dataset", "read"]
