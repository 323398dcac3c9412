"""A bundle that was altered anywhere, clumsily or with every digest put right, does not verify."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from sentei.certificate.canonical import canonical_json, digest, sha256_hex
from sentei.cli import main
from sentei.errors import ArtifactError, CertificateError
from sentei.steps import layout
from sentei.steps.verify import verify


@pytest.fixture
def bundle(chain, tmp_path):
    return Path(shutil.copytree(chain["bundle"], tmp_path / "bundle"))


def flip(path, position, bit):
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1 << bit]))


def reseal(folder, **changes):
    """Give a folder a manifest that fits what now stands in it."""
    body = {**json.loads((folder / layout.MANIFEST).read_bytes()), **changes}
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    body["files"] = {name: sha256_hex((folder / name).read_bytes()) for name in names if name != layout.MANIFEST}
    if layout.CERTIFICATE in body["files"] and "certificate_sha256" in body["facts"]:
        body["facts"] = {**body["facts"], "certificate_sha256": body["files"][layout.CERTIFICATE]}
    del body["digest"]
    (folder / layout.MANIFEST).write_bytes(canonical_json({**body, "digest": digest(body)}))


def rewrite(bundle, change, name="certificate.json"):
    """Change a record, and put every digest right: its own and the bundle's."""
    record = json.loads((bundle / name).read_bytes())
    del record["digest"]
    change(record)
    (bundle / name).write_bytes(canonical_json({**record, "digest": digest(record)}))
    reseal(bundle)


def rewrite_arrays(bundle, name, change):
    with np.load(bundle / name) as file:
        arrays = {key: file[key].copy() for key in file}
    change(arrays)
    np.savez_compressed(bundle / name, **arrays)
    reseal(bundle)


def test_the_bundle_holds(bundle):
    found = verify(bundle)
    assert found.n_files == sum(path.is_file() for path in bundle.rglob("*")) - 1
    assert found.lines()[0].startswith("verified: with 95 % confidence ")


def test_resealing_an_untouched_bundle_changes_nothing(bundle):
    before = (bundle / layout.MANIFEST).read_bytes()
    reseal(bundle)
    assert (bundle / layout.MANIFEST).read_bytes() == before


@pytest.mark.parametrize(
    "name",
    ["model/cost.json", "model/architecture.json", "evidence/costs.json", "evidence/networks.json", "report.json"],
)
def test_every_byte_of_the_small_files_is_guarded(bundle, name):
    path = bundle / name
    for position in range(path.stat().st_size):
        flip(path, position, position % 8)
        with pytest.raises(ArtifactError, match=name):
            verify(bundle)
        flip(path, position, position % 8)
    verify(bundle)


def test_a_flipped_bit_in_any_file_is_refused_and_the_file_named(bundle):
    draw = np.random.default_rng(0)
    names = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
    assert {"certificate.json", "manifest.json", "model/manifest.json", "model/model.onnx", "README.md"} < set(names)
    for name in names:
        size = (bundle / name).stat().st_size
        for position in {0, size - 1, *draw.integers(size, size=30).tolist()}:
            bit = int(draw.integers(8))
            flip(bundle / name, position, bit)
            with pytest.raises(ArtifactError, match=name):
                verify(bundle)
            flip(bundle / name, position, bit)
    verify(bundle)


def first_finding(record):
    return record["procedure"]["tests"][0]["findings"][0]


