import os
import subprocess
import sys

from stages.lib.files import ROOT


def test_vectors_are_the_same_whatever_pythons_hash_seed() -> None:
    code = (
        "from stages.lib.text.word2vec import train_word2vec as t; import hashlib;"
        "w, v = t([['the', 'hard', 'disk'], ['is', 'very', 'noisy', 'the']] * 20, 12, 3);"
        "print(*sorted(w), v.shape, hashlib.sha256(v.tobytes()).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert outputs.pop().startswith("disk hard is noisy the very (6, 12) ")
