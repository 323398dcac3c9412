import pytest

from sentei.certificate.sentence import sentence
from sentei.risk import Claim
from tests.certified_run import certified_run


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (
            Claim("accuracy_drop", "0.02", "0.05"),
            "with 95 % confidence the variant's accuracy is at most 2 points below the dense model's: "
            "n = 600, 5 harmed, 2 helped, p = ",
        ),
        (
            Claim("accuracy_drop", "0.030", "0.1"),
            "with 90 % confidence the variant's accuracy is at most 3 points",
        ),
        (
            Claim("accuracy_drop", "0.025", "0.1"),
            "with 90 % confidence the variant's accuracy is at most 2.5 points",
        ),
        (Claim("risk", "0.12", "0.025"), "with 97.5 % confidence the variant errs on at most 12 % of rows: "),
        (Claim("accuracy_drop", "0.001", "0.05"), "nothing was certified: the safest variant 'mild' did not pass: "),
    ],
)
def test_a_record_fits_in_a_sentence(claim, said):
    assert sentence(certified_run(claim).record()).startswith(said)
