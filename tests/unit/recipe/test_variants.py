"""What a variant may be made of, what does not go together, and what a plan says of it."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from sentei.errors import RecipeError
from sentei.recipe import parse_recipe
from sentei.recipe.family import Variant
from sentei.recipe.schema import json_schema
from sentei.steps.plan import plan

RECIPES = Path(__file__).resolve().parents[3] / "pipelines/recipes"
HEAD = """\
name: small
data: {source: digits, splits: {scoring: 100, selection: 300, calibration: 600, test: 200}}
model: {architecture: mlp}
claim: {epsilon: 0.03}
family:
  variants:
    - {sparsity: 0.123}
"""

BUDGET = "a budget in parameters or bytes, because masks spare nothing else"
SHARE = "expected a share of the dense model's in (0, 1], or a whole number above 1"
ONE_OF = "expected exactly one of macs, parameters, bytes, latency, latency_ms in a budget"

DATA_FREE = "criterion: data-free, granularity: channel"
UNIFORM = f"{DATA_FREE}, allocation: uniform"


@pytest.mark.parametrize(
    ("written", "path", "told"),
    [
        ("{}", "", "expected exactly one of sparsity and budget"),
        ("{sparsity: 0.5, budget: {bytes: 0.5}}", "", "expected exactly one of sparsity and budget"),
        (
            '{granularity: "2:4", sparsity: 0.5}',
            "",
            "no budget beside granularity 2:4, which says both",
        ),
        ('{granularity: "1:4", budget: {bytes: 1}}', "", "no sparsity and no budget beside granularity 1:4"),
        ('{granularity: "4:4"}', "", "n below m in granularity n:m"),
        ('{granularity: "8:4"}', "", "n below m in granularity n:m"),
        ('{granularity: "2:4", schedule: cubic, rounds: 3}', "", "schedule one-shot beside granularity n:m"),
        ('{granularity: "2:4", allocation: uniform}', "", "allocation global beside granularity n:m"),
        ('{granularity: "2:4", layers: {fc1: 0.5}}', "", "keep alone in layers beside granularity n:m"),
        ("{criterion: bn-scale, sparsity: 0.5}", "", "granularity channel beside criterion bn-scale"),
        ('{criterion: fpgm, granularity: "2:4"}', "", "granularity channel beside criterion fpgm"),
        ("{criterion: fpgm, granularity: 'block:2x2', sparsity: 0.5}", "", "granularity channel beside criterion fpgm"),
        (
            "{criterion: obs-blocks, granularity: channel, sparsity: 0.5}",
            "",
            "granularity weight beside criterion obs-blocks",
        ),
        ("{allocation: search, sparsity: 0.5}", "", "granularity channel and a budget beside allocation search"),
        ("{allocation: search, granularity: channel, sparsity: 0.5}", "", "a budget beside allocation search"),
        ("{allocation: search, budget: {bytes: 0.5}}", "", "granularity channel and a budget beside allocation search"),
        ("{round_to: 8, sparsity: 0.5}", "", "granularity channel beside round_to"),
        ("{budget: {macs: 0.5}}", "", BUDGET),
        ("{budget: {latency: 0.5}}", "", BUDGET),
        ("{budget: {latency_ms: 2}}", "", BUDGET),
        ("{granularity: 'block:4x4', budget: {bytes: 0.5}}", "", "granularity weight or channel beside a budget"),
        ("{rounds: 2, sparsity: 0.5}", "", "schedule iterative or cubic beside rounds above 1"),
        ("{schedule: cubic, sparsity: 0.5}", "", "schedule iterative or cubic beside rounds above 1"),
        ("{round_epochs: 2, sparsity: 0.5}", "", "schedule iterative or cubic beside round_epochs"),
        ("{granularity: channel, budget: {}}", ".budget", ONE_OF),
        ("{granularity: channel, budget: {macs: 0.5, bytes: 0.5}}", ".budget", ONE_OF),
        ("{granularity: channel, budget: {latency: 2}}", ".budget", "milliseconds are called latency_ms"),
        ("{granularity: channel, budget: {macs: 0}}", ".budget.macs", SHARE),
        ("{granularity: channel, budget: {macs: 1.5}}", ".budget.macs", SHARE),
        ("{granularity: channel, budget: {macs: -5}}", ".budget.macs", SHARE),
        ("{granularity: channel, budget: {flops: 1}}", ".budget.flops", "unknown name"),
        ("{granularity: channel, budget: {mac: 1}}", ".budget.mac", "unknown name; did you mean 'macs'?"),
        ("{granularity: channels, sparsity: 0.5}", ".granularity", "expected weight, channel, n:m such as 2:4"),
        ("{granularity: 'block:0x2', sparsity: 0.5}", ".granularity", "expected weight, channel, n:m such as 2:4"),
        ("{granularity: '0:4'}", ".granularity", "expected weight, channel, n:m such as 2:4"),
        ("{allocation: isomorph, sparsity: 0.5}", ".allocation", "did you mean 'isomorphic'?"),
        ("{criterion: magnitude, sparsity: 0.5}", ".criterion", "did you mean 'magnitude-l"),
        ("{schedule: linear, rounds: 2, sparsity: 0.5}", ".schedule", "expected one of one-shot, iterative, cubic"),
        ("{sparsity: 0.5, layers: {fc1: drop}}", ".layers", "keep"),
        ("{sparsity: 0.5, layers: {fc1: 1.0}}", ".layers", "expected a number >= 0 and < 1"),
        ("{sparsity: 0.5, reconstruct: 1}", ".reconstruct", "boolean"),
        ("{criterion: data-free, sparsity: 0.5}", "", "granularity channel beside criterion data-free"),
        (f"{{{DATA_FREE}, allocation: global, sparsity: 0.5}}", "", "allocation uniform beside criterion data-free"),
        (f"{{{UNIFORM}, budget: {{latency: 0.5}}}}", "", "a budget in macs, parameters or bytes beside criterion"),
        (f"{{{UNIFORM}, sparsity: 0.5, reconstruct: true}}", "", "no reconstruct beside criterion data-free"),
        (f"{{{UNIFORM}, sparsity: 0.5, round_to: 8}}", "", "no round_to beside criterion data-free"),
        (f"{{{UNIFORM}, sparsity: 0.5, layers: {{fc1: 0.5}}}}", "", "keep alone in layers beside criterion data-free"),
        (f"{{{UNIFORM}, sparsity: 0.5, schedule: cubic, rounds: 2}}", "", "schedule one-shot beside criterion data"),
        (
            f"{{{UNIFORM}, sparsity: 0.5, data_free: {{step: 0}}}}",
            ".data_free.step",
            "expected a number >= 0.001 and < 1",
        ),
        ("{sparsity: 0.5, data_free: {}}", "", "criterion data-free beside data_free"),
        ("{depth: {}}", ".depth", "exactly one of activations and blocks"),
        ("{depth: {activations: 1, blocks: 1}}", ".depth", "exactly one of activations and blocks"),
        ("{depth: {activations: 1, by: influence}}", ".depth", "expected by: entropy or folding for activations"),
        ("{depth: {blocks: 1, by: entropy}}", ".depth", "expected by: influence for blocks"),
        ("{depth: {blocks: 1, within: 0.01}}", ".depth", "expected nothing else beside blocks"),
        ("{depth: {activations: 1, by: folding}}", ".depth", "expected a penalty beside by: folding"),
        ("{depth: {activations: 0}}", ".depth.activations", "greater than or equal to 1"),
        ("{depth: {activations: 1}, sparsity: 0.5}", "", "expected no sparsity beside depth"),
        ("{depth: {activations: 1}, granularity: channel}", "", "expected no granularity beside depth"),
        ("{depth: {blocks: 1}, round_epochs: 2}", "", "finetune instead of round_epochs beside depth.blocks"),
    ],
)
def test_what_does_not_go_together_is_told_with_its_path_and_line(written, path, told):
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f"{HEAD}    - {written}\n")
    head, mistake = str(caught.value).splitlines()
    assert head == "recipe: 1 mistake"
    assert mistake.strip().startswith(f"family.variants.1{path} (line 8): ")
    assert told in mistake


def test_an_impossible_combination_in_a_grid_is_told_as_one():
    grid = "{granularity: [weight, channel], criterion: [magnitude-l1, fpgm], sparsity: [0.5]}"
    with pytest.raises(RecipeError) as caught:
        parse_recipe(HEAD.replace("variants:\n    - {sparsity: 0.123}", f"grid: {grid}"))
    assert str(caught.value).splitlines() == [
        "recipe: 1 mistake",
        "  family.grid (line 6): expected granularity channel beside criterion fpgm in a combination",
    ]


POSSIBLE = [
    ({"sparsity": 0.5}, "magnitude-l1-global-0.50"),
    ({"granularity": "2:4"}, "magnitude-l1-2-4"),
    ({"granularity": "2:4", "layers": {"fc1": "keep"}}, "magnitude-l1-2-4-layerse6539e"),
    ({"granularity": "block:4x1", "sparsity": 0.5}, "magnitude-l1-block-4x1-global-0.50"),
    ({"granularity": "channel", "budget": {"macs": 0.5}, "round_to": 8}, "magnitude-l1-channel-global-macs0.50-r8"),
    ({"granularity": "channel", "budget": {"latency_ms": 1.5}}, "magnitude-l1-channel-global-latency-ms1.5"),
    ({"granularity": "channel", "budget": {"parameters": 1000}}, "magnitude-l1-channel-global-parameters1000"),
    (
        {
            "criterion": "obs",
            "granularity": "channel",
            "allocation": "search",
            "budget": {"bytes": 0.25},
            "reconstruct": True,
            "schedule": "iterative",
            "rounds": 3,
            "round_epochs": 2,
            "finetune": 4,
        },
        "obs-channel-search-bytes0.25-reconstructed-iterative3x2-ft4",
    ),
    (
        {"criterion": "obs-blocks", "budget": {"bytes": 0.5}, "schedule": "cubic", "rounds": 2},
        "obs-blocks-global-bytes0.50-cubic2x1",
    ),
    (
        {"criterion": "data-free", "granularity": "channel", "allocation": "uniform", "sparsity": 0.25},
        "data-free-channel-uniform-0.25",
    ),
    (
        {
            "criterion": "data-free",
            "granularity": "channel",
            "allocation": "uniform",
            "budget": {"bytes": 0.5},
            "data_free": {"mode": "stochastic", "step": 0.05},
            "layers": {"fc3": "keep"},
        },
        "data-free-channel-stochastic-by0.05-uniform-bytes0.50-layersbac75c",
    ),
    ({"depth": {"activations": 5}}, "entropy-activation-x1-5"),
    (
        {
            "depth": {"activations": 5, "within": 0.01, "per_round": 2, "penalty": 0.1, "merge": False},
            "round_epochs": 3,
        },
        "entropy-activation-x3-by2-penalty0.1-within0.01-5-unmerged",
    ),
    (
        {"depth": {"activations": 5, "by": "folding", "penalty": 1}, "finetune": 2},
        "folding-activation-x1-penalty1-5-ft2",
    ),
    ({"depth": {"blocks": 2}, "finetune": 2}, "influence-block-2-ft2"),
]


@pytest.mark.parametrize(("written", "name"), POSSIBLE, ids=[name for _, name in POSSIBLE])
def test_a_name_says_how_the_variant_is_made_and_the_schema_takes_what_the_parser_takes(written, name):
    text = f"{HEAD}    - {written}\n"
    assert parse_recipe(text).family.members()[1].name == name
    assert list(Draft202012Validator(json_schema()).iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "written",
    [
        *({"granularity": text} for text in ("channels", "2:", "block:4", 4)),
        *({"granularity": "channel", "budget": budget} for budget in ({"macs": 0}, {"flops": 1}, {"macs": "half"}, 3)),
        *({"sparsity": 0.5, "layers": layers} for layers in ({"fc1": "drop"}, {"fc1": 1}, ["fc1"])),
        *({"sparsity": 0.5, name: 0} for name in ("round_to", "rounds", "round_epochs")),
        {"sparsity": 0.5, "reconstruct": "yes"},
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_parser_refuses(written):
    text = f"{HEAD}    - {written}\n"
    with pytest.raises(RecipeError):
        parse_recipe(text)
    assert list(Draft202012Validator(json_schema()).iter_errors(yaml.safe_load(text))) != []


@pytest.mark.parametrize("finetune", [0, 3])
def test_the_specification_of_what_older_recipes_could_ask_for_is_what_it_was(finetune):
    variant = Variant(criterion="random", allocation="uniform", sparsity=0.5, finetune=finetune)
    assert variant.specification() == {
        "criterion": "random",
        "granularity": "weight",
        "allocation": "uniform",
        "sparsity": "0.5",
    }


# By plans from when single weights were all that could leave.
FROZEN = {
    "digits": "9649e223e322ab337e62104c11da82bc1784281a3a234cd139a9a53e3d696ea6",
    "segmentation": "04fa1b429e26882547aee5d13762cccbedb2a2fcf1de8c669a42ef051a414f2a",
}


@pytest.mark.parametrize("name", FROZEN)
def test_older_families_keep_their_digest(name, tmp_path, monkeypatch):
    monkeypatch.setenv("SENTEI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SENTEI_EVENTS", str(tmp_path / "events"))
    made = plan((RECIPES / f"{name}.yaml").read_text())
    assert made.decision["family_digest"] == FROZEN[name]


def test_a_specification_holds_the_choices_that_were_made_and_the_order_of_its_patterns():
    chosen = {"granularity": "channel", "budget": {"macs": 0.50}, "layers": {"z*": "keep", "a": 0.50}, "round_to": 4}
    assert Variant(**chosen, reconstruct=True).specification() == {
        "criterion": "magnitude-l1",
        "granularity": "channel",
        "allocation": "global",
        "budget": {"macs": "0.5"},
        "layers": [["z*", "keep"], ["a", "0.5"]],
        "round_to": 4,
        "reconstruct": True,
    }
    turned = {"a": 0.50, "z*": "keep"}
    assert Variant(**chosen | {"layers": turned}).name != Variant(**chosen).name


def test_choices_that_a_whole_grid_shares_are_those_of_each_of_its_variants():
    grid = (
        "{granularity: [channel], budget: [{macs: 0.5}, {bytes: 0.25}], sparsity: [0.5], reconstruct: [false, true], "
        "round_to: 4, layers: {fc1: keep}, schedule: cubic, rounds: 2, round_epochs: 3}"
    )
    family = parse_recipe(HEAD.replace("variants:\n    - {sparsity: 0.123}", f"grid: {grid}")).family.members()
    shared = {"granularity": "channel", "round_to": 4, "layers": {"fc1": "keep"}}
    shared |= {"schedule": "cubic", "rounds": 2, "round_epochs": 3}
    sizes = [{"sparsity": 0.5}, {"budget": {"macs": 0.5}}, {"budget": {"bytes": 0.25}}]
    expected = [Variant(**shared, **size, reconstruct=fit) for fit in (False, True) for size in sizes]
    assert list(family) == expected
