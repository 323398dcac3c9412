"""A recipe is what its author wrote, or every mistake in it with its place and a way out."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sentei.errors import RecipeError
from sentei.recipe import Recipe, parse_recipe

SHIPPED = sorted((Path(__file__).resolve().parents[3] / "pipelines/recipes").glob("*.yaml"))

SMALL = """\
name: small
seed: 0
data:
  source: digits
  splits: {scoring: 100, selection: 300, calibration: 600, test: 200}
model:
  architecture: mlp
  kwargs: {hidden: [16]}
train: {epochs: 3}
family:
  variants:
    - {sparsity: 0.5}
claim: {epsilon: 0.03}
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def changed(old: str, new: str) -> str:
    assert SMALL.count(old) == 1
    return SMALL.replace(old, new)


def test_every_mistake_is_told_at_once_with_path_line_and_nearest_name():
    text = """\
name: Small
sead: 1
data:
  source: digit
  splits: {scoring: 0, selection: 300, calibration: "600", test: 200, tset: 1}
model:
  architecture: lenet5
train:
  epochs: 3.0
  batch-size: 7
  learning-rate: 1
family:
  variants:
    - {sparsity: 1.0}
    - {sparsity: 0.5, criterion: magnitud-l2}
"""
    assert mistakes(text) == [
        "claim: required, but missing",
        "data.source (line 4): expected one of fashion-mnist, digits, shapes, idx, images, masks, npz, shards, "
        "factory; received 'digit'; did you mean 'digits'?",
        "data.splits.calibration (line 5): expected a valid integer; received '600'",
        "data.splits.scoring (line 5): expected greater than or equal to 1; received 0",
        "data.splits.tset (line 5): unknown name; did you mean 'test'?",
        "family.variants.0.sparsity (line 14): expected a number >= 0 and < 1; received 1.0",
        "family.variants.1.criterion (line 15): expected one of magnitude-l1, magnitude-l2, random, lamp, bn-scale, "
        "fpgm, taylor, wanda, obd, obs, obs-blocks, data-free; received 'magnitud-l2'; did you mean 'magnitude-l2'?",
        "model.architecture (line 7): expected one of mlp, lenet-300-100, lenet-5, resnet-20, unet, torchvision/NAME "
        "(86 networks) (did you mean 'lenet-5'?); received 'lenet5'",
        "name (line 1): expected a text that matches ^[a-z0-9][a-z0-9-]{0,40}$; received 'Small'",
        "sead (line 2): unknown name; did you mean 'seed'?",
        "train.batch-size (line 10): unknown name; did you mean 'batch_size'?",
        "train.epochs (line 9): expected a valid integer; received 3.0",
        "train.learning-rate (line 11): unknown name; did you mean 'learning_rate'?",
    ]


def test_the_small_recipe_itself_has_no_mistake():
    assert parse_recipe(SMALL).name == "small"


@pytest.mark.parametrize(
    ("place", "section"),
    [
        ("", SMALL + "xyzzy: 1\n"),
        ("data.", changed("  source: digits", "  source: digits\n  xyzzy: 1")),
        ("data.splits.", changed("test: 200}", "test: 200, xyzzy: 1}")),
        ("data.unlabelled.", changed("  source: digits", "  source: digits\n  unlabelled: {source: digits, xyzzy: 1}")),
        ("model.", changed("  architecture: mlp", "  architecture: mlp\n  xyzzy: 1")),
        ("train.", changed("{epochs: 3}", "{epochs: 3, xyzzy: 1}")),
        ("family.", changed("  variants:", "  xyzzy: 1\n  variants:")),
        ("family.variants.0.", changed("{sparsity: 0.5}", "{sparsity: 0.5, xyzzy: 1}")),
        ("family.grid.", changed("  variants:", "  grid: {sparsity: [0.1], xyzzy: 1}\n  variants:")),
        ("finetune.", SMALL + "finetune: {xyzzy: 1}\n"),
        ("claim.", changed("{epsilon: 0.03}", "{epsilon: 0.03, xyzzy: 1}")),
        ("compare.0.", SMALL + "compare: [{epsilon: 0.03, xyzzy: 1}]\n"),
        ("procedure.", SMALL + "procedure: {xyzzy: 1}\n"),
        ("release.", SMALL + "release: {xyzzy: 1}\n"),
        ("registry.", SMALL + "registry: {xyzzy: 1}\n"),
    ],
)
def test_an_unknown_name_is_refused_in_every_section_with_its_line(place, section):
    line = 1 + next(number for number, text in enumerate(section.splitlines()) if "xyzzy" in text)
    (only,) = mistakes(section)
    assert only.startswith(f"{place}xyzzy (line {line}): unknown name; known here: ")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (SMALL + "claim: {epsilon: 0.01}\n", 14, "'claim' stands here twice"),
        (changed("{epochs: 3}", "{epochs: 3, epochs: 4}"), 9, "'epochs' stands here twice"),
        ("name: [", 1, "expected the node content"),
        ("? [a]\n: b\n", 1, "a name must be one word"),
        ("name: !!python/object/apply:os.system [ls]\n", 1, "could not determine a constructor"),
    ],
)
def test_what_is_not_a_sound_yaml_is_refused_with_its_line(text, line, what):
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, "mine.yaml")
    assert str(caught.value).startswith(f"mine.yaml (line {line}): expected YAML; ")
    assert what in str(caught.value)


