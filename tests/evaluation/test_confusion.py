import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mixqual.evaluation import confusion_matrix


def test_a_small_one_by_hand() -> None:
    answers_N, labels_N = np.array([0, 1, 1, 2, 0, 1]), np.array([0, 0, 1, 2, 2, 1])
    assert confusion_matrix(answers_N, labels_N, 3).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]


@given(pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4))))
def test_rows_are_true_classes_and_columns_answers(pairs: list[tuple[int, int]]) -> None:
    answers_N = np.array([answer for answer, _ in pairs], dtype=np.int64)
    labels_N = np.array([label for _, label in pairs], dtype=np.int64)
    counts_KK = confusion_matrix(answers_N, labels_N, 5)
    assert counts_KK.shape == (5, 5)
    assert counts_KK.sum(1).tolist() == np.bincount(labels_N, minlength=5).tolist()
    assert counts_KK.sum(0).tolist() == np.bincount(answers_N, minlength=5).tolist()
    assert counts_KK.trace() == sum(answer == label for answer, label in pairs)
