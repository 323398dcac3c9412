"""One door to every source."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sentei.data import Table
from sentei.errors import DataError
from sentei.sources import load


def test_digits_are_scikit_learns_spread_over_a_byte():
    table, source = load({"source": "digits"}), load_digits()
    np.testing.assert_allclose(table.inputs[:, 0], source.images * 255 / 16, atol=0.5)
    assert table.labels.tolist() == source.target.tolist()
    assert (table.n_classes, table.name, table.is_test.any()) == (10, "digits", np.False_)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "source: expected one of fashion-mnist, digits, shapes, .* received None"),
        ({"source": "mnist"}, "received 'mnist'"),
        ({"source": "digits", "path": "/x"}, "the source digits does not take 'path'; it takes nothing more"),
        ({"source": "npz", "size": [2, 2], "path": "/x"}, "does not take 'size'; it takes n_classes, path, uri"),
        ({"source": "npz"}, "expects either a path or a uri"),
        ({"source": "npz", "path": "/x", "uri": "/y"}, "expects either a path or a uri"),
        ({"source": "npz", "path": "/no/such.npz"}, "at /no/such.npz, found nothing"),
        ({"source": "digits", "limit": 0}, "limit: expected .* received 0"),
        ({"source": "digits", "limit": "5"}, "limit: expected .* received '5'"),
        ({"source": "digits", "limit": True}, "limit: expected .* received True"),
    ],
)
def test_a_wrong_specification_is_told(spec, message):
    with pytest.raises(DataError, match=message):
        load(spec)


def test_a_recipes_whole_data_section_may_be_passed():
    spec = {"source": "digits", "limit": 9, "path": None, "kwargs": {}}
    spec |= {"splits": {"scoring": 3}, "duplicates": "drop", "unlabelled": {"source": "npz"}}
    assert load(spec).labels.tolist() == list(range(9))


def test_an_s3_address_is_opened_by_the_outer_ring(tmp_path):
    np.savez(tmp_path / "rows.npz", x=np.zeros((2, 3), np.uint8), y=np.array([0, 1]))
    asked = []

    def open_uri(uri):
        asked.append(uri)
        return tmp_path / "rows.npz"

    for key in ("path", "uri"):
        assert len(load({"source": "npz", key: "s3://bucket/rows.npz"}, open_uri=open_uri)) == 2
    assert asked == ["s3://bucket/rows.npz"] * 2
    with pytest.raises(DataError, match=r"s3://bucket/rows.npz stands on S3.*boto3"):
        load({"source": "npz", "uri": "s3://bucket/rows.npz"})


@pytest.fixture
def factories(tmp_path, monkeypatch):
    (tmp_path / "my_rows.py").write_text(
        "import numpy as np\n"
        "from sentei.data import Table\n"
        "def pair(n):\n    return np.zeros((n, 2), np.uint8), np.arange(n) % 2\n"
        "def table(n):\n    return Table.of(*pair(n), 'mine', class_names=['cat', 'dog'])\n"
        "def bare():\n    return np.zeros((3, 2), np.uint8), None\n"
        "def gaps():\n    return np.zeros((4, 2), np.uint8), np.array([0, -1, 1, -1])\n"
        "def nothing():\n    return None\n"
        "def leaves():\n    raise SystemExit('bye')\n"
        "number = 5\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SENTEI_FACTORIES", "other, my_rows")
    yield
    sys.modules.pop("my_rows", None)


@pytest.mark.usefixtures("factories")
def test_a_factory_makes_a_table_or_two_arrays():
    for name, expected in {"pair": "my_rows:pair", "table": "mine"}.items():
        table = load({"source": "factory", "factory": f"my_rows:{name}", "kwargs": {"n": 5}, "limit": 4})
        assert isinstance(table, Table)
        assert table.labels.tolist() == [0, 1, 0, 1]
        assert table.name == expected


@pytest.mark.usefixtures("factories")
def test_a_factory_may_give_rows_without_labels():
    table = load({"source": "factory", "factory": "my_rows:bare", "n_classes": 5})
    assert (table.labels.tolist(), table.n_classes) == ([-1] * 3, 5)


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (
            "my_rows:gaps",
            r"my_rows:gaps: labels: expected one for every row or for none, received -1 in 2 of 4 rows, "
            "first in row 1; .* data.unlabelled",
        ),
        (None, 'expected "package.module:function" with a package that SENTEI_FACTORIES lists, received None'),
        ("my_rows", "received 'my_rows'"),
        ("my_rows:pair()", "received"),
        ("..my_rows:pair", "received"),
        ("os:getcwd", "the module os may not run: SENTEI_FACTORIES allows other, my_rows"),
        ("my_rows_evil:pair", "the module my_rows_evil may not"),
        ("my_rows.inner:pair", "cannot be imported"),
        ("other:pair", "cannot be imported"),
        ("my_rows:absent", "cannot be imported"),
        ("my_rows:number", "expected a function, received int"),
        ("my_rows:pair", r"my_rows:pair cannot make data with \{\}: TypeError: .*'n'"),
        ("my_rows:leaves", "my_rows:leaves cannot make data with .*SystemExit: bye"),
        ("my_rows:nothing", r"expected a Table or arrays \(inputs, labels\), the factory returned NoneType"),
    ],
)
def test_a_factory_that_cannot_be_used_is_told(factory, message):
    with pytest.raises(DataError, match=message):
        load({"source": "factory", "factory": factory})


def test_no_factory_runs_unless_its_module_is_allowed(monkeypatch):
    monkeypatch.delenv("SENTEI_FACTORIES", raising=False)
    with pytest.raises(DataError, match="SENTEI_FACTORIES allows none"):
        load({"source": "factory", "factory": "os:getcwd"})


def test_importing_the_door_imports_no_source():
    code = "import sys, sentei.sources; print(sorted({'torch', 'torchvision', 'sklearn', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