@pytest.mark.parametrize(("text", "received"), [("null\n", "nothing"), ("- a\n", "a list"), ("just words", "a text")])
def test_a_recipe_is_a_mapping(text, received):
    with pytest.raises(RecipeError, match=f"expected a mapping of names to values, received {received}"):
        parse_recipe(text)


@pytest.mark.parametrize("text", ["", "\n\n", "# name: a\n"])
def test_an_empty_recipe_is_called_empty(text):
    with pytest.raises(RecipeError, match=r"^mine\.yaml: the recipe is empty"):
        parse_recipe(text, "mine.yaml")


@pytest.mark.parametrize(("value", "received"), [("null", "nothing"), ("[]", "a list"), ("7", "7"), ("x", "a text")])
@pytest.mark.parametrize("section", ["data", "train", "family", "registry"])
def test_a_section_that_is_no_mapping_is_told_without_the_names_of_classes(section, value, received):
    lines = [line for line in SMALL.splitlines(keepends=True) if not line.startswith((f"{section}:", " "))]
    told = mistakes("".join(lines).replace("model:", "model: {architecture: mlp}") + f"{section}: {value}\n")
    assert any(
        line.startswith(f"{section} (line ")
        and line.endswith(f"): expected a mapping of names to values, received {received}")
        for line in told
    )


def test_one_mistake_is_not_called_several():
    with pytest.raises(RecipeError, match=r"^recipe: 1 mistake\n"):
        parse_recipe(changed("seed: 0", "seed: x"))
    with pytest.raises(RecipeError, match=r"^recipe: 2 mistakes\n"):
        parse_recipe(changed("seed: 0", "seed: x").replace("name: small", "name: S"))


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("seed: 0", "seed: 1.0", "seed"),
        ("seed: 0", "seed: true", "seed"),
        ("seed: 0", "seed: '1'", "seed"),
        ("seed: 0", "seed: null", "seed"),
        ("name: small", "name: 7", "name"),
        ("{epochs: 3}", "{learning_rate: true}", "train.learning_rate"),
        ("{epochs: 3}", "{learning_rate: [0.1]}", "train.learning_rate"),
        ("{epochs: 3}", "{learning_rate: 1_0x}", "train.learning_rate"),
        ("{epochs: 3}", "{learning_rate: .inf}", "train.learning_rate"),
        ("{epochs: 3}", "{learning_rate: .nan}", "train.learning_rate"),
        ("{epochs: 3}", "{learning_rate: 1e999999999}", "train.learning_rate"),
        ("{epochs: 3}", "{momentum: ٠.٥}", "train.momentum"),
        ("{hidden: [16]}", "[16]", "model.kwargs"),
        ("{hidden: [16]}", "{hidden: 2026-01-31}", "model.kwargs"),
        ("{hidden: [16]}", "{hidden: [1, {a: .nan}]}", "model.kwargs"),
        ("{hidden: [16]}", "{hidden: {1: 2}}", "model.kwargs"),
        ("test: 200", "test: rest", "data.splits.test"),
        ("    - {sparsity: 0.5}", "    {sparsity: 0.5}", "family.variants"),
    ],
)
def test_a_value_of_another_type_is_refused_and_never_converted(old, new, path):
    assert {line.partition(" (line ")[0] for line in mistakes(changed(old, new))} == {path}