def fewer_errors(tally):
    tally.update(n_errors=tally["n_errors"] - 1, n_harmed=tally["n_harmed"] - 1)


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("tally", lambda r: fewer_errors(first_finding(r)["tally"])),
        ("p_value", lambda r: first_finding(r).update(p_value="0.0001")),
        ("upper_bounds", lambda r: r.update(upper_bounds=["0.001"])),
        ("verdict|p_value|claim", lambda r: r["claims"][0].update(tolerance="0.001")),
        ("verdict|p_value|claim", lambda r: r["claims"][0].update(delta="0.00001")),
        ("procedure.order", lambda r: r["procedure"].update(order=r["procedure"]["order"][::-1])),
        ("procedure.tests", lambda r: r["procedure"].update(tests=r["procedure"]["tests"][:-1])),
        ("procedure.order_digest", lambda r: r["procedure"].update(order_digest="0" * 64)),
        ("family_digest", lambda r: r.update(family_digest="0" * 64)),
        ("data.splits.calibration", lambda r: r["data"]["splits"]["calibration"].update(digest="0" * 64)),
        ("data.splits.calibration", lambda r: r["data"]["splits"]["calibration"].update(n_examples=601)),
        ("not the model that the certificate names", lambda r: r["variant"].update(digest="0" * 64)),
        ("not the model that the certificate names", lambda r: r["variant"].update(served_sha256="0" * 64)),
        (
            "not the model that the certificate names",
            lambda r: r["variant"].update(name="magnitude-l1-global-0.90-ft2"),
        ),
        ("made from another dense model", lambda r: r["dense"].update(digest="0" * 64)),
        ("dense.served_sha256", lambda r: r["dense"].update(served_sha256="0" * 64)),
        ("does_not_say", lambda r: r.update(does_not_say=[])),
    ],
)
def test_a_record_altered_with_every_digest_put_right_is_refused(bundle, where, change):
    rewrite(bundle, change)
    layout.reading(bundle, "bundle")
    with pytest.raises(CertificateError, match=where):
        verify(bundle)


@pytest.mark.parametrize(
    "change", [lambda r: r.update(format="sentei.certificate/9"), lambda r: r.update(more=1), lambda r: r.pop("code")]
)
def test_a_record_of_another_shape_is_refused(bundle, change):
    rewrite(bundle, change)
    with pytest.raises(CertificateError, match=r"certificate\.json"):
        verify(bundle)


def first_loss(arrays, prefix):
    key = next(key for key in sorted(arrays) if key.startswith(prefix))
    arrays[key][0] ^= 1


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("evidence/losses.npz", lambda a: first_loss(a, "calibration/of/")),
        ("evidence/losses.npz", lambda a: first_loss(a, "calibration/dense")),
        ("evidence/losses.npz", lambda a: [a.pop(key) for key in list(a) if key.startswith("calibration/of/")]),
        (
            "evidence/losses.npz",
            lambda a: a.update({"calibration/of/magnitude-l1-global-0.95-ft2/loss": a["calibration/dense/loss"]}),
        ),
        ("evidence/losses.npz", lambda a: [a.pop(key) for key in list(a) if key.startswith("selection/of/")]),
        ("evidence/losses.npz", lambda a: a.update({"calibration/dense/loss": a["calibration/dense/loss"][:-1]})),
        ("evidence/losses.npz", lambda a: a.update({"calibration/dense/loss": a["calibration/dense/loss"] * 2})),
        ("evidence/rows.npz", lambda a: a["digests"].__setitem__((0, 0), a["digests"][0, 0] ^ 1)),
        ("evidence/rows.npz", lambda a: a["labels"].__setitem__(0, (a["labels"][0] + 1) % 10)),
        ("evidence/rows.npz", lambda a: a.update(labels=a["labels"][::-1])),
        ("comparison-1/evidence/losses.npz", lambda a: first_loss(a, "calibration/of/")),
    ],
)
def test_evidence_altered_with_every_digest_put_right_is_refused(bundle, name, change):
    rewrite_arrays(bundle, name, change)
    with pytest.raises(CertificateError, match="does not follow from its evidence"):
        verify(bundle)


def one_array():
    """What numpy.save writes: an array, and no archive of arrays."""
    file = BytesIO()
    np.save(file, np.zeros(1))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("evidence/losses.npz", b""),
        ("evidence/losses.npz", b"PK\x03\x04 not a zip"),
        ("evidence/rows.npz", b"\x93NUMPY"),
        ("evidence/rows.npz", one_array()),
        ("evidence/family.json", b"{"),
        ("evidence/networks.json", b"[]"),
        ("evidence/networks.json", b"{}"),
    ],
)
def test_evidence_that_cannot_be_read_is_named(bundle, name, text):
    (bundle / name).write_bytes(text)
    reseal(bundle)
    with pytest.raises((ArtifactError, CertificateError), match="evidence"):
        verify(bundle)


@pytest.mark.parametrize(
    "name", ["evidence/losses.npz", "evidence/family.json", "certificate.json", "model/model.onnx"]
)
def test_a_bundle_sealed_without_one_of_its_files_is_refused(bundle, name):
    (bundle / name).unlink()
    if name.startswith("model/"):
        reseal(bundle / "model")
    reseal(bundle)
    with pytest.raises((ArtifactError, CertificateError)):
        verify(bundle)


