"""What a recipe and the environment ask for: signed when a key is there, refused when a signature is due and absent."""

from pathlib import Path

from sentei.adapters.signing.keys import KEY, PrivateKey
from sentei.adapters.signing.signature import sign, verify_signature
from sentei.errors import ServiceError


def sign_as_wished(bundle: Path, *, required: bool, public_key: str | None) -> str:
    """Sign the bundle with the key that ``SENTEI_SIGNING_KEY`` names, and check the signature if the recipe says how.

    Args:
        bundle: A verified bundle, about to be released.
        required: Whether an unsigned bundle must not be released.
        public_key: Path of the public key that the signature has to fit, which demands one; None to take the private
            key's word.

    Returns:
        The fingerprint of the key that signed; empty if no key is there and no signature is demanded.

    Raises:
        ServiceError: A signature is demanded and no key is there, or the key cannot be used.
        CertificateError: The key that signed is not the one that the recipe names.
        RecipeError: The public key that the recipe names cannot be read.
    """
    key = PrivateKey.from_env()
    if key is None and (required or public_key is not None):
        demand = "signing.required" if required else "signing.public_key"
        raise ServiceError(
            f"the recipe demands a signature ({demand}), but {KEY} is not set where register runs; nothing was "
            "released: mount the private key there and let the variable name its path"
        )
    if key is None:
        return ""
    name = sign(bundle, key)
    if public_key is not None:
        verify_signature(bundle, Path(public_key))
    return name