@pytest.mark.parametrize(
    ("old", "template", "accepted", "refused"),
    [
        ("seed: 0", "seed: {}", ["0", "2147483647"], ["-1", "2147483648"]),
        ("sparsity: 0.5", "sparsity: {}", ["0", "0.999999"], ["-0.000001", "1", "1.0"]),
        ("epsilon: 0.03", "epsilon: {}", ["0", "0.99"], ["-0.01", "1"]),
        ("epsilon: 0.03", "epsilon: 0.1, delta: {}", ["0.0021", "0.9999"], ["0", "1", "0.002", "0.001"]),
        ("epsilon: 0.03", "epsilon: 0.1, gamma: {}", ["1e-9", "0.0499"], ["0", "0.05", "0.06"]),
        ("epsilon: 0.03", "kind: risk, alpha: {}", ["0.001", "0.999"], ["0", "1"]),
        ("scoring: 100", "scoring: {}", ["1"], ["0", "-1"]),
        ("epochs: 3", "epochs: {}", ["1", "1000"], ["-1", "0"]),
        ("epochs: 3", "batch_size: {}", ["1"], ["0"]),
        ("epochs: 3", "learning_rate: {}", ["1e-6", "1000"], ["0", "-1", "1000.5"]),
        ("epochs: 3", "weight_decay: {}", ["0"], ["-0.1"]),
        ("epochs: 3", "momentum: {}", ["0", "0.99"], ["1"]),
        ("name: small", "name: {}", ["a", "0-9", "a" * 41], ["'-a'", "a" * 42, "a_b", '"a\\n"', "''"]),
    ],
)
def test_ranges_end_exactly_where_they_say(old, template, accepted, refused):
    for value in accepted:
        parse_recipe(changed(old, template.format(value)))
    for value in refused:
        assert len(mistakes(changed(old, template.format(value)))) == 1


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("{}", {"claim.epsilon: expected a number, because kind is 'accuracy_drop'"}),
        ("{alpha: 0.1}", {"claim.alpha: nothing", "claim.epsilon: a number"}),
        ("{epsilon: 0.1, alpha: 0.1}", {"claim.alpha: nothing"}),
        ("{kind: risk}", {"claim.alpha: a number"}),
        ("{kind: risk, epsilon: 0.1}", {"claim.alpha: a number", "claim.epsilon: nothing"}),
        ("{kind: risk, epsilon: 0.1, alpha: 0.1}", {"claim.epsilon: nothing"}),
        ("{kind: drop, epsilon: 0.1}", {"claim.kind: one of"}),
        ("{epsilon: 0.1, delta: 0.01, gamma: 0.01}", {"claim.gamma: less than delta (0.01)"}),
    ],
)
def test_a_claim_has_the_tolerance_of_its_kind_and_no_other(claim, told):
    found = mistakes(changed("{epsilon: 0.03}", claim))
    assert len(found) == len(told)
    for place, what in (entry.split(": ", 1) for entry in told):
        assert any(line.startswith(place) and what.removeprefix("expected ") in line for line in found)


@pytest.mark.parametrize("value", ["null", "[]", "7", "x"])
def test_what_is_no_claim_is_told_so(value):
    (told,) = mistakes(changed("claim: {epsilon: 0.03}", f"claim: {value}"))
    assert told.startswith("claim (line ")
    assert "expected a claim, or a list of claims" in told


def test_a_risk_claim_is_not_held_to_a_gamma_that_it_does_not_use():
    assert parse_recipe(changed("{epsilon: 0.03}", "{kind: risk, alpha: 0.1, delta: 0.001}")).claim[0].delta == "0.001"


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ("source: idx", "data.path"),
        ("source: npz", "data.path"),
        ("source: images\n  size: [8, 8]", "data.path"),
        ("source: images\n  path: folder", "data.size"),
        ("source: masks\n  path: folder", "data.size"),
        ("source: factory", "data.factory"),
    ],
)
def test_a_source_says_what_else_it_needs(data, place):
    (only,) = mistakes(changed("source: digits", data))
    assert only.startswith(f"{place} (line 3): expected ")


