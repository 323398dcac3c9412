"""The recipe's word on signatures."""

from pydantic import Field

from sentei.recipe.section import Section


class Signing(Section):
    """Whether the released bundle has to be signed; SENTEI_SIGNING_KEY names the private key where register runs."""

    required: bool = Field(False, description="refuse to release an unsigned bundle")
    public_key: str | None = Field(
        None, description="path, where register runs, of the public key that the signature has to fit; demands one"
    )
