"""Reading data: the built-in MNIST, tables, pictures, IDX and npz files.

`portanet.read(DATA)` and the commands take the same DATA: `mnist` (60,000 digits), `mnist:article` (the 42,000 of them
whose index modulo 10 is 0 to 6), `mnist:test` (10,000), a table, pictures, a folder of IDX files (`FOLDER:test` for its
test part) or an `.npz`. In a table, columns named `pixel0`, `pixel1`, ... are an image and must contain integers from 0
to 255. Columns whose values float32 would merge, such as dates like 20230101 or seconds since 1970, are first centred
in float64; the model file keeps the offsets. A cell that cannot be read is an error that names its row and column.

## Tables

Tables are `.csv .tsv .txt .data` files, compressed or not, stdin (`-`), `.parquet` files (extra `parquet`) and data
frames. Separator, decimal mark, header and encoding are detected, or set by arguments. Each column is a number, a
category, a date, an identifier, a constant or free text; the last three are left out with a note. The numbers of a
column may have a currency sign, a percent sign or a unit, the same in all its cells, and spaces or apostrophes between
thousands; numbers with a leading zero, such as 01067, are categories. `portanet data describe houses.csv --label price`
shows the kinds, and `kinds={"area": "category"}` (`--column area=category`) overrides them; `day.month.year` in place
of a kind is the format of a date. Months (2020-01) and times of day (14:30) are dates too. The layer `Columns` turns
the columns into features: robust scaling, a flag for missing cells, one-hot codes or an embedding of categories.

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

On the command line the label decides the task: text, booleans and integers of up to 20 distinct values are classes,
others are numbers, unless `--task classify` or `--task regress` is given; more than 100 integer classes need
`--classes N`. In Python the loss or `task=` decides. Rows without a label are left out, with a note and a count. Text
such as `None` may be a missing label or a class: `missing=["None"]` leaves those rows out, `classes=` makes it a class.
In prediction, categories and gaps that did not occur in training are accepted, with a note that counts them; a missing
column, or text among numbers, is an error that names it.

Several label columns, `read("houses.csv", label=["price", "area"])` or `--label price --label area`, are targets (N, 2)
of one model: numbers, each in its own unit, or ones and zeros if all contain yes and no (multi-label). Scores,
predictions, reports and exported files name each target; a row without one of them is an error.

## Pictures

Pictures (extra `images`) come from a folder with a subfolder for each class, or from a CSV with a column of paths and a
label. PNG, JPEG, WebP, BMP and the first frame of a GIF are read, rotated by their Exif data, with transparent pixels
on white and 16 bits reduced to 8. They become uint8, all of the most frequent size or of `--image CxHxW`, and greyscale
if none has colours; one error names all unreadable files. If a folder has subfolders `train` and `test`, `FOLDER:test`
is the test part. `portanet predict MODEL photo.jpg FOLDER` prints `File,Label`; `--show seen.png` writes the network's
input. For a model of MNIST, photographs of digits are prepared as MNIST was, step by step in
`portanet.data.pictures.digit`: the paper is subtracted, dark ink made light, and the digit fitted into 20 x 20 and
centred by mass. Of 24 drawn digits, 20 of which are in `tests/data/pictures/photographs`, `mlp` after three epochs and
`cnn` after two classify all 24 correctly; of 400 others, drawn at random, at most two are wrong, both with ink over
half of the picture.

## Memory maps

A CSV or IDX file of more than 256 MB, or an eighth of the free memory, is converted once to a memory map: integer
pixels as uint8, other numbers as float32, with the same bits as in memory. `read(..., mapped=True)` does this for any
file. An uncompressed IDX file of uint8 is mapped directly; other maps are written to the user's cache folder and reused
until the file changes. `portanet doctor` shows the folder and its size, `PORTANET_CACHE` sets another one, and it may
be deleted at any time. Training then needs memory for a few rows, and some tens of bytes for the label and the index of
each row. The model has the same bytes as one trained in memory. All rows are copied to a device if they fit in half of
its free memory; otherwise each step's rows are sent in one asynchronous copy, and batch_size="full" is not possible.

Twelve copies of the 42,000 digits are a CSV of 920 MB and a map of 395 MB. In a shell that limits processes to 300 MB:

```console
portanet data kaggle .
cp train.csv big.csv
for i in $(seq 11); do tail -n +2 train.csv; done >> big.csv
ulimit -d 300000                    # kilobytes of memory, without pages of files
portanet train big.csv --epochs 1   # 104 s on two busy cores, most of it for the map
portanet train big.csv --epochs 1   # 20 s
```

Both write the same model, byte for byte, as training without the limit and the map. With the limit and without a map,
the command ends with an error of one line.
"""

from portanet.data.dataset import Dataset
from portanet.data.source import read

__all__ = ["Dataset", "read"]
