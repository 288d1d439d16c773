"""Where a DICOM file keeps what it says of one frame."""

from typing import cast

from pydicom import Dataset


def of_frame(dataset: Dataset, number: int, sequence: str) -> Dataset:
    """Where the elements of one kind are: this frame's own item, all frames' item, or the data set itself."""
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for groups in (own[number - 1 : number], shared[:1]):
        for group in groups:
            if group.get(sequence):
                return cast(Dataset, group[sequence].value[0])
    return dataset
