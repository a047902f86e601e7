"""What a stranger's file could execute: nothing is unpickled while the library does its work.

The work runs in a process of its own, under an audit hook that cannot be taken away again. The
syntax tree is read in ``test_layers.py``; here it is what really happens, third parties included.
"""

import subprocess
import sys
from pathlib import Path

import pytest

WATCHED = """
import builtins, sys
from pathlib import Path

PICKLERS = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
found = []
import_as_ever = builtins.__import__

def watch(event, arguments):
    if event == "pickle.find_class":
        found.append((event, arguments))

def import_watched(name, globals=None, locals=None, fromlist=(), level=0):
    # the audit event of imports is silent where another module has imported the name before
    asker = (globals or {}).get("__name__", "")
    if name.partition(".")[0] in PICKLERS and asker.partition(".")[0] == "wordsight":
        found.append((f"import {name}", asker))
    return import_as_ever(name, globals, locals, fromlist, level)

sys.addaudithook(watch)
builtins.__import__ = import_watched
"""

FORBID_TORCH = """
import torch
def refuse(*_, **__):
    found.append(("torch.load or torch.save", sys._getframe(1).f_globals["__name__"]))
    raise AssertionError("torch.load or torch.save")
for module in (torch, torch.serialization):
    module.load = module.save = refuse
"""

MODELS = """
import numpy as np
import wordsight as ws
from wordsight.features.cache import FeatureCache
from wordsight.words.formats import FORMATS

rng = np.random.default_rng(0)
names = ["cat", "dog", "ship", "zebra"]
words = ws.WordVectors(names, rng.normal(size=(4, 5)))
for number, kind in enumerate(FORMATS):
    place = f"words{number}.safetensors" if kind == "safetensors" else f"words{number}.txt"
    words.save(place, format=kind)
    assert ws.WordVectors.load(place).words == words.words, kind

images = rng.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
labels = np.repeat(names[:3], 20)
features = ws.PatchFeatures(6, n_patches=200, max_iter=2, random_state=0)
model = ws.CrossModalClassifier(
    words, ["zebra"], features=features, mapping=ws.LinearMap(0.1), random_state=0,
    false_novel_rate=0.3,
).fit(images, labels, cache=FeatureCache("cache"))
ws.save_model(model, "model")
loaded = ws.load_model("model")
assert (loaded.predict(images) == model.predict(images)).all()
for _ in range(2):  # made, then found again
    for _rows, _found in loaded.stream(images, cache=FeatureCache("cache")):
        pass
"""

DATA = """
import tarfile
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
import wordsight as ws

rng = np.random.default_rng(0)
images = rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
labels = np.array(["cat", "dog", "cat", "dog"])
Path("folder").mkdir()
encoded = []
for number, (pixels, label) in enumerate(zip(images, labels)):
    place = Path("folder", label, f"{number}.png")
    place.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(place)
    encoded.append(place.read_bytes())
np.save("pictures.npy", images)
np.savez("archive.npz", images=images, labels=labels)
np.savez_compressed("packed.npz", images=images, labels=labels)
pq.write_table(pa.table({
    "image": [{"bytes": one, "path": None} for one in encoded], "label": labels.tolist(),
}), "table.parquet")
batch = np.concatenate([np.zeros((4, 1), np.uint8), images.reshape(4, -1)], axis=1).tobytes()
binary = Path("cifar-10-batches-bin")
binary.mkdir()
for name in [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]:
    binary.joinpath(name).write_bytes(batch)
binary.joinpath("batches.meta.txt").write_text("\\n".join(f"class{k}" for k in range(10)))
with tarfile.open("cifar-10-binary.tar.gz", "w:gz") as archive:
    archive.add(binary)
sources = ["folder", "pictures.npy", "archive.npz", "packed.npz", "table.parquet", str(binary),
           "cifar-10-binary.tar.gz", ["folder/cat/0.png"], images]
for source in sources:
    data = ws.open_dataset(source)
    assert sum(len(batch.images) for batch in data.batches((8, 8), size=3)) == len(data), source
"""

TABLES = """
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.io import savemat
from wordsight.data.feature_table import read_features
from wordsight.data.gzsl import FEATURES_FILE, SPLITS_FILE, open_gzsl
from wordsight.words.descriptions import read_descriptions

names = np.array(["antelope", "grizzly+bear", "ox"], dtype=object)[:, None]
savemat(FEATURES_FILE, {
    "features": np.arange(24.0).reshape(4, 6), "labels": np.array([[1.0, 2, 3, 1, 2, 3]]).T,
})
savemat(SPLITS_FILE, {
    "att": np.array([[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]]), "allclasses_names": names,
    "trainval_loc": np.array([[2.0], [1]]), "test_seen_loc": np.array([[4.0], [5]]),
    "test_unseen_loc": np.array([[3.0], [6]]),
})
open_gzsl(".")
table = pa.table({"features": [[1.0, 2.0], [3.0, 4.0]], "label": ["cat", "dog"]})
pq.write_table(table, "f.parquet")
read_features("f.parquet")
for name, text in {
    "d.json": '{"cat": "a small animal", "dog": "a loyal animal"}',
    "d.yaml": "cat: a small animal\\ndog: a loyal animal\\n",
}.items():
    Path(name).write_text(text, encoding="utf-8")
    assert set(read_descriptions(name)) == {"cat", "dog"}, name
"""

BOX = """
import numpy as np
from PIL import Image
from wordsight.cli import main

Image.fromarray(np.full((40, 40, 3), 99, dtype=np.uint8)).save("x.png")
sys.argv = ["wordsight", "predict", "x.png", "--also", "zebra", "--quiet", "--out", "out.csv"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert Path("out.csv").is_file()
"""

VERDICT = """
assert not found, found
print("nothing unpickled")
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WATCHED + FORBID_TORCH + code + VERDICT],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "work",
    [MODELS, DATA, TABLES, BOX],
    ids=["models, words and cache", "images", "tables", "the model in the box"],
)
def test_nothing_is_unpickled(work: str, tmp_path: Path) -> None:
    done = run(work, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "nothing unpickled"


@pytest.mark.slow
def test_the_hook_sees_what_it_is_to_see(tmp_path: Path) -> None:
    unpickling = "import pickle, fractions; pickle.loads(pickle.dumps(fractions.Fraction(1)))\n"
    assert "pickle.find_class" in run(unpickling, tmp_path).stderr
    # torch has imported it long ago
    ours = "exec('import pickle', {'__name__': 'wordsight.words'})\n"
    assert "('import pickle', 'wordsight.words')" in run(ours, tmp_path).stderr
    loading = "import io; torch.load(io.BytesIO())\n"
    assert "torch.load or torch.save" in run(loading, tmp_path).stderr
