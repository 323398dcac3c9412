"""What the commands say of a bundle's signature."""

from pathlib import Path


def signature_line(folder: Path, public_key: Path | None) -> str:
    """Whether the bundle is signed, and by which key; with a public key, after that was found to be so.

    Raises:
        CertificateError: The bundle is not signed by the private half of the public key.
        RecipeError: The public key cannot be read.
    """
    from sentei.adapters.signing.signature import signed_by, verify_signature

    if public_key is not None:
        return f"  signed by key {verify_signature(folder, public_key)[:12]} ({public_key})"
    name = signed_by(folder)
    if name is None:
        return "  not signed"
    return f"  a signature names key {name[:12]}; nobody checked it: give --public-key"
