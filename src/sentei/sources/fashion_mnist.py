"""What Fashion-MNIST consists of: four files, their checksums and the names of its classes."""

# MD5 of the files as they are before compression, so that they hold for every copy, however it was packed: the
# project's own archives, torchvision's mirrors and Debian's package compress the same bytes differently.
# Source: Xiao, Rasul and Vollgraf, Fashion-MNIST, arXiv:1708.07747 (licence: MIT).
MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
# Folders inside a data dir: the dir itself, sentei's own, and the one that torchvision makes.
FOLDERS = ("", "fashion-mnist", "FashionMNIST/raw")
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = "/usr/share/datasets/fashion-mnist"