@pytest.mark.parametrize(
    ("source", "taken"),
    [
        ("fashion-mnist", set()),
        ("digits", set()),
        ("shapes", set()),
        ("idx", {"path"}),
        ("images", {"path", "size", "channels", "n_classes"}),
        ("masks", {"path", "size", "channels", "n_classes"}),
        ("npz", {"path", "n_classes"}),
        ("factory", {"factory", "kwargs", "n_classes"}),
    ],
)
def test_a_source_is_given_its_own_keys_and_no_other(source, taken):
    keys = {"path": "x", "size": "[8, 8]", "channels": "1", "factory": "'a:b'", "kwargs": "{a: 1}", "n_classes": "3"}
    told = mistakes(
        changed("source: digits", "\n  ".join([f"source: {source}", *(f"{k}: {v}" for k, v in keys.items())]))
    )
    assert {line.partition(" (")[0] for line in told} == {f"data.{key}" for key in keys.keys() - taken}
    assert all(f"expected nothing here, because source is '{source}'" in line for line in told)


def test_rows_without_labels_are_a_source_of_their_own():
    told = mistakes(
        changed("source: digits", "source: digits\n  unlabelled: {source: npz, n_classes: 3, size: [1, 1]}")
    )
    assert [line.partition(";")[0] for line in told] == [
        "data.unlabelled.n_classes (line 5): unknown name",
        "data.unlabelled.path (line 5): expected a path, because source is 'npz'",
        "data.unlabelled.size (line 5): expected nothing here, because source is 'npz'",
    ]
    both = parse_recipe(changed("source: digits", "source: digits\n  unlabelled: {source: npz, path: x.npz, limit: 9}"))
    assert both.data.unlabelled.request() == {"source": "npz", "path": "x.npz", "limit": 9}
    assert both.data.request() == {"source": "digits"}


@pytest.mark.parametrize("source", ["data: {source: factory, factory: rows, ", "model: {factory: 'a.b'}\ndata: {"])
def test_a_factory_is_written_as_module_and_function(source):
    text = "name: a\n" + source + "splits: {scoring: 1, selection: 1, calibration: 1, test: 1}}\n"
    assert any("factory (line 2): expected a text that matches ^[A-Za-z_]" in line for line in mistakes(text))


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("{architecture: mlp, kwargs: {hiden: [3]}}", "hiden (line 6): unknown name; did you mean 'hidden'?"),
        ("{architecture: mlp, kwargs: {depth: 3}}", "depth (line 6): unknown name; known here: hidden"),
        ("{architecture: lenet-300-100, kwargs: {q: 3}}", "q (line 6): unknown name; known here: none"),
        ("{architecture: mlp, kwargs: {hidden: x}}", "hidden (line 6): expected a valid list; received 'x'"),
        ("{architecture: mlp, kwargs: {hidden: [3, x]}}", "hidden.1 (line 6): expected a valid integer; received 'x'"),
        (
            "{architecture: mlp, kwargs: {hidden: [0]}}",
            "hidden.0 (line 6): expected greater than or equal to 1; received 0",
        ),
        ("{architecture: lenet-5, kwargs: {channels: [6]}}", "channels (line 6): expected"),
        ("{architecture: unet, kwargs: {depth: 1}}", "depth (line 6): expected greater than or equal to 2"),
        ("{architecture: torchvision/lraspp_mobilenet_v3_large, kwargs: {aux: 1}}", "aux (line 6): unknown name"),
        ("{architecture: resnet-20, kwargs: {shortcut: padd}}", "did you mean 'pad'?"),
        ("{architecture: torchvision/vgg16_bn, kwargs: {dropout: 2}}", "dropout (line 6): expected"),
        ("{architecture: torchvision/resnet18, kwargs: {weights: DEFAULT}}", "known here: zero_init_residual"),
    ],
)
def test_an_argument_that_the_architecture_does_not_take_is_told_with_its_place(model, told):
    (only,) = mistakes(changed("model:\n  architecture: mlp\n  kwargs: {hidden: [16]}", f"model: {model}"))
    assert only.startswith("model.kwargs.")
    assert told in only


def test_arguments_of_the_users_own_network_are_the_users_affair():
    model = "model: {factory: 'nets:build', kwargs: {hiden: x}}"
    text = changed("model:\n  architecture: mlp\n  kwargs: {hidden: [16]}", model)
    assert parse_recipe(text).model.kwargs == {"hiden": "x"}


