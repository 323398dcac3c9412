"""The platform section: what is taken, and what its mistakes are called."""

import pytest

from sentei.adapters.kubeflow.package import recipe_text
from sentei.errors import RecipeError
from sentei.recipe import parse_recipe

DIGITS = recipe_text("digits")


@pytest.mark.parametrize(
    ("platform", "told"),
    [
        ("image: a/sentei:latest", "platform.image (line {}): expected a tag other than latest, or a digest"),
        ("every: {cpu: 0}", "platform.every.cpu (line {}): expected cores, such as 2, 0.5 or 500m; received 0"),
        ("every: {memory: 4Gb}", "platform.every.memory (line {}): expected an amount of bytes, such as 512Mi or 16Gi"),
        ("every: {timeout: 6}", "platform.every.timeout (line {}): expected a duration, such as 30s, 45m, 6h or 2d"),
        ("steps: {trian: {cpu: 2}}", "received 'trian'; did you mean 'train'?"),
        ("steps: {train: {cpus: 2}}", "platform.steps.train.cpus (line {}): unknown name; did you mean 'cpu'?"),
        ("secrets: {s4: keys}", "platform.secrets.s4 (line {}): unknown name; did you mean 's3'?"),
        ("security: {user: 0}", "platform.security.user (line {}): expected greater than or equal to 1; received 0"),
        ("mounts: [{claim: A_B, at: /a}]", "platform.mounts.0.claim (line {}): expected the name of a Kubernetes"),
        ("workspace: {claim: a, at: work}", "expected an absolute path in the container, such as /workspace"),
        (
            "environment: {AWS_SECRET_ACCESS_KEY: x}",
            "expected no credential in a recipe, received AWS_SECRET_ACCESS_KEY",
        ),
        ('environment: {URI: "http://me:pw@host/"}', "expected no user and password in a URL, received them in URI"),
        ("environment: {1A: x}", "expected the name of an environment variable; received '1A'"),
        ("every: {tolerations: [{operator: Exists, value: a}]}", "expected no value beside operator Exists"),
        ("every: {tolerations: [{effect: NoExecute}]}", "expected a key beside operator Equal"),
        ("parallelism: 0", "platform.parallelism (line {}): expected greater than or equal to 1"),
    ],
)
def test_a_mistake_is_told_with_its_place(platform, told):
    line = DIGITS.count("\n") + 2
    with pytest.raises(RecipeError) as raised:
        parse_recipe(f"{DIGITS}platform:\n  {platform}\n", "mine")
    assert told.format(line) in str(raised.value)
    assert "pw" not in str(raised.value)


def test_a_step_is_given_what_every_step_gets_where_it_says_nothing():
    platform = parse_recipe(
        f"{DIGITS}platform: {{every: {{cpu: 2, memory: 4Gi}}, steps: {{train: {{cpu: 0.5, timeout: 1h}}}}}}\n"
    ).platform
    assert (platform.step("train").cpu, platform.step("train").memory, platform.step("train").timeout) == (
        "0.5",
        "4Gi",
        "1h",
    )
    assert platform.step("prune") == platform.every


def test_the_command_line_may_say_otherwise():
    platform = parse_recipe(f"{DIGITS}platform: {{namespace: a, secrets: {{s3: b, mlflow: c}}}}\n").platform
    other = platform.instead("d", {"s3": "e"})
    assert (other.namespace, other.secrets.s3, other.secrets.mlflow) == ("d", "e", "c")
    assert platform.instead() == platform
