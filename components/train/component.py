"""plan -> dense model."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(examples: str, dense: str, model: dsl.Output[dsl.Model]):
    """Train the dense model, or take it from a checkpoint or a registry, and export it as it is served.

    Args:
        examples: The plan's examples part.
        dense: The plan's dense part.
        model: The dense model: architecture, weights, served graph, history.
    """
    from sentei.adapters.kubeflow.launching import launch
    from sentei.adapters.uris import open_uri
    from sentei.steps import train

    model.metadata.update(train.train(examples, dense, model.path, open_uri, launch))
