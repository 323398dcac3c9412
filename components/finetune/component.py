"""pruned variant -> recovered variant, as it will be served."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def finetune(examples: str, pruned: dsl.Input[dsl.Model], dense: dsl.Input[dsl.Model], variant: dsl.Output[dsl.Model]):
    """Let one pruned variant recover, distilled from the dense model, and export it as it will be served.

    Args:
        examples: The plan's examples part.
        pruned: The pruned variant.
        dense: The dense model, the teacher.
        variant: The recovered variant: architecture, weights, masks, served graph, history.
    """
    from sentei.adapters.kubeflow.launching import launch
    from sentei.adapters.uris import open_uri
    from sentei.steps import finetune

    variant.metadata.update(finetune.finetune(examples, pruned.path, dense.path, variant.path, open_uri, launch))
