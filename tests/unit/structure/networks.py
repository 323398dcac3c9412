"""Networks of several kinds, as small as they come."""

import torchvision
from torch import nn

NETS = {
    "resnet18": lambda: torchvision.models.resnet18(weights=None),
    "mobilenet_v3_small": lambda: torchvision.models.mobilenet_v3_small(weights=None),
    "vit": lambda: torchvision.models.VisionTransformer(32, 16, 2, 4, 32, 64),
    "swin_v2": lambda: torchvision.models.SwinTransformer(
        [4, 4], 24, [2, 2], [2, 4], [3, 3],
        block=torchvision.models.swin_transformer.SwinTransformerBlockV2,
        downsample_layer=torchvision.models.swin_transformer.PatchMergingV2,
    ),
    "encoder": lambda: nn.Sequential(
        nn.Flatten(2), nn.Linear(1024, 16), nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)),
    "recurrent": lambda: nn.Sequential(
        nn.Flatten(2), nn.Linear(1024, 16), nn.ReLU(), nn.Linear(16, 8), First(nn.GRU(8, 4, batch_first=True))),
}  # fmt: skip


class First(nn.Module):
    """The first of the results of a module."""

    def __init__(self, whole):
        super().__init__()
        self.whole = whole

    def forward(self, x):
        return self.whole(x)[0]
