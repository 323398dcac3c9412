"""recipe -> the champion that is served -> tested again on fresh rows -> a new certificate, or its demotion."""

from typing import NamedTuple

from kfp import dsl

from components.conclude.component import conclude
from components.fetch_champion.component import fetch_champion
from components.retest.component import retest


@dsl.pipeline(name="recertify", description="Tests the served champion again on fresh rows, and may demote it.")
def recertify(recipe: str, run_key: str = "") -> NamedTuple("Outcome", verdict=dsl.Artifact, bundle=dsl.Artifact):
    # Nothing is cached: a schedule asks the same question again, and the answer depends on registry, rows and ledger.
    served = fetch_champion(recipe=recipe, run_key=run_key, job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
    served.set_caching_options(False)
    plan, parent, champion = (served.outputs[name] for name in ("plan", "parent", "champion"))

    tested = retest(plan=plan, parent=parent, champion=champion).set_caching_options(False)

    ended = conclude(
        recipe=recipe, plan=plan, parent=parent, champion=champion, verdict=tested.outputs["verdict"]
    ).set_caching_options(False)
    outputs = NamedTuple("Outcome", verdict=dsl.Artifact, bundle=dsl.Artifact)
    return outputs(verdict=tested.outputs["verdict"], bundle=ended.outputs["bundle"])
