"""Images of 16 bits whose numbers are those of fewer, as many cameras write them: nearly black."""

from collections.abc import Iterable

_FROM = 2  # upper bits: one may be a dark photograph's


def unused_bits(spare_bits: Iterable[int | None]) -> str:
    """What is wrong if no image of 16 bits uses the upper ones, and what to do; else empty.

    `spare_bits` are those of each image (`Content.spare_bits`), None for one of other bits.
    """
    spare = [bits for bits in spare_bits if bits is not None]
    if not spare or not _FROM <= min(spare) < 16:
        return ""
    least, used = min(spare), 16 - min(spare)
    levels = max(1, 2**used // 257 + 1)
    return (
        f"{len(spare)} images have 16 bits, of which they use the lower {used} only (no number is "
        f"past {2**used - 1} of 65535), as from a camera of {used} bits: all are dark, and "
        f"{levels} of 256 gray levels are left of them; multiply their numbers by {2**least} and "
        "save them anew"
    )