def test_no_epochs_need_weights_to_begin_with():
    (only,) = mistakes(changed("epochs: 3", "epochs: 0"))
    assert (
        only
        == "train.epochs (line 9): expected 1 or more; 0 needs weights to begin with, in model.pretrained; received 0"
    )
    text = changed("epochs: 3", "epochs: 0").replace(
        "architecture: mlp", "architecture: mlp\n  pretrained: a.pt\n  pretrained_is_independent: true"
    )
    assert parse_recipe(text).train.epochs == 0


@pytest.mark.parametrize(
    "to",
    ["released", "../up", "/srv/a b", "s3://abc/", "s3://a.b-c9/x/y z/", "s3://abc/a..b/.c", "C:\\\\x"],
)
def test_a_release_goes_to_a_folder_or_to_s3(to):
    parse_recipe(SMALL + f'release: {{to: "{to}"}}\n')


@pytest.mark.parametrize(
    "to",
    [
        "",
        "s3://",
        "s3://ab/",
        "s3://abc",
        "s3://" + "a" * 64 + "/",
        "s3://My-bucket/x",
        "s3://a_b/x",
        "s3://-abc/x",
        "s3://a..b/x",
        "s3://abc//x",
        "s3://abc/../x",
        "s3://abc/x/.",
        "s3://abc/x//",
        "S3://abc/x",
        "gs://abc/x",
        "s3:///x",
        "s3://u:p@abc/x",
        "file:///x",
        "s3://abc/x\\n",
        "released\\n",
    ],
)
def test_a_place_that_cannot_take_a_release_is_refused_at_once(to):
    (only,) = mistakes(SMALL + f'release: {{to: "{to}"}}\n')
    assert only.startswith("release.to (line 14): expected a folder, or s3://bucket/prefix")


@pytest.mark.parametrize(("name", "good"), [("My model_1.0-b", True), ("a/b", False), ("a:b", False), ("a@b", False)])
def test_a_registered_model_has_a_name_that_mlflow_takes(name, good):
    text = SMALL + f"registry: {{model: '{name}'}}\n"
    if good:
        assert parse_recipe(text).registered_model == name
    else:
        assert mistakes(text)[0].startswith("registry.model (line 14): expected a text that matches")


@pytest.mark.parametrize("model", ["{architecture: mlp, factory: 'a:b'}", "{kwargs: {}}"])
def test_a_model_has_an_architecture_or_a_factory(model):
    text = changed("model:\n  architecture: mlp\n  kwargs: {hidden: [16]}", f"model: {model}")
    (only,) = mistakes(text)
    assert only.startswith("model.factory (line 6): expected exactly one of architecture and factory")


def test_patience_needs_rows_to_watch():
    (only,) = mistakes(changed("{epochs: 3}", "{patience: 2}"))
    assert "expected holdout rows as well" in only
    assert parse_recipe(changed("{epochs: 3}", "{patience: 2, holdout: 100}")).train.patience == 2


def test_epochs_of_recovery_stand_in_the_family_alone():
    (only,) = mistakes(SMALL + "finetune: {epochs: 3}\n")
    assert only == "finetune.epochs (line 14): expected 0; received 3"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_named_like_its_file_and_holds(path):
    recipe = parse_recipe(path.read_text(), str(path))
    assert recipe.name == path.stem
    assert yaml.safe_load(path.read_text()).keys() <= Recipe.model_fields.keys()


def test_there_are_shipped_recipes():
    assert len(SHIPPED) >= 3


@given(st.text())
def test_any_text_is_a_recipe_or_a_recipe_error(text):
    with pytest.raises(RecipeError):
        parse_recipe(text)


NAMES = st.sampled_from(["name", "data", "family", "grid", "sparsity", "claim", "model", "kwargs", "x-y", "0", ""])
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.integers(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(Recipe.model_fields)), TREES, min_size=1))
def test_any_tree_under_the_known_names_is_a_recipe_error_with_places(tree):
    for line in mistakes(yaml.safe_dump(tree)):
        assert line.split(".")[0].split(":")[0].split(" ")[0] in Recipe.model_fields


def test_brought_weights_must_be_vouched_for():
    brought = SMALL.replace("architecture: mlp", "architecture: mlp\n  pretrained: a.pt")
    assert brought != SMALL
    with pytest.raises(RecipeError, match=r"model\.pretrained_is_independent.*expected true beside pretrained"):
        parse_recipe(brought)
    vouched = brought.replace("a.pt", "a.pt\n  pretrained_is_independent: true")
    assert parse_recipe(vouched).model.pretrained == "a.pt"
