"""sentei makes neural networks smaller and promotes one only with a proof.

The data's way is the reading order; each package is named after what it hands on::

    recipe        what the user asks for            sentei.recipe
    plan          family, claim, digests of rows    sentei.steps.plan
    examples      five splits that share no row     sentei.data, sentei.sources
    dense model   architecture, weights, history    sentei.models
    scores        larger = keep                     sentei.importance
    masks         True = keep                       sentei.sparsity
    variant       one smaller network, as served    sentei.steps.finetune
    losses, cost  per example; bytes, MACs          sentei.evaluation
    certificate   what was proven, and from what    sentei.risk, sentei.certificate
    registry      the version behind champion       sentei.adapters.mlflow

``sentei.steps`` turns folders into folders, one function per stage; ``sentei.cli`` runs the compiled pipeline. To
decide on numbers alone, ``from sentei.risk import paired_drop_p_value``; importing this package itself imports nothing.
"""

__version__ = "0.1.0"