def test_another_model_of_the_family_in_the_place_of_the_certified_one_is_refused(chain, bundle):
    shutil.rmtree(bundle / "model")
    shutil.copytree(chain["made/magnitude-l1-global-0.95-ft2"], bundle / "model")
    reseal(bundle)
    with pytest.raises(CertificateError, match="not the model that the certificate names"):
        verify(bundle)


def test_weights_altered_with_every_digest_put_right_are_not_the_certified_model(bundle):
    flip(bundle / "model/weights.safetensors", (bundle / "model/weights.safetensors").stat().st_size - 1, 0)
    reseal(bundle / "model")
    reseal(bundle)
    with pytest.raises(CertificateError, match="not the model that the certificate names"):
        verify(bundle)


def test_the_refusal_of_a_further_claim_is_recomputed_too(bundle):
    assert (bundle / "comparison-2/refusal.json").is_file()
    rewrite(bundle, lambda record: record.update(reason="it was raining"), "comparison-2/refusal.json")
    with pytest.raises(
        CertificateError, match=r"comparison-2/refusal\.json: does not follow from its evidence: reason"
    ):
        verify(bundle)


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts["claim"].update(tolerance="0.001"),
        lambda facts: facts["cost"].update(value="1"),
        lambda facts: facts.update(dense_digest="0" * 64),
        lambda facts: facts.update(certificate_sha256="0" * 64),
        lambda facts: facts.update(n="1000000"),
        lambda facts: facts.update(description="# harmless"),
        lambda facts: facts.update(sentence="with 100 % confidence nothing is lost"),
        lambda facts: facts.update(lines=["on 1000 test rows: 100 % right"]),
    ],
)
def test_facts_that_say_more_than_the_record_are_refused(bundle, change):
    facts = json.loads((bundle / layout.MANIFEST).read_bytes())["facts"]
    change(facts)
    body = {**json.loads((bundle / layout.MANIFEST).read_bytes()), "facts": facts}
    del body["digest"]
    (bundle / layout.MANIFEST).write_bytes(canonical_json({**body, "digest": digest(body)}))
    with pytest.raises(CertificateError, match=r"shows something else than it proves: manifest\.json"):
        verify(bundle)


@pytest.mark.parametrize(
    ("name", "find", "instead"),
    [
        ("README.md", "95 %", "99 %"),
        ("table.json", '"verdict":"refused"', '"verdict":"certified"'),
        ("evidence/costs.json", '"bytes":"', '"bytes":"1'),
    ],
)
def test_what_people_read_is_recomputed_too(bundle, name, find, instead):
    path = bundle / name
    text = path.read_text()
    assert find in text
    path.write_text(text.replace(find, instead))
    reseal(bundle)
    with pytest.raises(CertificateError, match=r"shows something else|does not follow"):
        verify(bundle)


def test_a_further_claim_has_one_record(bundle):
    (bundle / "comparison-2/refusal.json").unlink()
    reseal(bundle)
    with pytest.raises(ArtifactError, match="comparison-2: expected one record, found 0"):
        verify(bundle)


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["sentei", *map(str, arguments)])
    try:
        main()
    except SystemExit as leaving:
        return leaving.code
    return 0


def test_the_command_says_what_was_recomputed(bundle, monkeypatch, capsys):
    assert run(monkeypatch, "verify", bundle) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:-1] == verify(bundle).lines()
    assert "and 2 comparison(s)" in lines[-2]
    assert lines[-1] == "  not signed"


@pytest.mark.parametrize(
    ("damage", "code", "told"),
    [
        (lambda b: flip(b / "model/model.onnx", 100, 3), 3, "model/model.onnx: the file was altered"),
        (lambda b: (b / "README.md").unlink(), 3, "README.md: the file is missing"),
        (shutil.rmtree, 3, "manifest.json: not found"),
        (
            lambda b: rewrite(b, lambda r: r.update(upper_bounds=["0.0001"])),
            6,
            "does not follow from its evidence: upper_bounds",
        ),
    ],
)
def test_the_command_ends_with_the_code_of_who_can_act(bundle, monkeypatch, capsys, damage, code, told):
    damage(bundle)
    assert run(monkeypatch, "verify", bundle) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert told in printed.err
    assert "Traceback" not in printed.err
